/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Brings the desktop back when everything it needs is there again.
 *
 * systemd has stopped the display manager by the time the first step starts (Conflicts=), so what
 * was running is read from when it ended (--remember). A host that has booted into graphical.target
 * gets that back in any case, also if a guest took the GPU before the boot had come so far. A host
 * without a desktop gets none.
 *
 * A display manager that finds no screen fails, again and again, so none is started while logind
 * says that the seat has none.
 *
 * The start is only queued: this runs while the first step is being stopped, and the display
 * manager is ordered after that. Where somebody has asked for something else meanwhile (the machine
 * to go down, rescue.target, the next guest) the desktop stays away.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/kernel-options.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/record.h"
#include "common/session.h"
#include "common/unit.h"

#define JUST_STOPPED_MS 10000
#define SCREEN_TIMEOUT_MS 10000

static bool arg_remember = false;

static const char help[] =
        "desktop-return [OPTIONS]\n\n"
        "Start the desktop again that was running before the GPU went to a guest.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --remember   The inverse: note whether a display manager was running until now\n\n"
        "The note is kept in /run/gpu-guest/desktop. Without one, a host whose default target (or\n"
        "the one on the kernel's command line) is graphical.target gets its desktop, another one\n"
        "none.\n\n"
        "Exit status: 0 queued or nothing to do, 1 failed, 2 usage.\n";

static int remember(sd_bus *bus) {
        int r = unit_was_active(bus, UNIT_DISPLAY_MANAGER, JUST_STOPPED_MS);

        /* an earlier note stays: when a guest starts while the steps before are still on their way
         * back, no display manager has run in between */
        if (r > 0)
                r = record_write(RECORD_DESKTOP, UNIT_DISPLAY_MANAGER "\n");
        if (r < 0)
                return log_error_errno(r, "Cannot note whether a display manager was running: %m");
        return 0;
}

/* The target that this boot was to reach: the kernel's command line may have another than the
 * default one. gpu-guest.target is no destination. */
static int get_target(sd_bus *bus, char **ret) {
        _cleanup_free_ char *target = NULL;

        if (kernel_get_target(&target) <= 0 || strcmp(target, UNIT_TARGET) == 0)
                return manager_get_default_target(bus, ret);
        *ret = target;
        target = NULL;
        return 0;
}

/* What brings the desktop back; NULL if nothing should. */
static const char *unit_to_start(sd_bus *bus) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *target = NULL;
        int r = get_target(bus, &target);

        if (r < 0)
                log_warning_errno(r,
                        "Cannot ask for the default target, taking it to be " UNIT_GRAPHICAL
                        ": %m");
        if (r < 0 || strcmp(target, UNIT_GRAPHICAL) == 0)
                return UNIT_GRAPHICAL;

        r = record_read(RECORD_DESKTOP, &lines);
        return r == -ENOENT ? NULL : UNIT_DISPLAY_MANAGER;
}

/* Has somebody asked for what the desktop would contradict? The machine may be going down, or to
 * rescue mode, or the next guest has started already, whose hand-over waits for us to end. */
static bool is_unwelcome(sd_bus *bus) {
        static const char *const others[] = {UNIT_ANCHOR, UNIT_RESCUE, UNIT_EMERGENCY};
        _cleanup_free_ char *state = NULL;

        if (manager_get_state(bus, &state) >= 0 && strcmp(state, "stopping") == 0)
                return true;

        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
                if (unit_start_is_queued(bus, others[i]) > 0) {
                        log_info_event(EVENT(MESSAGE_DESKTOP_STAYS_AWAY),
                                "The desktop stays away: %s is to start.", others[i]);
                        return true;
                }
        return false;
}

static int start(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *reason = NULL;
        bool stale;
        int r = unit_queue_start(bus, unit, &reason);

        if (r < 0)
                return log_error_event(EVENT(MESSAGE_DESKTOP_FAILS), r, "Cannot start %s again: %s",
                        unit, reason ?: strerror(-r));
        if (unit_is_known(bus, UNIT_DISPLAY_MANAGER, &stale) == 0)
                log_info_event(EVENT(MESSAGE_DESKTOP_STAYS_AWAY),
                        "There is no display manager: the text consoles are what comes back.");
        else
                log_progress_event(
                        EVENT(MESSAGE_DESKTOP_BACK), "The desktop comes back (%s).", unit);
        return 0;
}

/* Returns -ECANCELED where nothing may be started any more. */
static int bring_back(sd_bus *bus) {
        const char *unit;
        int r;

        unit = unit_to_start(bus);
        if (!unit) {
                if (unit_start_is_queued(bus, UNIT_DISPLAY_MANAGER) <= 0)
                        log_info_event(EVENT(MESSAGE_DESKTOP_STAYS_AWAY),
                                "No desktop was running, so none is started.");
                return 0;
        }

        r = seat_wait_graphical(bus, SEAT_NAME, SCREEN_TIMEOUT_MS);
        if (r == -ETIMEDOUT)
                return log_error_event(EVENT(MESSAGE_NO_SCREEN), r,
                        "The desktop is not started, because there is no screen that it could use. "
                        "Once there is: systemctl start %s",
                        unit);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot ask logind whether " SEAT_NAME " has a screen, ignoring: %m");
        if (is_unwelcome(bus)) /* by now: the screen may have taken a while */
                return -ECANCELED;

        /* a display manager that has been started too often lately, or failed, must not stay away
         */
        r = unit_reset_failed(bus, UNIT_DISPLAY_MANAGER);
        if (r < 0)
                log_warning_errno(r, "Cannot reset " UNIT_DISPLAY_MANAGER ", ignoring: %m");
        /* it may be what somebody has asked for, or what we have: the unit runs us twice */
        if (unit_start_is_queued(bus, unit) <= 0) {
                r = start(bus, unit);
                if (r < 0)
                        return r;
        }

        r = record_remove(RECORD_DESKTOP);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot remove " RUNTIME_DIR "/" RECORD_DESKTOP ", ignoring: %m");
        return 0;
}

/* Has what was stopped because it had the card open started again, after the desktop. */
static void resume(sd_bus *bus) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *reason = NULL;
        int r = record_read(RECORD_HOLDERS, &lines);

        if (r == -ENOENT)
                return;
        r = unit_queue_start(bus, UNIT_RESUME, &reason);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot start " UNIT_RESUME ", ignoring: %s", reason ?: strerror(-r));
}

static int run(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m");
        if (arg_remember)
                return remember(bus);
        if (is_unwelcome(bus))
                return 0;
        r = bring_back(bus);
        if (r != -ECANCELED)
                resume(bus);
        return r == -ECANCELED ? 0 : r;
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, (const Option[]){{"remember", &arg_remember}, {}});

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
