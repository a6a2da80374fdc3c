/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads and unloads kernel modules. Never with force: a module that is in use stays.
 */

#include <errno.h>
#include <libkmod.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "module.h"

#define UNLOAD_TRIES 5
#define UNLOAD_FIRST_PAUSE_MS 20 /* doubled each time: 20 + 40 + 80 + 160 + 320 */

DEFINE_POINTER_CLEANUP(struct kmod_ctx *, kmod_unref);
DEFINE_POINTER_CLEANUP(struct kmod_module *, kmod_module_unref);
DEFINE_POINTER_CLEANUP(struct kmod_config_iter *, kmod_config_iter_free_iter);
DEFINE_POINTER_CLEANUP(struct kmod_list *, kmod_module_unref_list);

/* libkmod would write what it meets to standard error, each refusal of an unload included; here
 * it is returned. */
static void __attribute__((format(printf, 6, 0))) ignore_message(void *userdata, int priority,
        const char *file, int line, const char *function, const char *format, va_list ap) {
}

static struct kmod_ctx *new_context(void) {
        struct kmod_ctx *ctx = kmod_new(NULL, NULL);

        if (ctx)
                kmod_set_log_fn(ctx, ignore_message, NULL);
        return ctx;
}

static int lookup(const char *name, struct kmod_ctx **ret_ctx, struct kmod_list **ret_list) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *ctx = new_context();
        int r;

        if (!ctx)
                return -ENOMEM;
        r = kmod_module_new_from_lookup(ctx, name, ret_list);
        if (r < 0)
                return r;
        if (!*ret_list)
                return -ENOENT;

        *ret_ctx = ctx;
        ctx = NULL;
        return 0;
}

int module_load(const char *name) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
        struct kmod_list *entry;
        int r;

        r = lookup(name, &ctx, &list);
        if (r < 0)
                return r;

        kmod_list_foreach(entry, list) {
                _cleanup_(kmod_module_unrefp) struct kmod_module *m = kmod_module_get_module(entry);

                r = kmod_module_probe_insert_module(
                        m, KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY, NULL, NULL, NULL, NULL);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

int module_exists(const char *name) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
        int r = lookup(name, &ctx, &list);

        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : 1;
}

/* The kernel and modprobe take "-" and "_" for the same; libkmod has "_" in names that it knows,
 * and whatever was written in a configuration. */
static bool is_same_name(const char *a, const char *b) {
        for (; *a && *b; a++, b++)
                if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
                        return false;
        return *a == *b;
}

int module_find_install(const char *name, char **ret_command) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *ctx = new_context();
        _cleanup_(kmod_config_iter_free_iterp) struct kmod_config_iter *iter = NULL;

        if (!ctx)
                return -ENOMEM;
        iter = kmod_config_get_install_commands(ctx);
        while (iter && kmod_config_iter_next(iter)) {
                const char *command = kmod_config_iter_get_value(iter);

                if (!is_same_name(kmod_config_iter_get_key(iter), name))
                        continue;
                *ret_command = strdup(command ?: "");
                return *ret_command ? 1 : -ENOMEM;
        }
        return 0;
}

/* Says who holds the module: other modules by name, else the count. */
static char *describe_users(struct kmod_module *m) {
        _cleanup_(kmod_module_unref_listp) struct kmod_list *holders = kmod_module_get_holders(m);
        struct kmod_list *entry;
        char *users = NULL;

        kmod_list_foreach(entry, holders) {
                _cleanup_(kmod_module_unrefp) struct kmod_module *h = kmod_module_get_module(entry);
                _cleanup_free_ char *before = users;

                if (asprintf(&users, "%s%s%s", before ?: "", before ? ", " : "",
                            kmod_module_get_name(h)) < 0)
                        return NULL;
        }
        if (!users && asprintf(&users, "%d references", kmod_module_get_refcnt(m)) < 0)
                return NULL;
        return users;
}

static int remove_patiently(struct kmod_module *m) {
        int r, pause = UNLOAD_FIRST_PAUSE_MS;

        for (int try = 0;; try++, pause *= 2) {
                r = kmod_module_remove_module(m, KMOD_REMOVE_NOWAIT);
                if ((r != -EAGAIN && r != -EBUSY) || try >= UNLOAD_TRIES)
                        return r == -EAGAIN ? -EBUSY : r;
                (void)poll(NULL, 0, pause);
        }
}

int module_unload(const char *name, char **ret_users) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *ctx = new_context();
        _cleanup_(kmod_module_unrefp) struct kmod_module *m = NULL;
        int r, state;

        if (!ctx)
                return -ENOMEM;
        r = kmod_module_new_from_name(ctx, name, &m);
        if (r < 0)
                return r;

        state = kmod_module_get_initstate(m);
        if (state == -ENOENT)
                return 0;
        if (state < 0)
                return state;
        if (state == KMOD_MODULE_BUILTIN)
                return -EPERM;

        r = remove_patiently(m);
        if (r == -EBUSY)
                *ret_users = describe_users(m);
        return r == -ENOENT ? 0 : r;
}
