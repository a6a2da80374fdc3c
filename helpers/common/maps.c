/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * By hand and not with sscanf(3), which takes as long as the kernel does to write the text.
 *
 * A line is "BEGIN-END rwxs OFFSET MAJOR:MINOR INODE PATH": hexadecimal but for the inode. The path
 * is of no interest and may be long; a newline in it is written as "\012".
 */

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "maps.h"

/* more than all fields before the path take together */
#define HEAD_MAX 128

typedef struct Text {
        const char *at, *end;
} Text;

/* Takes the characters up to the next blank, and the blanks. */
static Text take_word(Text *t) {
        Text word = {t->at, t->at};

        while (word.end < t->end && *word.end != ' ')
                word.end++;
        for (t->at = word.end; t->at < t->end && *t->at == ' ';)
                t->at++;
        return word;
}

/* Is it nothing but zeros, up to its end or this character? */
static bool is_zero(Text word, char stop) {
        while (word.at < word.end && *word.at == '0')
                word.at++;
        return word.at == word.end || *word.at == stop;
}

static bool may_be_device(Text line, char ret_range[static MAPS_RANGE_MAX]) {
        Text range = take_word(&line), permissions = take_word(&line), device, inode;
        size_t size = (size_t)(range.end - range.at);

        (void)take_word(&line);
        device = take_word(&line);
        inode = take_word(&line);
        if (size >= MAPS_RANGE_MAX || permissions.end - permissions.at != 4 ||
                inode.at == inode.end || is_zero(inode, '\n') ||
                (permissions.at[3] != 's' && !is_zero(device, ':')))
                return false;

        memcpy(ret_range, range.at, size);
        ret_range[size] = '\0';
        return true;
}

/* Moves what is left to the front and reads more behind it. */
static bool fill(Maps *m) {
        ssize_t n;

        m->end -= m->begin;
        memmove(m->buffer, m->buffer + m->begin, m->end);
        m->begin = 0;
        n = read(m->fd, m->buffer + m->end, sizeof(m->buffer) - m->end);
        if (n <= 0)
                return false;
        m->end += (size_t)n;
        return true;
}

/* Takes what there is of the next line: all of it, or of one that is longer than the buffer the
 * head. */
static bool next_line(Maps *m, Text *ret) {
        for (;;) {
                const char *at = m->buffer + m->begin;
                size_t size = m->end - m->begin;
                const char *newline = memchr(at, '\n', size);
                bool skip = m->skip;

                if (!newline && !skip && size < HEAD_MAX) {
                        if (fill(m))
                                continue;
                        if (size == 0)
                                return false;
                        at = m->buffer; /* the last one, without an end */
                }
                *ret = (Text){at, newline ?: at + size};
                m->begin += (size_t)(ret->end - at) + (newline ? 1 : 0);
                m->skip = !newline;
                if (!skip)
                        return true;
                if (!newline && !fill(m))
                        return false;
        }
}

bool maps_next(Maps *maps, char ret_range[static MAPS_RANGE_MAX]) {
        Text line;

        while (next_line(maps, &line))
                if (may_be_device(line, ret_range))
                        return true;
        return false;
}
