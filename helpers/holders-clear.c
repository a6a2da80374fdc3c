/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes those let go who have the GPU's device nodes open, or the nodes of the sound cards that
 * depend on it, after the graphical sessions have ended: a busy driver is never forced.
 *
 * 1. who has the GPU open is dealt with by what he is (holders.h): a service is stopped through its
 *    manager, and remembered; a single process is asked to end, then killed. PID 1 and logind have
 *    copies of what sessions have open, and drop them with the session
 * 2. sound servers are told that their card is gone, as if it had been unplugged; they follow.
 *    Everybody else who has it open is dealt with in the same way
 * 3. who is not ours to end, or does not go, is named, and the hand-over fails
 *
 * The inverse (--restore) has the sound cards noticed, and starts the services again once the
 * desktop has the GPU open: the first one that opens a card becomes its master (drm_master_open()
 * in drivers/gpu/drm/drm_auth.c), and without that a display server does not start. A user's
 * service waits for that user.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/getty.h"
#include "common/gpu.h"
#include "common/holders.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/owner.h"
#include "common/process.h"
#include "common/record.h"
#include "common/session.h"
#include "common/settings.h"
#include "common/sysfs.h"
#include "common/unit.h"
#include "common/user-manager.h"

#define ANNOUNCED_TIMEOUT_MS 3000 /* for a sound server to close a card: usually 0.2 s */
#define CHECK_TIMEOUT_MS 2000
#define INSIST_AFTER_MS 10000
#define USER_SERVICE_MS 25000  /* for a user's: a desktop's end in order, the compositor last */
#define GIVE_UP_AFTER_MS 45000 /* a service may take its time to stop */
#define DEAD_TIMEOUT_MS 10000  /* from SIGKILL until the kernel has closed everything */
#define ROUND_MS 250
#define DESKTOP_TIMEOUT_MS 30000
#define LOOK_AGAIN_MS 2000
#define USER_TIMEOUT_MS 30000 /* for a login that comes by itself: nobody waits for a password */

static bool arg_check = false;
static bool arg_restore = false;

static const char help[] =
        "holders-clear [OPTIONS]\n\n"
        "Make the programs let go that have the Intel GPU, or a sound card that depends on it,\n"
        "open.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --check      Only see whether it could be done now; change nothing\n"
        "     --restore    The inverse: start again what was stopped\n\n"
        "Services are stopped through systemd, other programs are ended. Virtual machines,\n"
        "containers and what the host cannot do without are left alone: they are named, and the\n"
        "exit status is 1. With GPU_GUEST_HOLDERS=refuse in the environment nothing is ended.\n"
        "What is needed to undo it is kept in /run/gpu-guest/holders.\n\n"
        "Exit status: 0 nobody has it open, 1 somebody has, 2 usage.\n";

static int add_sound_nodes(struct udev *udev, const char *gpu, Nodes *nodes) {
        _cleanup_strv_free_ char **controllers = NULL;
        int r = gpu_find_audio(udev, gpu, &controllers);

        for (char **c = controllers; r >= 0 && c && *c; c++)
                r = nodes_add_pci(nodes, udev, *c, SUBSYSTEM_SOUND);
        return r < 0 ? r : 0;
}

/* For what is undone by --restore. */
#define remember(...) remember_result(record_add(RECORD_HOLDERS, __VA_ARGS__))

static int remember_result(int r) {
        if (r < 0)
                return log_error_errno(r, "Cannot write " RUNTIME_DIR "/" RECORD_HOLDERS
                                          ", so nothing is stopped: %m");
        return 0;
}

/* Sends an event of a sound card to udev's listeners. */
static int announce(const char *card, const char *action) {
        _cleanup_free_ char *attribute = NULL;

        if (asprintf(&attribute, SYSFS_SOUND "/%s/" ATTR_UEVENT, card) < 0)
                return -ENOMEM;
        return sysfs_write(AT_FDCWD, attribute, action);
}

/* "/dev/snd/controlC0" has the card's number behind the C. */
static int announce_removal(const Nodes *nodes) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < nodes->n; i++) {
                const char *control = strstr(nodes->list[i].name, "/controlC");
                char card[sizeof("card") + 10];

                if (!control)
                        continue;
                snprintf(card, sizeof(card), "card%.9s", control + strlen("/controlC"));
                r = remember("sound %s", card);
                if (r < 0)
                        return r;
                r = announce(card, "remove");
                if (r < 0)
                        log_warning_errno(r, "Cannot announce the end of %s, ignoring: %m", card);
        }
        return 0;
}

/* For the journal: what happens to a holder, and which one it is. */
#define HOLDER_EVENT(id, h) EVENT(id, .holder_pid = (h)->pid, .holder_unit = (h)->unit)

static void say_waiting(const Event *event, const Holder *h) {
        _cleanup_free_ char *description = holder_describe(h);

        log_progress_event(event, "Waiting for %s to let go.", description ?: h->name);
}

static int signal_process(const Holder *h, int signal) {
        int r = process_signal(h->pidfd, signal);

        /* one that is stopped would not notice */
        if (r >= 0 && signal != SIGKILL)
                r = process_signal(h->pidfd, SIGCONT);
        if (r < 0)
                return log_error_errno(r, "Cannot end %s (PID %d): %m", h->name, (int)h->pid);
        return 0;
}

/* The first measure. */
static int end_process(sd_bus *bus, const Holder *h) {
        int r = h->session ? getty_keep_out(bus, h->session, h->pid) : 0;

        if (r < 0)
                return r;
        say_waiting(HOLDER_EVENT(MESSAGE_PROCESS_ENDED, h), h);
        return signal_process(h, SIGTERM);
}

/* One of which systemd does not say how it is, is left to systemd. */
static bool is_running(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *state = NULL;

        return unit_get_state(bus, unit, &state) < 0 ||
               (strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0);
}

static int stop_service(sd_bus *bus, const Holder *h) {
        _cleanup_free_ char *reason = NULL;
        int r;

        /* what a display manager or a service has left behind when it stopped */
        if (!is_running(bus, h->unit))
                return end_process(bus, h);

        say_waiting(HOLDER_EVENT(MESSAGE_SERVICE_STOPPED, h), h);
        r = remember("service %s", h->unit);
        if (r < 0)
                return r;
        r = unit_queue_stop(bus, h->unit, &reason);
        if (r < 0)
                return log_error_errno(r, "Cannot stop %s: %s", h->unit, reason ?: strerror(-r));
        return 0;
}

/* A compositor that the user's service manager runs: where a login on a text console has asked for
 * it, that ends with it, and a getty that logs in by itself would bring the next one. Only of the
 * console in front, where the compositor is: another login of the user's has nothing to do with it.
 */
static int keep_gettys_out(sd_bus *bus, const Holder *h) {
        _cleanup_strv_free_ char **sessions = NULL;
        int r = sd_uid_get_sessions(h->uid, 1, &sessions);

        for (char **s = sessions; r >= 0 && s && *s; s++)
                r = getty_keep_out(bus, *s, h->pid);
        return r;
}

/* What is part of a graphical session ends for good, as the session has; the rest comes back. */
static int stop_user_service(sd_bus *bus, const Holder *h) {
        int r = user_manager_is_graphical(h->uid, h->unit);

        if (r == 0) {
                say_waiting(HOLDER_EVENT(MESSAGE_SERVICE_STOPPED, h), h);
                r = remember("user-service %u %s", h->uid, h->unit);
                if (r < 0)
                        return r;
        } else if (r > 0) {
                (void)keep_gettys_out(bus, h);
                say_waiting(HOLDER_EVENT(MESSAGE_PROCESS_ENDED, h), h);
        }
        if (r >= 0)
                r = user_manager_stop(h->uid, h->unit);
        if (r < 0) {
                log_info("The user's service manager does not stop %s, ending the process.",
                        h->unit);
                return end_process(bus, h);
        }
        return 0;
}

static int ask(sd_bus *bus, const Holder *h) {
        switch (h->kind) {
        case HOLDER_SERVICE:
                return stop_service(bus, h);
        case HOLDER_USER_SERVICE:
                return stop_user_service(bus, h);
        case HOLDER_PROCESS:
                return end_process(bus, h);
        default:
                say_waiting(HOLDER_EVENT(NULL, h), h);
                return 0;
        }
}

/* May this one not be ended? */
static bool is_obstacle(sd_bus *bus, const Holder *h, bool refuse) {
        if (h->kind == HOLDER_FOREIGN || h->kind == HOLDER_KEEPER)
                return h->kind == HOLDER_FOREIGN;
        return refuse && !(arg_check && owner_goes_with_desktop(bus, h));
}

static bool any_is_obstacle(sd_bus *bus, const Holders *holders, bool refuse) {
        for (size_t i = 0; i < holders->n; i++)
                if (is_obstacle(bus, &holders->list[i], refuse))
                        return true;
        return false;
}

static int name_obstacles(sd_bus *bus, const Holders *holders, bool refuse) {
        for (size_t i = 0; i < holders->n; i++) {
                const Holder *h = &holders->list[i];
                _cleanup_free_ char *description = holder_describe(h);

                if (!is_obstacle(bus, h, refuse))
                        continue;
                if (h->kind == HOLDER_FOREIGN)
                        log_error_event(HOLDER_EVENT(MESSAGE_HOLDER_NOT_OURS, h), 0,
                                "In the way: %s. It is not for gpu-guest to end: please stop it "
                                "first.",
                                description ?: h->name);
                else
                        log_error_event(HOLDER_EVENT(MESSAGE_HOLDER_KEPT, h), 0,
                                "In the way: %s. It would have to be ended, but " SETTING_HOLDERS
                                "=refuse is set.",
                                description ?: h->name);
        }
        return -EBUSY;
}

static int complain(const Holders *holders) {
        _cleanup_free_ char *description = holders_describe(holders);

        return log_error_event(EVENT(MESSAGE_HOLDER_STAYS), EBUSY, "Does not let go: %s.",
                description ?: "several programs");
}

typedef struct Pids {
        pid_t *list;
        size_t n;
} Pids;

/* Returns 1, 0 if it was there already, or a negative errno. */
static int pids_add(Pids *pids, pid_t pid) {
        pid_t *more;

        for (size_t i = 0; i < pids->n; i++)
                if (pids->list[i] == pid)
                        return 0;
        more = realloc(pids->list, (pids->n + 1) * sizeof(pid_t));
        if (!more)
                return log_oom();
        pids->list = more;
        pids->list[pids->n++] = pid;
        return 1;
}

typedef struct Clearing {
        sd_bus *bus;
        const Nodes *nodes;
        bool refuse;
        uint64_t insist_at; /* 0: nobody has been asked yet */
        uint64_t user_services_at;
        uint64_t dead_at; /* 0: it has not been time to insist yet */
        uint64_t last_at;
        Pids asked, killed;
} Clearing;

static int ask_once(Clearing *c, const Holder *h) {
        int r = pids_add(&c->asked, h->pid);

        return r <= 0 ? r : ask(c->bus, h);
}

/* Does its manager still see to it? */
static bool is_stopping(const Clearing *c, const Holder *h) {
        return (h->kind == HOLDER_SERVICE && is_running(c->bus, h->unit)) ||
               (h->kind == HOLDER_USER_SERVICE && clock_remaining(c->user_services_at) > 0);
}

static bool any_is_stopping(const Clearing *c, const Holders *holders) {
        for (size_t i = 0; i < holders->n; i++)
                if (is_stopping(c, &holders->list[i]))
                        return true;
        return false;
}

/* The second measure. A service that is stopping is killed by its manager when that has waited
 * enough, a user's by us if that is too long; one that has been started again meanwhile, by a
 * socket of its own, is asked again. */
static int insist(Clearing *c, const Holder *h) {
        int r;

        if (h->kind == HOLDER_KEEPER || h->kind == HOLDER_FOREIGN)
                return 0;
        if (is_stopping(c, h))
                return ask_once(c, h);
        r = pids_add(&c->killed, h->pid);
        if (r > 0)
                log_info_event(HOLDER_EVENT(MESSAGE_PROCESS_KILLED, h),
                        "%s (PID %d) has not ended, killing it.", h->name, (int)h->pid);
        return r < 0 ? r : signal_process(h, SIGKILL);
}

/* Once it is time to insist, those who are still there have not been on their way out. Who is left
 * when a service has stopped, killed by its manager maybe, has as long to die as any other. */
static int insist_all(Clearing *c, const Holders *holders) {
        int r = 0;

        if (any_is_obstacle(c->bus, holders, c->refuse))
                return name_obstacles(c->bus, holders, c->refuse);
        if (!c->dead_at || any_is_stopping(c, holders))
                c->dead_at = clock_deadline(DEAD_TIMEOUT_MS);
        if (clock_remaining(c->last_at) == 0 || clock_remaining(c->dead_at) == 0)
                return complain(holders);
        for (size_t i = 0; i < holders->n && r >= 0; i++)
                r = insist(c, &holders->list[i]);
        return r;
}

/* The first measure. Their time begins when all have been asked, which takes a while on a busy
 * machine. */
static int ask_all(Clearing *c, const Holders *holders) {
        int r = 0;

        for (size_t i = 0; i < holders->n && !c->refuse && r >= 0; i++)
                r = ask_once(c, &holders->list[i]);
        if (!c->insist_at) {
                c->insist_at = clock_deadline(INSIST_AFTER_MS);
                c->user_services_at = clock_deadline(USER_SERVICE_MS);
        }
        return r;
}

/* Looks at who is there and does what is due. Returns 0 if there is nobody any more, 1 to go on. */
static int go_round(Clearing *c) {
        _cleanup_(holders_done) Holders holders = {};
        int r = holders_find(c->nodes, &holders);

        if (r < 0)
                return log_error_errno(r, "Cannot look who has the device open: %m");
        if (r == 0)
                return 0;

        if (c->insist_at && clock_remaining(c->insist_at) == 0)
                r = insist_all(c, &holders);
        else
                r = ask_all(c, &holders);
        if (r < 0)
                return r;
        holders_wait(&holders, ROUND_MS);
        return 1;
}

static int clear(sd_bus *bus, const Nodes *nodes, bool refuse) {
        Clearing c = {
                .bus = bus,
                .nodes = nodes,
                .refuse = refuse,
                .last_at = clock_deadline(GIVE_UP_AFTER_MS),
        };
        int r;

        do
                r = go_round(&c);
        while (r > 0);
        free(c.asked.list);
        free(c.killed.list);
        return r;
}

/* Sound servers follow the card by themselves. */
static int clear_sound(sd_bus *bus, const Nodes *nodes, bool refuse) {
        _cleanup_(holders_done) Holders before = {}, after = {};
        int r = holders_find(nodes, &before);

        if (r > 0) {
                r = announce_removal(nodes);
                if (r < 0)
                        return r;
                log_progress("Waiting for the sound servers to let go of the sound card.");
                r = holders_wait_none(nodes, ANNOUNCED_TIMEOUT_MS, &after);
        }
        if (r < 0)
                return log_error_errno(r, "Cannot look who has the sound card open: %m");
        return r == 0 ? 0 : clear(bus, nodes, refuse);
}

/* Would it be refused? What is about to be closed anyway gets a moment. */
static int check(sd_bus *bus, const Nodes *nodes, bool refuse) {
        uint64_t deadline = clock_deadline(CHECK_TIMEOUT_MS);

        for (;;) {
                _cleanup_(holders_done) Holders holders = {};
                int r = holders_find(nodes, &holders);

                if (r < 0)
                        return log_error_errno(r, "Cannot look who has the device open: %m");
                if (!any_is_obstacle(bus, &holders, refuse))
                        return 0;
                if (clock_remaining(deadline) == 0)
                        return name_obstacles(bus, &holders, refuse);
                holders_wait(&holders, ROUND_MS);
        }
}

/* The GPU's, and those of its sound cards for whoever wants them. */
static int find_nodes(struct udev *udev, Nodes *gpu, Nodes *sound) {
        _cleanup_free_ char *address = NULL;
        int r = gpu_find(udev, &address);

        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card: %m");
        log_set_device(address);
        r = nodes_add_pci(gpu, udev, address, NULL);
        if (r >= 0 && sound)
                r = add_sound_nodes(udev, address, sound);
        if (r < 0)
                return log_error_errno(r, "Cannot list the device nodes of %s: %m", address);
        return 0;
}

static int make_let_go(sd_bus *bus) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_(nodes_done) Nodes gpu = {}, sound = {};
        bool refuse = false;
        int r;

        if (!udev)
                return log_oom();
        r = setting_refuse_holders(&refuse);
        if (r < 0)
                return log_error_errno(r, SETTING_HOLDERS " is neither \"stop\" nor \"refuse\".");
        r = find_nodes(udev, &gpu, arg_check ? &gpu : &sound);
        if (r < 0)
                return r;
        if (arg_check)
                return check(bus, &gpu, refuse);

        r = gpu.n > 0 ? clear(bus, &gpu, refuse) : 0;
        return r < 0 || sound.n == 0 ? r : clear_sound(bus, &sound, refuse);
}

/* A console that draws by itself (kmscon) has held the card where there was no desktop. If there is
 * one now, it has taken that console's place, and would be stopped by it. */
static bool is_replaced(sd_bus *bus, const char *unit) {
        return is_running(bus, UNIT_DISPLAY_MANAGER) &&
               unit_excludes(bus, unit, UNIT_DISPLAY_MANAGER) > 0;
}

/* The inverse. */
static int start_service(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *reason = NULL;
        int r;

        if (is_replaced(bus, unit)) {
                log_info("%s is not started again: the desktop would stop.", unit);
                return 0;
        }
        log_progress_event(
                EVENT(MESSAGE_SERVICE_RESUMED, .holder_unit = unit), "Starting %s again.", unit);
        r = unit_queue_start(bus, unit, &reason);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_SERVICE_NOT_RESUMED, .holder_unit = unit), r,
                        "%s is not started again: %s", unit, reason ?: strerror(-r));
        return 0;
}

/* Most users may open the card while they have a session on the seat, and only then (systemd's
 * src/udev/udev-builtin-uaccess.c). Who has the right in another way, or does not log in again, is
 * not waited for any longer. */
static void wait_for_user(uid_t uid, uint64_t deadline) {
        log_progress("Waiting for user %u to be at the desktop again, who may use the graphics "
                     "card only then.",
                (unsigned)uid);
        (void)session_wait_user(uid, SEAT_NAME, clock_remaining(deadline));
}

static bool is_starting(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *state = NULL;

        return unit_start_is_queued(bus, unit) > 0 ||
               (unit_get_state(bus, unit, &state) >= 0 && strcmp(state, "activating") == 0);
}

/* logind tells of a session that has begun before the user's manager has (user_start_service() and
 * session_send_create_reply() in its source). */
static int start_once_managed(sd_bus *bus, uid_t uid, const char *unit, uint64_t deadline) {
        char manager[sizeof("user@.service") + 3 * sizeof(uid_t)];

        snprintf(manager, sizeof(manager), "user@%u.service", (unsigned)uid);
        for (;;) {
                bool comes = is_starting(bus, manager);
                int r = user_manager_start(uid, unit);

                if ((r != -ENOENT && r != -ECONNREFUSED) || !comes ||
                        clock_remaining(deadline) == 0)
                        return r;
                (void)poll(NULL, 0, ROUND_MS);
        }
}

/* The user may have no manager any more, which is no failure. */
static void start_user_service(sd_bus *bus, uid_t uid, const char *unit, uint64_t deadline) {
        int r;

        log_progress_event(EVENT(MESSAGE_SERVICE_RESUMED, .holder_unit = unit),
                "Starting %s of user %u again.", unit, uid);
        r = start_once_managed(bus, uid, unit, deadline);
        if (r < 0)
                log_info_event(EVENT(MESSAGE_SERVICE_NOT_RESUMED, .holder_unit = unit),
                        "%s of user %u is not started again: %s", unit, uid, strerror(-r));
}

static int announce_again(const char *card) {
        int r = announce(card, "change");

        if (r < 0 && r != -ENOENT)
                return log_error_errno(r, "Cannot announce %s again: %m", card);
        return 0;
}

/* A line is taken apart as what a stranger wrote. Sound cards are in nobody's way: they come first,
 * and the services when the desktop is there. */
static int restore_line(sd_bus *bus, const char *line, bool sound, uint64_t deadline) {
        _cleanup_free_ char *unit = NULL, *card = NULL;
        unsigned uid;

        if (sscanf(line, "sound %m[card0123456789]", &card) == 1)
                return sound ? announce_again(card) : 0;
        if (sound)
                return 0;
        if (sscanf(line, "service %ms", &unit) == 1)
                return start_service(bus, unit);
        if (sscanf(line, "user-service %u %ms", &uid, &unit) == 2) {
                wait_for_user(uid, deadline);
                start_user_service(bus, uid, unit, deadline);
                return 0;
        }
        return log_error_errno(EBADMSG, "Cannot undo \"%s\": %m", line);
}

static int restore_lines(sd_bus *bus, char *const *lines, bool sound, uint64_t deadline) {
        int r, ret = 0;

        for (char *const *l = lines; *l; l++) {
                r = restore_line(bus, *l, sound, deadline);
                if (r < 0 && ret >= 0)
                        ret = r;
        }
        return ret;
}

static bool has_services(char *const *lines) {
        for (char *const *l = lines; *l; l++)
                if (strncmp(*l, "sound ", strlen("sound ")) != 0)
                        return true;
        return false;
}

/* Says when somebody opens one of the nodes; a negative errno if that cannot be. */
static int watch_opens(const Nodes *nodes) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int ret;

        if (fd < 0)
                return -errno;
        for (size_t i = 0; i < nodes->n; i++)
                if (inotify_add_watch(fd, nodes->list[i].name, IN_OPEN) < 0 && errno != ENOENT)
                        return -errno;
        ret = fd;
        fd = -1;
        return ret;
}

/* The kernel says that a file is being opened a moment before the process has it, so a look that
 * was too early is repeated. */
static void wait_for_open(int inotify, int timeout_ms) {
        struct pollfd pfd = {.fd = inotify, .events = POLLIN};
        char events[4096];

        (void)poll(&pfd, 1, timeout_ms < LOOK_AGAIN_MS ? timeout_ms : LOOK_AGAIN_MS);
        while (read(inotify, events, sizeof(events)) > 0)
                ;
}

/* Waits until somebody has opened the GPU. To look takes a good part of a CPU, which the desktop
 * needs now. */
static void wait_for_desktop(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        uint64_t deadline = clock_deadline(DESKTOP_TIMEOUT_MS);
        _cleanup_(nodes_done) Nodes nodes = {};
        _cleanup_close_ int inotify = -1;

        if (!udev || find_nodes(udev, &nodes, NULL) < 0)
                return;
        inotify = watch_opens(&nodes);
        log_progress(
                "Waiting for the desktop, which has to be the first to use the graphics card.");
        for (;;) {
                _cleanup_(holders_done) Holders holders = {};

                if (holders_find(&nodes, &holders) != 0 || clock_remaining(deadline) == 0)
                        return;
                wait_for_open(inotify, clock_remaining(deadline));
        }
}

static int restore(sd_bus *bus) {
        _cleanup_strv_free_ char **lines = NULL;
        uint64_t deadline = clock_deadline(0);
        _cleanup_free_ char *state = NULL;
        int r = record_read(RECORD_HOLDERS, &lines), ret = 0;

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Cannot read " RUNTIME_DIR "/" RECORD_HOLDERS ": %m");
        if (manager_get_state(bus, &state) >= 0 && strcmp(state, "stopping") == 0)
                return 0;

        ret = restore_lines(bus, lines, true, deadline);
        if (has_services(lines) && is_running(bus, UNIT_DISPLAY_MANAGER)) {
                wait_for_desktop();
                deadline = clock_deadline(USER_TIMEOUT_MS);
        }
        r = restore_lines(bus, lines, false, deadline);
        if (ret >= 0)
                ret = r;
        /* once: what cannot be started now will not be wanted after the next guest */
        r = record_remove(RECORD_HOLDERS);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot remove " RUNTIME_DIR "/" RECORD_HOLDERS ", ignoring: %m");
        return ret;
}

static int run(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m");
        return arg_restore ? restore(bus) : make_let_go(bus);
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help,
                (const Option[]){
                        {"check", &arg_check},
                        {"restore", &arg_restore},
                        {},
                });

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
