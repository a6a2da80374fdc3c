/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the graphics card is, and what is under way: the kernel's and systemd's answer. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

typedef enum Owner {
        OWNER_NO_CARD, /* udev knows no graphics card */
        OWNER_NOBODY,  /* it has no driver */
        OWNER_HOST,
        OWNER_READY, /* vfio-pci has it, and no guest has been seen to use it */
        OWNER_GUEST,
} Owner;

typedef struct Lease {
        char *domain;
        uint64_t since_us; /* CLOCK_REALTIME */
} Lease;

/* One of our units that is on its way, is up, or has failed. */
typedef struct Step {
        char *unit;
        char *active; /* ActiveState */
        char *text;   /* what it has to say, "" for nothing */
} Step;

typedef struct State {
        char *address, *model, *driver; /* NULL: none, or not known */
        Owner owner;
        char *guest; /* the domain's name, or the process's; NULL: not known */
        pid_t guest_pid;
        uint64_t since_us; /* since when it is where it is, CLOCK_REALTIME; 0: not known,
                            * for systemd forgets a unit that nothing needs */
        bool target;       /* gpu-guest.target keeps it */
        char *trial;       /* the unit of a trial that keeps it; NULL: none */
        Lease *leases;
        size_t n_leases;
        Step *steps;
        size_t n_steps;
} State;

/* Is it up, with nothing left to do? */
bool step_is_up(const Step *step);

void state_done(State *s);

/* Fills in everything. Returns 0 or a negative errno. Who uses vfio-pci only root can see. */
int state_read(sd_bus *bus, State *ret);

/* Prints it for people. */
void status_print(FILE *f, const State *s);

/* For people and programs: "host", "guest" and so on. */
const char *owner_name(Owner owner);
