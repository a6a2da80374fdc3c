/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helpers as programs, on mocked machines: what they say, how they exit, what they have written
 * down by then. There is no kernel behind the mocked attributes, so a write changes no link; what
 * follows from a hand-over that works is for the lab to see.
 *
 * Usage: umockdev-wrapper test-helpers HELPER... */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/names.h"
#include "fake-manager.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define GPU "0000:00:02.0"
#define AUDIO "0000:00:1f.3"
#define RECORD(name) RUNTIME_DIR "/" name
/* takes the place of "a moment ago" however slow this machine is */
#define ONE_HOUR_AHEAD_US ((clock_now_ms() + 3600000) * 1000)
#define BUS "/run/dbus/system_bus_socket"

static char **helpers;
static char said[8192]; /* by the last one, on standard error */

static const char *helper_path(const char *name) {
        for (char **h = helpers; *h; h++)
                if (strcmp(strrchr(*h, '/') + 1, name) == 0)
                        return *h;
        test_fail("no helper %s was given", name);
}

/* Runs a helper with at most one option and returns its exit status. */
static int run(const char *name, const char *option) {
        const char *path = helper_path(name);
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC),
                            err = memfd_create("err", MFD_CLOEXEC);
        struct stat st;
        ssize_t n;
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)dup2(out, STDOUT_FILENO);
                (void)dup2(err, STDERR_FILENO);
                execl(path, path, option, NULL);
                _exit(127);
        }
        assert_int(waitpid(pid, &status, 0), pid);
        n = pread(err, said, sizeof(said) - 1, 0);
        assert_true(n >= 0);
        said[n] = '\0';
        assert_int(fstat(out, &st), 0);
        assert_int_in("standard output: ", st.st_size, 0);
        if (!WIFEXITED(status))
                test_fail("%s: ended by signal %d: %s", name, WTERMSIG(status), said);
        return WEXITSTATUS(status);
}

#define assert_said(text)                                              \
        do {                                                           \
                if (!strstr(said, text))                               \
                        test_fail("\"%s\" is not in: %s", text, said); \
        } while (0)

static void assert_record(const char *path, const char *expected) {
        _cleanup_free_ char *text = file_read(path);

        assert_str_in(path, text, expected);
}

static void machine(const char *driver) {
        mock_clear();
        mock_pci(GPU, NULL);
        mock_udev(GPU, "gpu", "10");
        mock_group(GPU, "1");
        mock_driver("i915", "i915");
        mock_driver("vfio-pci", "vfio_pci");
        mock_bind(GPU, driver);
        file_write("/run/modprobe.d/test.conf",
                "install vfio-pci true\ninstall i915 true\ninstall snd_hda_intel true\n");
}

static void add_audio(bool depends, const char *group) {
        mock_pci(AUDIO, NULL);
        mock_udev(AUDIO, "audio", NULL);
        mock_group(AUDIO, group);
        mock_driver("snd_hda_intel", "snd_hda_intel");
        mock_bind(AUDIO, "snd_hda_intel");
        if (depends)
                mock_consumer(GPU, "pci:" AUDIO);
}

/* vfio-claim --check */

static void test_check_no_gpu(void) {
        mock_clear();
        assert_int(run("vfio-claim", "--check"), 1);
        assert_str(said, "vfio-claim: udev knows no Intel graphics card on this machine.\n");
        assert_int(run("vfio-claim", NULL), 1);
        assert_str(said, "vfio-claim: udev knows no Intel graphics card on this machine.\n");
}

static void test_check_no_group(void) {
        mock_clear();
        mock_pci(GPU, NULL);
        mock_udev(GPU, "gpu", NULL);
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("no IOMMU group");
        assert_said("VT-d");
        assert_said("intel_iommu=on");
}

static void test_check_blocked(void) {
        machine("i915");
        mock_pci("0000:00:01.0", NULL);
        mock_driver("pcieport", NULL);
        mock_bind("0000:00:01.0", "pcieport");
        mock_group("0000:00:01.0", "1");
        assert_int(run("vfio-claim", "--check"), 0);

        mock_pci("0000:00:1f.6", NULL);
        mock_driver("e1000e", "e1000e");
        mock_bind("0000:00:1f.6", "e1000e");
        mock_group("0000:00:1f.6", "1");
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("IOMMU group 1 ");
        assert_said("0000:00:1f.6");
        assert_said("driver e1000e");
}

/* The GPU's audio controller in the GPU's group is no obstacle if it steps aside on the way. */
static void test_check_audio(void) {
        machine("i915");
        add_audio(false, "1");
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said(AUDIO);
        assert_said("driver snd_hda_intel");

        machine("i915");
        add_audio(true, "1");
        assert_int(run("vfio-claim", "--check"), 0);
        assert_str(said, "");

        /* unless it is bound still when it is too late */
        assert_int(run("vfio-claim", NULL), 1);
        assert_said(AUDIO);
        assert_record(RECORD(RECORD_GPU), NULL);
}

static void test_check_no_vfio(void) {
        machine("i915");
        file_write("/run/modprobe.d/test.conf", "");
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("no vfio-pci driver");
}

static void test_check_changes_nothing(void) {
        static const char *const drivers[] = {"i915", "vfio-pci", NULL};

        for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
                machine(drivers[i]);
                assert_int(run("vfio-claim", "--check"), 0);
                assert_str(said, "");
                assert_int(access(RUNTIME_DIR, F_OK), -1);
        }
}

/* vfio-claim and i915-restore */

static void test_claim_has_it_already(void) {
        machine("vfio-pci");
        assert_int(run("vfio-claim", NULL), 0);
        assert_said("already");
        assert_record(RECORD(RECORD_GPU), NULL);
}

/* The driver does not let go: the record was written before. */
static void test_claim_fails(void) {
        _cleanup_free_ char *unbind = NULL;

        machine("i915");
        unbind = mock_path(SYSFS_PCI_DRIVERS "/i915/unbind");
        file_write(unbind, "");
        assert_int(run("vfio-claim", NULL), 1);
        assert_said("Cannot take the graphics card from i915: Input/output error");
        assert_record(RECORD(RECORD_GPU), GPU " i915 i915\n");
}

/* Without a record there is no unbinding. */
static void test_claim_without_record(void) {
        _cleanup_free_ char *unbind = NULL, *written = NULL;

        machine("i915");
        unbind = mock_path(SYSFS_PCI_DRIVERS "/i915/unbind");
        file_write(unbind, "");
        file_write(RUNTIME_DIR, "in the way");
        assert_int(run("vfio-claim", NULL), 1);
        assert_said("left alone");
        written = file_read(unbind);
        assert_str(written, "");
}

/* A hand-over that was cut short has left a GPU without a driver, and knows which it had. */
static void test_claim_keeps_record(void) {
        machine(NULL);
        file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
        assert_int(run("vfio-claim", NULL), 1);
        assert_record(RECORD(RECORD_GPU), GPU " i915 i915\n");

        machine(NULL);
        assert_int(run("vfio-claim", NULL), 1);
        assert_record(RECORD(RECORD_GPU), GPU " - -\n");
}

static void add_card(void) {
        mock_drm(GPU, "card1", "drm_minor", "1");
        mock_udev_entry("c226:1", "I:1\nV:1\n");
}

static void test_restore_nothing(void) {
        machine("vfio-pci");
        assert_int(run("i915-restore", NULL), 0);
        assert_str(said, "");
}

static void test_restore_done_already(void) {
        machine("i915");
        add_card();
        file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
        assert_int(run("i915-restore", NULL), 0);
        assert_said("The graphics card is back (i915, card1).");
        assert_record(RECORD(RECORD_GPU), NULL);
}

/* A record that says nothing still says that the GPU was ours. */
static void test_restore_bad_record(void) {
        machine("i915");
        add_card();
        file_write(RECORD(RECORD_GPU), "rubbish\n");
        file_write("/run/modprobe.d/more.conf", "alias pci:v00008086* i915\n");
        assert_int(run("i915-restore", NULL), 0);
        assert_said("Cannot read " RUNTIME_DIR "/" RECORD_GPU);
        assert_said("The graphics card is back");
        assert_record(RECORD(RECORD_GPU), NULL);

        mock_clear();
        file_write(RECORD(RECORD_GPU), "rubbish\n");
        assert_int(run("i915-restore", NULL), 1);
        assert_record(RECORD(RECORD_GPU), "rubbish\n");
}

static void test_restore_fails(void) {
        _cleanup_free_ char *unbind = NULL;

        machine("vfio-pci");
        unbind = mock_path(SYSFS_PCI_DRIVERS "/vfio-pci/unbind");
        file_write(unbind, "");
        file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
        assert_int(run("i915-restore", NULL), 1);
        assert_said("Cannot take the graphics card from vfio-pci");
        assert_record(RECORD(RECORD_GPU), GPU " i915 i915\n");
}

static void test_restore_device_gone(void) {
        mock_clear();
        file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
        assert_int(run("i915-restore", NULL), 1);
        assert_said("Trying again after finding the device anew.");
        assert_said("The graphics card is not back");
        assert_record(RECORD(RECORD_GPU), GPU " i915 i915\n");
}

/* audio-unbind */

static void test_audio_nothing(void) {
        mock_clear();
        assert_int(run("audio-unbind", NULL), 1);
        assert_said("Cannot find the graphics card");
        assert_int(run("audio-unbind", "--restore"), 0);
        assert_str(said, "");

        machine("i915");
        add_audio(false, "2");
        assert_int(run("audio-unbind", NULL), 0);
        assert_said("No audio controller depends on the graphics card.");
        assert_record(RECORD(RECORD_AUDIO), NULL);
        assert_int(run("audio-unbind", "--restore"), 0);
        assert_str(said, "");
}

static void test_audio_fails(void) {
        _cleanup_free_ char *unbind = NULL;

        machine("i915");
        add_audio(true, "2");
        unbind = mock_path(SYSFS_PCI_DRIVERS "/snd_hda_intel/unbind");
        file_write(unbind, "");
        assert_int(run("audio-unbind", NULL), 1);
        assert_said("Cannot take audio controller " AUDIO " from its driver");
        assert_record(RECORD(RECORD_AUDIO), AUDIO " snd_hda_intel snd_hda_intel\n");

        /* and back: it is bound still */
        assert_int(run("audio-unbind", "--restore"), 0);
        assert_record(RECORD(RECORD_AUDIO), NULL);
}

/* What an earlier, interrupted run has unbound is not forgotten. */
static void test_audio_recalls(void) {
        machine("i915");
        add_audio(true, "2");
        mock_bind(AUDIO, NULL);
        file_write(RECORD(RECORD_AUDIO), "0000:00:1b.0 snd_hda_intel -\n");
        assert_int(run("audio-unbind", NULL), 0);
        assert_record(RECORD(RECORD_AUDIO), "0000:00:1b.0 snd_hda_intel -\n" AUDIO " - -\n");
}

static void test_audio_restore_fails(void) {
        machine("i915");
        add_audio(true, "2");
        file_write(RECORD(RECORD_AUDIO),
                "rubbish\n"
                "0000:00:1b.0 snd_hda_intel -\n" AUDIO " snd_hda_intel snd_hda_intel\n");
        assert_int(run("audio-unbind", "--restore"), 1);
        assert_said("rubbish");
        assert_said("Cannot give audio controller 0000:00:1b.0 back to snd_hda_intel");
        assert_said("Giving audio controller " AUDIO " back to snd_hda_intel");
        assert_true(access(RECORD(RECORD_AUDIO), F_OK) == 0);
}

/* vtcon-unbind */

static void test_vtcon_nothing(void) {
        mock_clear();
        assert_int(run("vtcon-unbind", NULL), 0);
        assert_said("There is no framebuffer console.");
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_str(said, "");

        mock_vtcon("vtcon0", "(M) frame buffer device\n", "0\n");
        mock_vtcon("vtcon1", "(M) dummy device\n", "1\n");
        assert_int(run("vtcon-unbind", NULL), 0);
        assert_said("(vtcon0) draws no text console");
        assert_record(RECORD(RECORD_VTCON), NULL);
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_str(said, "");
}

static void test_vtcon_unbind(void) {
        mock_clear();
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        assert_int(run("vtcon-unbind", NULL), 0);
        assert_said("The framebuffer console (vtcon1) is off the text consoles.");
        assert_record(RECORD(RECORD_VTCON), "vtcon1\n");

        /* it does not come back, and the record stays; then it does */
        mock_vtcon("vtcon0", "(M) dummy device\n", "1\n");
        assert_int(run("vtcon-unbind", "--restore"), 1);
        assert_said("Cannot give the text consoles back to vtcon1");
        assert_record(RECORD(RECORD_VTCON), "vtcon1\n");
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_said("draws the text consoles again");
        assert_record(RECORD(RECORD_VTCON), NULL);
}

static void test_vtcon_restore_gone(void) {
        mock_clear();
        file_write(RECORD(RECORD_VTCON), "vtcon1\n");
        assert_int(run("vtcon-unbind", "--restore"), 1);
        assert_said("There is no framebuffer console: text consoles have no screen.");
}

/* with a service manager */

static void listen_manager(const FakeManager *m) {
        directory_make("/run/dbus");
        fake_manager_listen(m, BUS);
}

static void assert_calls(const char *expected) {
        _cleanup_free_ char *calls = fake_manager_finish(NULL);

        assert_str(calls, expected);
}

static void test_holders_nothing(void) {
        static const char *const options[] = {NULL, "--audio", "--check", "--restore"};

        machine("i915");
        assert_int(run("holders-clear", NULL), 1);
        assert_said("Cannot connect to the system bus");
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
                listen_manager(&(FakeManager){});
                assert_int(run("holders-clear", options[i]), 0);
                assert_str(said, "");
                assert_calls("");
        }
        assert_int(access(RUNTIME_DIR, F_OK), -1);
}

static void test_holders_setting(void) {
        machine("i915");
        setenv(SETTING_HOLDERS, "leave", 1);
        listen_manager(&(FakeManager){});
        assert_int(run("holders-clear", NULL), 1);
        assert_said("GPU_GUEST_HOLDERS is neither \"stop\" nor \"refuse\".");
        assert_calls("");
        unsetenv(SETTING_HOLDERS);
}

/* A line that cannot be read or undone does not keep the others from it. */
static void test_holders_restore(void) {
        mock_clear();
        file_write(RECORD(RECORD_HOLDERS),
                "service media.service\nrubbish\nsound ../../etc\nsound card7\n"
                "user-service 4294967294 player.service\nservice other.service\n");
        listen_manager(&(FakeManager){.system_state = "running"});
        assert_int(run("holders-clear", "--restore"), 1);
        assert_said("Cannot undo \"rubbish\"");
        assert_said("Cannot undo \"sound ../../etc\"");
        assert_said("player.service of user 4294967294 is not started again");
        assert_calls("StartUnit media.service replace\nStartUnit other.service replace\n");
        assert_record(RECORD(RECORD_HOLDERS), NULL);

        /* the machine goes down */
        file_write(RECORD(RECORD_HOLDERS), "service media.service\n");
        listen_manager(&(FakeManager){.system_state = "stopping"});
        assert_int(run("holders-clear", "--restore"), 0);
        assert_calls("");
}

/* guest-watch and guest-shutdown */

static void test_watch(void) {
        mock_clear();
        assert_int(run("guest-watch", NULL), 1);
        assert_said("Cannot find the graphics card");

        machine("vfio-pci");
        setenv(SETTING_UNUSED, "1", 1);
        assert_int(run("guest-watch", NULL), 0);
        assert_said("No guest has used the graphics card for 1 s");
        unsetenv(SETTING_UNUSED);
}

static void test_shutdown(void) {
        mock_clear();
        assert_int(run("guest-shutdown", "win10"), 1);
        assert_said("Cannot find the graphics card");

        machine("vfio-pci");
        assert_int(run("guest-shutdown", "win10"), 0);
        assert_str(said, "");
}

static void test_seat_nothing(void) {
        mock_clear();
        assert_int(run("seat-clear", NULL), 0);
        assert_str(said, "");
}

static void test_seat_refused(void) {
        mock_clear();
        file_write("/run/systemd/seats/" SEAT_NAME, "SESSIONS=1 2\nUIDS=0\n");
        file_write("/run/systemd/sessions/1", "UID=0\nTYPE=tty\nSTATE=active\n");
        file_write("/run/systemd/sessions/2", "UID=0\nTYPE=x11\nSERVICE=lightdm\nSTATE=active\n");
        assert_int(run("seat-clear", NULL), 1);
        assert_said("Cannot connect to the system bus");

        listen_manager(&(FakeManager){.terminate_error = SD_BUS_ERROR_ACCESS_DENIED});
        assert_int(run("seat-clear", NULL), 1);
        assert_said("Cannot end session 2 of user root (x11, started by lightdm)");
        assert_calls("TerminateSession 2\n");
}

static void assert_returns(const FakeManager *m, int status, const char *calls) {
        int r;

        listen_manager(m);
        r = run("desktop-return", NULL);
        assert_int_in(said, r, status);
        assert_calls(calls);
}

#define RESET "ResetFailedUnit display-manager.service\n"

static void test_desktop_by_default(void) {
        mock_clear();
        assert_returns(
                &(FakeManager){.system_state = "running", .default_target = "graphical.target"}, 0,
                RESET "StartUnit graphical.target replace\n");
        assert_said("The desktop comes back (graphical.target).");

        /* also while the machine boots, and where systemd does not say */
        assert_returns(
                &(FakeManager){.system_state = "starting", .default_target = "graphical.target"}, 0,
                RESET "StartUnit graphical.target replace\n");
        assert_returns(&(FakeManager){}, 0, RESET "StartUnit graphical.target replace\n");
}

static void test_desktop_by_record(void) {
        static const FakeManager m = {
                .system_state = "degraded", .default_target = "multi-user.target"};

        mock_clear();
        assert_returns(&m, 0, "");
        assert_said("No desktop was running");

        file_write(RECORD(RECORD_DESKTOP), "display-manager.service\n");
        assert_returns(&m, 0, RESET "StartUnit display-manager.service replace\n");
        assert_record(RECORD(RECORD_DESKTOP), NULL);
}

static void test_desktop_stays_away(void) {
        mock_clear();
        assert_returns(
                &(FakeManager){.system_state = "stopping", .default_target = "graphical.target"}, 0,
                "");
        assert_str(said, "");

        /* the next guest's hand-over waits for us; what is remembered will be needed after it */
        file_write(RECORD(RECORD_DESKTOP), "display-manager.service\n");
        assert_returns(&(FakeManager){.system_state = "running",
                               .default_target = "graphical.target",
                               .job_type = "start",
                               .job_state = "waiting"},
                0, "");
        assert_said("The desktop stays away: gpu-guest-desktop.service is to start.");
        assert_record(RECORD(RECORD_DESKTOP), "display-manager.service\n");

        /* our own start, which has failed */
        assert_returns(&(FakeManager){.system_state = "running",
                               .default_target = "graphical.target",
                               .job_type = "start",
                               .job_state = "running"},
                0, RESET "StartUnit graphical.target replace\n");
}

static void test_desktop_fails(void) {
        mock_clear();
        file_write(RECORD(RECORD_DESKTOP), "display-manager.service\n");
        assert_returns(&(FakeManager){.system_state = "running",
                               .default_target = "graphical.target",
                               .reset_error = SD_BUS_ERROR_ACCESS_DENIED,
                               .start_error = SD_BUS_ERROR_FAILED},
                1, RESET "StartUnit graphical.target replace\n");
        assert_said("Cannot start graphical.target again: This is the reason.");
        assert_record(RECORD(RECORD_DESKTOP), "display-manager.service\n");

        assert_int(run("desktop-return", NULL), 1);
        assert_said("Cannot connect to the system bus");
}

/* What was stopped comes after the desktop, and also where there is none. */
static void test_desktop_resumes(void) {
        mock_clear();
        file_write(RECORD(RECORD_HOLDERS), "service media.service\n");
        assert_returns(
                &(FakeManager){.system_state = "running", .default_target = "graphical.target"}, 0,
                RESET "StartUnit graphical.target replace\n"
                      "StartUnit gpu-guest-resume.service replace\n");
        assert_returns(
                &(FakeManager){.system_state = "running", .default_target = "multi-user.target"}, 0,
                "StartUnit gpu-guest-resume.service replace\n");
        assert_returns(&(FakeManager){.system_state = "stopping"}, 0, "");
        assert_record(RECORD(RECORD_HOLDERS), "service media.service\n");
}

static void assert_remembers(const FakeManager *m, const char *record) {
        mock_clear();
        listen_manager(m);
        assert_int(run("desktop-return", "--remember"), 0);
        assert_calls("");
        assert_record(RECORD(RECORD_DESKTOP), record);
}

static void test_desktop_remember(void) {
        assert_remembers(&(FakeManager){.active_state = "active"}, "display-manager.service\n");
        assert_remembers(&(FakeManager){.active_state = "inactive"}, NULL);
        assert_remembers(
                &(FakeManager){.active_state = "inactive", .inactive_since_us = ONE_HOUR_AHEAD_US},
                "display-manager.service\n");

        mock_clear();
        listen_manager(&(FakeManager){});
        assert_int(run("desktop-return", "--remember"), 1);
        assert_said("Cannot note whether a display manager was running");
        assert_calls("");
}

int main(int argc, char *argv[]) {
        static const char *const unwanted[] = {
                "JOURNAL_STREAM", "NOTIFY_SOCKET", "SERVICE_RESULT", "GPU_GUEST_DEBUG"};

        helpers = argv + 1;
        for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
                assert_int(unsetenv(unwanted[i]), 0);
        assert_int(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=" BUS, 1), 0);
        assert_int(setenv("LC_ALL", "C", 1), 0);
        mock_enter();
        /* the machine's own modules are none of the mocked one's */
        if (mount("tmpfs", "/lib/modules", "tmpfs", 0, NULL) < 0 && errno != ENOENT)
                test_fail("mount /lib/modules: %s", strerror(errno));

        test_check_no_gpu();
        test_check_no_group();
        test_check_blocked();
        test_check_audio();
        test_check_no_vfio();
        test_check_changes_nothing();
        test_claim_has_it_already();
        test_claim_fails();
        test_claim_without_record();
        test_claim_keeps_record();
        test_restore_nothing();
        test_restore_done_already();
        test_restore_bad_record();
        test_restore_fails();
        test_restore_device_gone();
        test_audio_nothing();
        test_audio_fails();
        test_audio_recalls();
        test_audio_restore_fails();
        test_vtcon_nothing();
        test_vtcon_unbind();
        test_vtcon_restore_gone();
        test_holders_nothing();
        test_holders_setting();
        test_holders_restore();
        test_watch();
        test_shutdown();
        test_seat_nothing();
        test_seat_refused();
        test_desktop_by_default();
        test_desktop_by_record();
        test_desktop_stays_away();
        test_desktop_fails();
        test_desktop_resumes();
        test_desktop_remember();
        mock_leave();
        return 0;
}
