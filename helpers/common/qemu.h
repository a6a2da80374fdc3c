/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which libvirt domain a QEMU process runs, by its command line, where libvirt puts name and UUID
 * ("-name guest=NAME,..." and "-uuid UUID": src/qemu/qemu_command.c). */

#include <sys/types.h>

/* Gives the domain's name and UUID, the caller's to free; NULL for what is not there. Returns 0, or
 * a negative errno, -ESRCH if there is no such process. */
int qemu_get_domain(pid_t pid, char **ret_name, char **ret_uuid);
