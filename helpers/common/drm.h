/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libudev.h>

/* Waits until the GPU has a DRM card that udev has worked through, so that its node has its name,
 * permissions and seat, at most timeout_ms. The number after "card" changes from one bind to the
 * next and means nothing. *ret_name ("card0") is the caller's to free. Returns 0, -ETIMEDOUT, or
 * another negative errno. */
int drm_wait_card(struct udev *udev, const char *gpu_address, int timeout_ms, char **ret_name);

/* Is a monitor connected, to any card? Then, and not before, a driver makes a framebuffer for the
 * text consoles. Returns 1, or if one may be; 0 if all connectors are without; -ENOENT if there are
 * no connectors; or another negative errno. */
int drm_has_monitor(void);
