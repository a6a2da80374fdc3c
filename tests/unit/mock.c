/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake kernel does at once and in the same thread what the real one does within the write(2):
 * when sysfs_write() returns, the links in /sys are as they would be.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <umockdev.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "common/sysfs.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

static UMockdevTestbed *testbed = NULL;
static char *writes = NULL;

MockKernel mock_kernel = NULL;

static void set_up(void) {
        _cleanup_free_ char *above = NULL;

        testbed = umockdev_testbed_new();
        assert_true(testbed);
        /* newer versions of umockdev have "data" there, and not what is above it */
        above = mock_path("/run/udev");
        directory_make(above);
        directory_make("/run/udev/data");
        directory_make("/run/udev/tags/" UDEV_TAG);
        /* libudev takes this for a sign that udevd is there */
        file_write("/run/udev/control", "");
}

void mock_enter(void) {
        private_run_enter();
        set_up();
        if (!umockdev_in_mock_environment())
                test_skip("this must be run by umockdev-wrapper");
}

void mock_clear(void) {
        mock_leave();
        private_run_clear();
        set_up();
}

void mock_leave(void) {
        g_clear_object(&testbed);
        free(writes);
        writes = NULL;
        mock_kernel = NULL;
}

char *mock_path(const char *fmt, ...) {
        _cleanup_free_ char *root = umockdev_testbed_get_root_dir(testbed), *path = NULL;
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = vasprintf(&path, fmt, ap);
        va_end(ap);
        assert_true(r >= 0);
        return format("%s%s", root, path);
}

void mock_pci(const char *address, const char *above) {
        _cleanup_free_ char *root = mock_path("/sys/devices/pci0000:00"), *parent = NULL,
                            *made = NULL, *override = NULL;

        directory_make(root);
        parent = above ? format("/sys/devices/pci0000:00/%s", above)
                       : format("/sys/devices/pci0000:00");
        made = umockdev_testbed_add_device(testbed, "pci", address, parent, "vendor", "0x8086\n",
                "class", "0x030000\n", "modalias", "pci:v00008086d00003E92\n", NULL,
                "PCI_SLOT_NAME", address, NULL);
        if (!made)
                test_fail("umockdev does not add %s", address);

        override = mock_path("%s/" PCI_ATTR_DRIVER_OVERRIDE, made);
        file_write(override, "(null)\n");
}

void mock_udev_entry(const char *id, const char *text) {
        _cleanup_free_ char *path = format("/run/udev/data/%s", id);

        file_write(path, text);
}

void mock_udev(const char *address, const char *role, const char *priority) {
        _cleanup_free_ char *id = format("+pci:%s", address),
                            *tag = format("/run/udev/tags/" UDEV_TAG "/%s", id), *text = NULL;

        text = format("I:1\n%s%s%s%s%s%sG:" UDEV_TAG "\nV:1\n", role ? "E:" UDEV_ROLE "=" : "",
                role ?: "", role ? "\n" : "", priority ? "E:" UDEV_PRIORITY "=" : "",
                priority ?: "", priority ? "\n" : "");
        mock_udev_entry(id, text);
        file_write(tag, "");
}

void mock_usb(const char *name, const char *vendor, const char *product, const char *bus,
        const char *device) {
        _cleanup_free_ char *id_vendor = format("%s\n", vendor),
                            *id_product = format("%s\n", product), *busnum = format("%s\n", bus),
                            *devnum = format("%s\n", device), *made = NULL;

        made = umockdev_testbed_add_device(testbed, "usb", name, NULL, "idVendor", id_vendor,
                "idProduct", id_product, "busnum", busnum, "devnum", devnum, NULL, "DEVTYPE",
                "usb_device", NULL);
        if (!made)
                test_fail("umockdev does not add %s", name);
}

void mock_driver(const char *driver, const char *module) {
        _cleanup_free_ char *directory = mock_path(SYSFS_PCI_DRIVERS "/%s", driver),
                            *link = format("%s/module", directory), *target = NULL, *made = NULL;

        directory_make(directory);
        if (!module)
                return;
        made = mock_path("/sys/module/%s", module);
        directory_make(made);
        target = format("../../../../module/%s", module);
        file_link(link, target);
}

void mock_bind(const char *address, const char *driver) {
        _cleanup_free_ char *link = mock_path(SYSFS_PCI_DEVICES "/%s/driver", address),
                            *target = mock_path(SYSFS_PCI_DRIVERS "/%s", driver ?: "");

        if (driver)
                file_link(link, target);
        else
                (void)unlink(link);
}

void mock_gpu(const char *address, const char *driver) {
        mock_pci(address, NULL);
        mock_udev(address, "gpu", "10");
        mock_group(address, "1");
        mock_driver("i915", "i915");
        mock_driver("vfio-pci", "vfio_pci");
        mock_bind(address, driver);
        file_write("/run/modprobe.d/test.conf",
                "install vfio-pci true\ninstall i915 true\ninstall snd_hda_intel true\n");
}

void mock_group(const char *address, const char *group) {
        _cleanup_free_ char *directory = mock_path("/sys/kernel/iommu_groups/%s", group),
                            *link = mock_path(SYSFS_PCI_DEVICES "/%s/iommu_group", address),
                            *member = format("%s/devices/%s", directory, address),
                            *device = mock_path(SYSFS_PCI_DEVICES "/%s", address);

        file_link(member, device);
        file_link(link, directory);
}

void mock_consumer(const char *supplier, const char *name) {
        _cleanup_free_ char *path = mock_path(SYSFS_PCI_DEVICES "/%s/consumer:%s", supplier, name);

        directory_make(path);
}

/* For devices on the root bus only. umockdev puts no directory "drm" in between. */
void mock_drm(const char *address, const char *name, const char *devtype, const char *minor) {
        _cleanup_free_ char *parent = format("/sys/devices/pci0000:00/%s", address), *made = NULL,
                            *node = format("/dev/dri/%s", name);

        made = minor ? umockdev_testbed_add_device(testbed, "drm", name, parent, NULL, "DEVTYPE",
                               devtype, "MAJOR", "226", "MINOR", minor, "DEVNAME", node, NULL)
                     : umockdev_testbed_add_device(
                               testbed, "drm", name, parent, NULL, "DEVTYPE", devtype, NULL);
        if (!made)
                test_fail("umockdev does not add %s", name);
}

void mock_uevent(const char *address, const char *name, const char *action) {
        _cleanup_free_ char *path = format("/sys/devices/pci0000:00/%s/%s", address, name);

        umockdev_testbed_uevent(testbed, path, action);
}

void mock_vtcon(const char *name, const char *description, const char *bind) {
        _cleanup_free_ char *directory = mock_path(SYSFS_VTCONSOLE "/%s", name),
                            *attribute_name = format("%s/" VTCON_ATTR_NAME, directory),
                            *attribute_bind = format("%s/" VTCON_ATTR_BIND, directory);

        file_write(attribute_name, description);
        file_write(attribute_bind, bind);
}

char *mock_kernel_writes(void) {
        char *w = writes ?: strdup("");

        writes = NULL;
        return w;
}

int mock_kernel_deaf(int dirfd, const char *name, const char *value) {
        return 0;
}

int mock_kernel_refuse(int dirfd, const char *name, const char *value) {
        return -EPERM;
}

/* Does the driver take the device? As in pci_match_device(): an override decides, otherwise the
 * ids, which here all drivers but vfio-pci have. */
static bool driver_matches(const char *driver, const char *address) {
        _cleanup_free_ char *path = mock_path(SYSFS_PCI_DEVICES "/%s/driver_override", address),
                            *override = file_read(path);

        assert_true(override);
        override[strcspn(override, "\n")] = '\0';
        if (strcmp(override, "(null)") != 0)
                return strcmp(driver, override) == 0;
        return strcmp(driver, DRIVER_VFIO_PCI) != 0;
}

/* bind_store() in drivers/base/bus.c */
static int kernel_bind(int dirfd, const char *address) {
        _cleanup_free_ char *self = format("/proc/self/fd/%d", dirfd),
                            *device = mock_path(SYSFS_PCI_DEVICES "/%s", address),
                            *link = format("%s/driver", device), *driver = NULL;
        struct stat st;

        if (sysfs_read_link(AT_FDCWD, self, &driver) < 0)
                return -EINVAL;
        if (stat(device, &st) < 0 || !driver_matches(driver, address))
                return -ENODEV;
        if (lstat(link, &st) >= 0)
                return -EBUSY;
        mock_bind(address, driver);
        return 0;
}

/* drivers_probe_store(): success whatever comes of it */
static int kernel_probe(const char *address) {
        _cleanup_free_ char *path = mock_path(SYSFS_PCI_DRIVERS),
                            *link = mock_path(SYSFS_PCI_DEVICES "/%s/driver", address);
        _cleanup_(closedirp) DIR *dir = opendir(path);
        struct dirent *de;
        struct stat st;

        while (dir && lstat(link, &st) < 0 && (de = readdir(dir)))
                if (de->d_name[0] != '.' && driver_matches(de->d_name, address))
                        mock_bind(address, de->d_name);
        return 0;
}

/* driver_set_override() in drivers/base/driver.c: an empty line clears, nothing at all is nothing
 */
static int kernel_override(int dirfd, const char *value) {
        _cleanup_free_ char *name = strndup(value, strcspn(value, "\n")),
                            *text = format("%s\n", *name ? name : "(null)");
        _cleanup_close_ int fd = openat(dirfd, "driver_override", O_WRONLY | O_TRUNC | O_CLOEXEC);

        if (*value == '\0')
                return 0;
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -EIO;
}

static bool is_system_console(const char *bind) {
        _cleanup_free_ char *name = format("%.*s" VTCON_ATTR_NAME,
                                    (int)(strlen(bind) - strlen(VTCON_ATTR_BIND)), bind),
                            *description = file_read(name);

        return description && strncmp(description, "(S)", 3) == 0;
}

/* vt_bind(): takes the consoles from the system's own driver, if that has them. */
static void kernel_vtcon_bind(const char *path, DIR *dir, const char *class) {
        struct dirent *de;

        while (dir && !is_system_console(path) && (de = readdir(dir))) {
                _cleanup_free_ char *other = format("%s/%s/bind", class, de->d_name), *bind = NULL;

                if (de->d_name[0] == '.' || !is_system_console(other))
                        continue;
                bind = file_read(other);
                if (bind && strcmp(bind, "1\n") == 0) {
                        file_write(other, "0\n");
                        file_write(path, "1\n");
                }
        }
}

/* vt_bind() and vt_unbind() in drivers/tty/vt/vt.c. Of a driver that is unbound another one takes
 * the consoles that is bound already, or can be; both say that they are bound in between, as fbcon
 * and dummycon do on a machine that boots with a framebuffer. The system's own is never unbound. */
static int kernel_vtcon(const char *attribute, const char *value) {
        _cleanup_free_ char *path = mock_path("%s", attribute), *class = mock_path(SYSFS_VTCONSOLE);
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *de;

        if (strcmp(value, "0") != 0) {
                dir = opendir(class);
                kernel_vtcon_bind(path, dir, class);
                return 0;
        }
        if (is_system_console(path))
                return 0;
        file_write(path, "0\n");
        dir = opendir(class);
        while (dir && (de = readdir(dir))) {
                _cleanup_free_ char *other = format("%s/%s/bind", class, de->d_name);

                if (de->d_name[0] != '.' && strcmp(other, path) != 0)
                        file_write(other, "1\n");
        }
        return 0;
}

int mock_kernel_linux(int dirfd, const char *name, const char *value) {
        if (strcmp(name, "driver/unbind") == 0) {
                if (faccessat(dirfd, "driver", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return -ENOENT;
                mock_bind(value, NULL);
                return 0;
        }
        if (strcmp(name, "bind") == 0)
                return kernel_bind(dirfd, value);
        if (strcmp(name, "driver_override") == 0)
                return kernel_override(dirfd, value);
        if (strcmp(name, SYSFS_PCI_DRIVERS_PROBE) == 0)
                return kernel_probe(value);
        if (strncmp(name, SYSFS_VTCONSOLE "/", strlen(SYSFS_VTCONSOLE "/")) == 0)
                return kernel_vtcon(name, value);
        test_fail("a write to %s, which the kernel of this test does not have", name);
}

int __real_sysfs_write(int dirfd, const char *name, const char *value) __attribute__((weak));
int __wrap_sysfs_write(int dirfd, const char *name, const char *value);

/* Takes the place of sysfs_write() in tests linked with --wrap=sysfs_write. */
int __wrap_sysfs_write(int dirfd, const char *name, const char *value) {
        _cleanup_free_ char *before = writes;

        writes = format("%s%s=%s%s", before ?: "", name, value, *value == '\n' ? "" : "\n");
        if (mock_kernel)
                return mock_kernel(dirfd, name, value);
        return __real_sysfs_write(dirfd, name, value);
}

int __wrap_sysfs_read_timeout(int dirfd, const char *name, int timeout_ms, char **ret);
int __wrap_sysfs_write_timeout(int dirfd, const char *name, const char *value, int timeout_ms);

/* Without a child, which valgrind would not wait for: see test-timeouts.c. */
int __wrap_sysfs_read_timeout(int dirfd, const char *name, int timeout_ms, char **ret) {
        return sysfs_read(dirfd, name, ret);
}

/* The same without a child, of which the test would not see what it wrote. */
int __wrap_sysfs_write_timeout(int dirfd, const char *name, const char *value, int timeout_ms) {
        return __wrap_sysfs_write(dirfd, name, value);
}
