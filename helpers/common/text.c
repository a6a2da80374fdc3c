/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

char *text_printable(const char *text) {
        char *copy = strdup(text);

        for (char *p = copy; p && *p; p++)
                if (iscntrl((unsigned char)*p))
                        *p = '?';
        return copy;
}

/* What means itself to every shell, wherever it stands in a word. */
static bool is_plain(const char *text) {
        if (*text == '\0')
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr("_-+./:@%,", *text))
                        return false;
        return true;
}

char *text_quote(const char *text) {
        _cleanup_free_ char *printable = text_printable(text);
        char *quoted, *end;

        if (!printable)
                return NULL;
        if (is_plain(printable))
                return strdup(printable);
        quoted = end = malloc(strlen("''") + strlen("'\\''") * strlen(printable) + 1);
        if (!quoted)
                return NULL;
        *end++ = '\'';
        for (const char *p = printable; *p; p++)
                if (*p == '\'')
                        end = stpcpy(end, "'\\''");
                else
                        *end++ = *p;
        stpcpy(end, "'");
        return quoted;
}

static bool is_part_of_word(char c) {
        return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The length of the longest of the names that begins here, 0 if none does. */
static size_t find_name(const char *text, char *const *names) {
        size_t longest = 0;

        for (char *const *name = names; *name; name++) {
                size_t n = strlen(*name);

                if (n > longest && strncmp(text, *name, n) == 0 && !is_part_of_word(text[n]))
                        longest = n;
        }
        return longest;
}

void text_write_without(FILE *f, const char *text, char *const *names) {
        bool in_word = false;

        while (*text) {
                size_t n = in_word ? 0 : find_name(text, names);

                if (n > 0)
                        fputs("[name]", f);
                else
                        fputc(text[n++], f);
                text += n;
                in_word = is_part_of_word(text[-1]);
        }
}
