/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpu-guest check: will it work here? Point by point, each "no" with what to do.
 */

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"
#include "terminal.h"
#include "verbs.h"

#define EXIT_CANNOT_TELL 3
#define INDENT 25 /* where texts begin */
#define WIDTH_DEFAULT 80

static char *__attribute__((format(printf, 1, 0))) format_text(const char *format, va_list ap) {
        _cleanup_free_ char *raw = NULL;

        if (vasprintf(&raw, format, ap) < 0) {
                raw = NULL;
                return NULL;
        }
        return text_printable(raw);
}

void check_add(Check *c, const char *id, const char *name, Answer answer, const char *format, ...) {
        Point *more = reallocarray(c->points, c->n_points + 1, sizeof(Point));
        va_list ap;

        if (!more) {
                c->out_of_memory = true;
                return;
        }
        c->points = more;
        va_start(ap, format);
        more[c->n_points] = (Point){id, name, answer, format_text(format, ap), NULL};
        va_end(ap);
        c->out_of_memory |= !more[c->n_points++].text;
}

void check_advise(Check *c, const char *format, ...) {
        Point *last = c->points + c->n_points - 1;
        va_list ap;

        if (c->out_of_memory)
                return;
        va_start(ap, format);
        free(last->advice);
        last->advice = format_text(format, ap);
        va_end(ap);
        c->out_of_memory |= !last->advice;
}

void check_done(Check *c) {
        free(c->gpu);
        for (size_t i = 0; i < c->n_points; i++) {
                free(c->points[i].text);
                free(c->points[i].advice);
        }
        free(c->points);
}

/* Is it commands for a shell? */
static bool is_command(const char *advice) {
        return islower((unsigned char)*advice);
}

static void print_point(FILE *f, const Point *p, size_t width) {
        static const struct {
                const char *word;
                Colour colour;
        } answers[] = {
                [ANSWER_YES] = {"yes", COLOUR_GOOD},
                [ANSWER_NO] = {"no", COLOUR_BAD},
                [ANSWER_UNKNOWN] = {"?", COLOUR_BOLD},
        };

        fprintf(f, "%s%5s%s  %-16s  ", terminal_colour(f, answers[p->answer].colour),
                answers[p->answer].word, terminal_colour(f, COLOUR_PLAIN), p->name);
        terminal_print(f, p->text, INDENT, width);
        if (p->advice) {
                fprintf(f, "%*s%s", INDENT, "", terminal_colour(f, COLOUR_BOLD));
                terminal_print(f, p->advice, INDENT, is_command(p->advice) ? 0 : width);
                fprintf(f, "%s", terminal_colour(f, COLOUR_PLAIN));
        }
}

static size_t count(const Check *c, Answer answer) {
        size_t n = 0;

        for (size_t i = 0; i < c->n_points; i++)
                n += c->points[i].answer == answer;
        return n;
}

void check_print(FILE *f, const Check *c) {
        size_t width = terminal_width(f) ?: WIDTH_DEFAULT, no = count(c, ANSWER_NO),
               unknown = count(c, ANSWER_UNKNOWN);
        bool has_command = false;

        for (size_t i = 0; i < c->n_points; i++) {
                const char *advice = c->points[i].advice;

                print_point(f, c->points + i, width);
                has_command |= advice && is_command(advice);
        }
        if (has_command)
                fputs("\nCommands are for root: sudo -i\n", f);
        if (no > 0)
                fprintf(f, "\nNo: %zu of %zu points.\n", no, c->n_points);
        else if (unknown > 0)
                fprintf(f, "\nNothing says no, but %zu of %zu points cannot be told.\n", unknown,
                        c->n_points);
        else
                fprintf(f, "\nIt will work, as far as can be told without trying. "
                           "To try: gpu-guest try\n");
}

static void print_json(const Check *c) {
        static const char *const answers[] = {
                [ANSWER_YES] = "yes", [ANSWER_NO] = "no", [ANSWER_UNKNOWN] = "unknown"};
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < c->n_points; i++) {
                const Point *p = c->points + i;
                json_object *o = json_object_new_object();

                json_object_object_add(o, "id", json_object_new_string(p->id));
                json_object_object_add(o, "answer", json_object_new_string(answers[p->answer]));
                json_object_object_add(o, "text", json_object_new_string(p->text));
                json_object_object_add(
                        o, "advice", p->advice ? json_object_new_string(p->advice) : NULL);
                json_object_array_add(list, o);
        }
        printf("%s\n", json_object_to_json_string_ext(
                               list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)json_object_put(list);
}

int check_run(Check *c, sd_bus *bus, const char *domain) {
        c->bus = bus;
        check_host(c);
        check_libvirt(c);
        check_scripts(c);
        if (domain)
                check_domain(c, domain);
        return c->out_of_memory ? -ENOMEM : 0;
}

int verb_check(const Request *request) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(check_done) Check c = {};
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus: %m"), 1;
        if (check_run(&c, bus, request->argument) < 0)
                return log_oom(), 1;

        if (request->json)
                print_json(&c);
        else
                check_print(stdout, &c);
        if (fflush(stdout) != 0)
                return log_error_errno(errno, "Cannot write to standard output: %m"), 1;
        return count(&c, ANSWER_NO) > 0 ? 1 : count(&c, ANSWER_UNKNOWN) > 0 ? EXIT_CANNOT_TELL : 0;
}
