/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Attributes and links in sysfs, relative to an open directory. Contents are the kernel's, and
 * still not trusted: a value is at most a page, links yield only their last component. */

/* Opens a directory, e.g. "/sys/bus/pci/devices/0000:00:02.0". Returns a descriptor (the caller
 * closes it) or a negative errno. */
int sysfs_open(const char *path);

/* Reads an attribute without its trailing newline; *ret is the caller's to free. Returns 0 or a
 * negative errno, -ENOENT if there is no such attribute. */
int sysfs_read(int dirfd, const char *name, char **ret);

/* The same for an attribute that waits for the device's lock, which a bind or unbind has that may
 * never return. It is read in a child process, which is left behind when the time is up:
 * -ETIMEDOUT. */
int sysfs_read_timeout(int dirfd, const char *name, int timeout_ms, char **ret);

/* Writes an attribute in one write(2). Returns 0 or the errno that the kernel gave, negative. That
 * the write was taken does not mean that it had an effect: the callers look again. */
int sysfs_write(int dirfd, const char *name, const char *value);

/* The same for a write that may sleep in the kernel for as long as somebody has the device open. It
 * is made in a child process; when the time is up, that one is left behind and -ETIMEDOUT is
 * returned: the change may still happen later. -EINTR: the child was killed. */
int sysfs_write_timeout(int dirfd, const char *name, const char *value, int timeout_ms);

/* Gives the last component of where a link points ("driver" -> "i915"); *ret is the caller's to
 * free. Returns 0, -ENOENT if there is no such link, or another negative errno. */
int sysfs_read_link(int dirfd, const char *name, char **ret);
