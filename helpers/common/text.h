/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copies a text that others have written, a domain's name say, with a "?" for each control
 * character, so that it cannot make lines or colours of its own; the caller's to free, NULL when
 * memory is out. */
char *text_printable(const char *text);
