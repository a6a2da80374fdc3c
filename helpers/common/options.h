/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* An option of a helper; they are all switches. A table of them ends with an empty one. */
typedef struct Option {
        const char *name; /* without the dashes */
        bool *value;      /* set when the option is given */
} Option;

/* Reads a helper's command line: --help and --version, which every one has and which end it, and
 * its own options. Hardly any helper takes arguments: what it works on is udev's to say. Returns 1
 * to go on, 0 if the answer was given, -EINVAL after telling what is wrong. */
int options_parse(int argc, char *argv[], const char *help, const Option *options);

/* The same for one that takes exactly one argument; *ret_argument points into argv. */
int options_parse_argument(
        int argc, char *argv[], const char *help, const Option *options, const char **ret_argument);

/* The same for one that looks at its arguments itself; *ret_arguments is the rest of argv. */
int options_parse_some(
        int argc, char *argv[], const char *help, const Option *options, char ***ret_arguments);

/* What a helper's main() returns: 0 done or nothing to do, 1 failed, 2 usage. */
#define EXIT_USAGE 2
