/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Does the kernel's command line have this word ("nomodeset", "systemd.unit=...")? Returns 1, 0, or
 * a negative errno. */
int kernel_has_option(const char *option);
