/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs for as long as the GPU has a reason to be away from the host, and ends when it has none any
 * more. The unit that runs it then goes, and systemd undoes the hand-over: nobody sits before a
 * dark screen because a guest never came, or because its end was told to nobody.
 *
 * 1. until a guest opens the GPU's VFIO group: at most GPU_GUEST_UNUSED_SEC
 * 2. until it lets go: for ever. The end of its process is an event; that a group is opened is none
 *    (libvirt gives each guest a /dev of its own, so not even inotify(7) would see it)
 * 3. a while longer, in which the guest may be started again, or libvirt say itself that it has
 *    ended
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/gpu.h"
#include "common/kernel-options.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/process.h"
#include "common/settings.h"
#include "common/unit.h"
#include "common/vfio.h"

#define UNUSED_SEC 120
#define GRACE_SEC 15
#define FIRST_PAUSE_MS 250
#define LAST_PAUSE_MS 2000
#define STILL_USED_MS 30000 /* how often to look whether a guest that runs has given the GPU up */

static bool arg_target = false;

static const char help[] =
        "guest-watch [OPTIONS]\n\n"
        "Run until no guest needs the GPU any more.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --target     For gpu-guest.target: a guest that has ended may be followed by another,\n"
        "                  and where the machine boots into that target, run for ever\n\n"
        "It ends when no guest has opened the GPU for GPU_GUEST_UNUSED_SEC seconds (120; 0: never),\n"
        "or when the one that had is gone.\n\n"
        "Exit status: 0 no guest needs it, 1 failed, 2 usage.\n";

typedef struct Watch {
        char *gpu, *group;
        int unused_sec;
} Watch;

/* Waits for somebody to open the group. Returns 1 with the process, 0 if none has in time. */
static int wait_for_guest(const Watch *w, int seconds, pid_t *ret_pid, char **ret_name) {
        uint64_t deadline = clock_deadline(seconds * 1000);
        int r, pause = FIRST_PAUSE_MS;

        while ((r = vfio_find_user(w->gpu, w->group, ret_pid, ret_name)) == 0) {
                if (seconds > 0 && clock_remaining(deadline) == 0)
                        return 0;
                (void)poll(NULL, 0, pause);
                pause = pause < LAST_PAUSE_MS ? 2 * pause : LAST_PAUSE_MS;
        }
        return r;
}

/* Waits for the process to end, or to let go of the GPU while it goes on. At first it looks soon:
 * for a guest with iommufd it is libvirt that opens the device, to hand it to QEMU. */
static void wait_while_used(const Watch *w, pid_t pid) {
        for (int pause = FIRST_PAUSE_MS;;
                pause = pause < STILL_USED_MS / 2 ? 2 * pause : STILL_USED_MS) {
                _cleanup_free_ char *name = NULL;
                int r = process_wait_end(pid, pause);
                pid_t user;

                if (r < 0 && r != -ETIMEDOUT) /* no event then, only a look now and again */
                        (void)poll(NULL, 0, LAST_PAUSE_MS);
                if (r >= 0 || vfio_find_user(w->gpu, w->group, &user, &name) <= 0 || user != pid)
                        return;
        }
}

/* What a machine has been set up to boot into is nobody's trial. */
static bool is_for_ever(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *target = NULL;

        if (kernel_get_target(&target) > 0)
                return strcmp(target, UNIT_TARGET) == 0;
        return sd_bus_open_system(&bus) >= 0 && manager_get_default_target(bus, &target) >= 0 &&
               strcmp(target, UNIT_TARGET) == 0;
}

static int watch(const Watch *w) {
        bool used = false;

        for (;;) {
                int seconds = used && !arg_target ? GRACE_SEC : w->unused_sec;
                _cleanup_free_ char *name = NULL;
                pid_t pid;
                int r = wait_for_guest(w, seconds, &pid, &name);

                if (r < 0)
                        return log_error_errno(r, "Cannot see who uses the graphics card: %m");
                if (r == 0 && used && !arg_target) {
                        log_info("The guest has ended.");
                        return 0;
                }
                if (r == 0) {
                        log_notice_event(EVENT(MESSAGE_CARD_UNUSED),
                                "No guest has used the graphics card for %d s, so it goes back to "
                                "the host (" SETTING_UNUSED ").",
                                seconds);
                        return 0;
                }

                log_progress_event(EVENT(MESSAGE_GUEST_HAS_CARD, .holder_pid = pid),
                        "The graphics card is with %s, PID %d.", name, (int)pid);
                wait_while_used(w, pid);
                used = true;
        }
}

static int run(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_free_ char *gpu = NULL, *group = NULL;
        Watch w = {};
        int r;

        if (!udev)
                return log_oom();
        r = setting_seconds(SETTING_UNUSED, UNUSED_SEC, &w.unused_sec);
        if (r < 0) {
                log_warning(SETTING_UNUSED " is not a number of seconds up to a week, taking %d.",
                        UNUSED_SEC);
                w.unused_sec = UNUSED_SEC;
        }
        if (arg_target && (w.unused_sec == 0 || is_for_ever())) {
                log_progress("The graphics card waits for a guest for as long as it takes.");
                for (;;)
                        (void)pause();
        }

        r = gpu_find_group(udev, &gpu, &group);
        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card and its IOMMU group: %m");
        log_set_device(gpu);

        w.gpu = gpu;
        w.group = group;
        return watch(&w);
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, (const Option[]){{"target", &arg_target}, {}});

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_set_domain(getenv(JOURNAL_DOMAIN)); /* a lease's unit says whose it is */
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
