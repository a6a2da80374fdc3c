/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpu-guest try, gpu-guest return: units that are started, and what happens meanwhile told as it
 * happens. Whatever becomes of this program, systemd goes on.
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/names.h"
#include "common/options.h"
#include "common/unit.h"
#include "monitor.h"
#include "state.h"
#include "terminal.h"
#include "verbs.h"

#define TRY_SEC 30
#define TRY_SEC_MAX 86400
#define LIVE_MS 1000
#define INDENT 12 /* where texts begin */

typedef struct Course {
        sd_bus *bus;
        Monitor monitor;
        uint64_t began_ms;
        char **told; /* what has been said, NULL-terminated: a step that is undone still has the
                        last words of its start for a while */
        size_t n_told;
} Course;

static void course_done(Course *c) {
        monitor_done(&c->monitor);
        sd_bus_flush_close_unref(c->bus);
        strv_freep(&c->told);
}

static int remember(Course *c, const char *text) {
        char **more = reallocarray(c->told, c->n_told + 2, sizeof(char *));

        if (!more)
                return -ENOMEM;
        c->told = more;
        more[c->n_told] = strdup(text);
        if (!more[c->n_told])
                return -ENOMEM;
        more[++c->n_told] = NULL;
        return 0;
}

/* What steps that are up have said is no news when they are undone, and not what is going on then.
 * Why others failed some time ago is none either: systemd forgets that it was so, as libvirt's hook
 * has it forget. */
static void remember_steps(Course *c) {
        _cleanup_(state_done) State s = {};

        if (state_read(c->bus, &s) < 0)
                return;
        for (size_t i = 0; i < s.n_steps; i++)
                if (step_is_up(s.steps + i))
                        (void)remember(c, s.steps[i].text);
                else if (strcmp(s.steps[i].active, "failed") == 0)
                        (void)unit_reset_failed(c->bus, s.steps[i].unit);
}

static int course_begin(Course *c) {
        int r = sd_bus_open_system(&c->bus);

        if (r >= 0)
                r = sd_bus_set_allow_interactive_authorization(c->bus, true);
        if (r >= 0)
                r = monitor_open(&c->monitor, c->bus);
        c->began_ms = clock_now_ms();
        if (r >= 0)
                remember_steps(c);
        return r < 0 ? log_error_errno(r, "Cannot talk to systemd: %m") : 0;
}

static void say(Course *c, const char *text) {
        unsigned long long ms = clock_now_ms() - c->began_ms;

        terminal_live(stdout, "");
        printf("%s%6llu.%llu s%s  ", terminal_colour(stdout, COLOUR_FAINT), ms / 1000,
                ms % 1000 / 100, terminal_colour(stdout, COLOUR_PLAIN));
        terminal_print(stdout, text, INDENT, terminal_width(stdout));
        fflush(stdout);
}

static bool was_told(const Course *c, const char *text) {
        for (size_t i = 0; i < c->n_told; i++)
                if (strcmp(c->told[i], text) == 0)
                        return true;
        return false;
}

/* Says it, once. */
static void tell_text(Course *c, const char *text) {
        if (!*text || was_told(c, text))
                return;
        say(c, text);
        (void)remember(c, text);
}

/* What the steps have to say: those that are up, and have said it before the others came, first. */
static void tell(Course *c) {
        _cleanup_(state_done) State s = {};

        if (state_read(c->bus, &s) < 0)
                return;
        for (size_t i = 0; i < s.n_steps; i++)
                if (step_is_up(s.steps + i))
                        tell_text(c, s.steps[i].text);
        for (size_t i = 0; i < s.n_steps; i++)
                if (!step_is_up(s.steps + i))
                        tell_text(c, s.steps[i].text);
}

static void show_waiting(Course *c, const char *what) {
        _cleanup_free_ char *line = NULL;

        if (asprintf(&line, "%6llu s    %s",
                    (unsigned long long)(clock_now_ms() - c->began_ms) / 1000, what) < 0)
                line = NULL;
        terminal_live(stdout, line ?: "");
}

/* Starts a unit and waits until its start has succeeded (0) or failed (-EREMOTEIO). */
static int start(Course *c, const char *unit, const char *waiting) {
        _cleanup_free_ char *reason = NULL;
        int r = monitor_start(&c->monitor, unit, &reason);

        if (r < 0)
                return log_error_errno(r, "Cannot start %s: %s", unit, reason ?: strerror(-r));
        while (r >= 0 && !c->monitor.result) {
                show_waiting(c, waiting);
                r = monitor_wait(&c->monitor, LIVE_MS);
                tell(c);
        }
        terminal_live(stdout, "");
        if (r < 0)
                return log_error_errno(r, "systemd does not answer any more: %m");
        r = strcmp(c->monitor.result, "done") == 0 ? 0 : -EREMOTEIO;
        monitor_done(&c->monitor);
        return r;
}

/* Waits until none of our units is under way or up. */
static int wait_until_back(Course *c) {
        for (;;) {
                _cleanup_free_ char *state = NULL;
                int r = unit_get_state(c->bus, UNIT_ANCHOR, &state);

                if (r < 0)
                        return log_error_errno(r, "Cannot ask for " UNIT_ANCHOR ": %m");
                if (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0)
                        return 0;
                show_waiting(c, "The graphics card is away.");
                r = monitor_wait(&c->monitor, LIVE_MS);
                if (r < 0)
                        return log_error_errno(r, "systemd does not answer any more: %m");
                tell(c);
        }
}

/* The end of it: where the card is now. */
static int conclude(Course *c) {
        _cleanup_(state_done) State s = {};
        int r = state_read(c->bus, &s);

        terminal_live(stdout, "");
        if (r < 0)
                return log_error_errno(r, "Cannot tell where the graphics card is: %m");
        if (s.owner != OWNER_HOST)
                return log_error_errno(EREMOTEIO,
                        "The graphics card is not back with the host. See: gpu-guest status; "
                        "journalctl -b -x -u 'gpu-guest*'");
        printf("%sThe graphics card is with the host, driver %s.%s\n",
                terminal_colour(stdout, COLOUR_GOOD), s.driver,
                terminal_colour(stdout, COLOUR_PLAIN));
        return 0;
}

/* Reads "30", "30s", "2min" or "1h". */
static int parse_seconds(const char *text, unsigned *ret) {
        static const struct {
                const char *suffix;
                unsigned seconds;
        } units[] = {{"", 1}, {"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};
        unsigned long value;
        char *end;

        if (!isdigit((unsigned char)*text))
                return -EINVAL;
        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno != 0 || value == 0 || value > TRY_SEC_MAX)
                return -ERANGE;
        for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
                if (strcmp(end, units[i].suffix) == 0) {
                        *ret = (unsigned)value * units[i].seconds;
                        return *ret > TRY_SEC_MAX ? -ERANGE : 0;
                }
        return -EINVAL;
}

/* Where others keep the card away, it would not come back when the trial is over. */
static int check_at_home(Course *c) {
        _cleanup_(state_done) State s = {};
        int r = state_read(c->bus, &s);

        if (r < 0)
                return log_error_errno(r, "Cannot tell where the graphics card is: %m");
        if (s.owner == OWNER_GUEST || s.owner == OWNER_READY)
                return log_error_errno(EBUSY,
                        "The graphics card is away already, so there is nothing to try. See: "
                        "gpu-guest status");
        return 0;
}

static int try_for(Course *c, unsigned seconds) {
        _cleanup_free_ char *unit = NULL, *line = NULL;
        int r, returned;

        if (asprintf(&unit, UNIT_TRIAL_PREFIX "%u" UNIT_TRIAL_SUFFIX, seconds) < 0 ||
                asprintf(&line, "The graphics card is away from the host, for %u s.", seconds) < 0)
                return log_oom();

        r = check_at_home(c);
        if (r < 0)
                return r;
        r = start(c, UNIT_CHECK, "Could it work?");
        if (r == -EREMOTEIO)
                return log_error_errno(r, "It would not work, so nothing was touched.");
        if (r < 0)
                return r;

        r = start(c, unit, "Handing the graphics card over.");
        if (r >= 0)
                say(c, line);
        else if (r == -EREMOTEIO)
                log_error("The graphics card could not be handed over.");
        else
                return r;
        returned = wait_until_back(c);
        if (returned >= 0)
                returned = conclude(c);
        return r < 0 ? r : returned;
}

int verb_try(const Request *request) {
        _cleanup_(course_done) Course course = {};
        unsigned seconds = TRY_SEC;

        if (request->argument && parse_seconds(request->argument, &seconds) < 0) {
                log_error(
                        "\"%s\" is no time like 30, 30s or 2min, up to a day.", request->argument);
                return EXIT_USAGE;
        }
        return course_begin(&course) < 0 || try_for(&course, seconds) < 0;
}

int verb_return(const Request *request) {
        _cleanup_(course_done) Course course = {};
        int r = course_begin(&course);

        if (r >= 0)
                r = start(&course, UNIT_RETURN, "Taking the graphics card back.");
        if (r == -EREMOTEIO)
                log_error("Not everything could be undone.");
        if (r >= 0 || r == -EREMOTEIO) {
                int concluded = conclude(&course);

                r = r < 0 ? r : concluded;
        }
        return r < 0;
}
