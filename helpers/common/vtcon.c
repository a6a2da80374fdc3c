/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vtconsoles, by what they call themselves: "(M) frame buffer device", "(M) dummy device", "(S)
 * VGA+" (drivers/tty/vt/vt.c, show_name()).
 *
 * store_bind() in the kernel always reports success, hence the second look.
 *
 * What draws when a driver was unbound depends on how the machine booted. With UEFI it is the dummy
 * as the system's own console ("S"): vt_bind() takes the consoles from that one only, and
 * vt_unbind() does nothing to it. After a boot in VGA's text mode the dummy is a driver like others
 * ("M"): vt_bind() finds none of the system's and does nothing, and vt_unbind() hands the consoles
 * on.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"
#include "sysfs.h"
#include "vtcon.h"

/* for the kernel's console lock, which a driver that hangs in its probe may have */
#define LOCK_TIMEOUT_MS 10000

static int read_vtcon(int dirfd, const char *name, char **ret_description, Vtcon *ret) {
        _cleanup_free_ char *description = NULL, *bind = NULL;
        char attribute[64];
        int r;

        if (strlen(name) >= sizeof(ret->name))
                return -ENAMETOOLONG;
        snprintf(attribute, sizeof(attribute), "%s/" VTCON_ATTR_NAME, name);
        r = sysfs_read(dirfd, attribute, &description);
        if (r < 0)
                return r;
        snprintf(attribute, sizeof(attribute), "%s/" VTCON_ATTR_BIND, name);
        r = sysfs_read_timeout(dirfd, attribute, LOCK_TIMEOUT_MS, &bind);
        if (r < 0)
                return r;

        strcpy(ret->name, name);
        ret->bound = strcmp(bind, "1") == 0;
        *ret_description = description;
        description = NULL;
        return 0;
}

int vtcon_find(const char *description, Vtcon *ret) {
        _cleanup_(closedirp) DIR *dir = opendir(SYSFS_VTCONSOLE);
        struct dirent *de;

        if (!dir)
                return -errno;

        while ((de = readdir(dir))) {
                _cleanup_free_ char *found = NULL;
                Vtcon v;
                int r;

                if (de->d_name[0] == '.')
                        continue;
                r = read_vtcon(dirfd(dir), de->d_name, &found, &v);
                if (r == -ENOENT || r == -ENAMETOOLONG)
                        continue; /* unregistered while we looked, or none of the kernel's */
                if (r < 0)
                        return r;
                if (strstr(found, description)) {
                        *ret = v;
                        return 0;
                }
        }
        return -ENOENT;
}

static int set(const Vtcon *v, const char *value) {
        _cleanup_free_ char *bind = NULL;
        char attribute[sizeof(SYSFS_VTCONSOLE "//" VTCON_ATTR_BIND) + sizeof(v->name)];
        int r;

        snprintf(attribute, sizeof(attribute), SYSFS_VTCONSOLE "/%s/" VTCON_ATTR_BIND, v->name);
        r = sysfs_write_timeout(AT_FDCWD, attribute, value, LOCK_TIMEOUT_MS);
        if (r < 0)
                return r;
        r = sysfs_read_timeout(AT_FDCWD, attribute, LOCK_TIMEOUT_MS, &bind);
        if (r < 0)
                return r;
        return strcmp(bind, value) == 0 ? 0 : -EIO;
}

int vtcon_bind(const Vtcon *v) {
        return set(v, "1");
}

int vtcon_unbind(const Vtcon *v) {
        return set(v, "0");
}
