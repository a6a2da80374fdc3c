/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One statx(2) per descriptor, and one more per mapping that may be of a device: no other answer
 * says which device it is, by whatever name it was opened. A statx that does not ask the file's
 * server (AT_STATX_DONT_SYNC) does not hang on a dead one.
 */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "maps.h"
#include "process-nodes.h"

/* Is this, a link of /proc, one of the nodes? */
static const Node *find_node(int dirfd, const char *name, const Nodes *nodes) {
        struct statx st;

        if (statx(dirfd, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0 ||
                !S_ISCHR(st.stx_mode))
                return NULL;
        return nodes_find(nodes, makedev(st.stx_rdev_major, st.stx_rdev_minor));
}

/* A directory of /proc that is read through once. Without opendir(3), which asks the kernel twice
 * about each and takes memory for it. */
typedef struct Directory {
        int fd;
        size_t at, end;
        char buffer[8192] __attribute__((aligned(__alignof__(struct dirent64))));
} Directory;

static int open_below(int process, const char *name) {
        return openat(process, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void directory_start(Directory *d, int fd) {
        d->fd = fd;
        d->at = d->end = 0;
}

/* Gives the next name but "." and "..", NULL at the end. */
static const char *directory_next(Directory *d) {
        for (;;) {
                const struct dirent64 *de = (const void *)(d->buffer + d->at);

                if (d->at >= d->end) {
                        ssize_t n = getdents64(d->fd, d->buffer, sizeof(d->buffer));

                        if (n <= 0)
                                return NULL;
                        d->at = 0;
                        d->end = (size_t)n;
                        continue;
                }
                d->at += de->d_reclen;
                if (de->d_name[0] != '.')
                        return de->d_name;
        }
}

/* Processes come and go while we look: no error is one. */
static const Node *find_open(int process, const Nodes *nodes, bool *ret_any) {
        _cleanup_close_ int fd = open_below(process, "fd");
        const Node *node = NULL;
        const char *name;
        Directory dir;

        directory_start(&dir, fd);
        while (fd >= 0 && !node && (name = directory_next(&dir))) {
                *ret_any = true;
                node = find_node(fd, name, nodes);
        }
        return node;
}

/* The first thread may have ended and left the others with the descriptors. */
static const Node *find_open_in_threads(int process, const Nodes *nodes) {
        _cleanup_close_ int fd = open_below(process, "task");
        const Node *node = NULL;
        const char *name;
        bool any = false;
        Directory dir;

        directory_start(&dir, fd);
        while (fd >= 0 && !node && (name = directory_next(&dir))) {
                _cleanup_close_ int thread = open_below(fd, name);

                if (thread >= 0)
                        node = find_open(thread, nodes, &any);
        }
        return node;
}

/* Mappings outlive the descriptor. /proc/PID/maps has the file system's number and not the
 * device's, so each one that can be of a device node is asked for through map_files. */
static const Node *find_mapped(int process, const Nodes *nodes) {
        _cleanup_close_ int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
        char path[sizeof("map_files/") + MAPS_RANGE_MAX] = "map_files/";
        const Node *node = NULL;
        Maps maps;

        maps.fd = fd;
        maps.begin = maps.end = 0;
        maps.skip = false;
        while (fd >= 0 && !node && maps_next(&maps, path + strlen("map_files/")))
                node = find_node(process, path, nodes);
        return node;
}

const Node *process_find_node(int process, const Nodes *nodes, bool *ret_mapped) {
        const Node *node;
        bool any = false;

        *ret_mapped = false;
        node = find_open(process, nodes, &any);
        if (!node && !any)
                node = find_open_in_threads(process, nodes);
        if (!node) {
                node = find_mapped(process, nodes);
                *ret_mapped = node != NULL;
        }
        return node;
}
