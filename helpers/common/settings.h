/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an administrator can set in /etc/gpu-guest.conf, which the units read into the environment
 * (EnvironmentFile=, systemd.exec(5)). There need not be one. */

#include <stdbool.h>

/* GPU_GUEST_HOLDERS: what to do with programs that have the GPU open and do not go with the
 * desktop. "stop" (the default, *ret false): stop them; "refuse" (true): give up the hand-over.
 * Returns 0, or -EINVAL for anything else. */
int setting_refuse_holders(bool *ret);

/* Reads a number of seconds, at most a week; fallback if it is not set. Returns 0, or -EINVAL for
 * what is no such number and leaves *ret alone. */
int setting_seconds(const char *name, int fallback, int *ret);
