/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "settings.h"

#define SECONDS_MAX (7L * 24 * 3600)

int setting_refuse_holders(bool *ret) {
        const char *value = getenv(SETTING_HOLDERS);

        if (value && *value && strcmp(value, "stop") != 0 && strcmp(value, "refuse") != 0)
                return -EINVAL;
        *ret = value && strcmp(value, "refuse") == 0;
        return 0;
}

int setting_seconds(const char *name, int fallback, int *ret) {
        const char *value = getenv(name);
        long seconds = fallback;

        if (value && *value) {
                if (strspn(value, "0123456789") != strlen(value))
                        return -EINVAL;
                errno = 0;
                seconds = strtol(value, NULL, 10);
                if (errno != 0 || seconds > SECONDS_MAX)
                        return -EINVAL;
        }
        *ret = (int)seconds;
        return 0;
}
