/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What starts a hand-over: systemd has to know our units, and libvirt's daemon to have seen our
 * hook. It looks for hooks when it starts and when it is reloaded, and remembers that there was
 * none (virHookInitialize() in src/util/virhook.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "common/sysfs.h"
#include "common/unit.h"

/* Modular daemons first: where both are installed, virtqemud is the one that is used. */
static const char *const daemons[] = {"virtqemud", "libvirtd"};

static bool is_active(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *state = NULL;

        return unit_get_state(bus, unit, &state) >= 0 &&
               (strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0);
}

static void check_units(Check *c) {
        bool stale = false;
        int r = unit_is_known(c->bus, UNIT_VFIO, &stale);

        if (r < 0)
                check_add(c, "units", "systemd", ANSWER_UNKNOWN, "It does not answer: %s",
                        strerror(-r));
        else if (r == 0 || stale) {
                check_add(c, "units", "systemd", ANSWER_NO, "It does not know %s yet.",
                        r == 0 ? "gpu-guest's units" : "the newest of gpu-guest's units");
                check_advise(c, "systemctl daemon-reload");
        } else
                check_add(c, "units", "systemd", ANSWER_YES, "knows gpu-guest's units");
}

/* Is the file there as libvirt wants it? */
static bool check_file(Check *c, struct stat *ret) {
        if (stat(LIBVIRT_HOOK_PATH, ret) < 0) {
                if (errno == EACCES) {
                        check_add(c, "hook", "libvirt's hook", ANSWER_UNKNOWN,
                                "Only root may look at %s.", LIBVIRT_HOOK_PATH);
                        return false;
                }
                check_add(c, "hook", "libvirt's hook", ANSWER_NO, "%s: %s", LIBVIRT_HOOK_PATH,
                        strerror(errno));
                check_advise(c, "Install gpu-guest again.");
                return false;
        }
        if (!S_ISREG(ret->st_mode) || !(ret->st_mode & S_IXUSR)) {
                check_add(c, "hook", "libvirt's hook", ANSWER_NO, "%s is not executable.",
                        LIBVIRT_HOOK_PATH);
                check_advise(c, "chmod 755 %s", LIBVIRT_HOOK_PATH);
                return false;
        }
        return true;
}

static const char *find_daemon(sd_bus *bus, bool *ret_runs) {
        for (int runs = 1; runs >= 0; runs--)
                for (size_t i = 0; i < sizeof(daemons) / sizeof(*daemons); i++) {
                        _cleanup_free_ char *unit = NULL;

                        if (asprintf(&unit, "%s.%s", daemons[i], runs ? "service" : "socket") < 0) {
                                unit = NULL;
                                return NULL;
                        }
                        if (is_active(bus, unit)) {
                                *ret_runs = runs;
                                return daemons[i];
                        }
                }
        return NULL;
}

/* Confined daemons: what Debian's and Ubuntu's AppArmor profile lets hooks run is what we need;
 * about SELinux nothing can be told from here. */
static void check_confinement(Check *c, const char *daemon, pid_t pid) {
        _cleanup_free_ char *path = NULL, *label = NULL, *enforce = NULL;

        if (sysfs_read(AT_FDCWD, "/sys/fs/selinux/enforce", &enforce) >= 0 &&
                strcmp(enforce, "1") == 0) {
                check_add(c, "confinement", "SELinux", ANSWER_UNKNOWN,
                        "It is enforcing, and may keep %s from running the hook. Refusals: "
                        "ausearch -m avc | grep gpu-guest",
                        daemon);
                return;
        }
        if (pid <= 0 || asprintf(&path, "/proc/%d/attr/apparmor/current", (int)pid) < 0) {
                path = NULL;
                return;
        }
        if (sysfs_read(AT_FDCWD, path, &label) >= 0 && strstr(label, "(enforce)"))
                check_add(c, "confinement", "AppArmor", ANSWER_YES,
                        "confines %s, and lets its hooks run", daemon);
}

static void check_daemon(Check *c, const struct stat *hook) {
        uint64_t since_us = 0, changed_us = (uint64_t)hook->st_ctim.tv_sec * 1000000U;
        _cleanup_free_ char *unit = NULL;
        bool runs = false;
        const char *daemon = find_daemon(c->bus, &runs);
        pid_t pid = 0;

        if (!daemon) {
                check_add(c, "hook", "libvirt's hook", ANSWER_UNKNOWN,
                        "It is there, but no libvirt runs that could use it.");
                return;
        }
        if (asprintf(&unit, "%s.service", daemon) < 0) {
                unit = NULL;
                c->out_of_memory = true;
                return;
        }
        if (runs && unit_get_main(c->bus, unit, &pid, &since_us) >= 0 && since_us < changed_us) {
                check_add(c, "hook", "libvirt's hook", ANSWER_NO,
                        "%s has been running since before the hook was installed, and has not "
                        "seen it.",
                        daemon);
                check_advise(c, "systemctl try-reload-or-restart %s", daemon);
        } else
                check_add(c, "hook", "libvirt's hook", ANSWER_YES, "there, and %s %s it", daemon,
                        runs ? "has seen" : "will see");
        check_confinement(c, daemon, pid);
}

void check_libvirt(Check *c) {
        struct stat hook;

        check_units(c);
        if (check_file(c, &hook))
                check_daemon(c, &hook);
}
