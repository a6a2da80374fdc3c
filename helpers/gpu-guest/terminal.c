/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "terminal.h"

#define USEC_PER_SEC 1000000U
#define WIDTH_MIN 40
#define WIDTH_MAX 100

/* A terminal that knows escape sequences. */
static bool is_terminal(FILE *stream) {
        const char *term = getenv("TERM");

        return term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
}

static size_t columns(FILE *stream) {
        struct winsize size;

        return ioctl(fileno(stream), TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

const char *terminal_colour(FILE *stream, Colour colour) {
        static const char *const codes[] = {
                [COLOUR_PLAIN] = "\033[0m",
                [COLOUR_BOLD] = "\033[1m",
                [COLOUR_GOOD] = "\033[32m",
                [COLOUR_BAD] = "\033[1;31m",
                [COLOUR_FAINT] = "\033[2m",
        };
        const char *no_color = getenv("NO_COLOR");

        if ((no_color && *no_color) || !is_terminal(stream))
                return "";
        return codes[colour];
}

size_t terminal_width(FILE *stream) {
        size_t n = columns(stream);

        if (n == 0)
                return 0;
        return n < WIDTH_MIN ? WIDTH_MIN : n > WIDTH_MAX ? WIDTH_MAX : n;
}

void terminal_print(FILE *stream, const char *text, size_t indent, size_t width) {
        size_t room = width > indent ? width - indent : SIZE_MAX;

        do {
                size_t n = strlen(text);

                if (n > room) {
                        n = room;
                        while (n > 0 && text[n] != ' ')
                                n--;
                        if (n == 0)
                                n = strcspn(text, " ");
                }
                fprintf(stream, "%.*s\n", (int)n, text);
                text += n;
                text += strspn(text, " ");
                if (*text)
                        fprintf(stream, "%*s", (int)indent, "");
        } while (*text);
}

void terminal_live(FILE *stream, const char *text) {
        size_t n = columns(stream);

        if (!is_terminal(stream))
                return;
        /* a line that goes on in the next one cannot be taken back */
        fprintf(stream, "\r\033[K%.*s", n > 0 ? (int)n - 1 : INT_MAX, text);
        fflush(stream);
}

/* In the largest unit that fits. */
static int format_ago(uint64_t seconds, char **ret) {
        static const struct {
                unsigned seconds;
                const char *name;
        } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};

        for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
                if (seconds >= units[i].seconds)
                        return asprintf(ret, "%llu %s ago",
                                (unsigned long long)(seconds / units[i].seconds), units[i].name);
        return asprintf(ret, "%llu s ago", (unsigned long long)seconds);
}

char *format_moment(uint64_t us) {
        time_t then = (time_t)(us / USEC_PER_SEC), now = time(NULL);
        _cleanup_free_ char *ago = NULL;
        char date[64], *text;
        struct tm tm;

        if (!localtime_r(&then, &tm) ||
                strftime(date, sizeof(date), "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                return NULL;
        if (format_ago(now > then ? (uint64_t)(now - then) : 0, &ago) < 0) {
                ago = NULL;
                return NULL;
        }
        return asprintf(&text, "%s, %s", date, ago) < 0 ? NULL : text;
}
