/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ends the graphical sessions of seat0 through logind and waits until they are gone. The display
 * manager has been stopped by then, and most sessions with it; this is for those that outlive it,
 * and for a splash screen. Text logins, SSH sessions and lingering user managers go on.
 *
 * It has no inverse: a session that has ended does not come back. The desktop does, by
 * desktop-return.
 */

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/getty.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/process.h"
#include "common/session.h"

#define SESSION_TIMEOUT_MS 30000
#define SPLASH_TIMEOUT_MS 5000

static const char help[] = "seat-clear [OPTIONS]\n\n"
                           "End the graphical sessions of seat0, and a splash screen, and wait\n"
                           "until they are gone.\n\n"
                           "  -h --help       Show this help\n"
                           "     --version    Show the version\n\n"
                           "Text logins, SSH sessions and user managers are left alone.\n\n"
                           "Exit status: 0 no graphical session is left, 1 one is, 2 usage.\n";

static int terminate(sd_bus *bus, const char *id) {
        _cleanup_free_ char *description = session_describe(id);
        int r;

        log_progress("Ending %s.", description ?: id);
        r = getty_keep_out(bus, id, 0);
        if (r < 0)
                return r;
        r = session_terminate(bus, id);
        if (r < 0)
                return log_error_event(
                        EVENT(MESSAGE_SESSION_STAYS), r, "Cannot end %s: %m", description ?: id);
        return 0;
}

/* Returns plymouth(1)'s exit status, or a negative errno, -ENOENT where it is not installed. */
static int plymouth(const char *request) {
        return process_run((const char *const[]){"plymouth", request, NULL},
                (const int[]){-1, -1, -1}, SPLASH_TIMEOUT_MS);
}

/* A splash screen may be left where no display manager got to replace it. To be ordered after
 * plymouth-quit.service would not do: that waits for rc.local, which may be what starts the guest.
 */
static void end_splash(void) {
        int r = plymouth("--ping");

        if (r != 0) /* there is none */
                return;
        log_progress("Ending the splash screen.");
        r = plymouth("quit");
        if (r == 0)
                r = plymouth("--wait");
        if (r != 0)
                log_warning_errno(r < 0 ? r : EIO, "Cannot end the splash screen, ignoring: %m");
}

/* Names who stayed. */
static int complain(int error) {
        _cleanup_strv_free_ char **sessions = NULL;
        int r = session_list_graphical(SEAT_NAME, &sessions);

        for (char **s = sessions; r > 0 && *s; s++) {
                _cleanup_free_ char *description = session_describe(*s);

                log_error_event(EVENT(MESSAGE_SESSION_STAYS), 0, "Still there after %d s: %s.",
                        SESSION_TIMEOUT_MS / 1000, description ?: *s);
        }
        if (error != -ETIMEDOUT)
                log_error_errno(error, "Cannot wait for the graphical sessions to end: %m");
        return error;
}

static int run(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_strv_free_ char **sessions = NULL;
        int r;

        end_splash();
        r = session_list_graphical(SEAT_NAME, &sessions);
        if (r < 0)
                return log_error_errno(r, "Cannot ask for the sessions of " SEAT_NAME ": %m");
        if (r == 0)
                return 0;

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m");
        for (char **s = sessions; *s; s++) {
                r = terminate(bus, *s);
                if (r < 0)
                        return r;
        }

        r = session_wait_none(SEAT_NAME, SESSION_TIMEOUT_MS);
        return r < 0 ? complain(r) : 0;
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, NULL);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
