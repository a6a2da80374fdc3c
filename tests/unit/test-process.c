/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of processes, signals to them, and calls in a child. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "test.h"

/* A child that ends when the other end of the pipe is closed. */
static pid_t start_child(int *ret_fd) {
        int fds[2];
        pid_t pid;

        assert_int(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char c;

                close(fds[1]);
                _exit(read(fds[0], &c, 1) == 0 ? 0 : 1);
        }
        close(fds[0]);
        *ret_fd = fds[1];
        return pid;
}

static void test_wait_end(void) {
        int fd, status;
        pid_t pid = start_child(&fd);

        assert_int(process_wait_end(pid, 0), -ETIMEDOUT);
        assert_int(process_wait_end(pid, 50), -ETIMEDOUT);
        close(fd);
        assert_int(process_wait_end(pid, -1), 0);

        /* it has ended and nobody has asked for its status yet */
        assert_int(process_wait_end(pid, 0), 0);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_int(status, 0);
        assert_int(process_wait_end(pid, 0), 0);
}

static void test_wait_killed(void) {
        int fd, status;
        pid_t pid = start_child(&fd);

        assert_int(kill(pid, SIGKILL), 0);
        assert_int(process_wait_end(pid, -1), 0);
        assert_int(waitpid(pid, &status, 0), pid);
        close(fd);
}

static void test_wait_nonsense(void) {
        assert_int(process_wait_end(0, 0), -EINVAL);
        assert_int(process_wait_end(-1, 0), -EINVAL);
        assert_int(process_wait_end(4194304 + 1, 0), 0); /* above PID_MAX_LIMIT */
}

static void test_signal(void) {
        _cleanup_close_ int pidfd = -1;
        int fd, status;
        pid_t pid = start_child(&fd);

        pidfd = process_open(pid);
        assert_true(pidfd >= 0);
        assert_int(process_signal(pidfd, 0), 0);
        assert_int(process_wait_end(pid, 0), -ETIMEDOUT);
        assert_int(process_signal(pidfd, SIGTERM), 0);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_int(WTERMSIG(status), SIGTERM);

        /* it has gone for good, and so whoever has its PID now gets nothing */
        assert_int(process_signal(pidfd, SIGTERM), 0);
        assert_int(process_open(pid), -ESRCH);
        close(fd);
}

static void test_name(void) {
        _cleanup_free_ char *name = NULL;

        assert_int(prctl(PR_SET_NAME, "a (strange) one"), 0);
        assert_int(process_get_name(getpid(), &name), 0);
        assert_str(name, "a (strange) one");
        free(name);
        name = NULL;
        assert_int(process_get_name(4194304 + 1, &name), -ENOENT);

        /* what would be a line of its own for systemd */
        assert_int(prctl(PR_SET_NAME, "\nMAINPID=12345\n"), 0);
        assert_int(process_get_name(getpid(), &name), 0);
        assert_str(name, "?MAINPID=12345?");
}

static int succeed(void *data) {
        *(int *)data = 1;
        return 0;
}

static int fail(void *data) {
        return -ENODEV;
}

static int kill_itself(void *data) {
        return kill(getpid(), SIGKILL);
}

static int wait_for_ever(void *data) {
        return pause();
}

static void test_call(void) {
        int changed = 0;

        assert_int(process_call(succeed, &changed, 10000), 0);
        assert_int(changed, 0); /* it was a child that did it */
        assert_int(process_call(fail, NULL, 10000), -ENODEV);
        assert_int(process_call(kill_itself, NULL, 10000), -EINTR);
        assert_int(waitpid(-1, NULL, WNOHANG), -1); /* all of them waited for */
}

/* The pipe that the child has as well is closed when it is killed. */
static int hold_pipe(void *data) {
        close(((int *)data)[0]);
        return pause();
}

static void test_call_times_out(void) {
        int fds[2];
        char c;

        assert_int(process_call(wait_for_ever, NULL, 50), -ETIMEDOUT);

        /* whoever is left behind goes with the caller */
        assert_int(pipe(fds), 0);
        if (fork() == 0)
                _exit(process_call(hold_pipe, fds, 50) == -ETIMEDOUT ? 0 : 1);
        close(fds[1]);
        assert_int(read(fds[0], &c, 1), 0);
        close(fds[0]);
}

static void test_run(void) {
        static const char *const succeeds[] = {"true", NULL},
                                 *const fails[] = {"sh", "-c", "exit 3", NULL},
                                 *const dies[] = {"sh", "-c", "kill -KILL $$", NULL},
                                 *const stays[] = {"sleep", "1000", NULL},
                                 *const nobody[] = {"no-such-program", NULL},
                                 *const copies[] = {"sh", "-c", "cat; echo err >&2", NULL};
        static const int ours[3] = {-1, -1, -1};
        int in[2], out[2], err[2];
        char text[16];

        assert_int(process_run(succeeds, ours, 10000), 0);
        assert_int(process_run(fails, ours, 10000), 3);
        assert_int(process_run(dies, ours, 10000), -EINTR);
        assert_int(process_run(stays, ours, 50), -ETIMEDOUT);
        assert_int(process_run(nobody, ours, 10000), -ENOENT);

        assert_int(pipe2(in, O_CLOEXEC), 0);
        assert_int(pipe2(out, O_CLOEXEC), 0);
        assert_int(pipe2(err, O_CLOEXEC), 0);
        assert_int(write(in[1], "abc", 3), 3);
        close(in[1]);
        assert_int(process_run(copies, (const int[]){in[0], out[1], err[1]}, 10000), 0);
        assert_int(read(out[0], text, sizeof(text)), 3);
        assert_int(memcmp(text, "abc", 3), 0);
        assert_int(read(err[0], text, sizeof(text)), 4);
        assert_int(memcmp(text, "err\n", 4), 0);
        for (int i = 0; i < 2; i++) {
                close(out[i]);
                close(err[i]);
        }
        close(in[0]);
        assert_int(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void) {
        test_run();
        test_wait_end();
        test_wait_killed();
        test_wait_nonsense();
        test_signal();
        test_name();
        test_call();
        test_call_times_out();
        return 0;
}
