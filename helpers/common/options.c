/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "options.h"

#define OPTIONS_MAX 8

int options_parse_argument(int argc, char *argv[], const char *help, const Option *options,
        const char **ret_argument) {
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

        if (ret_argument && optind < argc) {
                *ret_argument = argv[optind++];
        } else if (ret_argument) {
                fprintf(stderr, "%s: needs an argument, see --help.\n",
                        program_invocation_short_name);
                return -EINVAL;
        }
        if (optind < argc) {
                fprintf(stderr, "%s: takes no %sarguments, but was given \"%s\".\n",
                        program_invocation_short_name, ret_argument ? "more " : "", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

int options_parse(int argc, char *argv[], const char *help, const Option *options) {
        return options_parse_argument(argc, argv, help, options, NULL);
}
