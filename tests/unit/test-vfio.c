/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users of a VFIO group, as far as they go without /dev/vfio; and the end of processes. */

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/vfio.h"
#include "test.h"

#define NO_GROUP "4294967295" /* more than the kernel numbers */

static void test_missing_group(void) {
        pid_t pid = -1;
        char *name = NULL;

        assert_int(vfio_group_check_node(NO_GROUP), -ENOENT);
        assert_int(vfio_group_find_user(NO_GROUP, &pid, &name), 0);
        assert_int(pid, -1);
        assert_str(name, NULL);
        assert_int(vfio_group_is_free(NO_GROUP), 1);
}

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

int main(void) {
        test_missing_group();
        test_wait_end();
        test_wait_killed();
        test_wait_nonsense();
        return 0;
}
