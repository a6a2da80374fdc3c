/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "kernel-options.h"
#include "sysfs.h"

int kernel_has_option(const char *option) {
        _cleanup_free_ char *options = NULL;
        int r = sysfs_read(AT_FDCWD, "/proc/cmdline", &options);
        char *rest = options, *word;

        if (r < 0)
                return r;
        while ((word = strsep(&rest, " ")))
                if (strcmp(word, option) == 0)
                        return 1;
        return 0;
}
