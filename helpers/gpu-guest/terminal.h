/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How it looks: colours on a terminal only (and not with NO_COLOR=, https://no-color.org). */

#include <stdint.h>
#include <stdio.h>

typedef enum Colour { COLOUR_PLAIN, COLOUR_BOLD, COLOUR_GOOD, COLOUR_BAD, COLOUR_FAINT } Colour;

/* What switches to a colour, "" where the stream shows none. */
const char *terminal_colour(FILE *stream, Colour colour);

/* How wide it is, within what is good to read; 0 where the stream is no terminal. */
size_t terminal_width(FILE *stream);

/* Prints a text, and ends the line. It begins where the cursor is, which is after so many columns;
 * what has no place within the width goes on below its beginning, and no word is broken. Width 0 is
 * endless. */
void terminal_print(FILE *stream, const char *text, size_t indent, size_t width);

/* Writes over the line before, on a terminal; nothing else shows a line that is about to go. An
 * empty text takes it away. */
void terminal_live(FILE *stream, const char *text);

/* Formats a moment (CLOCK_REALTIME) and how long ago it was: "Tue 2026-11-24 21:07:14 UTC, 2 min
 * ago"; the caller's to free, NULL when memory is out. */
char *format_moment(uint64_t us);
