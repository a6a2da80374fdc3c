/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who uses a VFIO group. vfio-pci must never be unbound while somebody does: the kernel asks QEMU
 * to give the device up, which ejects it from the guest, and the write sleeps until then. group is
 * the IOMMU group's number as sysfs has it. */

#include <sys/types.h>

/* Is /dev/vfio/GROUP there? Returns 0 or a negative errno, -ENOENT if not. */
int vfio_group_check_node(const char *group);

/* Finds a process that has the group, or this device of it, open. Touches nothing. Returns 1 with
 * the process and its name (the caller's to free), 0 if there is none to be seen, or a negative
 * errno. */
int vfio_find_user(const char *address, const char *group, pid_t *ret_pid, char **ret_name);

/* The same for who has a part of the device: a virtual function (SR-IOV) or a mediated device
 * (GVT-g), which it would lose when the device's driver goes. */
int vfio_find_part_user(const char *address, pid_t *ret_pid, char **ret_name);

/* Can the group be opened, which the kernel allows only once at a time? Returns 1 if it is free, 0
 * if it is in use, or a negative errno. */
int vfio_group_is_free(const char *group);
