/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logind's view: sd-login(3) to look and to wait for changes, D-Bus for the one thing that changes
 * something (TerminateSession, org.freedesktop.login1(5): it ends the session's scope by force).
 */

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>

#include "cleanup.h"
#include "clock.h"
#include "names.h"
#include "session.h"

bool session_is_graphical(const char *id) {
        _cleanup_free_ char *type = NULL;

        return sd_session_get_type(id, &type) >= 0 &&
               (strcmp(type, "x11") == 0 || strcmp(type, "wayland") == 0 ||
                       strcmp(type, "mir") == 0);
}

int session_list_graphical(const char *seat, char ***ret) {
        _cleanup_strv_free_ char **sessions = NULL;
        int r, n = 0;

        r = sd_seat_get_sessions(seat, &sessions, NULL, NULL);
        if (r < 0 && r != -ENXIO && r != -ENOENT)
                return r;
        if (!sessions)
                sessions = calloc(1, sizeof(char *));
        if (!sessions)
                return -ENOMEM;

        for (char **s = sessions; *s; s++) {
                if (session_is_graphical(*s))
                        sessions[n++] = *s;
                else
                        free(*s);
        }
        sessions[n] = NULL;

        *ret = sessions;
        sessions = NULL;
        return n;
}

char *session_describe(const char *id) {
        _cleanup_free_ char *type = NULL, *service = NULL;
        const struct passwd *user = NULL;
        char *description;
        uid_t uid;

        (void)sd_session_get_type(id, &type);
        (void)sd_session_get_service(id, &service);
        if (sd_session_get_uid(id, &uid) >= 0)
                user = getpwuid(uid);

        if (asprintf(&description, "session %s of user %s (%s, started by %s)", id,
                    user ? user->pw_name : "unknown", type ?: "unknown type",
                    service ?: "an unknown service") < 0)
                return NULL;
        return description;
}

int session_terminate(sd_bus *bus, const char *id) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, LOGIND_SERVICE, LOGIND_PATH, LOGIND_MANAGER,
                "TerminateSession", &error, NULL, "s", id);

        if (r < 0 && sd_bus_error_has_name(&error, "org.freedesktop.login1.NoSuchSession"))
                return 0;
        return r < 0 ? r : 0;
}

/* One round of waiting, as sd_login_monitor_get_fd(3) has it. */
static int wait_event(sd_login_monitor *monitor, uint64_t deadline) {
        struct pollfd pfd = {
                .fd = sd_login_monitor_get_fd(monitor),
                .events = (short)sd_login_monitor_get_events(monitor),
        };
        int r = poll(&pfd, 1, clock_remaining(deadline));

        if (r < 0)
                return -errno;
        if (r == 0)
                return -ETIMEDOUT;
        return sd_login_monitor_flush(monitor);
}

int session_wait_none(const char *seat, int timeout_ms) {
        _cleanup_(sd_login_monitor_unrefp) sd_login_monitor *monitor = NULL;
        uint64_t deadline = clock_deadline(timeout_ms);
        int r;

        r = sd_login_monitor_new("session", &monitor);
        if (r < 0)
                return r;

        for (;;) {
                _cleanup_strv_free_ char **sessions = NULL;

                r = session_list_graphical(seat, &sessions);
                if (r <= 0)
                        return r;
                r = wait_event(monitor, deadline);
                if (r < 0)
                        return r;
        }
}

int session_wait_user(uid_t uid, const char *seat, int timeout_ms) {
        _cleanup_(sd_login_monitor_unrefp) sd_login_monitor *monitor = NULL;
        uint64_t deadline = clock_deadline(timeout_ms);
        int r = sd_login_monitor_new("seat", &monitor);

        while (r >= 0) {
                r = sd_uid_is_on_seat(uid, /* require_active= */ true, seat);
                if (r > 0)
                        return 0;
                /* nobody of that name is logged in, or there is no such seat */
                if (r == 0 || r == -ENODATA || r == -ENXIO || r == -ENOENT)
                        r = wait_event(monitor, deadline);
        }
        return r;
}

static int ignore_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return 0;
}

static int can_graphical(sd_bus *bus, const char *path) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int can = 0, r = sd_bus_get_property_trivial(bus, LOGIND_SERVICE, path, LOGIND_SEAT,
                             "CanGraphical", &error, 'b', &can);

        if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return -ENXIO;
        return r < 0 ? r : can;
}

/* Asks logind itself: in the file that sd_seat_can_graphical(3) reads, a seat that has lost its
 * screen goes on having one (device_detach() in src/login/logind-device.c does not write it). */
int seat_wait_graphical(sd_bus *bus, const char *seat, int timeout_ms) {
        uint64_t deadline = clock_deadline(timeout_ms);
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(LOGIND_SEATS, seat, &path);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, LOGIND_SERVICE, path,
                        "org.freedesktop.DBus.Properties", "PropertiesChanged", ignore_message,
                        NULL);
        while (r >= 0) {
                int left = clock_remaining(deadline);

                r = can_graphical(bus, path);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (left == 0)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r != 0)
                        continue; /* something has happened: look again */
                r = sd_bus_wait(bus, (uint64_t)left * 1000);
        }
        return r;
}
