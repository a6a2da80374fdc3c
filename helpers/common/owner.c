/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control group says what started a process and what would end it. A scope is made by somebody
 * who looks after its processes himself: a login's (session-2.scope) and a user's own (a terminal's
 * tab, tmux) hold processes that can be ended one by one; a container's, and any other, is none of
 * our business.
 */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>

#include "cleanup.h"
#include "names.h"
#include "owner.h"
#include "session.h"
#include "unit.h"

#define QEMU_PREFIX "qemu-" /* qemu-system-x86, qemu-kvm: somebody's virtual machine */

/* What the host cannot do without, or what we need for the way back. */
static const char *const vital[] = {
        "systemd-", /* journald, udevd, machined and so on; logind is a case of its own */
        "dbus", "ssh", "libvirtd.", "virt", "gpu-guest", "polkit", "NetworkManager.", "getty@",
        "serial-getty@", "user@", "user-runtime-dir@", NULL};

/* Scopes in a user's manager that hold a container: Podman's (libpod/oci_conmon_common.go) and
 * Docker's without root. One of a service (Quadlet) is that service's. */
static const char *const containers[] = {"libpod-", "docker-", NULL};

static bool begins_with_any(const char *unit, const char *const *prefixes) {
        for (; *prefixes; prefixes++)
                if (strncmp(unit, *prefixes, strlen(*prefixes)) == 0)
                        return true;
        return false;
}

static bool is_service(const char *unit) {
        const char *suffix = unit ? strrchr(unit, '.') : NULL;

        return suffix && strcmp(suffix, ".service") == 0;
}

static int get(int (*question)(pid_t pid, char **ret), pid_t pid, char **ret) {
        int r = question(pid, ret);

        if (r >= 0)
                return 0;
        *ret = NULL;
        return r == -ENOMEM ? r : 0;
}

int owner_find(Holder *h) {
        _cleanup_free_ char *user_unit = NULL;
        int r;

        if (sd_pid_get_owner_uid(h->pid, &h->uid) < 0)
                h->uid = 0;
        r = get(sd_pid_get_unit, h->pid, &h->unit);
        if (r >= 0)
                r = get(sd_pid_get_user_unit, h->pid, &user_unit);
        if (r >= 0)
                r = get(sd_pid_get_session, h->pid, &h->session);
        if (r < 0)
                return r;

        if (h->pid == 1 || (h->unit && strcmp(h->unit, UNIT_LOGIND) == 0)) {
                h->kind = HOLDER_KEEPER;
        } else if (strncmp(h->name, QEMU_PREFIX, strlen(QEMU_PREFIX)) == 0) {
                h->kind = HOLDER_FOREIGN;
        } else if (user_unit) {
                free(h->unit);
                h->unit = user_unit;
                user_unit = NULL;
                h->kind = is_service(h->unit) ? HOLDER_USER_SERVICE
                          : strcmp(h->unit, UNIT_INIT_SCOPE) == 0 ||
                                          begins_with_any(h->unit, containers)
                                  ? HOLDER_FOREIGN
                                  : HOLDER_PROCESS;
        } else if (h->session) {
                h->kind = HOLDER_PROCESS;
        } else {
                h->kind = is_service(h->unit) && !begins_with_any(h->unit, vital) ? HOLDER_SERVICE
                                                                                  : HOLDER_FOREIGN;
        }
        return 0;
}

char *owner_describe(const Holder *h) {
        const struct passwd *user =
                h->session || h->kind == HOLDER_USER_SERVICE || h->kind == HOLDER_PROCESS
                        ? getpwuid(h->uid)
                        : NULL;
        char *text;

        if (h->session) {
                if (asprintf(&text, "session %s of user %s", h->session,
                            user ? user->pw_name : "unknown") < 0)
                        return NULL;
        } else if (user) {
                if (asprintf(&text, "%s of user %s", h->unit, user->pw_name) < 0)
                        return NULL;
        } else
                text = strdup(h->unit ?: "");
        return text;
}

bool owner_goes_with_desktop(sd_bus *bus, const Holder *h) {
        if (h->kind == HOLDER_USER_SERVICE)
                return true;
        if (h->session)
                return session_is_graphical(h->session);
        return h->kind == HOLDER_SERVICE && unit_is_same(bus, h->unit, UNIT_DISPLAY_MANAGER) > 0;
}
