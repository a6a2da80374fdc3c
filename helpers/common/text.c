/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

static bool is_within(unsigned char c, unsigned char first, unsigned char last) {
        return first <= c && c <= last;
}

/* How many bytes the first character has in UTF-8, 0 if it is none (RFC 3629, section 4). */
static size_t character_size(const char *text) {
        const unsigned char *p = (const unsigned char *)text;
        unsigned char first = 0x80, last = 0xbf; /* that the second byte may be */
        size_t size = is_within(p[0], 0x01, 0x7f)   ? 1
                      : is_within(p[0], 0xc2, 0xdf) ? 2
                      : is_within(p[0], 0xe0, 0xef) ? 3
                      : is_within(p[0], 0xf0, 0xf4) ? 4
                                                    : 0;

        if (p[0] == 0xe0)
                first = 0xa0;
        else if (p[0] == 0xed)
                last = 0x9f;
        else if (p[0] == 0xf0)
                first = 0x90;
        else if (p[0] == 0xf4)
                last = 0x8f;
        for (size_t i = 1; i < size; i++) {
                if (!is_within(p[i], first, last))
                        return 0;
                first = 0x80;
                last = 0xbf;
        }
        return size;
}

/* Both sets of ISO 6429: U+009B begins a sequence of a terminal's as ESC and "[" do. */
static bool is_control(const char *text, size_t size) {
        const unsigned char *p = (const unsigned char *)text;

        return size == 1 ? iscntrl(p[0]) : size == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

char *text_printable(const char *text) {
        char *copy = malloc(strlen(text) + 1), *end = copy;

        if (!copy)
                return NULL;
        while (*text) {
                size_t size = character_size(text);

                if (size == 0 || is_control(text, size))
                        *end++ = '?';
                else
                        end = mempcpy(end, text, size);
                text += size > 0 ? size : 1;
        }
        *end = '\0';
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

bool text_begins_with(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
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
