/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A crowd of processes with descriptors, for a bench to look through: what programs mostly have
 * open, and none of it a GPU's node.
 *
 * Usage: crowd PROCESSES DESCRIPTORS
 *
 * It says "ready" when all are there, and ends them when its standard input does. Whoever is left
 * when it is killed itself is killed by the kernel.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* One descriptor, of each kind in turn. */
static int open_one(int i) {
        switch (i % 5) {
        case 0:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 1:
                return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        case 2:
                return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        case 3:
                return eventfd(0, EFD_CLOEXEC);
        default:
                return epoll_create1(EPOLL_CLOEXEC);
        }
}

/* 0 to 2 are there already, and ready until it is closed. */
static void __attribute__((noreturn)) be_one(pid_t parent, int descriptors, int ready) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(1);
        for (int i = 0; i < descriptors - 3; i++)
                if (open_one(i) < 0)
                        _exit(1);
        if (write(ready, "r", 1) != 1)
                _exit(1);
        close(ready);
        for (;;)
                pause();
}

static bool wait_ready(int ready, int processes) {
        char c[4096];
        ssize_t n;

        for (; processes > 0; processes -= (int)n) {
                n = read(ready, c, sizeof(c));
                if (n <= 0)
                        return false;
        }
        return true;
}

static void end_all(const pid_t *pids, int n) {
        for (int i = 0; i < n; i++)
                (void)kill(pids[i], SIGKILL);
        for (int i = 0; i < n; i++)
                (void)waitpid(pids[i], NULL, 0);
}

static int fail(const char *what) {
        perror(what);
        return EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        int processes = argc == 3 ? atoi(argv[1]) : 0, descriptors = argc == 3 ? atoi(argv[2]) : 0;
        pid_t *pids = calloc((size_t)processes + 1, sizeof(pid_t)), self = getpid();
        struct rlimit limit = {(rlim_t)descriptors + 8, (rlim_t)descriptors + 8};
        int ready[2], n = 0;
        bool all;
        char c;

        if (processes <= 0 || descriptors < 3 || !pids) {
                fprintf(stderr, "Usage: crowd PROCESSES DESCRIPTORS (3 and more)\n");
                return 2;
        }
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || pipe2(ready, O_CLOEXEC) < 0)
                return fail("crowd");

        for (pid_t pid = 0; n < processes; pids[n++] = pid) {
                pid = fork();
                if (pid < 0)
                        break;
                if (pid == 0) {
                        close(ready[0]);
                        be_one(self, descriptors, ready[1]);
                }
        }
        close(ready[1]);
        all = n == processes && wait_ready(ready[0], processes);
        if (all) {
                puts("ready");
                fflush(stdout);
                while (read(STDIN_FILENO, &c, 1) > 0)
                        ;
        }
        end_all(pids, n);
        return all ? EXIT_SUCCESS : fail("crowd: not all processes are there");
}
