/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes and links, in a directory that stands for sysfs. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/sysfs.h"
#include "test.h"

#define PAGE 4096

static int dir = -1;

static void write_file(const char *name, const char *content, size_t size) {
        _cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int(write(fd, content, size), size);
}

#define assert_read(name, expected)                            \
        do {                                                   \
                _cleanup_free_ char *value_ = NULL;            \
                                                               \
                assert_int(sysfs_read(dir, name, &value_), 0); \
                assert_str(value_, expected);                  \
        } while (0)

static void test_open(void) {
        _cleanup_close_ int fd = sysfs_open("/");

        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int(sysfs_open("/nowhere"), -ENOENT);
        assert_int(sysfs_open("/proc/self/status"), -ENOTDIR);
}

static void test_read(void) {
        static const struct {
                const char *content, *expected;
        } values[] = {
                {"0x8086\n", "0x8086"},
                {"0x8086", "0x8086"},
                {"", ""},
                {"\n", ""},
                {"\n\n", "\n"},
                {"two\nlines\n", "two\nlines"},
                {" blanks \n", " blanks "},
                {"(M) frame buffer device\n", "(M) frame buffer device"},
        };
        char *unset = NULL;

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                write_file("attribute", values[i].content, strlen(values[i].content));
                assert_read("attribute", values[i].expected);
        }

        /* not a string: what is before the NUL counts */
        write_file("attribute", "ab\0cd\n", 6);
        assert_read("attribute", "ab");

        assert_int(sysfs_read(dir, "nothing", &unset), -ENOENT);
        assert_int(mkdirat(dir, "directory", 0700), 0);
        assert_int(sysfs_read(dir, "directory", &unset), -EISDIR);
        assert_int(sysfs_read(dir, "attribute/below", &unset), -ENOTDIR);
        assert_str(unset, NULL);
}

/* A page is what sysfs can show; what is beyond is cut off, not overrun. */
static void test_read_page(void) {
        char page[PAGE + 2];

        memset(page, 'x', sizeof(page));
        for (size_t size = PAGE - 1; size <= sizeof(page); size++) {
                _cleanup_free_ char *value = NULL;

                write_file("page", page, size);
                assert_int(sysfs_read(dir, "page", &value), 0);
                assert_int(strlen(value), size < PAGE ? size : PAGE);
        }

        page[PAGE - 1] = '\n';
        write_file("page", page, PAGE);
        {
                _cleanup_free_ char *value = NULL;

                assert_int(sysfs_read(dir, "page", &value), 0);
                assert_int(strlen(value), PAGE - 1);
        }
}

static void test_write(void) {
        write_file("attribute", "1234567\n", 8);
        assert_int(sysfs_write(dir, "attribute", "0000"), 0);
        assert_read("attribute", "0000567");

        /* no attribute is made where there is none */
        assert_int(sysfs_write(dir, "nothing", "0"), -ENOENT);
        assert_int(faccessat(dir, "nothing", F_OK, 0), -1);
        assert_int(sysfs_write(dir, "directory", "0"), -EISDIR);
        assert_int(sysfs_write(AT_FDCWD, "/dev/full", "0"), -ENOSPC);
        assert_int(sysfs_write(AT_FDCWD, "/dev/null", "0"), 0);
}

static void test_link(void) {
        static const struct {
                const char *target, *expected;
        } links[] = {
                {"../../../bus/pci/drivers/i915", "i915"},
                {"/sys/bus/pci/drivers/vfio-pci", "vfio-pci"},
                {"i915", "i915"},
                {"../..", ".."},
        };
        char *unset = NULL;

        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
                _cleanup_free_ char *value = NULL;

                (void)unlinkat(dir, "link", 0);
                assert_int(symlinkat(links[i].target, dir, "link"), 0);
                assert_int_in(links[i].target, sysfs_read_link(dir, "link", &value), 0);
                assert_str(value, links[i].expected);
        }

        assert_int(unlinkat(dir, "link", 0), 0);
        assert_int(sysfs_read_link(dir, "link", &unset), -ENOENT);
        assert_int(symlinkat("ends/with/a/slash/", dir, "link"), 0);
        assert_int(sysfs_read_link(dir, "link", &unset), -EINVAL);
        assert_int(sysfs_read_link(dir, "attribute", &unset), -EINVAL);
        assert_str(unset, NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int main(void) {
        char path[] = "/tmp/gpu-guest-test-XXXXXX";

        assert_true(mkdtemp(path));
        dir = sysfs_open(path);
        assert_true(dir >= 0);
        test_open();
        test_read();
        test_read_page();
        test_write();
        test_link();
        close(dir);
        assert_int(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        return 0;
}
