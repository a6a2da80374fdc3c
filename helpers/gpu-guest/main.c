/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command for people: asks before, tells during, explains after. It changes nothing by itself;
 * what it wants done it asks of systemd's units, like everybody else.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "verbs.h"

static const char help[] =
        "gpu-guest [OPTIONS] COMMAND [ARGUMENT]\n\n"
        "Hand this machine's Intel graphics card to a virtual machine, and take it back.\n\n"
        "Commands:\n"
        "  check [DOMAIN]   Ask point by point whether it will work here, and with this domain\n"
        "  status           Show who has the graphics card, and what is being waited for\n"
        "  try [TIME]       Hand it over without a guest, and back after TIME (30 s unless told)\n"
        "  return           Take it back, now: a guest that has it is asked to shut down\n"
        "  report [DOMAIN]  Print what a report of a problem needs, to be read before it is sent\n\n"
        "Options:\n"
        "  -h --help        Show this help\n"
        "     --version     Show the version\n"
        "     --json        Print JSON (check, status)\n"
        "     --follow      Go on, and print again what has changed (status)\n\n"
        "Exit status: 0 done, or every answer is yes; 1 failed, or an answer is no; 2 usage;\n"
        "3 no answer is no, but some cannot be told.\n";

static const struct Verb {
        const char *name;
        int (*run)(const Request *request);
        bool has_argument, has_json, has_follow;
} verbs[] = {
        {"check", verb_check, true, true, false},
        {"status", verb_status, false, true, true},
        {"try", verb_try, true, false, false},
        {"report", verb_report, true, false, false},
        {"return", verb_return, false, false, false},
};

static int usage(const char *what, const char *quoted) {
        fprintf(stderr, "%s: %s \"%s\", see --help.\n", program_invocation_short_name, what,
                quoted);
        return EXIT_USAGE;
}

static const struct Verb *find_verb(const char *name) {
        for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return verbs + i;
        return NULL;
}

int main(int argc, char *argv[]) {
        Request request = {};
        const Option options[] = {{"json", &request.json}, {"follow", &request.follow}, {}};
        const struct Verb *verb;
        char **arguments;
        int r = options_parse_some(argc, argv, help, options, &arguments);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : 0;
        if (!arguments[0]) {
                fprintf(stderr, "%s: needs a command, see --help.\n",
                        program_invocation_short_name);
                return EXIT_USAGE;
        }
        verb = find_verb(*arguments);
        if (!verb)
                return usage("there is no command", *arguments);
        if (*++arguments && verb->has_argument)
                request.argument = *arguments++;
        if (*arguments)
                return usage("there is one argument too many,", *arguments);
        if (request.json && !verb->has_json)
                return usage("--json is not for", verb->name);
        if (request.follow && !verb->has_follow)
                return usage("--follow is not for", verb->name);
        return verb->run(&request);
}
