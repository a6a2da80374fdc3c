/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes the framebuffer console off the text consoles, so that the kernel itself does not draw on
 * the GPU and hold its driver's module, and puts it back (--restore).
 *
 * A dummy console takes over meanwhile; the logins on the text consoles go on. A machine without a
 * framebuffer console (no VT support, takeover still deferred) has nothing to take off.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/drm.h"
#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/options.h"
#include "common/record.h"
#include "common/vtcon.h"

#define LOCK_TIMEOUT_MS 10000
#define FRAMEBUFFER_TIMEOUT_MS 3000
#define PAUSE_MS 100

static bool arg_restore = false;

static const char help[] =
        "vtcon-unbind [OPTIONS]\n\n"
        "Take the framebuffer console off the text consoles.\n\n"
        "  -h --help       Show this help\n"
        "     --version    Show the version\n"
        "     --restore    The inverse: let the framebuffer console draw again\n\n"
        "What is needed to undo it is kept in /run/gpu-guest/vtcon.\n\n"
        "Exit status: 0 done or nothing to do, 1 failed, 2 usage.\n";

static int unbind(void) {
        Vtcon fb;
        char record[sizeof(fb.name) + 1];
        int r;

        r = vtcon_find(VTCON_NAME_FRAMEBUFFER, &fb);
        if (r == -ENOENT) {
                log_info("There is no framebuffer console.");
                return 0;
        }
        if (r < 0)
                return log_error_errno(r, "Cannot look for the framebuffer console: %m");
        if (!fb.bound) {
                log_info("The framebuffer console (%s) draws no text console.", fb.name);
                return 0;
        }

        snprintf(record, sizeof(record), "%s\n", fb.name);
        r = record_write(RECORD_VTCON, record);
        if (r < 0)
                return log_error_errno(r, "Cannot write " RUNTIME_DIR "/" RECORD_VTCON
                                          ", so the console is left alone: %m");
        r = vtcon_unbind(&fb);
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_CONSOLE_STAYS), r,
                        "Cannot take the framebuffer console (%s) off the text consoles: %m",
                        fb.name);

        log_progress("The framebuffer console (%s) is off the text consoles.", fb.name);
        return 0;
}

/* i915 makes its framebuffer when it has the card already, until Linux 6.8 on its own time
 * (intel_fbdev_initial_config_async() in drivers/gpu/drm/i915/display/intel_fbdev.c). */
static int wait_framebuffer(Vtcon *ret) {
        uint64_t deadline = clock_deadline(FRAMEBUFFER_TIMEOUT_MS);
        int r;

        while ((r = vtcon_find(VTCON_NAME_FRAMEBUFFER, ret)) == -ENOENT &&
                clock_remaining(deadline) > 0)
                (void)poll(NULL, 0, PAUSE_MS);
        return r;
}

/* Lets the framebuffer console draw. It takes over by itself when a driver brings a framebuffer.
 * When it was there all the time it has to be told, or else the dummy: which of them depends on how
 * the machine booted (common/vtcon.c). Returns 1, 0 if the driver waits for a monitor before it
 * brings one (drm_fb_helper_single_fb_probe() in drivers/gpu/drm/drm_fb_helper.c), or a negative
 * errno. */
static int bind(void) {
        Vtcon fb, dummy;
        int r;

        r = wait_framebuffer(&fb);
        if (r == -ENOENT && drm_has_monitor() == 0)
                return 0;
        if (r == -ENOENT)
                return log_error_event(EVENT(MESSAGE_CONSOLE_NOT_BACK), r,
                        "There is no framebuffer console: text consoles have no screen.");
        if (r < 0)
                return log_error_errno(r, "Cannot look for the framebuffer console: %m");
        if (fb.bound || vtcon_bind(&fb) >= 0)
                return 1;

        r = vtcon_find(VTCON_NAME_DUMMY, &dummy);
        if (r >= 0)
                r = vtcon_unbind(&dummy);
        if (r >= 0)
                r = vtcon_find(VTCON_NAME_FRAMEBUFFER, &fb);
        if (r >= 0 && !fb.bound)
                r = -EIO;
        if (r < 0)
                return log_error_event(EVENT(MESSAGE_CONSOLE_NOT_BACK), r,
                        "Cannot give the text consoles back to %s: %m", fb.name);
        return 1;
}

static int restore(void) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = record_read(RECORD_VTCON, &lines);

        /* what the record says matters less than that there is one: the number may have changed */
        if (r == -ENOENT)
                return 0;
        r = bind();
        if (r < 0)
                return r;
        if (r == 0)
                log_progress("No monitor is connected: the text consoles are drawn once one is.");
        else
                log_progress("The framebuffer console draws the text consoles again.");
        r = record_remove(RECORD_VTCON);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot remove " RUNTIME_DIR "/" RECORD_VTCON ", ignoring: %m");
        return 0;
}

static int run(void) {
        _cleanup_close_ int lock = record_lock(LOCK_TIMEOUT_MS);

        if (lock < 0)
                log_warning_errno(lock, "Cannot lock " RUNTIME_DIR ", going on without: %m");
        return arg_restore ? restore() : unbind();
}

int main(int argc, char *argv[]) {
        int r = options_parse(argc, argv, help, (const Option[]){{"restore", &arg_restore}, {}});

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
