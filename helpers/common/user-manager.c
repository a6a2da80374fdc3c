/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As root one could talk to the manager's own socket in /run/user. But what lies there is the
 * user's to replace, by a link to another manager's socket for instance, so root keeps away from
 * it.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "cleanup.h"
#include "names.h"
#include "process.h"
#include "unit.h"
#include "user-manager.h"

#define ANSWER_TIMEOUT_MS 5000

struct request {
        uid_t uid;
        const char *unit;
        int (*act)(sd_bus *bus, const char *unit);
};

static int become(uid_t uid) {
        const struct passwd *user = getpwuid(uid);
        pid_t parent = getppid();
        char directory[sizeof("/run/user/") + 3 * sizeof(uid_t)];
        int r;

        if (!user)
                return -ESRCH;
        if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
                setresuid(uid, uid, uid) < 0)
                return -errno;
        r = process_end_with(parent);
        if (r < 0)
                return r;

        snprintf(directory, sizeof(directory), "/run/user/%u", uid);
        if (setenv("XDG_RUNTIME_DIR", directory, true) < 0 ||
                unsetenv("DBUS_SESSION_BUS_ADDRESS") < 0)
                return -errno;
        return 0;
}

static int serve(void *data) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        const struct request *request = data;
        int r = become(request->uid);

        if (r >= 0)
                r = sd_bus_open_user(&bus);
        if (r >= 0)
                r = request->act(bus, request->unit);
        return r;
}

static int ask(uid_t uid, const char *unit, int (*act)(sd_bus *bus, const char *unit)) {
        return process_call(serve, &(struct request){uid, unit, act}, ANSWER_TIMEOUT_MS);
}

static int stop(sd_bus *bus, const char *unit) {
        return unit_queue_stop(bus, unit, NULL);
}

static int start(sd_bus *bus, const char *unit) {
        return unit_queue_start(bus, unit, NULL);
}

/* A child only has errors to say something with. */
static int is_graphical(sd_bus *bus, const char *unit) {
        int r = unit_requires_any(bus, unit, USER_GRAPHICAL_PREFIX);

        return r > 0 ? -EEXIST : r;
}

int user_manager_stop(uid_t uid, const char *unit) {
        return ask(uid, unit, stop);
}

int user_manager_start(uid_t uid, const char *unit) {
        return ask(uid, unit, start);
}

int user_manager_is_graphical(uid_t uid, const char *unit) {
        int r = ask(uid, unit, is_graphical);

        return r == -EEXIST ? 1 : r;
}
