/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/names.h"
#include "common/unit.h"
#include "monitor.h"

#define CLOSE_TOGETHER_MS 100

#define UNIT_CHANGES                                                              \
        "type='signal',sender='" SYSTEMD_SERVICE "',"                             \
        "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'," \
        "path_namespace='" SYSTEMD_PATH "/unit'"

static int on_change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        /* as the manager escapes "gpu-guest" in a path */
        if (strstr(sd_bus_message_get_path(message), "/gpu_2dguest"))
                ((Monitor *)userdata)->changed = true;
        return 0;
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *job, *result;
        Monitor *m = userdata;
        int r = sd_bus_message_read(message, "uoss", NULL, &job, NULL, &result);

        if (r < 0)
                return r;
        if (m->job && strcmp(m->job, job) == 0 && !m->result) {
                m->result = strdup(result);
                return m->result ? 0 : -ENOMEM;
        }
        return 0;
}

int monitor_open(Monitor *m, sd_bus *bus) {
        int r;

        *m = (Monitor){.bus = bus};
        r = sd_bus_add_match(bus, NULL, UNIT_CHANGES, on_change, m);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                        "JobRemoved", on_job_removed, m);
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                        "Subscribe", NULL, NULL, NULL);
        return r < 0 ? r : 0;
}

void monitor_done(Monitor *m) {
        free(m->job);
        free(m->result);
        m->job = m->result = NULL;
}

static int process_all(Monitor *m) {
        int r;

        do
                r = sd_bus_process(m->bus, NULL);
        while (r > 0);
        return r;
}

int monitor_wait(Monitor *m, int timeout_ms) {
        uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : clock_deadline(timeout_ms), together;
        int r = process_all(m);

        while (r >= 0 && !m->changed && !m->result) {
                uint64_t wait = deadline == UINT64_MAX ? UINT64_MAX
                                                       : (uint64_t)clock_remaining(deadline) * 1000;

                if (wait == 0)
                        return 0;
                r = sd_bus_wait(m->bus, wait);
                if (r >= 0)
                        r = process_all(m);
        }
        together = clock_deadline(CLOSE_TOGETHER_MS);
        while (r >= 0 && !m->result && clock_remaining(together) > 0) {
                r = sd_bus_wait(m->bus, (uint64_t)clock_remaining(together) * 1000);
                if (r >= 0)
                        r = process_all(m);
        }
        m->changed = false;
        return r < 0 ? r : 0;
}

int monitor_start(Monitor *m, const char *unit, char **ret_reason) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *job;
        int r = sd_bus_call_method(m->bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "StartUnit", &error, &reply, "ss", unit, "replace");

        monitor_done(m);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &job);
        if (r < 0) {
                *ret_reason = error.message ? strdup(error.message) : NULL;
                return r;
        }
        m->job = strdup(job);
        return m->job ? 0 : -ENOMEM;
}

int monitor_run(sd_bus *bus, const char *unit, char **ret_text) {
        _cleanup_(monitor_done) Monitor m = {};
        int r = monitor_open(&m, bus);

        *ret_text = NULL;
        if (r >= 0)
                r = monitor_start(&m, unit, ret_text);
        while (r >= 0 && !m.result)
                r = monitor_wait(&m, -1);
        if (r < 0)
                return r;
        (void)unit_get_text(bus, unit, ret_text);
        return strcmp(m.result, "done") == 0;
}
