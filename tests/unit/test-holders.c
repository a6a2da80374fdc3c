/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a device open: a pseudo-terminal, which has a device number of its own and is there for
 * everybody. The only device here of which a mapping remains one is /dev/zero; a driver's are for
 * the lab. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/holders.h"
#include "common/sysfs.h"
#include "test.h"

#define LOWEST_TERMINAL 100

static int controller = -1;
static Node node = {.name = (char *)"/dev/a-node"};
static const Nodes nodes = {&node, 1};

/* Containers have a devpts of their own, whose terminals have the same numbers, from the lowest on.
 */
static void make_terminal(void) {
        struct stat st;

        do {
                controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
                assert_true(controller >= 0);
                assert_int(stat(ptsname(controller), &st), 0);
        } while (minor(st.st_rdev) < LOWEST_TERMINAL);
        assert_int(grantpt(controller), 0);
        assert_int(unlockpt(controller), 0);
        node.number = st.st_rdev;
}

static int open_node(void) {
        int fd = open(ptsname(controller), O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static void *__attribute__((noreturn)) hold(void *data) {
        for (;;)
                pause();
}

/* Has the first thread ended? */
static bool is_zombie(pid_t pid) {
        _cleanup_free_ char *path = NULL, *stat = NULL;

        assert_true(asprintf(&path, "/proc/%d/stat", (int)pid) >= 0);
        assert_int(sysfs_read(AT_FDCWD, path, &stat), 0);
        return strstr(stat, ") Z ") != NULL;
}

/* A process that opens the node; its first thread may end and leave the rest to another one. */
static pid_t start_holder(bool by_thread) {
        int ready[2];
        pthread_t thread;
        pid_t pid;
        char c;

        assert_int(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                assert_int(prctl(PR_SET_NAME, "a holder"), 0);
                (void)open_node();
                if (by_thread)
                        assert_int(pthread_create(&thread, NULL, hold, NULL), 0);
                assert_int(write(ready[1], "r", 1), 1);
                close(ready[0]);
                close(ready[1]);
                if (by_thread)
                        pthread_exit(NULL);
                (void)hold(NULL);
        }
        close(ready[1]);
        assert_int(read(ready[0], &c, 1), 1);
        close(ready[0]);
        while (by_thread && !is_zombie(pid))
                (void)poll(NULL, 0, 10);
        return pid;
}

static void end(pid_t pid) {
        assert_int(kill(pid, SIGKILL), 0);
        assert_int(waitpid(pid, NULL, 0), pid);
}

#define assert_holders(count)                                 \
        do {                                                  \
                _cleanup_(holders_done) Holders h_ = {};      \
                                                              \
                assert_int(holders_find(&nodes, &h_), count); \
                assert_int((int)h_.n, count);                 \
        } while (0)

static void test_none(void) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_free_ char *description = NULL;
        _cleanup_close_ int fd = open_node();

        /* not oneself */
        assert_true(fd >= 0);
        assert_int(holders_find(&nodes, &holders), 0);
        description = holders_describe(&holders);
        assert_str(description, "");
        assert_int(holders_wait_none(&nodes, 0, &holders), 0);
}

static void test_one(bool by_thread) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_free_ char *description = NULL;
        pid_t pid = start_holder(by_thread);
        const Holder *h;
        char expected[64];

        assert_int(holders_find(&nodes, &holders), 1);
        h = &holders.list[0];
        assert_int(h->pid, pid);
        assert_str(h->name, "a holder");
        assert_true(h->node == &node);
        assert_true(!h->mapped);
        description = holder_describe(h);
        snprintf(expected, sizeof(expected), "a holder (PID %d", (int)pid);
        assert_true(strncmp(description, expected, strlen(expected)) == 0);
        assert_true(strstr(description, "which has /dev/a-node open"));

        end(pid);
        /* it has ended: waiting for it takes no time */
        holders_wait(&holders, 60000);
        assert_holders(0);
}

static void test_several(void) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_free_ char *description = NULL;
        pid_t first = start_holder(false), second = start_holder(false);

        assert_int(holders_find(&nodes, &holders), 2);
        assert_true(holders.list[0].pid < holders.list[1].pid);
        description = holders_describe(&holders);
        assert_true(strstr(description, "; a holder"));
        end(first);
        assert_holders(1);
        end(second);
        assert_holders(0);
}

/* A process that has /dev/zero mapped, and nothing open. */
static pid_t start_mapper(void) {
        int ready[2];
        pid_t pid;
        char c;

        assert_int(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd = open("/dev/zero", O_RDONLY);

                assert_true(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
                assert_int(write(ready[1], "r", 1), 1);
                assert_int(close_range(0, ~0U, 0), 0);
                (void)hold(NULL);
        }
        close(ready[1]);
        while (read(ready[0], &c, 1) > 0)
                ;
        close(ready[0]);
        return pid;
}

/* Where the links go to is for who has CAP_CHECKPOINT_RESTORE. */
static bool may_follow_mappings(void) {
        _cleanup_(closedirp) DIR *dir = opendir("/proc/self/map_files");
        struct dirent *de;
        struct stat st;

        assert_true(dir);
        do
                de = readdir(dir);
        while (de && de->d_name[0] == '.');
        return de && fstatat(dirfd(dir), de->d_name, &st, 0) >= 0;
}

static void test_mapped(void) {
        static Node zero = {.name = (char *)"/dev/zero"};
        _cleanup_(holders_done) Holders holders = {};
        const Holder *found = NULL;
        pid_t pid = start_mapper();
        struct stat st;

        assert_int(stat("/dev/zero", &st), 0);
        zero.number = st.st_rdev;
        assert_true(holders_find(&(Nodes){&zero, 1}, &holders) >= 0);
        for (size_t i = 0; i < holders.n; i++)
                if (holders.list[i].pid == pid)
                        found = &holders.list[i];
        assert_int(found != NULL, may_follow_mappings());
        if (found)
                assert_true(found->mapped && found->node == &zero);
        end(pid);
}

static void test_wait(void) {
        _cleanup_(holders_done) Holders left = {}, none = {};
        pid_t pid = start_holder(false), killer;
        uint64_t begin = clock_now_ms();

        assert_int(holders_wait_none(&nodes, 100, &left), 1);
        assert_int(left.list[0].pid, pid);
        assert_true(clock_now_ms() - begin >= 100);

        killer = fork();
        if (killer == 0) {
                (void)poll(NULL, 0, 200);
                _exit(kill(pid, SIGKILL) < 0);
        }
        assert_int(holders_wait_none(&nodes, 60000, &none), 0);
        assert_true(clock_now_ms() - begin < 60000);
        assert_int(waitpid(killer, NULL, 0), killer);
        assert_int(waitpid(pid, NULL, 0), pid);
}

int main(void) {
        make_terminal();
        test_none();
        test_one(false);
        test_one(true);
        test_several();
        test_mapped();
        test_wait();
        return 0;
}
