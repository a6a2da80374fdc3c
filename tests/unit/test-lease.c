/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds our names of leases against the real systemd-escape(1). */

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/lease.h"
#include "test.h"

#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define UUID_UNIT "gpu-guest@4dea22b3\\x2d1d52\\x2dd8f3\\x2d2516\\x2d782e98ab3fa0.service"

extern char **environ;

/* What systemd-escape prints for all these names, with blanks between; NULL if it is not there. */
static char *systemd_escape(const char *const *names, size_t n) {
        _cleanup_free_ char **argv = calloc(n + 4, sizeof(char *));
        posix_spawn_file_actions_t actions;
        _cleanup_(fclosep) FILE *f = NULL;
        int fds[2], status, r;
        char *line = NULL;
        size_t size = 0;
        pid_t pid;

        assert_true(argv);
        argv[0] = (char *)"systemd-escape";
        argv[1] = (char *)"--template=gpu-guest@.service";
        argv[2] = (char *)"--";
        memcpy(argv + 3, names, n * sizeof(char *));

        assert_int(pipe(fds), 0);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
        posix_spawn_file_actions_addclose(&actions, fds[0]);
        r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(fds[1]);
        f = fdopen(fds[0], "r");
        assert_true(f);
        if (r == ENOENT)
                return NULL;
        assert_int(r, 0);

        assert_true(getline(&line, &size, f) > 0);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_int(status, 0);
        line[strcspn(line, "\n")] = '\0';
        return line;
}

static void check_against_systemd(const char *const *names, size_t n) {
        _cleanup_free_ char *expected = systemd_escape(names, n);
        char *rest = expected;

        if (!expected)
                test_skip("systemd-escape is not installed");
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *unit = NULL, *name = NULL;

                assert_int_in(names[i], lease_unit_name(names[i], NULL, &unit), 0);
                assert_str_in(names[i], unit, strsep(&rest, " "));
                assert_int_in(names[i], lease_domain_name(unit, &name), 0);
                assert_str_in(names[i], name, names[i]);
        }
        assert_str(rest, NULL);
}

static void test_against_systemd(void) {
        static const char *const names[] = {
                "win10",
                "Win-11",
                "my guest",
                ".hidden",
                "..",
                "a.b",
                "a..b.",
                "-",
                "--help",
                "/",
                "a/b",
                "../../x",
                ";reboot",
                "$(reboot)",
                "`x`",
                "a\\x2db",
                "a\tb",
                "caf\xc3\xa9",
                "\xff\xfe",
                "a@b",
                "a%i",
                "a:b_c.d",
                "\"quoted\"",
                "'quoted'",
                "x.service",
        };

        check_against_systemd(names, sizeof(names) / sizeof(*names));
}

/* Every byte, first and in the middle. */
static void test_bytes_against_systemd(void) {
        char bytes[255][4];
        const char *names[2 * 255];

        for (int i = 0; i < 255; i++) {
                memcpy(bytes[i], (const char[]){'x', (char)(i + 1), 'y', '\0'}, 4);
                names[2 * i] = bytes[i];
                names[2 * i + 1] = bytes[i] + 1;
        }
        check_against_systemd(names, 2 * 255);
}

static void test_empty(void) {
        char *unit = (char *)"untouched";

        assert_int(lease_unit_name("", UUID, &unit), -EINVAL);
        assert_str(unit, "untouched");
}

/* The longest name that systemd takes is ours, too, and one byte more is not. */
static void test_length(void) {
        enum { MAX = 255 - sizeof("gpu-guest@.service") + 1 };
        _cleanup_free_ char *unit = NULL, *same = NULL, *replaced = NULL, *escaped = NULL;
        char name[MAX + 2];

        memset(name, 'a', sizeof(name));
        name[MAX] = '\0';
        check_against_systemd((const char *const[]){name}, 1);
        assert_int(lease_unit_name(name, UUID, &unit), 0);
        assert_int(strlen(unit), 255);
        assert_int(lease_unit_name(name, NULL, &same), 0);
        assert_str(same, unit);

        name[MAX] = 'a';
        name[MAX + 1] = '\0';
        assert_int(lease_unit_name(name, UUID, &replaced), 0);
        assert_str(replaced, UUID_UNIT);

        /* four bytes for each */
        memset(name, '-', 100);
        name[100] = '\0';
        assert_int(lease_unit_name(name, UUID, &escaped), 0);
        assert_str(escaped, UUID_UNIT);
}

static void test_length_without_uuid(void) {
        char name[301], *unit = (char *)"untouched";

        memset(name, 'a', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int(lease_unit_name(name, NULL, &unit), -ENAMETOOLONG);
        assert_str(unit, "untouched");
}

static void test_no_lease(void) {
        static const char *const units[] = {
                "",
                "gpu-guest@",
                "gpu-guest@.service",
                "gpu-guest@a.target",
                "gpu-guest@a.service.d",
                "gpu-guest.service",
                "lightdm.service",
                "gpu-guest@a\\.service",
                "gpu-guest@a\\x.service",
                "gpu-guest@a\\x4.service",
                "gpu-guest@a\\x4g.service",
                "gpu-guest@a\\x4A.service",
                "gpu-guest@a\\x00.service",
                "gpu-guest@a\\y41.service",
                "gpu-guest@a b.service",
                "gpu-guest@a\x1b.service",
        };

        for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
                char *name = (char *)"untouched";

                assert_int_in(units[i], lease_domain_name(units[i], &name), -EINVAL);
                assert_str_in(units[i], name, "untouched");
        }
}

int main(void) {
        test_no_lease();
        test_empty();
        test_length_without_uuid();
        test_against_systemd();
        test_bytes_against_systemd();
        test_length();
        return EXIT_SUCCESS;
}
