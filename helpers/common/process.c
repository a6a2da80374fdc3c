/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "process.h"
#include "sysfs.h"
#include "text.h"

int process_open(pid_t pid) {
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

int process_wait_end_of(int pidfd, int timeout_ms) {
        struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
        int r = poll(&pfd, 1, timeout_ms);

        if (r < 0)
                return -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}

int process_wait_end(pid_t pid, int timeout_ms) {
        _cleanup_close_ int fd = process_open(pid);

        if (fd < 0)
                return fd == -ESRCH ? 0 : fd;
        return process_wait_end_of(fd, timeout_ms);
}

int process_signal(int pidfd, int signal) {
        if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
                return -errno;
        return 0;
}

int process_get_name(pid_t pid, char **ret) {
        char path[sizeof("/proc//comm") + 3 * sizeof(pid_t)];
        _cleanup_free_ char *name = NULL;
        int r;

        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        r = sysfs_read(AT_FDCWD, path, &name);
        if (r < 0)
                return r;
        *ret = text_printable(name);
        return *ret ? 0 : -ENOMEM;
}

int process_end_with(pid_t parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        return getppid() == parent ? 0 : -ECANCELED;
}

int process_call(int (*function)(void *data), void *data, int timeout_ms) {
        pid_t parent = getpid(), child = fork();
        int r, status;

        if (child < 0)
                return -errno;
        if (child == 0) {
                /* not to change anything after others have looked and gone on without us */
                if (process_end_with(parent) < 0)
                        _exit(ECANCELED);
                _exit(-function(data)); /* an errno fits */
        }

        r = process_wait_end(child, timeout_ms);
        if (r < 0)
                return r;
        if (waitpid(child, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int spawn(const char *const *argv, const int fds[static 3], pid_t *ret) {
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return -r;
        for (int i = 0; i < 3 && r == 0; i++)
                if (fds[i] >= 0)
                        r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, (char *const *)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

int process_run(const char *const *argv, const int fds[static 3], int timeout_ms) {
        int r, status;
        pid_t pid;

        r = spawn(argv, fds, &pid);
        if (r < 0)
                return r;
        r = process_wait_end(pid, timeout_ms);
        if (r < 0)
                (void)kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        if (r < 0)
                return r;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
