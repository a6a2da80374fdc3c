/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that a hand-over can be, for tests/bench/handover: the display manager's stop and start
 * by systemd, and the kernel's own unbinding, binding, unloading and loading. Everything is known
 * beforehand, nothing is checked, nothing is put right.
 *
 * Usage: floor there VTCONSOLE-OF-THE-FRAMEBUFFER
 *        floor back PATH-OF-I915'S-MODULE
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define GPU "0000:00:02.0"
#define AUDIO "0000:00:1b.0"
#define DRIVERS "/sys/bus/pci/drivers/"
#define DEVICE "/sys/bus/pci/devices/" GPU
#define SERVICE_MANAGER "unix:path=/run/systemd/private" /* systemctl's way, past the bus daemon */

static void check(int r, const char *what) {
        if (r >= 0)
                return;
        fprintf(stderr, "floor: %s: %s\n", what, strerror(-r));
        exit(EXIT_FAILURE);
}

static void write_to(const char *path, const char *value) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        check(fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0, path);
        close(fd);
}

static int job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path;

        check(sd_bus_message_read(m, "uo", NULL, &path), "JobRemoved");
        if (*(char **)userdata && strcmp(path, *(char **)userdata) == 0)
                **(char **)userdata = '\0';
        return 0;
}

/* Asks for a job of the display manager. */
static sd_bus *ask(const char *verb, char **job) {
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *path;

        check(sd_bus_new(&bus), "bus");
        check(sd_bus_set_address(bus, SERVICE_MANAGER), "address");
        check(sd_bus_start(bus), "systemd");
        check(sd_bus_match_signal(bus, NULL, NULL, NULL, "org.freedesktop.systemd1.Manager",
                      "JobRemoved", job_removed, job),
                "match");
        check(sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                      "org.freedesktop.systemd1.Manager", verb, NULL, &reply, "ss",
                      "display-manager.service", "replace"),
                verb);
        check(sd_bus_message_read(reply, "o", &path), "job");
        *job = strdup(path);
        check(*job ? 0 : -ENOMEM, "job");
        return bus;
}

static void wait_for(sd_bus *bus, const char *job) {
        while (*job) {
                int r = sd_bus_process(bus, NULL);

                check(r, "bus");
                if (r == 0)
                        check(sd_bus_wait(bus, UINT64_MAX), "bus");
        }
}

static void load(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        check(fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0, path);
        close(fd);
}

static void go_there(const char *console) {
        char path[PATH_MAX], *job = NULL;
        sd_bus *bus = ask("StopUnit", &job);

        wait_for(bus, job);
        write_to(DRIVERS "snd_hda_intel/unbind", AUDIO);
        snprintf(path, sizeof(path), "/sys/class/vtconsole/%s/bind", console);
        write_to(path, "0");
        write_to(DRIVERS "i915/unbind", GPU);
        check(syscall(SYS_delete_module, "i915", O_NONBLOCK) < 0 ? -errno : 0, "delete_module");
        write_to(DEVICE "/driver_override", "vfio-pci");
        write_to(DRIVERS "vfio-pci/bind", GPU);
}

/* X needs the card and nothing else: the rest happens while it starts. */
static void come_back(const char *module) {
        char *job = NULL;
        sd_bus *bus;

        write_to(DRIVERS "vfio-pci/unbind", GPU);
        write_to(DEVICE "/driver_override", "\n");
        load(module); /* which binds it, and the console comes with it */
        bus = ask("StartUnit", &job);
        write_to(DRIVERS "snd_hda_intel/bind", AUDIO);
        wait_for(bus, job);
}

int main(int argc, char *argv[]) {
        if (argc != 3) {
                fprintf(stderr, "Usage: floor there VTCONSOLE | floor back MODULE\n");
                return 2;
        }
        if (strcmp(argv[1], "there") == 0)
                go_there(argv[2]);
        else
                come_back(argv[2]);
        return EXIT_SUCCESS;
}
