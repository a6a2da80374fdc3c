/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/lease.h"
#include "common/names.h"
#include "common/pci.h"
#include "common/qemu.h"
#include "common/text.h"
#include "common/unit.h"
#include "common/vfio.h"
#include "state.h"

bool step_is_up(const Step *step) {
        return strcmp(step->active, "active") == 0;
}

void state_done(State *s) {
        free(s->address);
        free(s->model);
        free(s->driver);
        free(s->guest);
        free(s->trial);
        for (size_t i = 0; i < s->n_leases; i++)
                free(s->leases[i].domain);
        free(s->leases);
        for (size_t i = 0; i < s->n_steps; i++) {
                free(s->steps[i].unit);
                free(s->steps[i].active);
                free(s->steps[i].text);
        }
        free(s->steps);
        *s = (State){};
}

const char *owner_name(Owner owner) {
        static const char *const names[] = {
                [OWNER_NO_CARD] = "no-card",
                [OWNER_NOBODY] = "nobody",
                [OWNER_HOST] = "host",
                [OWNER_READY] = "ready",
                [OWNER_GUEST] = "guest",
        };

        return names[owner];
}

static char *get_model(struct udev *udev, const char *address) {
        _cleanup_(udev_device_unrefp) struct udev_device *device = NULL;
        _cleanup_free_ char *path = NULL;
        const char *model = NULL;

        if (asprintf(&path, SYSFS_PCI_DEVICES "/%s", address) < 0) {
                path = NULL;
                return NULL;
        }
        device = udev_device_new_from_syspath(udev, path);
        if (device)
                model = udev_device_get_property_value(device, "ID_MODEL_FROM_DATABASE");
        return model ? text_printable(model) : NULL;
}

static int find_guest(int fd, State *s) {
        _cleanup_free_ char *group = NULL, *process = NULL, *name = NULL, *uuid = NULL;
        int r = pci_get_iommu_group(fd, &group);

        if (r >= 0)
                r = vfio_find_user(s->address, group, &s->guest_pid, &process);
        if (r <= 0)
                return r == -ENOMEM ? r : 0;
        s->owner = OWNER_GUEST;
        if (qemu_get_domain(s->guest_pid, &name, &uuid) < 0)
                name = NULL;
        s->guest = text_printable(name ?: process);
        return s->guest ? 0 : -ENOMEM;
}

static int read_card(State *s) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_close_ int fd = -1;
        int r;

        if (!udev)
                return -ENOMEM;
        r = gpu_find(udev, &s->address);
        if (r < 0)
                return r == -ENODEV ? 0 : r;
        s->model = get_model(udev, s->address);
        fd = pci_open(s->address);
        if (fd < 0)
                return fd == -ENODEV ? 0 : fd;
        r = pci_get_driver(fd, &s->driver);
        if (r < 0)
                return r;

        if (!s->driver)
                s->owner = OWNER_NOBODY;
        else if (!pci_driver_is_vfio(s->driver))
                s->owner = OWNER_HOST;
        else {
                s->owner = OWNER_READY;
                return find_guest(fd, s);
        }
        return 0;
}

static uint64_t get_time(sd_bus *bus, const char *path, const char *property) {
        uint64_t us = 0;

        (void)sd_bus_get_property_trivial(
                bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT, property, NULL, 't', &us);
        return us;
}

static int add_lease(sd_bus *bus, const char *unit, const char *path, State *s) {
        Lease *more = reallocarray(s->leases, s->n_leases + 1, sizeof(Lease));
        _cleanup_free_ char *name = NULL;
        Lease *lease;

        if (!more)
                return -ENOMEM;
        s->leases = more;
        lease = more + s->n_leases;
        *lease = (Lease){
                lease_domain_name(unit, &name) < 0 ? text_printable(unit) : text_printable(name),
                get_time(bus, path, "ActiveEnterTimestamp"),
        };
        if (!lease->domain)
                return -ENOMEM;
        s->n_leases++;
        return 0;
}

static int add_step(sd_bus *bus, const char *unit, const char *active, State *s) {
        Step *more = reallocarray(s->steps, s->n_steps + 1, sizeof(Step));
        _cleanup_free_ char *text = NULL;
        Step *step;

        if (!more)
                return -ENOMEM;
        s->steps = more;
        step = more + s->n_steps;
        (void)unit_get_text(bus, unit, &text);
        *step = (Step){strdup(unit), strdup(active), text_printable(text ?: "")};
        s->n_steps++;
        return step->unit && step->active && step->text ? 0 : -ENOMEM;
}

/* One of our units, as the manager lists it. */
static int on_unit(sd_bus *bus, const char *unit, const char *active, const char *path, State *s) {
        bool is_active = strcmp(active, "active") == 0;

        if (strcmp(unit, UNIT_VFIO) == 0 && is_active)
                s->since_us = get_time(bus, path, "ActiveEnterTimestamp");
        else if (strcmp(unit, UNIT_VFIO) == 0 && strcmp(active, "inactive") == 0)
                s->since_us = get_time(bus, path, "InactiveEnterTimestamp");
        if (strcmp(unit, UNIT_TARGET) == 0)
                s->target = is_active;
        else if (is_active && text_begins_with(unit, UNIT_LEASE_PREFIX))
                return add_lease(bus, unit, path, s);
        else if (is_active && text_begins_with(unit, UNIT_TRIAL_PREFIX) && !s->trial) {
                s->trial = strdup(unit);
                return s->trial ? 0 : -ENOMEM;
        }
        return strcmp(active, "inactive") == 0 ? 0 : add_step(bus, unit, active, s);
}

static int read_units(sd_bus *bus, State *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *unit, *active, *path;
        int r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "ListUnitsByPatterns", NULL, &reply, "asas", 0, 3, UNIT_LEASE_PREFIX "*",
                UNIT_TARGET, "gpu-guest-*.service");

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, &active,
                                  NULL, NULL, &path, NULL, NULL, NULL)) > 0)
                r = on_unit(bus, unit, active, path, s);
        return r;
}

int state_read(sd_bus *bus, State *ret) {
        State s = {};
        int r = read_card(&s);

        if (r >= 0)
                r = read_units(bus, &s);
        if (r < 0) {
                state_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}
