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

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the next character of an escaped name, 0 if there is none or it is not escaped rightly. */
static char unescape(const char **p) {
        char c = *(*p)++;
        int high, low;

        if (c == '-')
                return '/';
        if (c != '\\')
                return c != '\0' && strchr(PLAIN, c) ? c : '\0';
        if (**p != 'x')
                return '\0';
        high = hex_value((*p)[1]);
        low = high < 0 ? -1 : hex_value((*p)[2]);
        if (low < 0)
                return '\0';
        *p += 3;
        return (char)(high * 16 + low);
}

int lease_domain_name(const char *unit, char **ret) {
        size_t prefix = strlen(UNIT_LEASE_PREFIX), suffix = strlen(UNIT_LEASE_SUFFIX);
        size_t size = strlen(unit);
        _cleanup_free_ char *name = NULL;
        const char *p = unit + prefix, *end;
        size_t n = 0;

        if (size <= prefix + suffix || strncmp(unit, UNIT_LEASE_PREFIX, prefix) != 0 ||
                strcmp(unit + size - suffix, UNIT_LEASE_SUFFIX) != 0)
                return -EINVAL;
        end = unit + size - suffix;
        name = malloc(size);
        if (!name)
                return -ENOMEM;

        while (p < end) {
                name[n] = unescape(&p);
                if (name[n++] == '\0' || p > end)
                        return -EINVAL;
        }
        name[n] = '\0';

        *ret = name;
        name = NULL;
        return 0;
}
