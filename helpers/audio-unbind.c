/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unbinds the audio controllers whose driver depends on the GPU, before the GPU's own driver goes,
 * and binds them again (--restore) once it is back.
 *
 * The order is that of Intel's own tests: the kernel may warn when i915 goes while snd_hda_intel or
 * SOF is still bound to it as a component (IGT, tests/core_hotunplug.c). The kernel would wait in
 * the unbinding for whoever has the card open, and nothing could wake it: holders-clear comes
 * first, and a card that is in use is left alone. The audio driver's module stays loaded; without a
 * device it holds nothing. It must not probe while the GPU is away: it would ask for i915 again
 * (sound/hda/hdac_i915.c).
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/holders.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/module.h"
#include "common/names.h"
#include "common/options.h"
#include "common/pci.h"
#include "common/record.h"

#define LOCK_TIMEOUT_MS 10000
#define LET_GO_TIMEOUT_MS 3000

static bool arg_restore = false;

static const char help[] =
        "audio-unbind [OPTIONS]\n\n"
        "Unbind the audio controllers that depend on the Intel GPU from their driver.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --restore    The inverse: bind again what was unbound\n\n"
        "They are the PCI devices that udev's rules give the role GPU_GUEST_ROLE=audio and that the\n"
        "kernel shows as consumers of the GPU. What is needed to undo it is kept in\n"
        "/run/gpu-guest/audio.\n\n"
        "Exit status: 0 done or nothing to do, 1 failed, 2 usage.\n";

/* Appends a line to the text of the record. */
static int append(char **text, const Binding *b) {
        _cleanup_free_ char *line = binding_format(b), *before = *text;

        if (!line || asprintf(text, "%s%s", before ?: "", line) < 0) {
                *text = NULL;
                return log_oom();
        }
        return 0;
}

/* Starts from an earlier record: what a hand-over that was cut short has unbound is still to be
 * bound again. *ret has its lines without those of the controllers given. */
static int recall(char *const *controllers, char **ret) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = record_read(RECORD_AUDIO, &lines);

        for (char **line = lines; r >= 0 && *line; line++) {
                _cleanup_(binding_done) Binding b = {};
                bool again = false;

                if (binding_parse(*line, &b) < 0)
                        continue;
                for (char *const *c = controllers; *c; c++)
                        again = again || strcmp(*c, b.address) == 0;
                if (!again && append(ret, &b) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Writes down all the controllers' drivers before the first one is touched. */
static int remember(char *const *controllers) {
        _cleanup_free_ char *text = NULL;
        int r = recall(controllers, &text);

        for (char *const *c = controllers; r >= 0 && *c; c++) {
                _cleanup_(binding_done) Binding now = {};
                _cleanup_close_ int fd = pci_open(*c);

                r = fd < 0 ? fd : pci_get_binding(fd, *c, &now);
                if (r < 0)
                        return log_error_errno(
                                r, "Cannot read the driver of audio controller %s: %m", *c);
                r = append(&text, &now);
        }
        if (r < 0)
                return r;

        r = record_write(RECORD_AUDIO, text);
        if (r < 0)
                return log_error_errno(r, "Cannot write " RUNTIME_DIR "/" RECORD_AUDIO
                                          ", so the audio driver is left alone: %m");
        return 0;
}

/* Who has the controller's sound card open? "" if nobody has; NULL when memory is out. */
static char *describe_users(struct udev *udev, const char *controller, int timeout_ms) {
        _cleanup_(holders_done) Holders holders = {};
        _cleanup_(nodes_done) Nodes nodes = {};

        if (nodes_add_pci(&nodes, udev, controller, SUBSYSTEM_SOUND) >= 0)
                (void)holders_wait_none(&nodes, timeout_ms, &holders);
        return holders_describe(&holders);
}

static int unbind(struct udev *udev, const char *controller) {
        _cleanup_free_ char *users = describe_users(udev, controller, LET_GO_TIMEOUT_MS),
                            *late = NULL;
        _cleanup_close_ int fd = pci_open(controller);
        int r = fd;

        if (!users)
                return log_oom();
        if (*users)
                return log_error_event(EVENT(MESSAGE_AUDIO_IN_USE), EBUSY,
                        "Audio controller %s is in use and is left alone: %s.", controller, users);

        log_progress("Taking audio controller %s from its driver.", controller);
        if (r >= 0)
                r = pci_unbind(fd, controller);
        if (r == -ETIMEDOUT)
                late = describe_users(udev, controller, 0);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_AUDIO_STAYS), r,
                        "Cannot take audio controller %s from its driver: %m%s%s", controller,
                        late && *late ? ", because of " : "", late ?: "");
        return 0;
}

static int unbind_all(void) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_strv_free_ char **controllers = NULL;
        _cleanup_free_ char *gpu = NULL;
        int r;

        if (!udev)
                return log_oom();
        r = gpu_find(udev, &gpu);
        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card: %m");
        log_set_device(gpu);
        r = gpu_find_audio(udev, gpu, &controllers);
        if (r < 0)
                return log_error_errno(r, "Cannot find the graphics card's audio controllers: %m");
        if (r == 0) {
                log_info("No audio controller depends on the graphics card.");
                return 0;
        }

        r = remember(controllers);
        for (char **c = controllers; r >= 0 && *c; c++)
                r = unbind(udev, *c);
        return r;
}

static int bind(const char *line) {
        _cleanup_(binding_done) Binding was = {};
        _cleanup_close_ int fd = -1;
        int r;

        r = binding_parse(line, &was);
        if (r < 0)
                return log_error_errno(
                        r, "Cannot read \"%s\" in " RUNTIME_DIR "/" RECORD_AUDIO ".", line);
        if (!was.driver)
                return 0;

        log_progress("Giving audio controller %s back to %s.", was.address, was.driver);
        fd = pci_open(was.address);
        r = fd;
        if (r >= 0 && was.module)
                r = module_load(was.module);
        if (r >= 0)
                r = pci_bind(fd, was.address, was.driver);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_AUDIO_NOT_BACK, .driver = was.driver), r,
                        "Cannot give audio controller %s back to %s: %m", was.address, was.driver);
        return 0;
}

/* Binds as many as can be bound; the first error is the one that counts. */
static int bind_all(void) {
        _cleanup_strv_free_ char **lines = NULL;
        int r, ret = 0;

        r = record_read(RECORD_AUDIO, &lines);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Cannot read " RUNTIME_DIR "/" RECORD_AUDIO ": %m");

        for (char **line = lines; *line; line++) {
                r = bind(*line);
                if (r < 0 && ret >= 0)
                        ret = r;
        }
        if (ret < 0)
                return ret;

        r = record_remove(RECORD_AUDIO);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot remove " RUNTIME_DIR "/" RECORD_AUDIO ", ignoring: %m");
        return 0;
}

static int run(void) {
        _cleanup_close_ int lock = record_lock(LOCK_TIMEOUT_MS);

        if (lock >= 0)
                return arg_restore ? bind_all() : unbind_all();
        if (!arg_restore)
                return log_error_errno(lock, "Cannot lock " RUNTIME_DIR ": %m");
        log_warning_errno(lock, "Cannot lock " RUNTIME_DIR ", going on without: %m");
        return bind_all();
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, (const Option[]){{"restore", &arg_restore}, {}});

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
