/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program on a mocked machine, made anew for each time. What the unit tests' mock has built
 * is mounted on /sys, and the program has no library preloaded: it makes the system calls and takes
 * the memory that it does on a real machine.
 *
 * Usage: umockdev-wrapper machine [--manager] TIMES MACHINE PROGRAM [ARGUMENT...]
 *
 * With --manager there is a service manager, which the program has to talk to.
 *
 * The machines:
 *   none   no Intel GPU; the consoles are off the framebuffer already
 *   host   the host has the GPU and its audio controller, a driver of which does not let go; nobody
 *          has it open, vfio-pci is loaded, and the text consoles are drawn
 *   back   the host has the GPU, which a guest had
 *   guest  vfio-pci has the GPU, for no guest so far
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/fake-manager.h"
#include "../unit/mock.h"
#include "../unit/private-run.h"
#include "../unit/test.h"
#include "common/cleanup.h"
#include "common/names.h"

#define GPU "0000:00:02.0"
#define AUDIO "0000:00:1f.3"
#define BUS "/run/dbus/system_bus_socket"

static void write_sys(const char *path, const char *text) {
        _cleanup_free_ char *real = mock_path("%s", path);

        file_write(real, text);
}

static void add_gpu(const char *driver) {
        mock_gpu(GPU, driver);
        write_sys("/sys/module/i915/initstate", "live\n");
        write_sys("/sys/module/vfio_pci/initstate", "live\n");
}

static void add_card(void) {
        mock_drm(GPU, "card1", "drm_minor", "1");
        mock_udev_entry("c226:1", "I:1\nV:1\n");
}

static void add_audio(void) {
        mock_pci(AUDIO, NULL);
        mock_udev(AUDIO, "audio", NULL);
        mock_group(AUDIO, "2");
        mock_driver("snd_hda_intel", "snd_hda_intel");
        mock_bind(AUDIO, "snd_hda_intel");
        mock_consumer(GPU, "pci:" AUDIO);
}

static void build_none(void) {
        mock_vtcon("vtcon0", "(M) frame buffer device\n", "0\n");
}

static void build_host(void) {
        add_gpu("i915");
        add_card();
        add_audio();
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        write_sys(SYSFS_PCI_DRIVERS "/i915/unbind", "");
        write_sys(SYSFS_PCI_DRIVERS "/snd_hda_intel/unbind", "");
}

static void build_back(void) {
        add_gpu("i915");
        add_card();
        file_write(RUNTIME_DIR "/" RECORD_GPU, GPU " i915 i915\n");
}

static void build_guest(void) {
        add_gpu("vfio-pci");
}

static const struct {
        const char *name;
        void (*build)(void);
} machines[] = {
        {"none", build_none},
        {"host", build_host},
        {"back", build_back},
        {"guest", build_guest},
};

static void build(const char *name) {
        for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
                if (strcmp(machines[i].name, name) == 0) {
                        machines[i].build();
                        return;
                }
        test_fail("there is no machine %s", name);
}

static void __attribute__((noreturn)) execute(char *argv[]) {
        _cleanup_free_ char *sys = mock_path("/sys");

        (void)unsetenv("LD_PRELOAD");
        /* of the mock, not of a machine: it is not sysfs */
        assert_int(setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1), 0);
        if (unshare(CLONE_NEWNS) < 0 || mount(sys, "/sys", NULL, MS_BIND, NULL) < 0)
                test_fail("/sys is not to be had: %s", strerror(errno));
        execvp(argv[0], argv);
        test_fail("%s: %s", argv[0], strerror(errno));
}

static void run(bool manager, const char *name, char *argv[]) {
        _cleanup_free_ char *calls = NULL;
        int status;
        pid_t pid;

        mock_clear();
        build(name);
        if (manager) {
                directory_make("/run/dbus");
                fake_manager_listen(&(FakeManager){.system_state = "running",
                                            .default_target = "graphical.target"},
                        BUS);
        }
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                execute(argv);
        assert_int(waitpid(pid, &status, 0), pid);
        assert_int(status, 0);
        if (manager)
                calls = fake_manager_finish(NULL);
}

int main(int argc, char *argv[]) {
        bool manager = argc > 1 && strcmp(argv[1], "--manager") == 0;

        argv += 1 + manager;
        argc -= 1 + manager;
        if (argc < 3) {
                fprintf(stderr, "Usage: machine [--manager] TIMES MACHINE PROGRAM [ARGUMENT...]\n");
                return 2;
        }
        mock_enter();
        for (int i = 0; i < atoi(argv[0]); i++)
                run(manager, argv[1], argv + 2);
        mock_leave();
        return 0;
}
