/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A /run of the test's own: an empty tmpfs in a mount namespace (and, for who is not root, a user
 * namespace), seen by the test and its children only. There the records of the helpers, udev's
 * database, logind's and modprobe's files and the journal's socket can be what the test needs. */

/* To be called first, while there is one thread only. Ends the test as skipped if namespaces are
 * not to be had. */
void private_run_enter(void);

/* Starts over with an empty /run. */
void private_run_clear(void);

/* Writes a file, making the directories above it. The text may be empty. */
void file_write(const char *path, const char *text);

/* Puts a file over another one, in this namespace, with the text that is to be read there; NULL
 * shows what was below again. */
void file_cover(const char *path, const char *text);

/* Makes a symlink, replacing an old one, and the directories above it. */
void file_link(const char *path, const char *target);

/* Makes a directory and those above it. */
void directory_make(const char *path);

/* Reads a file, at most 64 KiB; the caller's to free, NULL if there is none. */
char *file_read(const char *path);

/* printf(3) into memory that is the caller's to free. */
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
