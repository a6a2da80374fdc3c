/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Release at the end of the scope, for what libc, libudev and libkmod hand out. The sd-*.h headers
 * bring theirs (_SD_DEFINE_POINTER_CLEANUP_FUNC). */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

#define DEFINE_POINTER_CLEANUP(type, function)    \
        static inline void function##p(type *p) { \
                if (*p)                           \
                        function(*p);             \
        }                                         \
        struct useless_struct_to_allow_trailing_semicolon

static inline void freep(void *p) {
        free(*(void **)p);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

static inline void strv_freep(char ***p) {
        if (!*p)
                return;
        for (char **s = *p; *s; s++)
                free(*s);
        free(*p);
}

DEFINE_POINTER_CLEANUP(DIR *, closedir);
DEFINE_POINTER_CLEANUP(FILE *, fclose);

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_strv_free_ _cleanup_(strv_freep)
