/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of the kernel in a child, which is left behind when there is no answer: a FIFO that
 * nobody writes to stands for an attribute whose lock somebody else has. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/pci.h"
#include "common/sysfs.h"
#include "test.h"

#define LONG_MS 60000
#define PAGE 4096

static int dir = -1;

static void attribute(const char *content, size_t size) {
        _cleanup_close_ int fd =
                openat(dir, "attribute", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int(write(fd, content, size), size);
}

/* A value comes back whole, and an error as it is. */
static void test_read(void) {
        _cleanup_free_ char *value = NULL, *empty = NULL, *whole = NULL;
        char page[PAGE], *unset = NULL;

        attribute("vfio-pci\n", 9);
        assert_int(sysfs_read_timeout(dir, "attribute", LONG_MS, &value), 0);
        assert_str(value, "vfio-pci");
        attribute("", 0);
        assert_int(sysfs_read_timeout(dir, "attribute", LONG_MS, &empty), 0);
        assert_str(empty, "");
        memset(page, 'x', sizeof(page));
        attribute(page, sizeof(page));
        assert_int(sysfs_read_timeout(dir, "attribute", LONG_MS, &whole), 0);
        assert_int(strlen(whole), PAGE);

        assert_int(sysfs_read_timeout(dir, "nothing", LONG_MS, &unset), -ENOENT);
        assert_str(unset, NULL);
}

/* A driver that does not come back from its probe has the device's lock. */
static void test_locked(void) {
        char *unset = NULL;

        assert_int(mkfifoat(dir, PCI_ATTR_DRIVER_OVERRIDE, 0600), 0);
        assert_int(sysfs_read_timeout(dir, PCI_ATTR_DRIVER_OVERRIDE, 50, &unset), -ETIMEDOUT);
        assert_str(unset, NULL);
        assert_int(pci_lift_vfio_override(dir), -ETIMEDOUT);
}

int main(void) {
        char path[] = "/tmp/gpu-guest-test-XXXXXX";

        assert_true(mkdtemp(path));
        dir = sysfs_open(path);
        assert_true(dir >= 0);
        test_read();
        test_locked();
        assert_int(unlinkat(dir, "attribute", 0), 0);
        assert_int(unlinkat(dir, PCI_ATTR_DRIVER_OVERRIDE, 0), 0);
        assert_int(rmdir(path), 0);
        return 0;
}
