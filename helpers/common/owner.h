/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* To whom a process belongs, by its control group (sd_pid_get_unit(3) and its kin). */

#include "holders.h"

/* Fills in kind, uid, unit and session of a holder whose pid and name are known. Returns 0 or
 * -ENOMEM. */
int owner_find(Holder *holder);

/* Describes them for a person, "" if there is nothing to say; the caller's to free, NULL when
 * memory is out. */
char *owner_describe(const Holder *holder);
