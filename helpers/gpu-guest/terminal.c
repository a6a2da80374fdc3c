/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "terminal.h"

#define USEC_PER_SEC 1000000U
#define WIDTH_MIN 60
#define WIDTH_MAX 100

const char *terminal_colour(FILE *stream, Colour colour) {
        static const char *const codes[] = {
                [COLOUR_PLAIN] = "\033[0m",
                [COLOUR_BOLD] = "\033[1m",
                [COLOUR_GOOD] = "\033[32m",
                [COLOUR_BAD] = "\033[1;31m",
                [COLOUR_FAINT] = "\033[2m",
        };
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        if ((no_color && *no_color) || !term || strcmp(term, "dumb") == 0 ||
                !isatty(fileno(stream)))
                return "";
        return codes[colour];
}

size_t terminal_width(FILE *stream) {
        struct winsize size;

        if (ioctl(fileno(stream), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 0;
        return size.ws_col < WIDTH_MIN   ? WIDTH_MIN
               : size.ws_col > WIDTH_MAX ? WIDTH_MAX
                                         : size.ws_col;
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
        if (!isatty(fileno(stream)))
                return;
        fprintf(stream, "\r\033[K%s", text);
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
