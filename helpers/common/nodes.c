/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes by number and not by path: containers and libvirt's guests have a /dev of their own.
 *
 * Of a GPU these are the DRM card and render node, the framebuffer, and the I2C and DisplayPort AUX
 * buses of its connectors (i2c_del_adapter() waits for whoever has one open, without end); of a
 * sound card the control, PCM and hwdep nodes. /dev/snd/seq and /dev/snd/timer belong to no card.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "gpu.h"
#include "names.h"
#include "nodes.h"
#include "pci-address.h"
#include "sysfs.h"

void nodes_done(Nodes *nodes) {
        for (size_t i = 0; i < nodes->n; i++)
                free(nodes->list[i].name);
        free(nodes->list);
        *nodes = (Nodes){};
}

static int add(Nodes *nodes, dev_t number, const char *name) {
        Node *more = realloc(nodes->list, (nodes->n + 1) * sizeof(Node));

        if (!more)
                return -ENOMEM;
        nodes->list = more;
        more[nodes->n] = (Node){number, strdup(name)};
        if (!more[nodes->n].name)
                return -ENOMEM;
        nodes->n++;
        return 0;
}

int nodes_add_pci(Nodes *nodes, struct udev *udev, const char *address, const char *subsystem) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = udev_enumerate_new(udev);
        _cleanup_(udev_device_unrefp) struct udev_device *pci =
                udev_device_new_from_subsystem_sysname(udev, "pci", address);
        struct udev_list_entry *entry;
        int r;

        if (!pci)
                return -ENODEV;
        if (!e)
                return -ENOMEM;
        r = udev_enumerate_add_match_parent(e, pci);
        if (r >= 0 && subsystem)
                r = udev_enumerate_add_match_subsystem(e, subsystem);
        if (r >= 0)
                r = udev_enumerate_add_nomatch_subsystem(e, "input");
        if (r >= 0)
                r = udev_enumerate_scan_devices(e);
        if (r < 0)
                return r;

        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) {
                _cleanup_(udev_device_unrefp) struct udev_device *d =
                        udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));

                if (!d || udev_device_get_devnum(d) == 0 || !udev_device_get_devnode(d))
                        continue;
                r = add(nodes, udev_device_get_devnum(d), udev_device_get_devnode(d));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Adds the node whose number is in DIRECTORY/NAME/dev, if that is there. */
static int add_by_sysfs(Nodes *nodes, const char *directory, const char *name, const char *node) {
        _cleanup_free_ char *path = NULL, *number = NULL;
        unsigned major, minor;
        int r;

        if (asprintf(&path, "%s/%s/dev", directory, name) < 0)
                return -ENOMEM;
        r = sysfs_read(AT_FDCWD, path, &number);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        if (sscanf(number, "%u:%u", &major, &minor) != 2)
                return -EBADMSG;
        return add(nodes, makedev(major, minor), node);
}

int nodes_add_vfio(Nodes *nodes, const char *device, const char *group) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(closedirp) DIR *dir = NULL;
        char node[NAME_MAX];
        struct dirent *de;
        int r;

        snprintf(node, sizeof(node), DEV_VFIO "/%s", group);
        r = add_by_sysfs(nodes, SYSFS_VFIO, group, node);
        if (r < 0)
                return r;

        if (asprintf(&path, SYSFS_PCI_DEVICES "/%s/vfio-dev", device) < 0)
                return -ENOMEM;
        dir = opendir(path);
        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while ((de = readdir(dir))) {
                if (de->d_name[0] == '.')
                        continue;
                snprintf(node, sizeof(node), DEV_VFIO "/devices/%.64s", de->d_name);
                r = add_by_sysfs(nodes, path, de->d_name, node);
                if (r < 0)
                        return r;
        }
        return 0;
}

const Node *nodes_find(const Nodes *nodes, dev_t number) {
        for (size_t i = 0; i < nodes->n; i++)
                if (nodes->list[i].number == number)
                        return &nodes->list[i];
        return NULL;
}
