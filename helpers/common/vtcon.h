/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The vtconsoles in /sys/class/vtconsole: which driver draws the text consoles. */

#include <stdbool.h>

typedef struct Vtcon {
        char name[16]; /* "vtcon1" */
        bool bound;
} Vtcon;

/* Finds the vtconsole whose description contains this text (VTCON_NAME_FRAMEBUFFER or
 * VTCON_NAME_DUMMY; the numbers depend on how the machine booted). Returns 0, -ENOENT if there is
 * none, which a kernel without VT or with a console taken over later has too, or another negative
 * errno. */
int vtcon_find(const char *description, Vtcon *ret);

/* Has the console's driver draw the text consoles. Returns 0, -EIO if it does not, or another
 * negative errno. */
int vtcon_bind(const Vtcon *v);

/* Takes the console's driver off the text consoles: the next one in the kernel's list draws them.
 * Returns 0, -EIO if it is still bound, or another negative errno. */
int vtcon_unbind(const Vtcon *v);
