/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The device nodes of a piece of hardware: what a process must have open to hold its driver. */

#include <libudev.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct Node {
        dev_t number;
        char *name; /* "/dev/dri/card0", for people */
} Node;

typedef struct Nodes {
        Node *list;
        size_t n;
} Nodes;

void nodes_done(Nodes *nodes);

/* Adds the character devices below a PCI device: those of one subsystem ("sound"), or of all if
 * that is NULL. Input devices (the jacks of a sound card) are never among them: they go at once
 * whoever has them open. Returns 0 or a negative errno. */
int nodes_add_pci(Nodes *nodes, struct udev *udev, const char *address, const char *subsystem);

/* Adds the nodes through which VFIO hands out a device in this IOMMU group: the group's and, if the
 * kernel has it, the device's own. device is a PCI address, or a mediated device below one
 * ("0000:00:02.0/UUID"). None is there without a driver of VFIO's. Returns 0 or a negative errno.
 */
int nodes_add_vfio(Nodes *nodes, const char *device, const char *group);

/* Finds a node by its number; NULL if it is not among them. */
const Node *nodes_find(const Nodes *nodes, dev_t number);
