/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What must be known to undo a change, written to /run/gpu-guest before the change is made and
 * removed when it has been undone. One file per step, one line per thing:
 *
 *      gpu, audio      ADDRESS DRIVER MODULE   what was bound, "-" for none
 *      vtcon           VTCONSOLE               the console that had the framebuffer
 *      desktop         UNIT                    what brings the desktop back
 *      holders         service UNIT            what was stopped because it had the GPU open
 *                      user-service UID UNIT
 *                      sound NAME              a sound card ("card0") that was announced to be gone
 */

#include <stdbool.h>

/* Makes sure that no helper changes the hardware while another one looks at it, also if one was
 * killed and the kernel is still at what it had asked for (process_call()). Waits at most
 * timeout_ms. Returns a descriptor that holds the lock until it is closed, here and in all
 * children, -ETIMEDOUT, or another negative errno. */
int record_lock(int timeout_ms);

/* Writes a record in one go (a new file, synced by rename); text ends with a newline. Makes the
 * directory if a helper is run by hand. Returns 0 or a negative errno; on failure the old record,
 * if any, is untouched. */
int record_write(const char *name, const char *text);

/* Adds a line to a record, if it is not there yet; format gives it without its newline. A record
 * that cannot be read is begun anew. Returns 0 or a negative errno, as above. */
int record_add(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a record as a NULL-terminated list of its lines, the caller's to free. Returns the number
 * of lines, -ENOENT if there is none, -EBADMSG if it is not what we write (no regular file, too
 * large, a NUL byte, a line without end), or another negative errno. Where there is none, what a
 * killed writer has left of one is removed. */
int record_read(const char *name, char ***ret);

/* Forgets a record, and what a killed writer has left; neither need exist. Returns 0 or a negative
 * errno. */
int record_remove(const char *name);

/* What was bound to what: a line of the records "gpu" and "audio". */
typedef struct Binding {
        char *address; /* of a PCI device, checked */
        char *driver;  /* NULL: no driver was bound */
        char *module;  /* NULL: none, or built in */
} Binding;

void binding_done(Binding *b);

/* Reads a line. Returns 0, or -EBADMSG if the address is none or a name has other characters than
 * drivers and modules have. */
int binding_parse(const char *line, Binding *ret);

/* Formats a line with its newline, the caller's to free; NULL when memory is out. */
char *binding_format(const Binding *b);
