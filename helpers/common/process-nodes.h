/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which device nodes a process has. */

#include <stdbool.h>

#include "nodes.h"

/* Looks for one of the nodes among what a process, by its directory in /proc, has open or mapped.
 * Returns the first one found, NULL if there is none or the process cannot be looked into. May be
 * called by several threads at once. */
const Node *process_find_node(int process, const Nodes *nodes, bool *ret_mapped);
