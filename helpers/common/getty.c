/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>

#include "cleanup.h"
#include "getty.h"
#include "log.h"
#include "message-ids.h"
#include "names.h"
#include "record.h"
#include "unit.h"

static bool is_console(const char *tty) {
        return strncmp(tty, "tty", 3) == 0 && tty[3] &&
               tty[3 + strspn(tty + 3, "0123456789")] == '\0';
}

/* The service of the getty that has started the session: on a text console that is its name. */
static int find_service(const char *session, char **ret) {
        _cleanup_free_ char *service = NULL, *tty = NULL;

        if (sd_session_get_service(session, &service) < 0 || strcmp(service, "login") != 0 ||
                sd_session_get_tty(session, &tty) < 0 || !is_console(tty))
                return 0;
        return asprintf(ret, UNIT_GETTY_PREFIX "%s.service", tty) < 0 ? -ENOMEM : 1;
}

/* agetty(8) has no other spelling of it but abbreviations */
static bool logs_in(char *const *words) {
        for (; words && *words; words++)
                if (strcmp(*words, "-a") == 0 || strncmp(*words, "--autologin", 11) == 0)
                        return true;
        return false;
}

static int stop(sd_bus *bus, const char *unit, pid_t pid) {
        _cleanup_free_ char *reason = NULL;
        int r;

        log_info_event(EVENT(MESSAGE_SERVICE_STOPPED, .holder_pid = pid, .holder_unit = unit),
                "Stopping %s, which would log in again by itself.", unit);
        r = record_add(RECORD_HOLDERS, "service %s", unit);
        if (r < 0)
                return log_error_errno(r, "Cannot write " RUNTIME_DIR "/" RECORD_HOLDERS
                                          ", so nothing is stopped: %m");
        r = unit_queue_stop(bus, unit, &reason);
        if (r < 0)
                return log_error_errno(r, "Cannot stop %s: %s", unit, reason ?: strerror(-r));
        return 1;
}

int getty_keep_out(sd_bus *bus, const char *session, pid_t pid) {
        _cleanup_strv_free_ char **command = NULL;
        _cleanup_free_ char *unit = NULL;
        int r = find_service(session, &unit);

        if (r < 0)
                return log_oom();
        if (r == 0)
                return 0;
        r = unit_get_command(bus, unit, &command);
        if (r < 0)
                return log_error_errno(r, "Cannot ask how %s logs in: %m", unit);
        return logs_in(command) ? stop(bus, unit, pid) : 0;
}
