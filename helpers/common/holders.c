/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nearly all of a search is the kernel's time, so there is a thread for each CPU.
 *
 * A process is opened (pidfd) before it is looked at, so what is later signalled is what was seen.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "holders.h"
#include "owner.h"
#include "process-nodes.h"
#include "process.h"

#define SEARCHERS_MAX 8
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

/* What the threads of a search have in common. */
typedef struct Search {
        const Nodes *nodes;
        pid_t self;
        pthread_mutex_t lock; /* for all that follows */
        DIR *proc;
        Holders found;
        int error;
} Search;

/* Takes the next process that is not ourselves. Returns false when there is none, or an error. */
static bool search_next(Search *s, char ret_name[static NAME_MAX + 1]) {
        const struct dirent *de = NULL;

        (void)pthread_mutex_lock(&s->lock);
        while (s->error == 0 && (de = readdir(s->proc)))
                if (isdigit((unsigned char)de->d_name[0]) &&
                        strtol(de->d_name, NULL, 10) != s->self)
                        break;
        if (de)
                strcpy(ret_name, de->d_name);
        (void)pthread_mutex_unlock(&s->lock);
        return de;
}

static int holders_add(Holders *holders, Holder *h) {
        Holder *more = realloc(holders->list, (holders->n + 1) * sizeof(Holder));

        if (!more) {
                holder_done(h);
                return -ENOMEM;
        }
        holders->list = more;
        more[holders->n++] = *h;
        return 0;
}

static void *search(void *data) {
        char name[NAME_MAX + 1];
        Search *s = data;

        while (search_next(s, name)) {
                Holder h;
                int r = look_at(dirfd(s->proc), name, s->nodes, &h);

                if (r == 0)
                        continue;
                (void)pthread_mutex_lock(&s->lock);
                if (r > 0)
                        r = holders_add(&s->found, &h);
                if (r < 0)
                        s->error = r;
                (void)pthread_mutex_unlock(&s->lock);
        }
        return NULL;
}

/* As many as there are CPUs; where they cannot be had, with less. */
static void search_in_threads(Search *s) {
        pthread_t threads[SEARCHERS_MAX - 1];
        cpu_set_t cpus;
        int n = 0, wanted;

        wanted = sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : CPU_COUNT(&cpus);
        while (n < wanted - 1 && n < SEARCHERS_MAX - 1 &&
                pthread_create(&threads[n], NULL, search, s) == 0)
                n++;
        (void)search(s);
        while (n > 0)
                (void)pthread_join(threads[--n], NULL);
}

static int compare(const void *a, const void *b) {
        const Holder *x = a, *y = b;

        return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int holders_find(const Nodes *nodes, Holders *ret) {
        _cleanup_(closedirp) DIR *proc = opendir("/proc");
        Search s = {
                .nodes = nodes, .self = getpid(), .lock = PTHREAD_MUTEX_INITIALIZER, .proc = proc};

        if (!proc)
                return -errno;

        search_in_threads(&s);
        if (s.error < 0) {
                holders_done(&s.found);
                return s.error;
        }
        if (s.found.n > 0)
                qsort(s.found.list, s.found.n, sizeof(Holder), compare);
        *ret = s.found;
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
