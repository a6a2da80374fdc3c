/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process's command line as libvirt writes QEMU's, and as it does not. */

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/qemu.h"
#include "test.h"

#define UUID "2d8c7a60-5bd2-4a4f-9d5e-0c2f6c1b7f11"

/* Runs "sleep" under these arguments, which it does not look at: "sh -c" takes them as its own. */
static void assert_domain(const char *const *arguments, const char *name, const char *uuid) {
        const char *argv[16] = {"sh", "-c", "kill -STOP $$; :", "qemu"};
        _cleanup_free_ char *found_name = NULL, *found_uuid = NULL;
        int status;
        pid_t pid;

        for (size_t i = 0; arguments[i]; i++)
                argv[4 + i] = arguments[i];
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                execv("/bin/sh", (char *const *)argv);
                _exit(127);
        }
        assert_int(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        assert_int(qemu_get_domain(pid, &found_name, &found_uuid), 0);
        assert_int(kill(pid, SIGKILL), 0);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_str(found_name, name);
        assert_str(found_uuid, uuid);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_domain(void) {
        assert_domain(
                ARGUMENTS("-name", "guest=win10,debug-threads=on", "-uuid", UUID), "win10", UUID);
        assert_domain(ARGUMENTS("-uuid", UUID, "-name", "guest=a b"), "a b", UUID);
        assert_domain(ARGUMENTS("-name", "guest=a,,b,,,debug-threads=on"), "a,b,", NULL);
        assert_domain(ARGUMENTS("-name", "guest=,debug-threads=on"), "", NULL);
        /* the first one counts */
        assert_domain(ARGUMENTS("-name", "guest=one", "-name", "guest=two"), "one", NULL);
}

static void test_no_domain(void) {
        char *name = NULL, *uuid = NULL;

        assert_domain(ARGUMENTS("-name", "by-hand"), NULL, NULL);
        assert_domain(ARGUMENTS("-uuid"), NULL, NULL);
        assert_domain(ARGUMENTS("-name"), NULL, NULL);
        assert_domain(ARGUMENTS("guest=x"), NULL, NULL);
        assert_domain(ARGUMENTS("", "", ""), NULL, NULL);
        assert_int(qemu_get_domain(4194304 + 1, &name, &uuid), -ESRCH);
}

int main(void) {
        test_domain();
        test_no_domain();
        return 0;
}
