/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mappings may be of a device, in texts as the kernel writes them and in others. */

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/maps.h"
#include "test.h"

#define RANGE "7f0000000000-7f0000001000"

static void assert_mappings(int fd, const char *first, const char *second) {
        char range[MAPS_RANGE_MAX];
        Maps maps = {.fd = fd};

        if (first) {
                assert_true(maps_next(&maps, range));
                assert_str(range, first);
        }
        if (second) {
                assert_true(maps_next(&maps, range));
                assert_str(range, second);
        }
        assert_true(!maps_next(&maps, range));
        assert_true(!maps_next(&maps, range));
}

static void assert_text(const char *text, const char *first, const char *second) {
        _cleanup_close_ int fd = memfd_create("maps", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int(pwrite(fd, text, strlen(text), 0), strlen(text));
        assert_mappings(fd, first, second);
}

static void test_lines(void) {
        static const struct {
                const char *line;
                bool may_be;
        } lines[] = {
                /* a device, by a DRM driver and by others; and one on a /dev of its own */
                {RANGE " rw-s 100a00000 00:06 294                        /dev/dri/card0\n", true},
                {RANGE " ---s 00000000 00:06 294 /dev/dri/card0\n", true},
                {RANGE " rw-p 00000000 00:06 12 /dev/zero\n", true},
                {RANGE " rw-s 00000000 08:01 77 /srv/root/dev/dri/card0\n", true},
                {RANGE " rw-s 00000000 08:01 77 /dev/dri/card0 (deleted)\n", true},
                {RANGE " rw-s 00000000 00:06 77 \n", true},
                {RANGE " rw-s 00000000 00:06 77\n", true},
                {RANGE " rw-s 00000000 00:06 77", true},
                {RANGE " rw-s 00000000 fe:00 18446744073709551615 /a\n", true},
                {"ffffffffff600000-ffffffffff601000 rw-s 00000000 00:06 5 /a\n", true},
                {"10000-20000 rw-s 00000000 00:06 5 /a\\012b c\n", true},
                /* a program and its memory */
                {RANGE " r-xp 00000000 08:01 77 /usr/bin/Xorg\n", false},
                {RANGE " r-xp 00000000 100:01 77 /usr/bin/Xorg\n", false},
                {RANGE " r-xp 00000000 10:00 77 /usr/bin/Xorg\n", false},
                {RANGE " rw-p 00000000 00:00 0 \n", false},
                {RANGE " rw-p 00000000 00:00 0\n", false},
                {RANGE " rw-s 00000000 00:00 0 \n", false},
                {RANGE " rw-p 00000000 00:00 0                          [heap]\n", false},
                {"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n", false},
                /* nothing */
                {"", false},
                {"\n", false},
                {"\n\n \n", false},
                {RANGE, false},
                {RANGE " rw-s\n", false},
                {RANGE " rw-s 0 00:06 \n", false},
                {RANGE " s 0 00:06 5 /a\n", false},
        };

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                char first[MAPS_RANGE_MAX];

                snprintf(first, sizeof(first), "%.*s", (int)strcspn(lines[i].line, " "),
                        lines[i].line);
                assert_text(lines[i].line, lines[i].may_be ? first : NULL, NULL);
        }
}

/* Wherever the buffer ends. */
static void test_long(void) {
        static char text[5 * 4096], path[2 * 4096 + 1];

        for (size_t size = 1; size < sizeof(path); size += size < 200 || size > 3800 ? 1 : 100) {
                memset(path, 'a', size);
                path[size] = '\0';
                snprintf(text, sizeof(text),
                        "1000-2000 r-xp 00000000 08:01 77 /%s\n"
                        "2000-3000 rw-s 00000000 00:06 5 /%s\n"
                        "3000-4000 rw-s 00000000 00:06 5 /a\n",
                        path, path);
                assert_text(text, "2000-3000", "3000-4000");
        }
}

/* However little the kernel gives at once. */
static void test_short(void) {
        static const char text[] = "1000-2000 r-xp 00000000 08:01 77 /a\n"
                                   "2000-3000 rw-s 00000000 00:06 5 /a\n"
                                   "3000-4000 rw-p 00000000 00:06 5 /a\n";
        int fds[2], status;
        pid_t pid;

        assert_int(pipe2(fds, O_CLOEXEC | O_DIRECT), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                for (const char *c = text; *c; c++)
                        assert_int(write(fds[1], c, 1), 1);
                _exit(0);
        }
        close(fds[1]);
        assert_mappings(fds[0], "2000-3000", "3000-4000");
        close(fds[0]);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_int(status, 0);
}

/* A real one. */
static void test_own(void) {
        _cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        char range[MAPS_RANGE_MAX], *end;
        Maps maps = {.fd = fd};
        bool found = false;

        assert_true(fd >= 0 && shared != MAP_FAILED);
        while (maps_next(&maps, range))
                found = found || strtoul(range, &end, 16) == (unsigned long)shared;
        assert_true(found);
}

int main(void) {
        test_lines();
        test_long();
        test_short();
        test_own();
        return 0;
}
