/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "qemu.h"

#define COMMAND_LINE_MAX (1024UL * 1024)
#define GUEST_PREFIX "guest="

/* The arguments, each with its NUL byte, and one more at the end. */
static int read_command_line(pid_t pid, char **ret, size_t *ret_size) {
        char path[sizeof("/proc//cmdline") + 3 * sizeof(pid_t)];
        _cleanup_free_ char *text = malloc(COMMAND_LINE_MAX + 1);
        _cleanup_close_ int fd = -1;
        size_t size = 0;
        ssize_t n;

        if (!text)
                return -ENOMEM;
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        while ((n = read(fd, text + size, COMMAND_LINE_MAX - size)) > 0)
                size += (size_t)n;
        if (n < 0)
                return -errno;
        text[size] = '\0';

        *ret = text;
        *ret_size = size;
        text = NULL;
        return 0;
}

/* Takes the name out of "guest=NAME,debug-threads=on", where a comma in it is doubled. */
static char *parse_name(const char *argument) {
        char *name, *t;

        if (strncmp(argument, GUEST_PREFIX, strlen(GUEST_PREFIX)) != 0)
                return NULL;
        argument += strlen(GUEST_PREFIX);
        name = t = strdup(argument);
        for (const char *p = argument; name && *p; p++) {
                if (*p == ',' && *++p != ',')
                        break;
                *t++ = *p;
        }
        if (t)
                *t = '\0';
        return name;
}

int qemu_get_domain(pid_t pid, char **ret_name, char **ret_uuid) {
        _cleanup_free_ char *text = NULL, *name = NULL, *uuid = NULL;
        size_t size = 0;
        int r = read_command_line(pid, &text, &size);

        if (r < 0)
                return r;
        for (const char *option = text; option < text + size; option += strlen(option) + 1) {
                const char *argument = option + strlen(option) + 1;

                if (argument >= text + size)
                        break;
                if (!name && strcmp(option, "-name") == 0)
                        name = parse_name(argument);
                if (!uuid && strcmp(option, "-uuid") == 0)
                        uuid = strdup(argument);
        }

        *ret_name = name;
        *ret_uuid = uuid;
        name = uuid = NULL;
        return 0;
}
