/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "fake-manager.h"
#include "private-run.h"
#include "test.h"

#define UNIT_PATH SYSTEMD_PATH "/unit/display_2dmanager_2eservice"
#define JOB_PATH SYSTEMD_PATH "/job/1"
#define SEAT_PATH LOGIND_SEATS "/" SEAT_NAME

static pid_t child = -1;
static int calls_fd = -1; /* a memfd that both processes write and read */

static int note(const char *method, const char *arguments) {
        _cleanup_free_ char *line = format("%s %s\n", method, arguments);

        return write(calls_fd, line, strlen(line)) < 0 ? -errno : 0;
}

static int fail(sd_bus_error *error, const char *name) {
        return sd_bus_error_set(error, name, "This is the reason.");
}

static int get_string(sd_bus_message *reply, sd_bus_error *error, const char *value) {
        return value ? sd_bus_message_append(reply, "s", value) : fail(error, SD_BUS_ERROR_FAILED);
}

static int get_system_state(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return get_string(reply, error, ((FakeManager *)userdata)->system_state);
}

static int get_active_state(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return get_string(reply, error, ((FakeManager *)userdata)->active_state);
}

static int get_load_state(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return get_string(reply, error, ((FakeManager *)userdata)->load_state ?: "loaded");
}

static int get_need_reload(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", false);
}

static int get_inactive_since(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "t", ((FakeManager *)userdata)->inactive_since_us);
}

static int get_id(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", "lightdm.service");
}

static int append_units(sd_bus_message *reply, const char *unit) {
        return unit ? sd_bus_message_append(reply, "as", 2, "shutdown.target", unit)
                    : sd_bus_message_append(reply, "as", 1, "shutdown.target");
}

static int get_conflicts(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return append_units(reply, ((FakeManager *)userdata)->own_conflict);
}

static int get_conflicted_by(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return append_units(reply, ((FakeManager *)userdata)->conflict);
}

static int get_job(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        bool has_job = ((FakeManager *)userdata)->job_type;

        return sd_bus_message_append(reply, "(uo)", (uint32_t)has_job, has_job ? JOB_PATH : "/");
}

static int get_job_type(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return get_string(reply, error, ((FakeManager *)userdata)->job_type);
}

static int get_job_state(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return get_string(reply, error, ((FakeManager *)userdata)->job_state);
}

static int get_default_target(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *target = ((FakeManager *)userdata)->default_target;

        return target ? sd_bus_reply_method_return(m, "s", target)
                      : fail(error, SD_BUS_ERROR_FAILED);
}

static int load_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "o", UNIT_PATH);
}

static int get_command(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const char *argument = ((FakeManager *)userdata)->argument;

        if (!argument)
                return sd_bus_message_append(reply, "a(sasbttttuii)", 0);
        return sd_bus_message_append(reply, "a(sasbttttuii)", 1, "/sbin/agetty", 3, "-/sbin/agetty",
                argument, "%I", false, UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), 0, 0, 0);
}

static int queue(sd_bus_message *m, const char *method, const char *reason, sd_bus_error *error) {
        _cleanup_free_ char *arguments = NULL;
        const char *unit, *mode;
        int r = sd_bus_message_read(m, "ss", &unit, &mode);

        if (r < 0)
                return r;
        arguments = format("%s %s", unit, mode);
        r = note(method, arguments);
        if (r < 0)
                return r;
        return reason ? fail(error, reason) : sd_bus_reply_method_return(m, "o", JOB_PATH);
}

static int start_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return queue(m, "StartUnit", ((FakeManager *)userdata)->start_error, error);
}

static int stop_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return queue(m, "StopUnit", ((FakeManager *)userdata)->stop_error, error);
}

static int one_string(
        sd_bus_message *m, const char *method, const char *reason, sd_bus_error *error) {
        const char *argument;
        int r = sd_bus_message_read(m, "s", &argument);

        if (r >= 0)
                r = note(method, argument);
        if (r < 0)
                return r;
        return reason ? fail(error, reason) : sd_bus_reply_method_return(m, NULL);
}

static int reset_failed_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return one_string(m, "ResetFailedUnit", ((FakeManager *)userdata)->reset_error, error);
}

static int terminate_session(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return one_string(m, "TerminateSession", ((FakeManager *)userdata)->terminate_error, error);
}

static int get_can_graphical(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        FakeManager *m = userdata;
        const char *screen = m->screen ?: "";
        int r;

        if (strcmp(screen, "no seat") == 0)
                return fail(error, SD_BUS_ERROR_UNKNOWN_OBJECT);
        r = sd_bus_message_append(reply, "b", *screen == '\0');
        if (strcmp(screen, "later") == 0) {
                m->screen = NULL;
                m->job_type = m->later_job_type ?: m->job_type;
                r = sd_bus_emit_signal(bus, path, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", "sa{sv}as", interface, 0, 1, property);
        }
        return r;
}

static int add_match(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, NULL);
}

static int hello(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "s", ":1.1");
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemState", "s", get_system_state, 0, 0),
        SD_BUS_METHOD("GetDefaultTarget", "", "s", get_default_target, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LoadUnit", "s", "o", load_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StartUnit", "ss", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ResetFailedUnit", "s", "", reset_failed_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_id, 0, 0),
        SD_BUS_PROPERTY("Conflicts", "as", get_conflicts, 0, 0),
        SD_BUS_PROPERTY("ConflictedBy", "as", get_conflicted_by, 0, 0),
        SD_BUS_PROPERTY("ActiveState", "s", get_active_state, 0, 0),
        SD_BUS_PROPERTY("LoadState", "s", get_load_state, 0, 0),
        SD_BUS_PROPERTY("NeedDaemonReload", "b", get_need_reload, 0, 0),
        SD_BUS_PROPERTY("InactiveEnterTimestampMonotonic", "t", get_inactive_since, 0, 0),
        SD_BUS_PROPERTY("Job", "(uo)", get_job, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("ExecStart", "a(sasbttttuii)", get_command, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("JobType", "s", get_job_type, 0, 0),
        SD_BUS_PROPERTY("State", "s", get_job_state, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable logind_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("TerminateSession", "s", "", terminate_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable seat_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("CanGraphical", "b", get_can_graphical, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("AddMatch", "s", "", add_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Hello", "", "s", hello, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void check(int r, const char *what) {
        if (r < 0)
                test_fail("%s: %s", what, strerror(-r));
}

static void serve(int fd, FakeManager *m) {
        static const struct {
                const char *path, *interface;
                const sd_bus_vtable *vtable;
        } objects[] = {
                {SYSTEMD_PATH, SYSTEMD_MANAGER, manager_vtable},
                {UNIT_PATH, SYSTEMD_UNIT, unit_vtable},
                {UNIT_PATH, SYSTEMD_SERVICE_INTERFACE, service_vtable},
                {JOB_PATH, SYSTEMD_JOB, job_vtable},
                {LOGIND_PATH, LOGIND_MANAGER, logind_vtable},
                {SEAT_PATH, LOGIND_SEAT, seat_vtable},
                {"/org/freedesktop/DBus", "org.freedesktop.DBus", bus_vtable},
        };
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        sd_id128_t id =
                SD_ID128_MAKE(01, 02, 03, 04, 05, 06, 07, 08, 09, 0a, 0b, 0c, 0d, 0e, 0f, 10);
        int r;

        check(sd_bus_new(&bus), "sd_bus_new");
        check(sd_bus_set_fd(bus, fd, fd), "sd_bus_set_fd");
        check(sd_bus_set_server(bus, true, id), "sd_bus_set_server");
        check(sd_bus_set_trusted(bus, true), "sd_bus_set_trusted");
        for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
                check(sd_bus_add_object_vtable(bus, NULL, objects[i].path, objects[i].interface,
                              objects[i].vtable, m),
                        objects[i].interface);
        check(sd_bus_start(bus), "sd_bus_start");

        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return; /* the other side has closed */
        }
}

/* Forks; in the parent closes the descriptor. A listening one is accepted from first. */
static void start(const FakeManager *m, int fd, int parents_fd, bool listening) {
        FakeManager copy = *m;

        calls_fd = memfd_create("calls", MFD_CLOEXEC);
        assert_true(calls_fd >= 0);
        child = fork();
        assert_true(child >= 0);
        if (child > 0) {
                close(fd);
                return;
        }

        /* a test that fails must not leave us behind */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (parents_fd >= 0)
                close(parents_fd);
        if (listening)
                fd = accept(fd, NULL, NULL);
        if (fd >= 0)
                serve(fd, &copy);
        _exit(0);
}

sd_bus *fake_manager_connect(const FakeManager *m) {
        sd_bus *bus = NULL;
        int fds[2];

        assert_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        start(m, fds[1], fds[0], false);
        check(sd_bus_new(&bus), "sd_bus_new");
        check(sd_bus_set_fd(bus, fds[0], fds[0]), "sd_bus_set_fd");
        check(sd_bus_start(bus), "sd_bus_start");
        return bus;
}

void fake_manager_listen(const FakeManager *m, const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_true(strlen(path) < sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        (void)unlink(path);
        assert_int(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int(listen(fd, 1), 0);
        start(m, fd, -1, true);
}

char *fake_manager_finish(sd_bus *bus) {
        char *calls = calloc(1, 4096);
        int status;

        assert_true(calls);
        sd_bus_flush_close_unref(bus);
        assert_int(waitpid(child, &status, 0), child);
        assert_int(status, 0);
        assert_true(pread(calls_fd, calls, 4095, 0) >= 0);
        close(calls_fd);
        return calls;
}
