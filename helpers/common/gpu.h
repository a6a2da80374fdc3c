/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which device is the GPU, and which audio controllers depend on it: udev's answer. The rules in
 * udev-rules/72-gpu-guest.rules tag PCI devices and give them a role; whoever disagrees writes a
 * rule in /etc/udev/rules.d. */

#include <libudev.h>

#include "cleanup.h"

DEFINE_POINTER_CLEANUP(struct udev *, udev_unref);
DEFINE_POINTER_CLEANUP(struct udev_device *, udev_device_unref);
DEFINE_POINTER_CLEANUP(struct udev_enumerate *, udev_enumerate_unref);
DEFINE_POINTER_CLEANUP(struct udev_monitor *, udev_monitor_unref);
DEFINE_POINTER_CLEANUP(struct udev_queue *, udev_queue_unref);

/* Waits until udev has worked off the events it has queued (drivers being loaded for devices just
 * found, at boot), at most timeout_ms. Returns 0 or -ETIMEDOUT. */
int gpu_wait_udev(struct udev *udev, int timeout_ms);

/* Finds the GPU: of the devices in the role "gpu" the one with the highest GPU_GUEST_PRIORITY, of
 * equal ones the lowest address. *ret_address ("0000:00:02.0") is the caller's to free.
 * Returns 0, -ENODEV if no device has the role, or another negative errno. */
int gpu_find(struct udev *udev, char **ret_address);

/* The same with its IOMMU group (pci_get_iommu_group()), also the caller's to free. */
int gpu_find_group(struct udev *udev, char **ret_address, char **ret_group);

/* Could a driver take the card, whose directory is fd, back from a guest? None could where the
 * screen has no more than the firmware's framebuffer, which vfio-pci ends, and the kernel is told
 * to leave it at that or has no driver for the card. Returns 1; 0 with the kernel's option that
 * forbids it, the caller's to free, NULL if there is no driver; or a negative errno. A card that is
 * not the firmware's screen, and one that a hand-over has taken from its driver, is 1. */
int gpu_can_come_back(int fd, char **ret_option);

/* Lists the audio controllers whose driver depends on the GPU: those in the role "audio" that the
 * kernel shows as consumers of the GPU (device links, which i915 and xe make when snd_hda_intel or
 * SOF bind to them). *ret is a NULL-terminated list, the caller's to free. Returns the number. */
int gpu_find_audio(struct udev *udev, const char *gpu_address, char ***ret);
