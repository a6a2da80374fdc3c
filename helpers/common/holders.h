/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who has a device's nodes open or mapped, and what these processes are to the system. */

#include <stdbool.h>

#include "nodes.h"

/* What a process is, which decides who may end it, and how. */
typedef enum HolderKind {
        HOLDER_KEEPER,       /* PID 1 or logind: has copies, and drops them when a session ends */
        HOLDER_SERVICE,      /* of the system: unit */
        HOLDER_USER_SERVICE, /* of a user's manager: uid, unit */
        HOLDER_PROCESS,      /* of a login or a user's scope (a terminal, tmux): only itself */
        HOLDER_FOREIGN,      /* somebody else's to end: a virtual machine, a container, a user's
                                manager, a service the host cannot do without */
} HolderKind;

typedef struct Holder {
        pid_t pid;
        int pidfd;
        char *name;       /* the process's, as the kernel has it */
        const Node *node; /* the first one found */
        bool mapped;      /* not open any more, but mapped */
        HolderKind kind;
        uid_t uid;     /* who the process belongs to, by its login or manager */
        char *unit;    /* NULL: none */
        char *session; /* NULL: none */
} Holder;

typedef struct Holders {
        Holder *list;
        size_t n;
} Holders;

void holders_done(Holders *holders);

/* Looks through all processes but the caller. nodes must outlive the result. Returns the number of
 * holders, or a negative errno. What cannot be looked into is passed over: root with CAP_SYS_PTRACE
 * and, for mappings, CAP_CHECKPOINT_RESTORE sees all. */
int holders_find(const Nodes *nodes, Holders *ret);

/* Waits until one of them ends, at most timeout_ms. */
void holders_wait(const Holders *holders, int timeout_ms);

/* Waits until the nodes are held by none, at most timeout_ms. *ret has who is left. Returns their
 * number or a negative errno. */
int holders_wait_none(const Nodes *nodes, int timeout_ms, Holders *ret);

/* Describes a holder for a person: "Xorg (PID 812, lightdm.service, session 2 of user anna), which
 * has /dev/dri/card0 open"; the caller's to free, NULL when memory is out. */
char *holder_describe(const Holder *holder);

/* All of them, joined with "; ". */
char *holders_describe(const Holders *holders);
