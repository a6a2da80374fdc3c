/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "private-run.h"
#include "test.h"

char *format(const char *fmt, ...) {
        char *s;
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = vasprintf(&s, fmt, ap);
        va_end(ap);
        assert_true(r >= 0);
        return s;
}

void directory_make(const char *path) {
        _cleanup_free_ char *copy = format("%s", path);

        for (char *p = copy + 1;; p++) {
                char c = *p;

                if (c != '/' && c != '\0')
                        continue;
                *p = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        test_fail("mkdir %s: %s", copy, strerror(errno));
                *p = c;
                if (c == '\0')
                        return;
        }
}

static void make_parents(const char *path) {
        _cleanup_free_ char *parent = strndup(path, (size_t)(strrchr(path, '/') - path));

        directory_make(parent);
}

void file_write(const char *path, const char *text) {
        _cleanup_close_ int fd = -1;

        make_parents(path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                test_fail("open %s: %s", path, strerror(errno));
        assert_int_in(path, write(fd, text, strlen(text)), strlen(text));
}

void file_cover(const char *path, const char *text) {
        while (umount2(path, MNT_DETACH) == 0)
                ;
        if (!text)
                return;
        file_write("/run/cover", text);
        if (mount("/run/cover", path, NULL, MS_BIND, NULL) < 0)
                test_fail("Cannot cover %s: %s", path, strerror(errno));
}

void file_link(const char *path, const char *target) {
        make_parents(path);
        (void)unlink(path);
        if (symlink(target, path) < 0)
                test_fail("symlink %s: %s", path, strerror(errno));
}

char *file_read(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *text;
        ssize_t n;

        if (fd < 0)
                return NULL;
        text = calloc(1, 65537);
        assert_true(text);
        n = read(fd, text, 65536);
        assert_true(n >= 0);
        return text;
}

static bool map_user(uid_t uid, gid_t gid) {
        _cleanup_free_ char *users = format("0 %u 1", uid), *groups = format("0 %u 1", gid);
        struct {
                const char *path, *text;
        } files[] = {
                {"/proc/self/setgroups", "deny"},
                {"/proc/self/uid_map", users},
                {"/proc/self/gid_map", groups},
        };

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                _cleanup_close_ int fd = open(files[i].path, O_WRONLY | O_CLOEXEC);
                ssize_t size = (ssize_t)strlen(files[i].text);

                if (fd < 0 || write(fd, files[i].text, (size_t)size) != size)
                        return false;
        }
        return true;
}

void private_run_enter(void) {
        uid_t uid = geteuid();
        gid_t gid = getegid();

        if (unshare(CLONE_NEWNS) < 0 &&
                (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !map_user(uid, gid)))
                test_skip("namespaces are not to be had: %s", strerror(errno));
        if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                test_skip("a mount of our own is not to be had: %s", strerror(errno));
}

void private_run_clear(void) {
        if (umount2("/run", MNT_DETACH) < 0 ||
                mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                test_fail("Cannot make /run new: %s", strerror(errno));
}
