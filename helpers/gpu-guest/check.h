/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The answers of gpu-guest check, one per point. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

typedef enum Answer { ANSWER_YES, ANSWER_NO, ANSWER_UNKNOWN } Answer;

typedef struct Point {
        const char *id;   /* for programs: "iommu" */
        const char *name; /* for people, at most 15 characters */
        Answer answer;
        char *text;   /* what was found */
        char *advice; /* what to do; NULL: nothing */
} Point;

typedef struct Check {
        sd_bus *bus;
        char *gpu; /* its address; NULL: there is none */
        Point *points;
        size_t n_points;
        bool out_of_memory;
} Check;

/* Asks for all points, a domain's as well if that is not NULL. Returns 0 or -ENOMEM. */
int check_run(Check *c, sd_bus *bus, const char *domain);
void check_done(Check *c);

/* Prints the answers for people, as wide as the stream's terminal. */
void check_print(FILE *f, const Check *c);

/* Adds an answer, after whose text advice may be given. */
void check_add(Check *c, const char *id, const char *name, Answer answer, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Says what to do about the last answer: a sentence, or commands for a shell, which begin with a
 * small letter and are printed in one line. */
void check_advise(Check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The machine: graphics card, IOMMU, drivers, who has it open. Sets gpu. */
void check_host(Check *c);

/* What starts a hand-over: our units, libvirt and its hook. */
void check_libvirt(Check *c);

/* What may hand the card over beside us: hooks that were there before. */
void check_scripts(Check *c);

/* A domain's definition; check_host() comes first. */
void check_domain(Check *c, const char *domain);
