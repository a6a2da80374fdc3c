/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A service manager's and logind's side of the bus, in a child process. There is no bus daemon: it
 * talks to one client directly (sd_bus_set_server(3)) and answers Hello() like one. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct FakeManager {
        /* answers; NULL: an error */
        const char *system_state;
        const char *default_target;
        const char *active_state; /* of every unit; they are all the same one */
        const char *load_state;   /* NULL: "loaded" */
        uint64_t inactive_since_us;
        const char *conflict;     /* what has a Conflicts= on every unit; NULL: nothing */
        const char *own_conflict; /* the other way round */
        const char *job_type;     /* of every unit's job; NULL: none has one */
        const char *job_state;
        const char *later_job_type; /* from when the screen, "later", is there; NULL: as before */
        const char *argument;       /* of every service's command; NULL: none has one */
        const char *start_error;    /* NULL: StartUnit() succeeds */
        const char *stop_error;
        const char *reset_error;
        const char *terminate_error;
        const char
                *screen; /* of the seat: NULL: there; "no"; "later": when asked again; "no seat" */
} FakeManager;

/* Starts it and connects to it. */
sd_bus *fake_manager_connect(const FakeManager *m);

/* The same at a socket, for DBUS_SYSTEM_BUS_ADDRESS of a program; it serves one connection. */
void fake_manager_listen(const FakeManager *m, const char *path);

/* Closes the connection (NULL: the program has ended) and waits for the child. Returns the requests
 * that change something, as "METHOD ARGUMENTS\n" each; the caller's to free. */
char *fake_manager_finish(sd_bus *bus);
