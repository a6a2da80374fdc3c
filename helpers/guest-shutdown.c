/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks a libvirt domain that has the GPU to shut down, waits, and stops it if it has not: somebody
 * wants the desktop while the guest still runs.
 *
 * It runs whenever the domain's lease ends. Mostly that is because the domain has ended, and then
 * there is nothing to do: libvirt is not talked to unless this very domain's QEMU has the GPU open,
 * for its hook may be what ends the lease.
 *
 * 1. find the process that has the GPU's VFIO group open, and see by its command line that it is
 * the domain's
 * 2. virsh shutdown (the guest's agent is asked, else the guest sees its power button pressed), and
 *    GPU_GUEST_SHUTDOWN_SEC of time
 * 3. virsh destroy; where libvirt does not answer, SIGTERM, on which QEMU closes its disks, and in
 *    the end SIGKILL
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/process.h"
#include "common/qemu.h"
#include "common/settings.h"
#include "common/vfio.h"

#define SHUTDOWN_SEC 120
#define VIRSH_TIMEOUT_MS 15000
#define END_TIMEOUT_MS 15000

static const char *arg_domain = NULL;

static const char help[] =
        "guest-shutdown [OPTIONS] DOMAIN\n\n"
        "End the libvirt domain of this name or UUID if it has the Intel GPU: as its power button\n"
        "does, and by force when it has not ended after GPU_GUEST_SHUTDOWN_SEC seconds (120).\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n\n"
        "Exit status: 0 it has ended or does not have the GPU, 1 it goes on, 2 usage.\n";

typedef struct Guest {
        pid_t pid;
        int pidfd;
        char *uuid; /* what virsh takes: a name of digits would be a number to it */
} Guest;

static void guest_done(Guest *g) {
        closep(&g->pidfd);
        free(g->uuid);
}

/* Finds the domain's QEMU. Returns 1, 0 if it does not have the GPU, or a negative errno. */
static int find_guest(const char *gpu, const char *group, Guest *ret) {
        _cleanup_free_ char *process = NULL, *name = NULL, *uuid = NULL;
        _cleanup_close_ int pidfd = -1;
        pid_t pid;
        int r = vfio_find_user(gpu, group, &pid, &process);

        if (r <= 0)
                return r;
        pidfd = process_open(pid);
        if (pidfd < 0)
                return pidfd == -ESRCH ? 0 : pidfd;
        r = qemu_get_domain(pid, &name, &uuid);
        if (r < 0)
                return r == -ESRCH ? 0 : r;
        if (!uuid || ((!name || strcmp(name, arg_domain) != 0) && strcmp(uuid, arg_domain) != 0))
                return 0;

        *ret = (Guest){pid, pidfd, uuid};
        pidfd = -1;
        uuid = NULL;
        return 1;
}

/* Runs virsh VERB. It is killed when libvirt has not answered in time. */
static int run_virsh(const char *verb, const char *uuid) {
        const char *const argv[] = {
                "virsh", "--quiet", "--connect=qemu:///system", verb, uuid, NULL};
        int r = process_run(argv, (const int[]){-1, -1, -1}, VIRSH_TIMEOUT_MS);

        return r > 0 ? -EREMOTEIO : r;
}

/* Where the guest has an agent, libvirt asks that, and answers only when the guest is off or a
 * minute is over (qemuAgentShutdown() in src/qemu/qemu_agent.c). So a virsh that is still waiting
 * has asked, if libvirt answers at all. */
static int ask(const Guest *g) {
        int r = run_virsh("shutdown", g->uuid);

        return r == -ETIMEDOUT ? run_virsh("domstate", g->uuid) : r;
}

static int destroy(const Guest *g) {
        int r = run_virsh("destroy", g->uuid);

        if (r >= 0)
                r = process_wait_end_of(g->pidfd, END_TIMEOUT_MS);
        for (size_t i = 0; r < 0 && i < 2; i++) {
                static const int signals[] = {SIGTERM, SIGKILL};

                log_warning_errno(
                        r, "libvirt does not stop the guest, sending signal %d: %m", signals[i]);
                r = process_signal(g->pidfd, signals[i]);
                if (r >= 0)
                        r = process_wait_end_of(g->pidfd, END_TIMEOUT_MS);
        }
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_GUEST_STAYS, .holder_pid = g->pid), r,
                        "The guest does not end, so the graphics card stays with it: %m");
        log_info_event(
                EVENT(MESSAGE_GUEST_STOPPED, .holder_pid = g->pid), "The guest has been stopped.");
        return 0;
}

static int shut_down(const Guest *g, int seconds) {
        int r;

        log_progress_event(EVENT(MESSAGE_GUEST_ASKED, .holder_pid = g->pid),
                "Asking the guest to shut down, and waiting %d s for it.", seconds);
        r = ask(g);
        if (r < 0) {
                log_warning_event(EVENT(MESSAGE_GUEST_GOES_ON, .holder_pid = g->pid), r,
                        "libvirt cannot ask the guest to shut down: %m");
                return destroy(g);
        }
        r = process_wait_end_of(g->pidfd, seconds * 1000);
        if (r == -ETIMEDOUT)
                log_warning_event(EVENT(MESSAGE_GUEST_GOES_ON, .holder_pid = g->pid), r,
                        "The guest has not shut down within %d s (" SETTING_SHUTDOWN
                        "), stopping it.",
                        seconds);
        return r < 0 ? destroy(g) : 0;
}

static int run(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_free_ char *gpu = NULL, *group = NULL;
        _cleanup_(guest_done) Guest guest = {.pidfd = -1};
        int r, seconds = SHUTDOWN_SEC;

        if (!udev)
                return log_oom();
        r = gpu_find_group(udev, &gpu, &group);
        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card and its IOMMU group: %m");
        log_set_device(gpu);
        r = find_guest(gpu, group, &guest);
        if (r < 0)
                return log_error_errno(r, "Cannot see who uses the graphics card: %m");
        if (r == 0)
                return 0;

        if (setting_seconds(SETTING_SHUTDOWN, SHUTDOWN_SEC, &seconds) < 0)
                log_warning(SETTING_SHUTDOWN " is not a number of seconds, taking %d.", seconds);
        return shut_down(&guest, seconds);
}

int main(int argc, char *argv[]) {
        int r = options_parse_argument(argc, argv, help, NULL, &arg_domain);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_set_domain(arg_domain);
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
