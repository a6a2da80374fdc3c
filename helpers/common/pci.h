/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A PCI device and its driver, through sysfs. fd is the device's directory (pci_open()), address
 * its name there. What changes something looks at the result and returns -EIO if the kernel took
 * the write and nothing happened. */

#include <stdbool.h>

#include "record.h"

/* Opens the directory of a device. Returns a descriptor, or a negative errno, -ENODEV if the device
 * is not there, -EINVAL if the address is none. */
int pci_open(const char *address);

/* Gives the bound driver, NULL if there is none; the caller's to free. */
int pci_get_driver(int fd, char **ret);

/* Gives the bound driver and the driver's module, for the record. */
int pci_get_binding(int fd, const char *address, Binding *ret);

/* Takes the device from its driver. Already without one is success. The kernel may wait until
 * whoever has the device open lets go (vfio-pci, sound drivers): -ETIMEDOUT after twenty seconds.
 */
int pci_unbind(int fd, const char *address);

/* Binds the device to this very driver. Already bound to it is success; -EBUSY if another one has
 * it, -ENOENT if the driver is not there, -ENODEV if the driver does not take the device, or what
 * its probe returned. */
int pci_bind(int fd, const char *address, const char *driver);

/* Lets the kernel choose among the loaded drivers. Returns 0, or -ENODEV if none took the device.
 */
int pci_probe(int fd, const char *address);

/* Lets only this driver match the device, any if NULL. Neither binds nor unbinds. -ETIMEDOUT after
 * five seconds if a bind or unbind that does not return has the device. */
int pci_set_driver_override(int fd, const char *driver);

/* Is it vfio-pci, or one that the kernel builds on that for certain devices, as xe-vfio-pci?
 * libvirt 10.0 and later bind such a one instead, where modules.alias has it
 * (virPCIDeviceBindToStub() in src/util/virpci.c). */
bool pci_driver_is_vfio(const char *driver);

/* Lets any driver match the device again, if it was one of VFIO's only. Another override is
 * somebody else's, and stays. -ETIMEDOUT as above. */
int pci_lift_vfio_override(int fd);

/* Resets a device that no driver is bound to. -ENOENT if there is no way to reset it alone. */
int pci_reset(int fd);

/* Has the kernel forget the device, as if it had been unplugged. */
int pci_remove(int fd);

/* Has the kernel look for devices that it does not know, and its drivers take them. Returns a
 * descriptor of this one, -ENODEV if it has not come back, or another negative errno. */
int pci_rescan(const char *address);

/* Gives the number of the IOMMU group, the caller's to free. -ENOENT without an IOMMU. */
int pci_get_iommu_group(int fd, char **ret);

/* Looks for another device in the same IOMMU group that keeps it from being viable for VFIO: bound
 * to a driver that is neither VFIO's nor one of those that do no DMA of their own. except is a list
 * of addresses to pass over, or NULL. Returns 0 if there is none, 1 and the device's binding, or a
 * negative errno. */
int pci_find_group_blocker(int fd, const char *address, char *const *except, Binding *ret);
