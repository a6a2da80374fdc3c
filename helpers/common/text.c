/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <string.h>

#include "text.h"

char *text_printable(const char *text) {
        char *copy = strdup(text);

        for (char *p = copy; p && *p; p++)
                if (iscntrl((unsigned char)*p))
                        *p = '?';
        return copy;
}
