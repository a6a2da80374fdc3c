/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The escaping of systemd.unit(5), "String Escaping for Inclusion in Unit Names", which libsystemd
 * does not offer: "/" becomes "-"; all but ASCII letters, digits, ":", "_" and "." become "\xNN",
 * and so does a "." at the beginning.
 */

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "lease.h"
#include "names.h"

#define UNIT_NAME_MAX 255 /* systemd: src/basic/unit-name.h, there with the NUL byte */

#define PLAIN                        \
        "0123456789"                 \
        "abcdefghijklmnopqrstuvwxyz" \
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
        ":_."

/* Writes the escaped form of s behind t and returns where it ends. */
static char *escape(char *t, const char *s) {
        static const char hex[] = "0123456789abcdef";

        for (const char *p = s; *p; p++) {
                unsigned char c = (unsigned char)*p;

                if (c == '/') {
                        *t++ = '-';
                } else if (strchr(PLAIN, c) && !(c == '.' && p == s)) {
                        *t++ = (char)c;
                } else {
                        *t++ = '\\';
                        *t++ = 'x';
                        *t++ = hex[c >> 4];
                        *t++ = hex[c & 0xf];
                }
        }
        return t;
}

static char *make_name(const char *instance) {
        size_t size = strlen(UNIT_LEASE_PREFIX) + 4 * strlen(instance) + sizeof(UNIT_LEASE_SUFFIX);
        char *name = malloc(size), *t;

        if (!name)
                return NULL;
        t = escape(stpcpy(name, UNIT_LEASE_PREFIX), instance);
        memcpy(t, UNIT_LEASE_SUFFIX, sizeof(UNIT_LEASE_SUFFIX));
        return name;
}

int lease_unit_name(const char *domain_name, const char *uuid, char **ret) {
        _cleanup_free_ char *name = NULL;

        if (*domain_name == '\0')
                return -EINVAL;

        name = make_name(domain_name);
        if (!name)
                return -ENOMEM;

        if (strlen(name) > UNIT_NAME_MAX) {
                if (!uuid)
                        return -ENAMETOOLONG;
                free(name);
                name = make_name(uuid);
                if (!name)
                        return -ENOMEM;
        }

        *ret = name;
        name = NULL;
        return 0;
}
