/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads and unloads kernel modules. Never with force: a module that is in use stays.
 *
 * What the kernel says by itself, in /sys/module, is not asked of libkmod, which is opened only to
 * look for a module on disk: with libcrypto behind it, it takes as much memory as all the rest of a
 * helper, and in a hand-over the modules are there already.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cleanup.h"
#include "kernel-options.h"
#include "module.h"
#include "names.h"
#include "process.h"
#include "sysfs.h"

#define UNLOAD_TRIES 5
#define UNLOAD_FIRST_PAUSE_MS 20 /* doubled each time: 20 + 40 + 80 + 160 + 320 */
#define UNLOAD_TIMEOUT_MS 20000  /* the module's exit function runs in it, and may hang */

/* what we need of libkmod.so.2 */
#define KMOD_FUNCTIONS(F)                   \
        F(kmod_new)                         \
        F(kmod_unref)                       \
        F(kmod_set_log_fn)                  \
        F(kmod_config_get_install_commands) \
        F(kmod_config_iter_next)            \
        F(kmod_config_iter_get_key)         \
        F(kmod_config_iter_get_value)       \
        F(kmod_config_iter_free_iter)       \
        F(kmod_list_next)                   \
        F(kmod_module_new_from_lookup)      \
        F(kmod_module_new_from_name)        \
        F(kmod_module_get_initstate)        \
        F(kmod_module_get_module)           \
        F(kmod_module_get_name)             \
        F(kmod_module_probe_insert_module)  \
        F(kmod_module_unref)                \
        F(kmod_module_unref_list)

#define DECLARE(function) static __typeof__(function) *sym_##function;
KMOD_FUNCTIONS(DECLARE)

DEFINE_POINTER_CLEANUP(struct kmod_ctx *, sym_kmod_unref);
DEFINE_POINTER_CLEANUP(struct kmod_module *, sym_kmod_module_unref);
DEFINE_POINTER_CLEANUP(struct kmod_config_iter *, sym_kmod_config_iter_free_iter);
DEFINE_POINTER_CLEANUP(struct kmod_list *, sym_kmod_module_unref_list);

/* of libc, which declares it nowhere */
int delete_module(const char *name, unsigned flags);

#define FIND(function) {#function, (void **)&sym_##function},

static int open_libkmod(void) {
        static const struct {
                const char *name;
                void **function;
        } functions[] = {KMOD_FUNCTIONS(FIND)};
        static void *library = NULL;

        if (library)
                return 0;
        library = dlopen("libkmod.so.2", RTLD_NOW | RTLD_NODELETE);
        for (size_t i = 0; library && i < sizeof(functions) / sizeof(functions[0]); i++) {
                *functions[i].function = dlsym(library, functions[i].name);
                if (!*functions[i].function)
                        library = NULL;
        }
        return library ? 0 : -ELIBACC;
}

/* The name as the kernel has it, which calls modules by "_" alone; the caller's to free. */
static char *kernel_name(const char *name) {
        char *copy = strdup(name);

        for (char *c = copy; c && *c; c++)
                if (*c == '-')
                        *c = '_';
        return copy;
}

/* Reads what the kernel says of a module that is loaded. Returns 0 or a negative errno. */
static int read_attribute(const char *module, const char *attribute, char **ret) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, SYSFS_MODULE "/%s/%s", module, attribute) < 0)
                return -ENOMEM;
        return sysfs_read(AT_FDCWD, path, ret);
}

/* Not what is built in, of which the kernel keeps no state, and no alias. */
static bool is_live(const char *name) {
        _cleanup_free_ char *module = kernel_name(name), *state = NULL;

        return module && !strchr(module, '/') && read_attribute(module, "initstate", &state) >= 0 &&
               strcmp(state, "live") == 0;
}

/* libkmod would write what it meets to standard error, each refusal of an unload included; here
 * it is returned. */
static void __attribute__((format(printf, 6, 0))) ignore_message(void *userdata, int priority,
        const char *file, int line, const char *function, const char *format, va_list ap) {
}

static int new_context(struct kmod_ctx **ret) {
        struct kmod_ctx *ctx;
        int r = open_libkmod();

        if (r < 0)
                return r;
        ctx = sym_kmod_new(NULL, NULL);
        if (!ctx)
                return -ENOMEM;
        sym_kmod_set_log_fn(ctx, ignore_message, NULL);
        *ret = ctx;
        return 0;
}

static int lookup(const char *name, struct kmod_ctx **ret_ctx, struct kmod_list **ret_list) {
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        int r = new_context(&ctx);

        if (r < 0)
                return r;
        r = sym_kmod_module_new_from_lookup(ctx, name, ret_list);
        if (r < 0)
                return r;
        if (!*ret_list)
                return -ENOENT;

        *ret_ctx = ctx;
        ctx = NULL;
        return 0;
}

static int load(const char *name, unsigned flags) {
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(sym_kmod_module_unref_listp) struct kmod_list *list = NULL;
        struct kmod_list *entry;
        int r;

        if (is_live(name))
                return 0;
        r = lookup(name, &ctx, &list);
        if (r < 0)
                return r;

        for (entry = list; entry; entry = sym_kmod_list_next(list, entry)) {
                _cleanup_(sym_kmod_module_unrefp) struct kmod_module *m =
                        sym_kmod_module_get_module(entry);

                r = sym_kmod_module_probe_insert_module(m, flags, NULL, NULL, NULL, NULL);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

int module_load(const char *name) {
        return load(name, KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY);
}

int module_load_blacklisted(const char *name) {
        return load(name, 0);
}

int module_exists(const char *name) {
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(sym_kmod_module_unref_listp) struct kmod_list *list = NULL;
        int r;

        if (is_live(name))
                return 1;
        r = lookup(name, &ctx, &list);
        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : 1;
}

int module_find_forbidden(const char *name, char **ret_option) {
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(sym_kmod_module_unref_listp) struct kmod_list *list = NULL;
        struct kmod_list *entry;
        int r = lookup(name, &ctx, &list);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (entry = list; entry; entry = sym_kmod_list_next(list, entry)) {
                _cleanup_(sym_kmod_module_unrefp) struct kmod_module *m =
                        sym_kmod_module_get_module(entry);

                r = kernel_forbids_module(sym_kmod_module_get_name(m), ret_option);
                if (r != 0)
                        return r;
        }
        return 0;
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
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(sym_kmod_config_iter_free_iterp) struct kmod_config_iter *iter = NULL;
        int r = new_context(&ctx);

        if (r < 0)
                return r;
        iter = sym_kmod_config_get_install_commands(ctx);
        while (iter && sym_kmod_config_iter_next(iter)) {
                const char *command = sym_kmod_config_iter_get_value(iter);

                if (!is_same_name(sym_kmod_config_iter_get_key(iter), name))
                        continue;
                *ret_command = strdup(command ?: "");
                return *ret_command ? 1 : -ENOMEM;
        }
        return 0;
}

static int append(char **list, const char *name) {
        _cleanup_free_ char *before = *list;

        if (asprintf(list, "%s%s%s", before ?: "", before ? ", " : "", name) >= 0)
                return 0;
        *list = NULL;
        return -ENOMEM;
}

/* Says who holds the module: other modules by name, else the count. */
static char *describe_users(const char *module) {
        _cleanup_free_ char *path = NULL, *count = NULL;
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *de;
        char *users = NULL;

        if (asprintf(&path, SYSFS_MODULE "/%s/holders", module) < 0)
                return NULL;
        dir = opendir(path);
        while (dir && (de = readdir(dir)))
                if (de->d_name[0] != '.' && append(&users, de->d_name) < 0)
                        return NULL;

        if (!users && (read_attribute(module, "refcnt", &count) < 0 ||
                              asprintf(&users, "%s references", count) < 0))
                return NULL;
        return users;
}

/* A driver's directory has a link for each of its devices, and one to the module. Returns 1 with
 * the device's name if there is any, 0, or a negative errno. */
static int find_device(int driver, char **ret) {
        _cleanup_(closedirp) DIR *dir = fdopendir(driver);
        struct dirent *de;

        if (!dir) {
                int r = -errno;

                (void)close(driver);
                return r;
        }
        while ((de = readdir(dir)))
                if (de->d_type == DT_LNK && strcmp(de->d_name, "module") != 0) {
                        *ret = strdup(de->d_name);
                        return *ret ? 1 : -ENOMEM;
                }
        return 0;
}

/* The kernel would take a driver's devices from it together with the module: nobody counts these.
 */
static int find_any_device(const char *module, char **ret) {
        _cleanup_(closedirp) DIR *drivers = NULL;
        _cleanup_free_ char *path = NULL;
        struct dirent *de;
        int r = 0;

        if (asprintf(&path, SYSFS_MODULE "/%s/drivers", module) < 0)
                return -ENOMEM;
        drivers = opendir(path);
        if (!drivers)
                return errno == ENOENT ? 0 : -errno;
        while (r == 0 && (de = readdir(drivers))) {
                int driver;

                if (de->d_name[0] == '.')
                        continue;
                driver = openat(dirfd(drivers), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = driver < 0 ? -errno : find_device(driver, ret);
        }
        return r;
}

static int remove_patiently(void *data) {
        const char *module = data;
        int r, pause = UNLOAD_FIRST_PAUSE_MS;

        for (int try = 0;; try++, pause *= 2) {
                r = delete_module(module, O_NONBLOCK) < 0 ? -errno : 0;
                if ((r != -EAGAIN && r != -EBUSY) || try >= UNLOAD_TRIES)
                        return r == -EAGAIN ? -EBUSY : r;
                (void)poll(NULL, 0, pause);
        }
}

/* Is it one that can be unloaded? Returns 1, 0 if it is not there, -EPERM if it is built in, or
 * another negative errno. libkmod knows what is built in. */
static int is_removable(const char *name) {
        _cleanup_(sym_kmod_unrefp) struct kmod_ctx *ctx = NULL;
        _cleanup_(sym_kmod_module_unrefp) struct kmod_module *m = NULL;
        int r, state;

        if (is_live(name))
                return 1;
        r = new_context(&ctx);
        if (r < 0)
                return r;
        r = sym_kmod_module_new_from_name(ctx, name, &m);
        if (r < 0)
                return r;
        state = sym_kmod_module_get_initstate(m);
        if (state == -ENOENT)
                return 0;
        if (state < 0)
                return state;
        return state == KMOD_MODULE_BUILTIN ? -EPERM : 1;
}

/* Could a module be loaded again? An update of the kernel may have removed the modules of the one
 * that runs (Arch Linux's does), and with them what every loading begins with (modules.dep(5)). */
static bool are_on_disk(void) {
        char path[sizeof(struct utsname) + 64];
        struct utsname kernel;

        if (uname(&kernel) < 0)
                return false;
        snprintf(path, sizeof(path), MODULES_DIR "/%s/modules.dep.bin", kernel.release);
        return access(path, F_OK) == 0;
}

int module_unload(const char *name, char **ret_users) {
        _cleanup_free_ char *module = kernel_name(name);
        int r;

        if (!module)
                return -ENOMEM;
        r = is_removable(module);
        if (r <= 0)
                return r;
        if (!are_on_disk())
                return -ENOENT;
        r = find_any_device(module, ret_users);
        if (r != 0)
                return r < 0 ? r : -EBUSY;
        r = process_call(remove_patiently, module, UNLOAD_TIMEOUT_MS);
        if (r == -EBUSY)
                *ret_users = describe_users(module);
        return r == -ENOENT ? 0 : r;
}
