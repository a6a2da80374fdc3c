/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A machine of mocked devices: /sys by umockdev, which redirects it for the test and its children,
 * udev's database in a /run of our own. What umockdev has not is a kernel behind the attributes:
 * mock_kernel stands for it. */

#include <stddef.h>

/* Enters a private /run and makes an empty /sys. Ends the test as skipped if that cannot be. */
void mock_enter(void);

/* Starts over with an empty /sys and /run. */
void mock_clear(void);

void mock_leave(void);

/* Where "/sys/..." really is; the caller's to free. */
char *mock_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Adds a PCI device; above is the address of the bridge it is behind, or NULL. */
void mock_pci(const char *address, const char *above);

/* What udev's rules have said of a PCI device: its role and priority in the database, or NULL for
 * none, and the tag, which stays even if they say it no longer. */
void mock_udev(const char *address, const char *role, const char *priority);

/* Adds an entry to udev's database, of an id like "c226:0". */
void mock_udev_entry(const char *id, const char *text);

/* Adds a driver, and the module it is in or NULL if it is built in. */
void mock_driver(const char *driver, const char *module);

/* Binds a device, or takes its driver away if that is NULL. */
void mock_bind(const char *address, const char *driver);

/* A GPU in an IOMMU group, with this driver or NULL, that could go to a guest; to load a module
 * does nothing. */
void mock_gpu(const char *address, const char *driver);

/* Puts a device into an IOMMU group. */
void mock_group(const char *address, const char *group);

/* Makes one device the consumer of another. name: what is behind "consumer:", mostly "pci:ADDRESS"
 */
void mock_consumer(const char *supplier, const char *name);

/* Adds a device of subsystem drm below a PCI device; minor NULL: without a node. */
void mock_drm(const char *address, const char *name, const char *devtype, const char *minor);

/* Sends an event of such a device, as udev does when it has worked through it. */
void mock_uevent(const char *address, const char *name, const char *action);

/* Plugs a USB device in, by the name that it has in /sys/bus/usb/devices; ids and numbers as the
 * kernel writes them. */
void mock_usb(const char *name, const char *vendor, const char *product, const char *bus,
        const char *device);

/* Adds a vtconsole. */
void mock_vtcon(const char *name, const char *description, const char *bind);

/* What happens instead of a write to sysfs; NULL: the file is written, nothing else. Only in tests
 * that are linked with --wrap for sysfs_write and sysfs_write_timeout. */
typedef int (*MockKernel)(int dirfd, const char *name, const char *value);
extern MockKernel mock_kernel;

/* A kernel in which the PCI and vtconsole attributes do what they do in Linux. */
int mock_kernel_linux(int dirfd, const char *name, const char *value);

/* A kernel in which a write has no effect, and one in which it fails with EPERM. */
int mock_kernel_deaf(int dirfd, const char *name, const char *value);
int mock_kernel_refuse(int dirfd, const char *name, const char *value);

/* The writes so far, each as "ATTRIBUTE=VALUE\n"; forgotten when asked for. The caller's to free.
 */
char *mock_kernel_writes(void);
