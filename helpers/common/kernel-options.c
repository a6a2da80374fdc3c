/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel-options.h"
#include "sysfs.h"
#include "text.h"

#define OPTION_MODULE_BLACKLIST "module_blacklist="
#define OPTION_UNIT "systemd.unit="

/* What a word says, or NULL if it is not of the kind that is looked for. */
typedef const char *(*WordReader)(const char *word, const char *argument);

/* Gives what the last word of that kind says: 1, 0 if there is none, or a negative errno. */
static int read_last(WordReader reader, const char *argument, char **ret) {
        _cleanup_free_ char *options = NULL;
        int r = sysfs_read(AT_FDCWD, "/proc/cmdline", &options);
        const char *said = NULL;
        char *rest = options, *word;

        if (r < 0)
                return r;
        while ((word = strsep(&rest, " ")))
                said = reader(word, argument) ?: said;
        if (!said)
                return 0;
        *ret = strdup(said);
        return *ret ? 1 : -ENOMEM;
}

static const char *word_if_equal(const char *word, const char *option) {
        return strcmp(word, option) == 0 ? word : NULL;
}

static const char *word_if_begins_with(const char *word, const char *prefix) {
        return text_begins_with(word, prefix) ? word : NULL;
}

static const char *word_to_target(const char *word, const char *unused) {
        static const struct {
                const char *word, *target;
        } words[] = {
                {"emergency", "emergency.target"},
                {"-b", "emergency.target"},
                {"rescue", "rescue.target"},
                {"single", "rescue.target"},
                {"-s", "rescue.target"},
                {"s", "rescue.target"},
                {"S", "rescue.target"},
                {"1", "rescue.target"},
                {"2", "multi-user.target"},
                {"3", "multi-user.target"},
                {"4", "multi-user.target"},
                {"5", "graphical.target"},
        };

        (void)unused;
        if (text_begins_with(word, OPTION_UNIT))
                return word + strlen(OPTION_UNIT);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(word, words[i].word) == 0)
                        return words[i].target;
        return NULL;
}

int kernel_get_target(char **ret) {
        return read_last(word_to_target, NULL, ret);
}

int kernel_has_option(const char *option) {
        _cleanup_free_ char *word = NULL;

        return read_last(word_if_equal, option, &word);
}

/* As blacklisted() in kernel/module/main.c: whole names, between commas. */
static bool has_name(const char *list, const char *name) {
        size_t length;

        for (; *list; list += length + (list[length] == ',')) {
                length = strcspn(list, ",");
                if (length == strlen(name) && strncmp(list, name, length) == 0)
                        return true;
        }
        return false;
}

int kernel_forbids_module(const char *name, char **ret_option) {
        _cleanup_free_ char *option = NULL;
        int r = read_last(word_if_begins_with, OPTION_MODULE_BLACKLIST, &option);

        if (r <= 0 || !has_name(option + strlen(OPTION_MODULE_BLACKLIST), name))
                return r < 0 ? r : 0;
        *ret_option = option;
        option = NULL;
        return 1;
}
