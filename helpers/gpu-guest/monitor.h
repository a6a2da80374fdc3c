/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for what happens to units. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct Monitor {
        sd_bus *bus;
        bool changed; /* something has happened to a unit of ours */
        char *job;    /* the job that is waited for; NULL: none */
        char *result; /* how it has ended; NULL: it has not */
} Monitor;

/* Begins to listen. Returns 0 or a negative errno. */
int monitor_open(Monitor *m, sd_bus *bus);
void monitor_done(Monitor *m);

/* Waits until something has happened, at most timeout_ms (-1: as long as it takes). What comes
 * close together counts as one. Returns 0 or a negative errno. */
int monitor_wait(Monitor *m, int timeout_ms);

/* Asks for a unit's start, whose end *result will tell. Returns 0 or a negative errno; *ret_reason
 * is then the manager's explanation, the caller's to free, or NULL. */
int monitor_start(Monitor *m, const char *unit, char **ret_reason);

/* Starts a unit and waits for it. Returns 1 if that has succeeded, 0 if not, or a negative errno;
 * *ret_text is what the unit (else the manager) has to say, the caller's to free, or NULL. */
int monitor_run(sd_bus *bus, const char *unit, char **ret_text);
