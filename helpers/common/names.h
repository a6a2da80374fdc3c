/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every name that is somebody else's: sysfs attributes and paths, udev properties, D-Bus names,
 * units, journal fields. */

/* our state, gone with a reboot: systemd makes the directory (RuntimeDirectory=) */
#define RUNTIME_DIR "/run/gpu-guest"
#define RECORD_GPU "gpu"
#define RECORD_AUDIO "audio"
#define RECORD_VTCON "vtcon"
#define RECORD_DESKTOP "desktop"
#define RECORD_HOLDERS "holders"

/* what an administrator can set, see settings.h */
#define SETTING_HOLDERS "GPU_GUEST_HOLDERS"
#define SETTING_UNUSED "GPU_GUEST_UNUSED_SEC"
#define SETTING_SHUTDOWN "GPU_GUEST_SHUTDOWN_SEC"

/* udev, set by udev-rules/72-gpu-guest.rules */
#define UDEV_TAG "gpu-guest"
#define UDEV_ROLE "GPU_GUEST_ROLE"
#define UDEV_ROLE_GPU "gpu"
#define UDEV_ROLE_AUDIO "audio"
#define UDEV_PRIORITY "GPU_GUEST_PRIORITY"

/* Linux, Documentation/ABI/testing/sysfs-bus-pci */
#define SYSFS_PCI_DEVICES "/sys/bus/pci/devices"
#define SYSFS_PCI_DRIVERS "/sys/bus/pci/drivers"
#define SYSFS_PCI_DRIVERS_PROBE "/sys/bus/pci/drivers_probe"
#define SYSFS_PCI_RESCAN "/sys/bus/pci/rescan"
#define PCI_ATTR_BOOT_VGA "boot_vga"
#define PCI_ATTR_DRIVER "driver"
#define PCI_ATTR_DRIVER_UNBIND "driver/unbind"
#define PCI_ATTR_DRIVER_MODULE "driver/module"
#define PCI_ATTR_DRIVER_OVERRIDE "driver_override"
#define PCI_ATTR_REMOVE "remove"
#define PCI_ATTR_RESET "reset"
#define PCI_ATTR_MODALIAS "modalias"
#define PCI_ATTR_IOMMU_GROUP "iommu_group"
#define PCI_ATTR_IOMMU_GROUP_DEVICES "iommu_group/devices"
#define PCI_LINK_CONSUMER "consumer:pci:"  /* sysfs-devices-consumer, device links */
#define PCI_LINK_VIRTUAL_FUNCTION "virtfn" /* sysfs-bus-pci */
#define MDEV_LINK_TYPE "mdev_type"         /* Documentation/driver-api/vfio-mediated-device.rst */
#define DRIVER_VFIO_PCI "vfio-pci"
#define DEV_VFIO "/dev/vfio"
#define SYSFS_VFIO "/sys/class/vfio"

/* Linux, sound/core and Documentation/ABI/testing/sysfs-uevent */
#define MODULES_DIR "/lib/modules"
#define SYSFS_MODULE "/sys/module"
#define SYSFS_SOUND "/sys/class/sound"
#define SUBSYSTEM_SOUND "sound"
#define ATTR_UEVENT "uevent"

/* Linux, drivers/tty/vt/vt.c and Documentation/driver-api/console.rst */
#define SYSFS_VTCONSOLE "/sys/class/vtconsole"
#define VTCON_ATTR_NAME "name"
#define VTCON_ATTR_BIND "bind"
#define VTCON_NAME_FRAMEBUFFER "frame buffer device"
#define VTCON_NAME_DUMMY "dummy device"

/* logind and systemd on the system bus */
#define LOGIND_SERVICE "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"
#define LOGIND_SEATS "/org/freedesktop/login1/seat"
#define LOGIND_SEAT "org.freedesktop.login1.Seat"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE_INTERFACE "org.freedesktop.systemd1.Service"
#define SYSTEMD_JOB "org.freedesktop.systemd1.Job"
#define SEAT_NAME "seat0"
#define UNIT_GRAPHICAL "graphical.target"
#define UNIT_DISPLAY_MANAGER "display-manager.service"
#define UNIT_ANCHOR "gpu-guest-desktop.service"
#define UNIT_VFIO "gpu-guest-vfio.service"
#define UNIT_CHECK "gpu-guest-check.service"
#define UNIT_RETURN "gpu-guest-return.service"
#define UNIT_TRIAL_PREFIX "gpu-guest-trial@"
#define UNIT_TRIAL_SUFFIX ".service"
#define UNIT_RESUME "gpu-guest-resume.service"
#define UNIT_TARGET "gpu-guest.target"
#define UNIT_LOGIND "systemd-logind.service"
#define UNIT_INIT_SCOPE "init.scope"              /* a service manager's own */
#define USER_GRAPHICAL_PREFIX "graphical-session" /* .target, -pre.target: systemd.special(7) */
#define UNIT_RESCUE "rescue.target"
#define UNIT_EMERGENCY "emergency.target"
#define UNIT_GETTY_PREFIX "getty@"
#define UNIT_LEASE_PREFIX "gpu-guest@"
#define UNIT_LEASE_SUFFIX ".service"

/* where libvirt's hook makes a directory with the name of each lease that it asks for, and where
 * the kernel has one for each that lives: its control group, in the slice that systemd puts a
 * template's units into (systemd.slice(5)) */
#define RUN_DIR "/run"
#define LEASE_SLICE_DIR "/sys/fs/cgroup/system.slice/system-gpu\\x2dguest.slice"

/* journal fields */
#define JOURNAL_DEVICE "GPU_GUEST_DEVICE"
#define JOURNAL_DOMAIN "GPU_GUEST_DOMAIN"
#define JOURNAL_DRIVER "GPU_GUEST_DRIVER"
#define JOURNAL_HOLDER_PID "GPU_GUEST_HOLDER_PID"
#define JOURNAL_HOLDER_UNIT "GPU_GUEST_HOLDER_UNIT"

/* libvirt: where the definitions of QEMU domains lie, and the devices in them */
#define LIBVIRT_QEMU_DIR "/etc/libvirt/qemu"
