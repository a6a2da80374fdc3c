/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "options.h"

#define OPTIONS_MAX 8

int options_parse_some(
        int argc, char *argv[], const char *help, const Option *options, char ***ret_arguments) {
        struct option table[OPTIONS_MAX + 3] = {
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
        };
        int c, n = 2;

        /* getopt's codes for our own options are their places in the table, from 256 on */
        for (const Option *o = options; o && o->name && n < OPTIONS_MAX + 2; o++, n++)
                table[n] = (struct option){o->name, no_argument, NULL, 256 + n - 2};

        while ((c = getopt_long(argc, argv, "h", table, NULL)) >= 0) {
                switch (c) {
                case 'h':
                        fputs(help, stdout);
                        return 0;
                case 'v':
                        printf("%s %s\n", program_invocation_short_name, PROJECT_VERSION);
                        return 0;
                case '?':
                        return -EINVAL; /* getopt has said why */
                default:
                        *options[c - 256].value = true;
                }
        }

        *ret_arguments = argv + optind;
        return 1;
}

static int too_many(const char *argument, const char *more) {
        fprintf(stderr, "%s: takes no %sarguments, but was given \"%s\".\n",
                program_invocation_short_name, more, argument);
        return -EINVAL;
}

int options_parse(int argc, char *argv[], const char *help, const Option *options) {
        char **arguments;
        int r = options_parse_some(argc, argv, help, options, &arguments);

        return r > 0 && arguments[0] ? too_many(arguments[0], "") : r;
}

int options_parse_argument(int argc, char *argv[], const char *help, const Option *options,
        const char **ret_argument) {
        char **arguments;
        int r = options_parse_some(argc, argv, help, options, &arguments);

        if (r <= 0)
                return r;
        if (!arguments[0]) {
                fprintf(stderr, "%s: needs an argument, see --help.\n",
                        program_invocation_short_name);
                return -EINVAL;
        }
        *ret_argument = arguments[0];
        return arguments[1] ? too_many(arguments[1], "more ") : 1;
}
