/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for what happens to units. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct Monitor {
        sd_bus *bus;
        bool changed;    /* something has happened to a unit of ours */
        const char *job; /* the job that is waited for; NULL: none */
        char *result;    /* how it has ended; NULL: it has not */
} Monitor;

/* Begins to listen. Returns 0 or a negative errno. */
int monitor_open(Monitor *m, sd_bus *bus);
void monitor_done(Monitor *m);

/* Waits until something has happened, at most timeout_ms (-1: as long as it takes). What comes
 * close together counts as one. Returns 0 or a negative errno. */
int monitor_wait(Monitor *m, int timeout_ms);
