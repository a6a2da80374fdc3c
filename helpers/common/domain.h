/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What we need to know of a libvirt domain: its UUID, which devices of the host it gets, and the
 * images of its disks. */

#include <stddef.h>

#include "cleanup.h"
#include "pci-address.h"
#include "usb.h"

/* A domain's XML as libvirt formats it has some ten kilobytes. */
#define DOMAIN_SIZE_MAX (16UL * 1024 * 1024)

/* How long to wait for the next byte when the descriptor is a pipe or a socket. */
#define DOMAIN_READ_TIMEOUT_MS 5000

typedef struct Domain {
        char *uuid;           /* 8-4-4-4-12 lower case, NULL if the XML has none */
        PciAddress *hostdevs; /* the host's addresses, in the XML's order */
        size_t n_hostdevs;
        UsbName *usb; /* without these it does not start */
        size_t n_usb;
        char **images; /* nor without these files, absolute paths */
        size_t n_images;
} Domain;

void domain_done(Domain *d);

#define _cleanup_domain_ _cleanup_(domain_done)

/* Reads a domain's XML from a descriptor, which stays open. The PCI devices are those of
 * /domain/devices/hostdev with type='pci' and mode='subsystem' (or none): what libvirt detaches
 * from the host. Mediated, USB and SCSI devices are not among them, nor are network functions
 * (<interface type='hostdev'>).
 *
 * The USB devices are those of hostdev with type='usb', but neither one whose startupPolicy is
 * "optional", nor one that is named in a way that we do not know: libvirt may know it. The images
 * are those of disk with type='file', with the same exceptions.
 *
 * Returns 0 and fills *ret, whose parts are released with domain_done(); or a negative errno and
 * sets *ret_reason to one line in plain words, the caller's to free (NULL when memory is out):
 *
 *      -ENODATA    nothing to read: empty, or not one byte came in time
 *      -ETIMEDOUT  the XML began, and its end did not come in time
 *      -EFBIG      more than DOMAIN_SIZE_MAX bytes
 *      -EBADMSG    no XML, no domain, or a domain that libvirt would refuse
 *      -ENOMEM, or what read(2) says */
int domain_parse_fd(int fd, Domain *ret, char **ret_reason);
