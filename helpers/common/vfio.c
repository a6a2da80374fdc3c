/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The users of a VFIO group, by device number: libvirt gives each QEMU a /dev of its own, so paths
 * say nothing.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "names.h"
#include "sysfs.h"
#include "vfio.h"

static const char *node_path(const char *group, char *buffer, size_t size) {
        snprintf(buffer, size, DEV_VFIO "/%s", group);
        return buffer;
}

int vfio_group_check_node(const char *group) {
        char path[64];

        return access(node_path(group, path, sizeof(path)), F_OK) < 0 ? -errno : 0;
}

/* Does the process have this device open? Processes come and go while we look: no error is one. */
static bool process_has_open(int proc, const char *pid, dev_t device) {
        _cleanup_(closedirp) DIR *dir = NULL;
        char path[32];
        struct dirent *de;
        int fd;

        snprintf(path, sizeof(path), "%.20s/fd", pid);
        fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return false;
        dir = fdopendir(fd);
        if (!dir) {
                close(fd);
                return false;
        }

        while ((de = readdir(dir))) {
                char target[64];
                struct stat st;
                ssize_t n = readlinkat(fd, de->d_name, target, sizeof(target) - 1);

                /* a stat may hang on a dead network file system: only what looks like ours */
                if (n < 0)
                        continue;
                target[n] = '\0';
                if (strstr(target, "vfio/") && fstatat(fd, de->d_name, &st, 0) >= 0 &&
                        S_ISCHR(st.st_mode) && st.st_rdev == device)
                        return true;
        }
        return false;
}

int vfio_group_find_user(const char *group, pid_t *ret_pid, char **ret_name) {
        _cleanup_(closedirp) DIR *proc = opendir("/proc");
        char path[64];
        struct dirent *de;
        struct stat st;

        if (!proc)
                return -errno;
        if (stat(node_path(group, path, sizeof(path)), &st) < 0)
                return errno == ENOENT ? 0 : -errno;

        while ((de = readdir(proc))) {
                if (!isdigit((unsigned char)de->d_name[0]) ||
                        !process_has_open(dirfd(proc), de->d_name, st.st_rdev))
                        continue;

                snprintf(path, sizeof(path), "%.20s/comm", de->d_name);
                if (sysfs_read(dirfd(proc), path, ret_name) < 0)
                        continue; /* it has ended meanwhile */
                *ret_pid = (pid_t)strtol(de->d_name, NULL, 10);
                return 1;
        }
        return 0;
}

int vfio_group_is_free(const char *group) {
        _cleanup_close_ int fd = -1;
        char path[64];

        fd = open(node_path(group, path, sizeof(path)), O_RDWR | O_CLOEXEC);
        if (fd >= 0 || errno == ENOENT)
                return 1;
        return errno == EBUSY ? 0 : -errno;
}

int process_wait_end(pid_t pid, int timeout_ms) {
        _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int r;

        if (fd < 0)
                return errno == ESRCH ? 0 : -errno;
        r = poll(&pfd, 1, timeout_ms);
        if (r < 0)
                return -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}
