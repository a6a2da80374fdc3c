/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The few questions and requests to systemd that a unit file cannot express.
 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "names.h"
#include "unit.h"

/* GNOME's shell is part of its session by way of two targets of its own */
#define TARGETS_DEEP 3

int manager_get_state(sd_bus *bus, char **ret) {
        return sd_bus_get_property_string(
                bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState", NULL, ret);
}

int manager_get_default_target(sd_bus *bus, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *target;
        int r;

        r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "GetDefaultTarget", NULL, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &target);
        if (r < 0)
                return r;

        *ret = strdup(target);
        return *ret ? 0 : -ENOMEM;
}

static int unit_get_path(sd_bus *bus, const char *unit, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, "LoadUnit",
                NULL, &reply, "s", unit);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;

        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

int unit_is_same(sd_bus *bus, const char *unit, const char *other) {
        _cleanup_free_ char *path = NULL, *other_path = NULL;
        int r = unit_get_path(bus, unit, &path);

        if (r >= 0)
                r = unit_get_path(bus, other, &other_path);
        return r < 0 ? r : strcmp(path, other_path) == 0;
}

static int get_string(
        sd_bus *bus, const char *unit, const char *interface, const char *property, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r = unit_get_path(bus, unit, &path);

        if (r < 0)
                return r;
        return sd_bus_get_property_string(
                bus, SYSTEMD_SERVICE, path, interface, property, NULL, ret);
}

int unit_get_state(sd_bus *bus, const char *unit, char **ret) {
        return get_string(bus, unit, SYSTEMD_UNIT, "ActiveState", ret);
}

int unit_get_text(sd_bus *bus, const char *unit, char **ret) {
        return get_string(bus, unit, SYSTEMD_SERVICE_INTERFACE, "StatusText", ret);
}

int unit_is_known(sd_bus *bus, const char *unit, bool *ret_stale) {
        _cleanup_free_ char *path = NULL, *state = NULL;
        int r = unit_get_path(bus, unit, &path), stale = 0;

        if (r >= 0)
                r = sd_bus_get_property_string(
                        bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT, "LoadState", NULL, &state);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT,
                        "NeedDaemonReload", NULL, 'b', &stale);
        if (r < 0)
                return r;
        *ret_stale = stale;
        return strcmp(state, "loaded") == 0;
}

/* A reload changes the state (to "reloading" and back) without a new start, one that has failed as
 * well. */
int unit_get_main(sd_bus *bus, const char *unit, pid_t *ret_pid, uint64_t *ret_since_us) {
        _cleanup_free_ char *path = NULL, *reload = NULL;
        int r = unit_get_path(bus, unit, &path);
        uint32_t pid;

        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD_SERVICE, path,
                        SYSTEMD_SERVICE_INTERFACE, "MainPID", NULL, 'u', &pid);
        if (r >= 0)
                r = get_string(bus, unit, SYSTEMD_SERVICE_INTERFACE, "ReloadResult", &reload);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT,
                        strcmp(reload, "success") == 0 ? "StateChangeTimestamp"
                                                       : "ActiveEnterTimestamp",
                        NULL, 't', ret_since_us);
        if (r < 0)
                return r;
        *ret_pid = (pid_t)pid;
        return 0;
}

int unit_get_command(sd_bus *bus, const char *unit, char ***ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *path = NULL;
        char **words = NULL;
        int r = unit_get_path(bus, unit, &path);

        if (r >= 0)
                r = sd_bus_get_property(bus, SYSTEMD_SERVICE, path, SYSTEMD_SERVICE_INTERFACE,
                        "ExecStart", NULL, &reply, "a(sasbttttuii)");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(sasbttttuii)");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'r', "sasbttttuii");
        if (r > 0)
                r = sd_bus_message_skip(reply, "s"); /* the program */
        if (r > 0)
                r = sd_bus_message_read_strv(reply, &words);
        if (r < 0)
                return r;
        *ret = words;
        return 0;
}

static int unit_get_units(sd_bus *bus, const char *unit, const char *property, char ***ret) {
        _cleanup_free_ char *path = NULL;
        int r = unit_get_path(bus, unit, &path);

        if (r < 0)
                return r;
        return sd_bus_get_property_strv(
                bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT, property, NULL, ret);
}

static bool is_target(const char *unit) {
        const char *suffix = strrchr(unit, '.');

        return suffix && strcmp(suffix, ".target") == 0;
}

static int requires_any(sd_bus *bus, const char *unit, const char *prefix, unsigned depth) {
        static const char *const properties[] = {"Requires", "Requisite", "BindsTo", "PartOf"};
        int r = 0, found = 0;

        for (size_t i = 0; r >= 0 && i < sizeof(properties) / sizeof(*properties); i++) {
                _cleanup_strv_free_ char **units = NULL;

                r = unit_get_units(bus, unit, properties[i], &units);
                for (char **u = units; r >= 0 && u && *u; u++) {
                        if (strncmp(*u, prefix, strlen(prefix)) == 0)
                                return 1;
                        if (is_target(*u) && depth > 0)
                                found = requires_any(bus, *u, prefix, depth - 1);
                        if (found != 0)
                                return found;
                }
        }
        return r < 0 ? r : 0;
}

int unit_requires_any(sd_bus *bus, const char *unit, const char *prefix) {
        return requires_any(bus, unit, prefix, TARGETS_DEEP);
}

int unit_excludes(sd_bus *bus, const char *unit, const char *other) {
        static const char *const properties[] = {"Conflicts", "ConflictedBy"};
        _cleanup_free_ char *id = NULL;
        int r = get_string(bus, other, SYSTEMD_UNIT, "Id", &id);

        for (size_t i = 0; r >= 0 && i < sizeof(properties) / sizeof(*properties); i++) {
                _cleanup_strv_free_ char **units = NULL;

                r = unit_get_units(bus, unit, properties[i], &units);
                for (char **u = units; r >= 0 && u && *u; u++)
                        if (strcmp(*u, id) == 0)
                                return 1;
        }
        return r < 0 ? r : 0;
}

int unit_was_active(sd_bus *bus, const char *unit, unsigned within_ms) {
        _cleanup_free_ char *path = NULL, *state = NULL;
        uint64_t left_us;
        int r;

        r = unit_get_path(bus, unit, &path);
        if (r < 0)
                return r;
        r = sd_bus_get_property_string(
                bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT, "ActiveState", NULL, &state);
        if (r < 0)
                return r;
        if (strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0)
                return 1;

        r = sd_bus_get_property_trivial(bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT,
                "InactiveEnterTimestampMonotonic", NULL, 't', &left_us);
        if (r < 0)
                return r;
        return left_us > 0 && left_us / 1000 + within_ms >= clock_now_ms();
}

int unit_start_is_queued(sd_bus *bus, const char *unit) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *path = NULL, *type = NULL, *state = NULL;
        const char *job;
        uint32_t id;
        int r;

        r = unit_get_path(bus, unit, &path);
        if (r < 0)
                return r;
        r = sd_bus_get_property(
                bus, SYSTEMD_SERVICE, path, SYSTEMD_UNIT, "Job", NULL, &reply, "(uo)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(uo)", &id, &job);
        if (r < 0)
                return r;
        if (id == 0)
                return 0;

        r = sd_bus_get_property_string(
                bus, SYSTEMD_SERVICE, job, SYSTEMD_JOB, "JobType", NULL, &type);
        if (r >= 0)
                r = sd_bus_get_property_string(
                        bus, SYSTEMD_SERVICE, job, SYSTEMD_JOB, "State", NULL, &state);
        if (r < 0)
                return 0; /* it is done */
        return strcmp(state, "waiting") == 0 &&
               (strcmp(type, "start") == 0 || strcmp(type, "restart") == 0);
}

int unit_reset_failed(sd_bus *bus, const char *unit) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "ResetFailedUnit", &error, NULL, "s", unit);

        if (r < 0 && sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
                return 0;
        return r < 0 ? r : 0;
}

static int queue_job(
        sd_bus *bus, const char *method, const char *unit, const char *mode, char **ret_reason) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, method,
                &error, NULL, "ss", unit, mode);

        if (r < 0 && ret_reason)
                *ret_reason = error.message ? strdup(error.message) : NULL;
        return r < 0 ? r : 0;
}

int unit_queue_start(sd_bus *bus, const char *unit, char **ret_reason) {
        return queue_job(bus, "StartUnit", unit, "replace", ret_reason);
}

int unit_queue_stop(sd_bus *bus, const char *unit, char **ret_reason) {
        return queue_job(bus, "StopUnit", unit, "replace", ret_reason);
}
