/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /proc/PID/maps (proc_pid_maps(5)), and in it the mappings that may be of a device's node. */

#include <stdbool.h>
#include <stddef.h>

/* one address is at most 16 digits long */
#define MAPS_RANGE_MAX (2UL * 16 + sizeof("-"))

/* Reads on through an open maps, a buffer at a time. Start it as {.fd = fd}. */
typedef struct Maps {
        int fd;
        size_t begin, end; /* of what is in the buffer and has not been looked at */
        bool skip;         /* to the end of this line */
        char buffer[4096]; /* as much as the kernel gives at once */
} Maps;

/* Gives the next mapping that may be of a device node, by its name in map_files: shared (drivers
 * take no other), or on a file system without a disk, as /dev is. Returns false at the end, and
 * where it cannot be read any further. */
bool maps_next(Maps *maps, char ret_range[static MAPS_RANGE_MAX]);
