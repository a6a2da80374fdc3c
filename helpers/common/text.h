/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Copies a text that others have written, a domain's name say, with a "?" for each control
 * character and each byte that is not UTF-8: so it cannot make lines or colours of its own, and
 * systemd, journalctl and who reads JSON take it; the caller's to free, NULL when memory is out. */
char *text_printable(const char *text);

/* The same as one word of a shell's command that somebody may copy: in quotes where it needs them.
 * Also the caller's to free, NULL when memory is out. */
char *text_quote(const char *text);

/* Does it begin like this? */
bool text_begins_with(const char *text, const char *prefix);

/* Writes a text with "[name]" for each of these names, a NULL-terminated list, where it stands for
 * itself: with no letter, digit, "_" or "-" before or after it ("i" is not taken out of "i915"). */
void text_write_without(FILE *f, const char *text, char *const *names);
