/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "holders.h"
#include "names.h"
#include "vfio.h"

static const char *node_path(const char *group, char *buffer, size_t size) {
        snprintf(buffer, size, DEV_VFIO "/%s", group);
        return buffer;
}

int vfio_group_check_node(const char *group) {
        char path[64];

        return access(node_path(group, path, sizeof(path)), F_OK) < 0 ? -errno : 0;
}

int vfio_find_user(const char *address, const char *group, pid_t *ret_pid, char **ret_name) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_(nodes_done) Nodes nodes = {};
        int r = nodes_add_vfio(&nodes, address, group);

        if (r >= 0 && nodes.n > 0)
                r = holders_find(&nodes, &holders);
        if (r <= 0)
                return r;

        *ret_pid = holders.list[0].pid;
        *ret_name = holders.list[0].name;
        holders.list[0].name = NULL;
        return 1;
}

int vfio_group_is_free(const char *group) {
        _cleanup_close_ int fd = -1;
        char path[64];

        fd = open(node_path(group, path, sizeof(path)), O_RDWR | O_CLOEXEC);
        if (fd >= 0 || errno == ENOENT)
                return 1;
        return errno == EBUSY ? 0 : -errno;
}
