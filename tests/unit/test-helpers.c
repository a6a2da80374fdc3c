/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helpers as programs, on mocked machines: what they say, how they exit, what they have written
 * down by then. There is no kernel behind the mocked attributes, so a write changes no link; what
 * follows from a hand-over that works is for the lab to see.
 *
 * They are connected to a journal, as under systemd, and what they send there is held against the
 * message catalog.
 *
 * Usage: umockdev-wrapper test-helpers CATALOG HELPER... */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/process.h"
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

#define JOURNAL "/run/systemd/journal/socket"

static char **helpers;
static char *catalog;
static char said[8192];  /* by the last one, as it would read on standard error */
static char sent[16384]; /* to the journal by the last one: fields, a line each */

static const char *helper_path(const char *name) {
        for (char **h = helpers; *h; h++)
                if (strcmp(strrchr(*h, '/') + 1, name) == 0)
                        return *h;
        test_fail("no helper %s was given", name);
}

/* The journal's socket, and standard error connected to it. */
static int listen_journal(int err) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        _cleanup_free_ char *stream = NULL;
        struct stat st;

        directory_make("/run/systemd/journal");
        (void)unlink(JOURNAL);
        assert_true(fd >= 0);
        assert_int(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int(fstat(err, &st), 0);
        stream = format("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        assert_int(setenv("JOURNAL_STREAM", stream, 1), 0);
        return fd;
}

/* The value of an entry's field, up to the end of its line; NULL: it has none. */
static const char *find_field(const char *entry, const char *name) {
        _cleanup_free_ char *start = format("\n%s=", name);
        const char *found = strstr(entry, start);

        return found ? found + strlen(start) : NULL;
}

/* The catalog explains the entry, with no field that is missing. */
static void assert_explained(const char *entry, const char *id) {
        _cleanup_free_ char *head = format("\n-- %.32s\n", id), *text = NULL;
        const char *begin = strstr(catalog, head), *end;
        char *field, *rest;

        if (!begin)
                test_fail("the catalog does not explain: %s", entry);
        begin += strlen(head);
        end = strstr(begin, "\n-- ");
        text = strndup(begin, end ? (size_t)(end - begin) : strlen(begin));
        for (field = strchr(text, '@'); field; field = strchr(rest + 1, '@')) {
                rest = strchr(++field, '@');
                assert_true(rest);
                *rest = '\0';
                if (!find_field(entry, field))
                        test_fail("the catalog needs the field %s of: %s", field, entry);
        }
}

static void append(char *to, size_t size, const char *text) {
        assert_true(strlen(to) + strlen(text) < size);
        strcat(to, text);
}

static void receive(int journal) {
        char entry[4096] = "\n";
        ssize_t n;

        while ((n = recv(journal, entry + 1, sizeof(entry) - 2, 0)) >= 0) {
                _cleanup_free_ char *line = NULL;
                const char *id, *message, *name;

                entry[n + 1] = '\0';
                id = find_field(entry, "MESSAGE_ID");
                message = find_field(entry, "MESSAGE");
                name = find_field(entry, "SYSLOG_IDENTIFIER");
                assert_true(message && name);
                line = format("%.*s: %.*s\n", (int)strcspn(name, "\n"), name,
                        (int)strcspn(message, "\n"), message);
                append(said, sizeof(said), line);
                append(sent, sizeof(sent), entry);
                append(sent, sizeof(sent), "\n");
                if (id)
                        assert_explained(entry, id);
        }
        assert_int(errno, EAGAIN);
}

/* Nobody may have to wait: the socket holds only a few messages. */
static void wait_end(pid_t pid, int journal) {
        _cleanup_close_ int pidfd = process_open(pid);
        struct pollfd fds[] = {{journal, POLLIN, 0}, {pidfd, POLLIN, 0}};

        assert_true(pidfd >= 0);
        do {
                assert_true(poll(fds, 2, -1) > 0);
                receive(journal);
        } while (!fds[1].revents);
        receive(journal);
}

/* Runs a helper with at most one option, for that many seconds (0: as long as it takes). Returns
 * its exit status, or the signal that ended it as a negative number. */
static int run_for(unsigned seconds, const char *name, const char *option) {
        const char *path = helper_path(name);
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC),
                            err = memfd_create("err", MFD_CLOEXEC), journal = listen_journal(err);
        char past[4096];
        struct stat st;
        ssize_t n;
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)dup2(out, STDOUT_FILENO);
                (void)dup2(err, STDERR_FILENO);
                (void)alarm(seconds);
                execl(path, path, option, NULL);
                _exit(127);
        }
        said[0] = sent[0] = '\0';
        wait_end(pid, journal);
        assert_int(waitpid(pid, &status, 0), pid);
        n = pread(err, past, sizeof(past) - 1, 0);
        if (n != 0)
                test_fail("%s: past the journal: %.*s", name, (int)n, past);
        assert_int(fstat(out, &st), 0);
        assert_int_in("standard output: ", st.st_size, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *name, const char *option) {
        int status = run_for(0, name, option);

        if (status < 0)
                test_fail("%s: ended by signal %d: %s", name, -status, said);
        return status;
}

#define assert_said(text)                                              \
        do {                                                           \
                if (!strstr(said, text))                               \
                        test_fail("\"%s\" is not in: %s", text, said); \
        } while (0)

/* An event with this ID was sent, by a message that has these words, and with this line among its
 * fields (NULL: none in particular). */
static void assert_event(const char *id, const char *words, const char *line) {
        _cleanup_free_ char *wanted = format("\n%s\n", line ?: ""),
                            *with_id = format("\nMESSAGE_ID=%s\n", id);

        for (const char *entry = sent, *end; (end = strstr(entry, "\n\n")); entry = end + 2) {
                _cleanup_free_ char *text = strndup(entry, (size_t)(end + 1 - entry));

                if (strstr(text, with_id) && strstr(text, words) && (!line || strstr(text, wanted)))
                        return;
        }
        test_fail("no event %s, \"%s\", %s is in: %s", id, words, line ?: "", sent);
}

static void assert_record(const char *path, const char *expected) {
        _cleanup_free_ char *text = file_read(path);

        assert_str_in(path, text, expected);
}

static void machine(const char *driver) {
        mock_clear();
        mock_gpu(GPU, driver);
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
        assert_event(MESSAGE_NO_CARD, "knows no Intel graphics card", NULL);
}

static void test_check_no_group(void) {
        mock_clear();
        mock_pci(GPU, NULL);
        mock_udev(GPU, "gpu", NULL);
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("no IOMMU group");
        assert_said("VT-d");
        assert_said("intel_iommu=on");
        assert_event(MESSAGE_NO_IOMMU, "VT-d", JOURNAL_DEVICE "=" GPU);
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
        assert_event(MESSAGE_GROUP_SHARED, "0000:00:1f.6", JOURNAL_DEVICE "=" GPU);
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
        assert_event(MESSAGE_NO_VFIO_PCI, "no vfio-pci driver", JOURNAL_DEVICE "=" GPU);
}

static void lit_machine(const char *driver, const char *boot_vga) {
        _cleanup_free_ char *path = NULL;

        machine(driver);
        path = mock_path(SYSFS_PCI_DEVICES "/" GPU "/boot_vga");
        file_write(path, boot_vga);
}

/* The screen has the firmware's framebuffer only, and would have nothing after a guest. */
static void test_check_no_way_back(void) {
        static const char *const forbids[] = {"nomodeset", "i915.modeset=0"};

        for (size_t i = 0; i < sizeof(forbids) / sizeof(*forbids); i++) {
                _cleanup_free_ char *options = format("root=/dev/sda1 %s quiet\n", forbids[i]);

                file_cover("/proc/cmdline", options);
                lit_machine("i915", "1\n");
                assert_int(run("vfio-claim", "--check"), 0);
                lit_machine(NULL, "0\n");
                assert_int(run("vfio-claim", "--check"), 0);
                lit_machine(NULL, "1\n");
                assert_int(run("vfio-claim", "--check"), 1);
                assert_said(forbids[i]);
                assert_event(MESSAGE_NO_WAY_BACK, "would stay dark", JOURNAL_DEVICE "=" GPU);
                /* it had one before a hand-over that was cut short */
                file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
                assert_int(run("vfio-claim", "--check"), 0);
        }

        file_cover("/proc/cmdline", "nomodeset=0 quiet i915.modeset=01\n");
        lit_machine(NULL, "1\n");
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("This kernel has no driver for the graphics card");
        assert_event(MESSAGE_NO_WAY_BACK, "has no driver", JOURNAL_DEVICE "=" GPU);
        file_write("/run/modprobe.d/more.conf", "alias pci:v00008086* i915\n");
        assert_int(run("vfio-claim", "--check"), 0);

        /* the kernel's own blacklist, unlike modprobe's, is for everybody */
        file_cover("/proc/cmdline", "module_blacklist=i915 modprobe.blacklist=i915 "
                                    "module_blacklist=xe,i915_x,,i91\n");
        assert_int(run("vfio-claim", "--check"), 0);
        file_cover("/proc/cmdline", "quiet module_blacklist=xe,i915\n");
        assert_int(run("vfio-claim", "--check"), 1);
        assert_said("booted with module_blacklist=xe,i915, so no driver");
        assert_event(MESSAGE_NO_WAY_BACK, "would stay dark", JOURNAL_DEVICE "=" GPU);
        file_cover("/proc/cmdline", NULL);
}

/* A mediated device and a virtual function, that a guest has in its group and that one has open
 * itself. */
static void test_check_parts(void) {
        static const char *const entries[] = {"83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "virtfn0"};
        _cleanup_close_ int user = open("/dev/full", O_RDONLY | O_CLOEXEC);

        assert_true(user >= 0);
        for (size_t i = 0; i < 4; i++) {
                _cleanup_free_ char *entry = NULL, *directory = NULL, *type = NULL, *group = NULL,
                                    *node = NULL,
                                    *said_pid = format("(test-helpers, PID %d)", getpid());

                machine("i915");
                entry = mock_path(SYSFS_PCI_DEVICES "/" GPU "/%s", entries[i % 2]);
                if (i % 2 == 0)
                        directory = format("%s", entry);
                else {
                        directory = mock_path(SYSFS_PCI_DEVICES "/0000:00:02.1");
                        file_link(entry, directory);
                }
                group = format("%s/iommu_group", directory);
                file_link(group, "../../../kernel/iommu_groups/17");
                if (i % 2 == 0) {
                        type = format("%s/mdev_type", directory);
                        file_link(type, "..");
                }
                assert_int(run("vfio-claim", "--check"), 0);

                if (i < 2)
                        node = mock_path(SYSFS_VFIO "/17/dev");
                else
                        node = format("%s/vfio-dev/vfio0/dev", directory);
                file_write(node, "1:7\n");
                assert_int(run("vfio-claim", "--check"), 1);
                assert_said(said_pid);
                assert_event(MESSAGE_PART_HAS_GUEST, "would lose it", JOURNAL_DEVICE "=" GPU);
                assert_int(run("vfio-claim", NULL), 1);
                assert_said("A part of the graphics card is with a running guest");
        }
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
        static const char *const drivers[] = {"vfio-pci", "xe-vfio-pci", NULL};

        for (const char *const *driver = drivers; *driver; driver++) {
                _cleanup_free_ char *expected = NULL;

                assert_true(asprintf(&expected, "%s has the graphics card already.", *driver) > 0);
                machine(*driver);
                assert_int(run("vfio-claim", NULL), 0);
                assert_said(expected);
                assert_record(RECORD(RECORD_GPU), NULL);
        }
}

/* The driver does not let go: the record was written before. */
static void test_claim_fails(void) {
        _cleanup_free_ char *unbind = NULL;

        machine("i915");
        unbind = mock_path(SYSFS_PCI_DRIVERS "/i915/unbind");
        file_write(unbind, "");
        assert_int(run("vfio-claim", NULL), 1);
        assert_said("Cannot take the graphics card from i915: Input/output error");
        assert_event(MESSAGE_DRIVER_STAYS, "Cannot take", JOURNAL_DRIVER "=i915");
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
        assert_event(MESSAGE_CARD_BACK, "is back", JOURNAL_DRIVER "=i915");
        assert_event(MESSAGE_CARD_BACK, "is back", JOURNAL_DEVICE "=" GPU);
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
        static const char *const drivers[] = {"vfio-pci", "xe-vfio-pci", NULL};

        for (const char *const *driver = drivers; *driver; driver++) {
                _cleanup_free_ char *unbind = NULL;

                machine(*driver);
                unbind = mock_path(SYSFS_PCI_DRIVERS "/%s/unbind", *driver);
                file_write(unbind, "");
                file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
                assert_int(run("i915-restore", NULL), 1);
                assert_said("Cannot take the graphics card from vfio-pci");
                assert_event(MESSAGE_VFIO_PCI_STAYS, "from vfio-pci", JOURNAL_DEVICE "=" GPU);
                assert_record(RECORD(RECORD_GPU), GPU " i915 i915\n");
        }
}

static void test_restore_device_gone(void) {
        mock_clear();
        file_write(RECORD(RECORD_GPU), GPU " i915 i915\n");
        assert_int(run("i915-restore", NULL), 1);
        assert_said("Trying again after finding the device anew.");
        assert_said("The graphics card is not back");
        assert_event(MESSAGE_CARD_LOST, "is not back", JOURNAL_DRIVER "=i915");
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
        assert_event(MESSAGE_AUDIO_STAYS, AUDIO, JOURNAL_DEVICE "=" GPU);
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
        assert_event(MESSAGE_AUDIO_NOT_BACK, "0000:00:1b.0", JOURNAL_DRIVER "=snd_hda_intel");
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
        _cleanup_free_ char *bind = NULL;

        mock_clear();
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
        assert_int(run("vtcon-unbind", NULL), 0);
        assert_said("The framebuffer console (vtcon1) is off the text consoles.");
        assert_record(RECORD(RECORD_VTCON), "vtcon1\n");

        /* it does not come back, and the record stays; then it does */
        mock_vtcon("vtcon0", "(M) dummy device\n", "1\n");
        bind = mock_path(SYSFS_VTCONSOLE "/vtcon1/" VTCON_ATTR_BIND);
        file_link(bind, "/dev/null");
        assert_int(run("vtcon-unbind", "--restore"), 1);
        assert_said("Cannot give the text consoles back to vtcon1");
        assert_event(MESSAGE_CONSOLE_NOT_BACK, "vtcon1", NULL);
        assert_record(RECORD(RECORD_VTCON), "vtcon1\n");
        assert_int(unlink(bind), 0);
        mock_vtcon("vtcon1", "(M) frame buffer device\n", "0\n");
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_said("draws the text consoles again");
        assert_record(RECORD(RECORD_VTCON), NULL);
}

/* A driver may make its framebuffer when it has the card already. */
static void test_vtcon_restore_later(void) {
        pid_t pid;

        mock_clear();
        file_write(RECORD(RECORD_VTCON), "vtcon1\n");
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)poll(NULL, 0, 500);
                mock_vtcon("vtcon1", "(M) frame buffer device\n", "1\n");
                _exit(0);
        }
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_said("draws the text consoles again");
        assert_int(waitpid(pid, NULL, 0), pid);
}

static void test_vtcon_restore_gone(void) {
        mock_clear();
        file_write(RECORD(RECORD_VTCON), "vtcon1\n");
        assert_int(run("vtcon-unbind", "--restore"), 1);
        assert_said("There is no framebuffer console: text consoles have no screen.");
        assert_event(MESSAGE_CONSOLE_NOT_BACK, "no screen", NULL);
}

static void connector(const char *name, const char *status) {
        _cleanup_free_ char *path = mock_path("/sys/class/drm/%s/status", name);

        file_write(path, status);
}

/* The driver has the card, and makes no framebuffer before there is a monitor to show it. */
static void test_vtcon_restore_without_monitor(void) {
        mock_clear();
        file_write(RECORD(RECORD_VTCON), "vtcon1\n");
        connector("card0-HDMI-A-1", "disconnected\n");
        connector("card0-DP-1", "unknown\n");
        file_write("/sys/class/drm/version", "drm 1.1.0 20060810\n");
        assert_int(run("vtcon-unbind", "--restore"), 1);
        assert_said("text consoles have no screen");
        connector("card0-DP-1", "disconnected\n");
        assert_int(run("vtcon-unbind", "--restore"), 0);
        assert_said("No monitor is connected: the text consoles are drawn once one is.");
        assert_record(RECORD(RECORD_VTCON), NULL);
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
        static const char *const options[] = {NULL, "--check", "--restore"};

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
        assert_event(MESSAGE_SERVICE_RESUMED, "Starting media.service",
                JOURNAL_HOLDER_UNIT "=media.service");
        assert_event(MESSAGE_SERVICE_RESUMED, "Starting player.service of user 4294967294",
                JOURNAL_HOLDER_UNIT "=player.service");
        assert_event(MESSAGE_SERVICE_NOT_RESUMED, "is not started again",
                JOURNAL_HOLDER_UNIT "=player.service");
        assert_calls("StartUnit media.service replace\nStartUnit other.service replace\n");
        assert_record(RECORD(RECORD_HOLDERS), NULL);

        file_write(RECORD(RECORD_HOLDERS), "service media.service\n");
        listen_manager(
                &(FakeManager){.system_state = "running", .start_error = SD_BUS_ERROR_FAILED});
        assert_int(run("holders-clear", "--restore"), 1);
        assert_event(MESSAGE_SERVICE_NOT_RESUMED, "media.service is not started again: This is the",
                JOURNAL_HOLDER_UNIT "=media.service");
        assert_calls("StartUnit media.service replace\n");

        /* the desktop has taken its place */
        file_write(RECORD(RECORD_HOLDERS), "service kmsconvt@tty1.service\n");
        listen_manager(&(FakeManager){.system_state = "running",
                .active_state = "active",
                .conflict = "lightdm.service"});
        assert_int(run("holders-clear", "--restore"), 0);
        assert_said("kmsconvt@tty1.service is not started again: the desktop would stop.");
        assert_calls("");
        file_write(RECORD(RECORD_HOLDERS), "service kmsconvt@tty1.service\n");
        listen_manager(&(FakeManager){.system_state = "running",
                .active_state = "inactive",
                .conflict = "lightdm.service"});
        assert_int(run("holders-clear", "--restore"), 0);
        assert_calls("StartUnit kmsconvt@tty1.service replace\n");
        file_write(RECORD(RECORD_HOLDERS), "service media.service\n");
        listen_manager(&(FakeManager){
                .system_state = "running", .active_state = "active", .conflict = "other.service"});
        assert_int(run("holders-clear", "--restore"), 0);
        assert_calls("StartUnit media.service replace\n");

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
        assert_event(MESSAGE_CARD_UNUSED, "for 1 s", JOURNAL_DEVICE "=" GPU);
        assert_str(find_field(sent, JOURNAL_DOMAIN), NULL);

        /* a lease's */
        setenv(JOURNAL_DOMAIN, "win 10", 1);
        assert_int(run("guest-watch", NULL), 0);
        assert_event(MESSAGE_CARD_UNUSED, "for 1 s", JOURNAL_DOMAIN "=win 10");
        unsetenv(JOURNAL_DOMAIN);

        /* by hand, on a machine that was booted into something else */
        file_cover("/proc/cmdline", "systemd.unit=" UNIT_TARGET " systemd.unit=graphical.target\n");
        listen_manager(&(FakeManager){.default_target = UNIT_TARGET});
        assert_int(run("guest-watch", "--target"), 0);
        assert_event(MESSAGE_CARD_UNUSED, "for 1 s", JOURNAL_DEVICE "=" GPU);

        /* booted into it, by default and by the command line */
        file_cover("/proc/cmdline", "quiet\n");
        listen_manager(&(FakeManager){.default_target = UNIT_TARGET});
        assert_int(run_for(3, "guest-watch", "--target"), -SIGALRM);
        assert_said("waits for a guest for as long as it takes");
        file_cover("/proc/cmdline", "systemd.unit=" UNIT_TARGET "\n");
        listen_manager(&(FakeManager){.default_target = "graphical.target"});
        assert_int(run_for(3, "guest-watch", "--target"), -SIGALRM);
        file_cover("/proc/cmdline", NULL);
        unsetenv(SETTING_UNUSED);
}

/* Opens the device, hands it to another process after a while, and goes on; that one ends. */
static pid_t start_handing_on(int report) {
        pid_t pid = fork();
        int fd, status;

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        fd = open("/dev/full", O_RDONLY | O_CLOEXEC);
        (void)poll(NULL, 0, 1500);
        pid = fork();
        if (pid == 0) {
                (void)poll(NULL, 0, 4000);
                _exit(0);
        }
        (void)close(fd);
        if (write(report, &pid, sizeof(pid)) != sizeof(pid))
                _exit(EXIT_FAILURE);
        (void)waitpid(pid, &status, 0);
        for (;;)
                (void)pause();
}

static void test_watch_handed_on(void) {
        _cleanup_free_ char *node = NULL, *first = NULL, *second = NULL;
        int ends[2], status;
        pid_t opener, user;

        assert_int(pipe2(ends, O_CLOEXEC), 0);
        machine("vfio-pci");
        node = mock_path(SYSFS_PCI_DEVICES "/" GPU "/vfio-dev/vfio0/dev");
        file_write(node, "1:7\n");
        file_cover("/proc/cmdline", "systemd.unit=graphical.target\n");
        setenv(SETTING_UNUSED, "1", 1);
        opener = start_handing_on(ends[1]);
        assert_int(run("guest-watch", "--target"), 0);
        assert_int(read(ends[0], &user, sizeof(user)), sizeof(user));
        first = format("is with test-helpers, PID %d.", opener);
        second = format("is with test-helpers, PID %d.", user);
        assert_said(first);
        assert_said(second);
        assert_said("No guest has used");

        assert_int(kill(opener, SIGKILL), 0);
        assert_int(waitpid(opener, &status, 0), opener);
        (void)close(ends[0]);
        (void)close(ends[1]);
        unsetenv(SETTING_UNUSED);
        file_cover("/proc/cmdline", NULL);
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
        assert_event(MESSAGE_SESSION_STAYS, "session 2", NULL);
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
        assert_event(MESSAGE_DESKTOP_BACK, "graphical.target", NULL);

        /* also while the machine boots, and where systemd does not say */
        assert_returns(
                &(FakeManager){.system_state = "starting", .default_target = "graphical.target"}, 0,
                RESET "StartUnit graphical.target replace\n");
        assert_returns(&(FakeManager){}, 0, RESET "StartUnit graphical.target replace\n");
}

static void test_desktop_by_command_line(void) {
        static const FakeManager m = {
                .system_state = "running", .default_target = "graphical.target"};
        static const FakeManager text = {
                .system_state = "running", .default_target = "multi-user.target"};

        mock_clear();
        file_cover("/proc/cmdline",
                "quiet systemd.unit=graphical.target systemd.unit=multi-user.target\n");
        assert_returns(&m, 0, "");
        assert_said("No desktop was running");
        file_cover("/proc/cmdline", "systemd.unit=" UNIT_TARGET "\n");
        assert_returns(&m, 0, RESET "StartUnit graphical.target replace\n");
        assert_returns(&text, 0, "");
        file_cover("/proc/cmdline", "systemd.unit=graphical.target\n");
        assert_returns(&text, 0, RESET "StartUnit graphical.target replace\n");

        /* the old words, of which the last one counts as well */
        for (const char *const *word = (const char *const[]){"-b", "single", "S", "1", "2", "3",
                     "4", "rescue", "emergency", "-s", "s", NULL};
                *word; word++) {
                _cleanup_free_ char *line =
                        format("systemd.unit=graphical.target %s quiet\n", *word);

                file_cover("/proc/cmdline", line);
                assert_returns(&m, 0, "");
        }
        file_cover("/proc/cmdline", "3 5\n");
        assert_returns(&text, 0, RESET "StartUnit graphical.target replace\n");
        file_cover(
                "/proc/cmdline", "root=5 33 systemd.show_status=3 rd.systemd.unit=rescue.target\n");
        assert_returns(&m, 0, RESET "StartUnit graphical.target replace\n");
        file_cover("/proc/cmdline", NULL);
}

static void test_desktop_without_manager(void) {
        mock_clear();
        assert_returns(&(FakeManager){.system_state = "running",
                               .default_target = "graphical.target",
                               .load_state = "not-found"},
                0, RESET "StartUnit graphical.target replace\n");
        assert_event(MESSAGE_DESKTOP_STAYS_AWAY, "There is no display manager", NULL);
}

static void test_desktop_by_record(void) {
        static const FakeManager m = {
                .system_state = "degraded", .default_target = "multi-user.target"};

        mock_clear();
        assert_returns(&m, 0, "");
        assert_said("No desktop was running");
        assert_event(MESSAGE_DESKTOP_STAYS_AWAY, "No desktop was running", NULL);

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
        assert_event(MESSAGE_DESKTOP_STAYS_AWAY, "gpu-guest-desktop.service", NULL);
        assert_record(RECORD(RECORD_DESKTOP), "display-manager.service\n");

        /* our own start, which has failed */
        assert_returns(&(FakeManager){.system_state = "running",
                               .default_target = "graphical.target",
                               .job_type = "start",
                               .job_state = "running"},
                0, RESET "StartUnit graphical.target replace\n");
}

/* What logind once wrote down does not count. */
static void test_desktop_without_screen(void) {
        FakeManager m = {.default_target = "graphical.target", .screen = "no"};

        mock_clear();
        file_write("/run/systemd/seats/" SEAT_NAME, "IS_SEAT0=1\nCAN_GRAPHICAL=1\n");
        file_write(RECORD(RECORD_DESKTOP), "display-manager.service\n");
        assert_returns(&m, 1, "");
        assert_said("The desktop is not started, because there is no screen");
        assert_event(MESSAGE_NO_SCREEN, "there is no screen", NULL);
        assert_record(RECORD(RECORD_DESKTOP), "display-manager.service\n");

        m.screen = "later";
        assert_returns(&m, 0, RESET "StartUnit graphical.target replace\n");

        /* the next guest may have come meanwhile: neither the desktop nor who was stopped */
        m.later_job_type = "start";
        m.job_state = "waiting";
        file_write(RECORD(RECORD_DESKTOP), "display-manager.service\n");
        file_write(RECORD(RECORD_HOLDERS), "service media.service\n");
        assert_returns(&m, 0, "");
        assert_event(MESSAGE_DESKTOP_STAYS_AWAY, "gpu-guest-desktop.service", NULL);
        assert_record(RECORD(RECORD_DESKTOP), "display-manager.service\n");
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
        assert_event(MESSAGE_DESKTOP_FAILS, "graphical.target", NULL);
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
                "NOTIFY_SOCKET", "SERVICE_RESULT", "GPU_GUEST_DEBUG", JOURNAL_DOMAIN};

        assert_true(argc > 2);
        catalog = file_read(argv[1]);
        assert_true(catalog);
        helpers = argv + 2;
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
        test_check_no_way_back();
        test_check_parts();
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
        test_vtcon_restore_later();
        test_vtcon_restore_gone();
        test_vtcon_restore_without_monitor();
        test_holders_nothing();
        test_holders_setting();
        test_holders_restore();
        test_watch();
        test_watch_handed_on();
        test_shutdown();
        test_seat_nothing();
        test_seat_refused();
        test_desktop_by_default();
        test_desktop_by_command_line();
        test_desktop_without_manager();
        test_desktop_by_record();
        test_desktop_stays_away();
        test_desktop_without_screen();
        test_desktop_fails();
        test_desktop_resumes();
        test_desktop_remember();
        mock_leave();
        return 0;
}
