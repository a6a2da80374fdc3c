/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes sysfs attributes by (directory, name), so that a caller that has a device open
 * stays with that device.
 *
 * Some writes sleep in the kernel until whoever has the device open lets go, and nothing wakes them
 * (snd_card_free() in sound/core/init.c, vfio_unregister_group_dev() in drivers/vfio/vfio_main.c,
 * i2c_del_adapter() in drivers/i2c/i2c-core-base.c). Those are made in a child that is left behind
 * when its time is up. It may have the device's lock, for which others then sleep, who only read
 * (driver_override_show() in drivers/pci/pci-sysfs.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "process.h"
#include "sysfs.h"

#define ATTRIBUTE_MAX 4096 /* a page: what a sysfs attribute can show */

int sysfs_open(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int sysfs_read(int dirfd, const char *name, char **ret) {
        _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        char buffer[ATTRIBUTE_MAX + 1], *value;
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, buffer, ATTRIBUTE_MAX);
        if (n < 0)
                return -errno;
        if (n > 0 && buffer[n - 1] == '\n')
                n--;
        buffer[n] = '\0';

        value = strdup(buffer);
        if (!value)
                return -ENOMEM;

        *ret = value;
        return 0;
}

int sysfs_write(int dirfd, const char *name, const char *value) {
        _cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        size_t size = strlen(value);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, value, size);
        if (n < 0)
                return -errno;

        return (size_t)n == size ? 0 : -EIO;
}

/* What lies between the child and us: a page fits into a pipe. */
struct read_args {
        int dirfd;
        const char *name;
        int to;
};

static int read_in_child(void *data) {
        const struct read_args *a = data;
        _cleanup_free_ char *value = NULL;
        ssize_t n;
        int r = sysfs_read(a->dirfd, a->name, &value);

        if (r < 0)
                return r;
        n = write(a->to, value, strlen(value));
        return n < 0 ? -errno : 0;
}

int sysfs_read_timeout(int dirfd, const char *name, int timeout_ms, char **ret) {
        _cleanup_close_ int from = -1, to = -1;
        char buffer[ATTRIBUTE_MAX];
        int r, fds[2];
        ssize_t n;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        from = fds[0];
        to = fds[1];
        r = process_call(read_in_child, &(struct read_args){dirfd, name, to}, timeout_ms);
        closep(&to);
        if (r < 0)
                return r;
        n = read(from, buffer, sizeof(buffer));
        if (n < 0)
                return -errno;
        *ret = strndup(buffer, (size_t)n);
        return *ret ? 0 : -ENOMEM;
}

struct write_args {
        int dirfd;
        const char *name, *value;
};

static int write_in_child(void *data) {
        const struct write_args *a = data;

        return sysfs_write(a->dirfd, a->name, a->value);
}

int sysfs_write_timeout(int dirfd, const char *name, const char *value, int timeout_ms) {
        return process_call(write_in_child, &(struct write_args){dirfd, name, value}, timeout_ms);
}

int sysfs_read_link(int dirfd, const char *name, char **ret) {
        char target[PATH_MAX], *value;
        const char *last;
        ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        last = strrchr(target, '/');
        last = last ? last + 1 : target;
        if (*last == '\0')
                return -EINVAL;

        value = strdup(last);
        if (!value)
                return -ENOMEM;

        *ret = value;
        return 0;
}
