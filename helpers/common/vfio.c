/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "holders.h"
#include "names.h"
#include "nodes.h"
#include "sysfs.h"
#include "vfio.h"

static const char *node_path(const char *group, char *buffer, size_t size) {
        snprintf(buffer, size, DEV_VFIO "/%s", group);
        return buffer;
}

int vfio_group_check_node(const char *group) {
        char path[64];

        return access(node_path(group, path, sizeof(path)), F_OK) < 0 ? -errno : 0;
}

static int find_user(const Nodes *nodes, pid_t *ret_pid, char **ret_name) {
        _cleanup_(holders_done) Holders holders = {};
        int r = nodes->n > 0 ? holders_find(nodes, &holders) : 0;

        if (r <= 0)
                return r;
        *ret_pid = holders.list[0].pid;
        *ret_name = holders.list[0].name;
        holders.list[0].name = NULL;
        return 1;
}

int vfio_find_user(const char *address, const char *group, pid_t *ret_pid, char **ret_name) {
        _cleanup_(nodes_done) Nodes nodes = {};
        int r = nodes_add_vfio(&nodes, address, group);

        return r < 0 ? r : find_user(&nodes, ret_pid, ret_name);
}

/* Gives the device that an entry in the directory of another one is or leads to, if it is a part
 * of that. Returns 1, 0 or a negative errno. */
static int get_part(int dirfd, const char *address, const char *name, char **ret) {
        _cleanup_free_ char *type = NULL;

        if (strncmp(name, PCI_LINK_VIRTUAL_FUNCTION, strlen(PCI_LINK_VIRTUAL_FUNCTION)) == 0) {
                int r = sysfs_read_link(dirfd, name, ret);

                if (r == -ENOENT) /* gone by now */
                        return 0;
                return r < 0 ? r : 1;
        }
        if (asprintf(&type, "%s/" MDEV_LINK_TYPE, name) < 0)
                return -ENOMEM;
        if (faccessat(dirfd, type, F_OK, 0) < 0)
                return 0;
        return asprintf(ret, "%s/%s", address, name) < 0 ? -ENOMEM : 1;
}

static int add_part(Nodes *nodes, int dirfd, const char *address, const char *name) {
        _cleanup_free_ char *part = NULL, *link = NULL, *group = NULL;
        int r = get_part(dirfd, address, name, &part);

        if (r <= 0)
                return r;
        if (asprintf(&link, "%s/" PCI_ATTR_IOMMU_GROUP, name) < 0)
                return -ENOMEM;
        r = sysfs_read_link(dirfd, link, &group);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return nodes_add_vfio(nodes, part, group);
}

int vfio_find_part_user(const char *address, pid_t *ret_pid, char **ret_name) {
        _cleanup_(nodes_done) Nodes nodes = {};
        _cleanup_(closedirp) DIR *dir = NULL;
        _cleanup_free_ char *path = NULL;
        struct dirent *de;

        if (asprintf(&path, SYSFS_PCI_DEVICES "/%s", address) < 0)
                return -ENOMEM;
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((de = readdir(dir))) {
                int r = de->d_name[0] == '.' ? 0
                                             : add_part(&nodes, dirfd(dir), address, de->d_name);

                if (r < 0)
                        return r;
        }
        return find_user(&nodes, ret_pid, ret_name);
}

int vfio_group_is_free(const char *group) {
        _cleanup_close_ int fd = -1;
        char path[64];

        fd = open(node_path(group, path, sizeof(path)), O_RDWR | O_CLOEXEC);
        if (fd >= 0 || errno == ENOENT)
                return 1;
        return errno == EBUSY ? 0 : -errno;
}
