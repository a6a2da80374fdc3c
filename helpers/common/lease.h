/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names the unit that is a domain's lease of the GPU: an instance of gpu-guest@.service, the
 * domain's name in it written as systemd-escape(1) does. A name that makes the unit's name too long
 * is replaced by the UUID, which libvirt's tools take for a name as well; uuid may be NULL.
 *
 * Returns 0 and sets *ret, the caller's to free; -EINVAL if the name is empty, -ENAMETOOLONG if it
 * is too long and there is no UUID, or -ENOMEM. */
int lease_unit_name(const char *domain_name, const char *uuid, char **ret);

/* Gives the domain's name (or UUID) that a lease's unit has in it, the caller's to free. Returns 0,
 * -EINVAL if the unit is no lease or its name is not escaped as systemd does it, or -ENOMEM. */
int lease_domain_name(const char *unit, char **ret);
