/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Binding and unbinding as Documentation/ABI/testing/sysfs-bus-pci has it. driver_override, never
 * new_id: that one catches every device of an id. A driver's own "bind" attribute rather than
 * drivers_probe where the driver is known: the latter returns success whether or not anything was
 * bound (bus_rescan_devices_helper() in drivers/base/bus.c).
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"
#include "pci-address.h"
#include "pci.h"
#include "sysfs.h"

/* Ordinary times are well below a second. An audio driver may wait a minute for a graphics driver
 * that is not there (snd_hdac_i915_init() in sound/hda/hdac_i915.c, until Linux 6.5). The override
 * waits for the lock that a bind or unbind under way has on the device. */
#define UNBIND_TIMEOUT_MS 20000
#define BIND_TIMEOUT_MS 75000
#define OVERRIDE_TIMEOUT_MS 5000
#define RESET_TIMEOUT_MS 20000

int pci_open(const char *address) {
        char path[sizeof(SYSFS_PCI_DEVICES "/") + PCI_ADDRESS_MAX];
        PciAddress a;
        int fd;

        if (pci_address_parse(address, &a) < 0)
                return -EINVAL;
        snprintf(path, sizeof(path), SYSFS_PCI_DEVICES "/%s", address);
        fd = sysfs_open(path);
        return fd == -ENOENT ? -ENODEV : fd;
}

int pci_get_driver(int fd, char **ret) {
        int r = sysfs_read_link(fd, PCI_ATTR_DRIVER, ret);

        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        return r;
}

int pci_get_binding(int fd, const char *address, Binding *ret) {
        _cleanup_(binding_done) Binding b = {};
        int r;

        b.address = strdup(address);
        if (!b.address)
                return -ENOMEM;
        r = pci_get_driver(fd, &b.driver);
        if (r < 0)
                return r;
        r = sysfs_read_link(fd, PCI_ATTR_DRIVER_MODULE, &b.module);
        if (r < 0 && r != -ENOENT)
                return r;

        *ret = b;
        b = (Binding){};
        return 0;
}

/* Is the device bound to this driver, or to none if driver is NULL? */
static int verify_driver(int fd, const char *driver) {
        _cleanup_free_ char *now = NULL;
        int r = pci_get_driver(fd, &now);

        if (r < 0)
                return r;
        if (!driver || !now)
                return driver || now ? -EIO : 0;
        return strcmp(now, driver) == 0 ? 0 : -EIO;
}

int pci_unbind(int fd, const char *address) {
        int r = sysfs_write_timeout(fd, PCI_ATTR_DRIVER_UNBIND, address, UNBIND_TIMEOUT_MS);

        /* no driver, or it went away in between: what counts is how it is now */
        if (r < 0 && r != -ENOENT && r != -ENODEV)
                return r;
        return verify_driver(fd, NULL);
}

int pci_bind(int fd, const char *address, const char *driver) {
        _cleanup_close_ int driver_fd = -1;
        _cleanup_free_ char *now = NULL;
        char path[sizeof(SYSFS_PCI_DRIVERS "/") + NAME_MAX];
        int r;

        r = pci_get_driver(fd, &now);
        if (r < 0)
                return r;
        if (now)
                return strcmp(now, driver) == 0 ? 0 : -EBUSY;

        snprintf(path, sizeof(path), SYSFS_PCI_DRIVERS "/%s", driver);
        driver_fd = sysfs_open(path);
        if (driver_fd < 0)
                return driver_fd;
        r = sysfs_write_timeout(driver_fd, "bind", address, BIND_TIMEOUT_MS);
        if (r < 0)
                return r;
        return verify_driver(fd, driver);
}

int pci_probe(int fd, const char *address) {
        _cleanup_free_ char *driver = NULL;
        int r = sysfs_write_timeout(AT_FDCWD, SYSFS_PCI_DRIVERS_PROBE, address, BIND_TIMEOUT_MS);

        if (r < 0)
                return r;
        r = pci_get_driver(fd, &driver);
        if (r < 0)
                return r;
        return driver ? 0 : -ENODEV;
}

static int read_override(int fd, char **ret) {
        return sysfs_read_timeout(fd, PCI_ATTR_DRIVER_OVERRIDE, OVERRIDE_TIMEOUT_MS, ret);
}

int pci_set_driver_override(int fd, const char *driver) {
        _cleanup_free_ char *now = NULL;
        int r;

        /* an empty line clears it, an empty write would be none at all */
        r = sysfs_write_timeout(fd, PCI_ATTR_DRIVER_OVERRIDE, driver ?: "\n", OVERRIDE_TIMEOUT_MS);
        if (r < 0)
                return r;
        r = read_override(fd, &now);
        if (r < 0)
                return r;
        /* unset reads as "(null)" (vsprintf.c) */
        return strcmp(now, driver ?: "(null)") == 0 || (!driver && *now == '\0') ? 0 : -EIO;
}

bool pci_driver_is_vfio(const char *driver) {
        const char *end = driver ? strstr(driver, "vfio") : NULL;

        if (!end || (end > driver && end[-1] != '-' && end[-1] != '_'))
                return false;
        return strcmp(end, "vfio-pci") == 0 || strcmp(end, "vfio_pci") == 0;
}

int pci_lift_vfio_override(int fd) {
        _cleanup_free_ char *now = NULL;
        int r = read_override(fd, &now);

        if (r < 0)
                return r;
        return pci_driver_is_vfio(now) ? pci_set_driver_override(fd, NULL) : 0;
}

int pci_reset(int fd) {
        return sysfs_write_timeout(fd, PCI_ATTR_RESET, "1", RESET_TIMEOUT_MS);
}

int pci_remove(int fd) {
        return sysfs_write_timeout(fd, PCI_ATTR_REMOVE, "1", UNBIND_TIMEOUT_MS);
}

int pci_rescan(const char *address) {
        int r = sysfs_write_timeout(AT_FDCWD, SYSFS_PCI_RESCAN, "1", BIND_TIMEOUT_MS);

        return r < 0 ? r : pci_open(address);
}

int pci_get_iommu_group(int fd, char **ret) {
        return sysfs_read_link(fd, PCI_ATTR_IOMMU_GROUP, ret);
}

/* Drivers that may stay bound beside a device given away: VFIO's own, and those that the kernel
 * marks driver_managed_dma (pcieport, pci-stub). */
static bool is_harmless(const char *driver) {
        return !driver || pci_driver_is_vfio(driver) || strcmp(driver, "pci-stub") == 0 ||
               strcmp(driver, "pcieport") == 0;
}

static bool contains(char *const *list, const char *s) {
        for (; list && *list; list++)
                if (strcmp(*list, s) == 0)
                        return true;
        return false;
}

int pci_find_group_blocker(int fd, const char *address, char *const *except, Binding *ret) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *de;
        int devices;

        devices = openat(fd, PCI_ATTR_IOMMU_GROUP_DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (devices < 0)
                return -errno;
        dir = fdopendir(devices);
        if (!dir) {
                close(devices);
                return -ENOMEM;
        }

        while ((de = readdir(dir))) {
                _cleanup_close_ int other = -1;
                Binding b;
                int r;

                if (de->d_name[0] == '.' || strcmp(de->d_name, address) == 0 ||
                        contains(except, de->d_name))
                        continue;
                other = openat(devices, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (other < 0)
                        return -errno;
                r = pci_get_binding(other, de->d_name, &b);
                if (r < 0)
                        return r;
                if (!is_harmless(b.driver)) {
                        *ret = b;
                        return 1;
                }
                binding_done(&b);
        }
        return 0;
}
