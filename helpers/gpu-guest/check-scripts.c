/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who comes from a script of their own may have it still: libvirt runs hooks/qemu and what is in
 * hooks/qemu.d, and a hook of the first name that many guides have runs what is in
 * hooks/qemu.d/DOMAIN/OPERATION/SUB-OPERATION. What a script does nobody can tell from its text,
 * but one that takes the graphics card away has to name some of these things.
 */

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/text.h"

#define SCRIPT_MAX 65536

/* Gives the first such word in a script; NULL if there is none, or if nobody would run the file. */
static const char *find_word(const char *path) {
        static const char *const words[] = {"vtcon", "i915", "nodedev-detach", "driver_override",
                "efi-framebuffer", "display-manager", "vfio"};
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_free_ char *text = NULL;
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
                return NULL;
        text = malloc(SCRIPT_MAX);
        n = text ? read(fd, text, SCRIPT_MAX) : -1;
        for (size_t i = 0; n > 0 && i < sizeof(words) / sizeof(*words); i++)
                if (memmem(text, (size_t)n, words[i], strlen(words[i])))
                        return words[i];
        return NULL;
}

static void check_script(Check *c, const char *path) {
        _cleanup_free_ char *name = NULL;
        const char *word;

        /* ours, and versions of it that a package manager has left, which do nothing */
        if (strncmp(path, LIBVIRT_HOOK_PATH, strlen(LIBVIRT_HOOK_PATH)) == 0)
                return;
        word = find_word(path);
        if (!word)
                return;
        name = text_quote(path);
        if (!name) {
                c->out_of_memory = true;
                return;
        }
        check_add(c, "script", "Other script", ANSWER_UNKNOWN,
                "%s may hand the graphics card over as well (it has \"%s\" in it), and get in the way.",
                name, word);
        check_advise(c, "If it does, keep libvirt from running it: chmod -x %s", name);
}

void check_scripts(Check *c) {
        glob_t found = {};

        (void)glob(LIBVIRT_HOOKS_DIR "/qemu", 0, NULL, &found);
        (void)glob(LIBVIRT_HOOKS_DIR "/qemu.d/*", GLOB_APPEND, NULL, &found);
        (void)glob(LIBVIRT_HOOKS_DIR "/qemu.d/*/*/*/*", GLOB_APPEND, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++)
                check_script(c, found.gl_pathv[i]);
        globfree(&found);
}
