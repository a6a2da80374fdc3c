# SPDX-License-Identifier: LGPL-2.1-or-later
"""An ordinary guest, as people have one before it gets the GPU, and the keyboard and mouse for it."""

DOMAIN = "win11"

# what virt-manager makes on these machines: window, sound, clipboard, and a tablet to point with
ORDINARY = (f"virt-install --name {DOMAIN} --osinfo generic --machine q35 --memory 64 --vcpus 1 "
            "--import --disk none --network none --graphics spice --video qxl --print-xml")
# a kernel that shows who draws
PAINTER = " --boot kernel=/var/lib/libvirt/images/painter,kernel_args=seconds=600"

# The machine's own: a controller, a keyboard, and what is no mouse, for QEMU's mice have the keyboard's
# ids; those that have not cannot be saved.
USB_DEVICES = ("qemu-xhci,id=usb,addr=05.0", "usb-kbd,bus=usb.0", "usb-ccid,bus=usb.0")
# those of the manual and of the README, and the machine's
USB_IDS = {"0x046d:0xc31c": "0x0627:0x0001", "0x046d:0xc077": "0x08e6:0x4433"}

# libvirt, virt-xml and a firmware have to be read from the disk and emulated twice
SLOW = 600


def usb_devices():
    """The options of "lab up" that give a machine these devices."""
    return [option for device in USB_DEVICES for option in ("--device", device)]
