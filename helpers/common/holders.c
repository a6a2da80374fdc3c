/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The search is one statx(2) per descriptor of every process, and one more per mapping that may be
 * of a device. A statx that does not ask the file's server (AT_STATX_DONT_SYNC) does not hang on a
 * dead one.
 *
 * A process is opened (pidfd) before it is looked at, so what is later signalled is what was seen.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "holders.h"
#include "owner.h"
#include "process.h"

#define FIRST_PAUSE_MS 20
#define LAST_PAUSE_MS 500

static void holder_done(Holder *h) {
        free(h->name);
        free(h->unit);
        free(h->session);
        closep(&h->pidfd);
}

void holders_done(Holders *holders) {
        for (size_t i = 0; i < holders->n; i++)
                holder_done(&holders->list[i]);
        free(holders->list);
        *holders = (Holders){};
}

/* Is this, a link of /proc, one of the nodes? */
static const Node *find_node(int dirfd, const char *name, const Nodes *nodes) {
        struct statx st;

        if (statx(dirfd, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0 ||
                !S_ISCHR(st.stx_mode))
                return NULL;
        return nodes_find(nodes, makedev(st.stx_rdev_major, st.stx_rdev_minor));
}

static DIR *open_below(int process, const char *name) {
        int fd = openat(process, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir && fd >= 0)
                close(fd);
        return dir;
}

/* Processes come and go while we look: no error is one. */
static const Node *find_open(int process, const Nodes *nodes, bool *ret_any) {
        _cleanup_(closedirp) DIR *dir = open_below(process, "fd");
        const Node *node = NULL;
        struct dirent *de;

        while (dir && !node && (de = readdir(dir))) {
                if (de->d_name[0] == '.')
                        continue;
                *ret_any = true;
                node = find_node(dirfd(dir), de->d_name, nodes);
        }
        return node;
}

/* The first thread may have ended and left the others with the descriptors. */
static const Node *find_open_in_threads(int process, const Nodes *nodes) {
        _cleanup_(closedirp) DIR *dir = open_below(process, "task");
        const Node *node = NULL;
        struct dirent *de;
        bool any = false;

        while (dir && !node && (de = readdir(dir))) {
                _cleanup_close_ int thread = -1;

                if (de->d_name[0] == '.')
                        continue;
                thread = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (thread >= 0)
                        node = find_open(thread, nodes, &any);
        }
        return node;
}

/* Mappings outlive the descriptor. /proc/PID/maps has the file system's number and not the
 * device's, so each one that can be of a device node is asked for through map_files: shared
 * (drivers take no other), or on a file system without a disk, as /dev is. */
static const Node *find_mapped(int process, const Nodes *nodes) {
        _cleanup_(fclosep) FILE *maps = NULL;
        _cleanup_free_ char *line = NULL;
        const Node *node = NULL;
        size_t size = 0;
        int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);

        maps = fd < 0 ? NULL : fdopen(fd, "re");
        if (!maps && fd >= 0)
                close(fd);

        while (maps && !node && getline(&line, &size, maps) > 0) {
                char range[64], permissions[8], path[sizeof("map_files/") + sizeof(range)];
                unsigned long long inode;
                unsigned major;

                if (sscanf(line, "%63s %7s %*s %x:%*x %llu", range, permissions, &major, &inode) !=
                                4 ||
                        inode == 0 || (permissions[3] != 's' && major != 0))
                        continue;
                snprintf(path, sizeof(path), "map_files/%s", range);
                node = find_node(process, path, nodes);
        }
        return node;
}

static const Node *process_find_node(int process, const Nodes *nodes, bool *ret_mapped) {
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

/* Looks at one process. Returns 1 if it is a holder, 0 if not, or a negative errno. */
static int look_at(int proc, const char *name, const Nodes *nodes, Holder *ret) {
        Holder h = {.pid = (pid_t)strtol(name, NULL, 10), .pidfd = -1};
        _cleanup_close_ int process = -1;
        int r;

        process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
                return 0;
        h.node = process_find_node(process, nodes, &h.mapped);
        if (!h.node)
                return 0;

        /* the directory belongs to the process that was seen and to none that has its PID now: if
         * it answers still, the descriptor is of the same one */
        h.pidfd = process_open(h.pid);
        if (h.pidfd < 0 || faccessat(process, "comm", F_OK, 0) < 0) {
                holder_done(&h);
                return 0;
        }
        r = process_get_name(h.pid, &h.name);
        if (r >= 0)
                r = owner_find(&h);
        if (r < 0) {
                holder_done(&h);
                return r == -ENOMEM ? r : 0;
        }

        *ret = h;
        return 1;
}

int holders_find(const Nodes *nodes, Holders *ret) {
        _cleanup_(holders_done) Holders found = {};
        _cleanup_(closedirp) DIR *proc = opendir("/proc");
        struct dirent *de;

        if (!proc)
                return -errno;

        while ((de = readdir(proc))) {
                Holder h, *more;
                int r;

                if (!isdigit((unsigned char)de->d_name[0]) ||
                        strtol(de->d_name, NULL, 10) == getpid())
                        continue;
                r = look_at(dirfd(proc), de->d_name, nodes, &h);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                more = realloc(found.list, (found.n + 1) * sizeof(Holder));
                if (!more) {
                        holder_done(&h);
                        return -ENOMEM;
                }
                found.list = more;
                found.list[found.n++] = h;
        }

        *ret = found;
        found = (Holders){};
        return (int)ret->n;
}

void holders_wait(const Holders *holders, int timeout_ms) {
        _cleanup_free_ struct pollfd *fds = calloc(holders->n + 1, sizeof(struct pollfd));

        for (size_t i = 0; fds && i < holders->n; i++)
                fds[i] = (struct pollfd){.fd = holders->list[i].pidfd, .events = POLLIN};
        (void)poll(fds, fds ? holders->n : 0, timeout_ms);
}

/* The end of a process is an event; that it closes a file is none, so it is looked at again. */
int holders_wait_none(const Nodes *nodes, int timeout_ms, Holders *ret) {
        uint64_t deadline = clock_deadline(timeout_ms);
        int r, pause = FIRST_PAUSE_MS;

        for (;; pause = pause < LAST_PAUSE_MS ? 2 * pause : LAST_PAUSE_MS) {
                _cleanup_(holders_done) Holders now = {};
                int left = clock_remaining(deadline);

                r = holders_find(nodes, &now);
                if (r <= 0 || left == 0) {
                        *ret = now;
                        now = (Holders){};
                        return r;
                }
                holders_wait(&now, left < pause ? left : pause);
        }
}

char *holder_describe(const Holder *h) {
        _cleanup_free_ char *owner = owner_describe(h);
        char *text;

        if (!owner || asprintf(&text, "%s (PID %d%s%s), which has %s %s", h->name, (int)h->pid,
                              *owner ? ", " : "", owner, h->node->name,
                              h->mapped ? "mapped" : "open") < 0)
                return NULL;
        return text;
}

char *holders_describe(const Holders *holders) {
        char *text = strdup("");

        for (size_t i = 0; text && i < holders->n; i++) {
                _cleanup_free_ char *one = holder_describe(&holders->list[i]), *before = text;

                if (!one || asprintf(&text, "%s%s%s", before, *before ? "; " : "", one) < 0)
                        return NULL;
        }
        return text;
}
