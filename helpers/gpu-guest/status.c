/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpu-guest status: who has the graphics card, and what is being waited for.
 */

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "monitor.h"
#include "state.h"
#include "terminal.h"
#include "verbs.h"

#define INDENT 15 /* where texts begin */

static void __attribute__((format(printf, 3, 4)))
print_field(FILE *f, const char *name, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        fprintf(f, "%13s%s ", name, *name ? ":" : " ");
        terminal_print(f, text ?: "?", INDENT, terminal_width(f));
}

static void print_owner(FILE *f, const State *s) {
        switch (s->owner) {
        case OWNER_NO_CARD:
                print_field(f, "With", "nobody: udev knows no Intel graphics card here");
                break;
        case OWNER_NOBODY:
                print_field(f, "With", "%snobody: no driver has it%s",
                        terminal_colour(f, COLOUR_BAD), terminal_colour(f, COLOUR_PLAIN));
                break;
        case OWNER_HOST:
                print_field(f, "With", "%sthe host%s, driver %s", terminal_colour(f, COLOUR_GOOD),
                        terminal_colour(f, COLOUR_PLAIN), s->driver);
                break;
        case OWNER_GUEST:
                print_field(f, "With", "%sguest %s%s, PID %d", terminal_colour(f, COLOUR_BOLD),
                        s->guest, terminal_colour(f, COLOUR_PLAIN), (int)s->guest_pid);
                break;
        case OWNER_READY:
                print_field(f, "With", "vfio-pci, %s",
                        geteuid() == 0 ? "ready for a guest"
                                       : "with or without a guest: ask as root");
                break;
        }
}

static void print_steps(FILE *f, const State *s, bool failed) {
        const char *name = failed ? "Failed" : "Under way";

        for (size_t i = 0; i < s->n_steps; i++) {
                const Step *step = s->steps + i;

                if (step_is_up(step) || (strcmp(step->active, "failed") == 0) != failed)
                        continue;
                print_field(f, name, "%s%s%s", step->unit, *step->text ? ": " : "", step->text);
                name = "";
        }
}

void status_print(FILE *f, const State *s) {
        if (s->address)
                print_field(f, "Graphics card", "%s%s%s", s->address, s->model ? ", " : "",
                        s->model ?: "");
        print_owner(f, s);
        if (s->address && s->since_us) {
                _cleanup_free_ char *moment = format_moment(s->since_us);

                print_field(f, "Since", "%s", moment ?: "?");
        }
        for (size_t i = 0; i < s->n_leases; i++) {
                uint64_t us = s->leases[i].since_us;
                _cleanup_free_ char *moment = us > 0 ? format_moment(us) : NULL;

                print_field(f, i == 0 ? "Lent to" : "", "%s, since %s", s->leases[i].domain,
                        moment ?: "?");
        }
        if (s->target)
                print_field(f, s->n_leases ? "" : "Lent to", "any guest (gpu-guest.target)");
        if (s->trial)
                print_field(f, s->n_leases || s->target ? "" : "Lent to",
                        "nobody, for a trial (%s)", s->trial);
        print_steps(f, s, false);
        print_steps(f, s, true);
}

static json_object *string_or_null(const char *text) {
        return text ? json_object_new_string(text) : NULL;
}

static json_object *time_or_null(uint64_t us) {
        return us > 0 ? json_object_new_int64((int64_t)us) : NULL;
}

static json_object *leases_to_json(const State *s) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < s->n_leases; i++) {
                json_object *lease = json_object_new_object();

                json_object_object_add(lease, "domain", string_or_null(s->leases[i].domain));
                json_object_object_add(lease, "since", time_or_null(s->leases[i].since_us));
                json_object_array_add(list, lease);
        }
        return list;
}

static json_object *steps_to_json(const State *s) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < s->n_steps; i++) {
                json_object *step;

                if (step_is_up(s->steps + i))
                        continue;
                step = json_object_new_object();
                json_object_object_add(step, "unit", string_or_null(s->steps[i].unit));
                json_object_object_add(step, "state", string_or_null(s->steps[i].active));
                json_object_object_add(step, "text", string_or_null(s->steps[i].text));
                json_object_array_add(list, step);
        }
        return list;
}

/* As one line, the caller's to free; NULL when memory is out. Times are microseconds since 1970, as
 * systemd's properties have them. */
static char *to_json(const State *s) {
        json_object *o = json_object_new_object();
        char *text;

        json_object_object_add(o, "device", string_or_null(s->address));
        json_object_object_add(o, "model", string_or_null(s->model));
        json_object_object_add(o, "driver", string_or_null(s->driver));
        json_object_object_add(o, "owner", json_object_new_string(owner_name(s->owner)));
        json_object_object_add(o, "guest", string_or_null(s->guest));
        json_object_object_add(o, "pid", s->guest ? json_object_new_int(s->guest_pid) : NULL);
        json_object_object_add(o, "since", time_or_null(s->since_us));
        json_object_object_add(o, "target", json_object_new_boolean(s->target));
        json_object_object_add(o, "trial", string_or_null(s->trial));
        json_object_object_add(o, "leases", leases_to_json(s));
        json_object_object_add(o, "units", steps_to_json(s));
        text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
        (void)json_object_put(o);
        return text;
}

/* Prints it, unless nothing has changed since *last, whose place it takes. */
static int print_news(sd_bus *bus, bool json, char **last) {
        _cleanup_(state_done) State s = {};
        char *facts;
        int r = state_read(bus, &s);

        if (r < 0)
                return r;
        facts = to_json(&s);
        if (!facts)
                return -ENOMEM;
        if (!*last || strcmp(*last, facts) != 0) {
                if (json)
                        puts(facts);
                else {
                        fputs(*last ? "\n" : "", stdout);
                        status_print(stdout, &s);
                }
        }
        free(*last);
        *last = facts;
        return fflush(stdout) == 0 ? 0 : -errno;
}

static int follow(sd_bus *bus, bool json) {
        _cleanup_free_ char *last = NULL;
        _cleanup_(monitor_done) Monitor m = {};
        int r = monitor_open(&m, bus);

        while (r >= 0) {
                r = print_news(bus, json, &last);
                if (r >= 0)
                        r = monitor_wait(&m, -1);
        }
        return r;
}

int verb_status(const Request *request) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *last = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m"), 1;
        r = request->follow ? follow(bus, request->json) : print_news(bus, request->json, &last);
        if (r < 0)
                return log_error_errno(r, "Cannot tell where the graphics card is: %m"), 1;
        return 0;
}
