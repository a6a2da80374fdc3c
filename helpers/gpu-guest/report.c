/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpu-guest report: what a report of a problem needs, in one text that a person can read before it
 * is sent. The host's name and its users' names are taken out; of the kernel's command line and of
 * the machine's data only what matters is put in.
 */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/process.h"
#include "common/sysfs.h"
#include "common/text.h"
#include "state.h"
#include "verbs.h"

#define TIMEOUT_MS 30000
#define FIRST_USER 1000

typedef struct Report {
        FILE *f;    /* into text */
        char *text; /* as it is before names are taken out */
        size_t size;
        char **names; /* to be taken out, NULL-terminated */
        size_t n_names;
} Report;

static void report_done(Report *rep) {
        if (rep->f)
                (void)fclose(rep->f);
        free(rep->text);
        strv_freep(&rep->names);
}

static void section(Report *rep, const char *title) {
        fprintf(rep->f, "\n== %s\n", title);
}

static void copy(Report *rep, int fd) {
        char buffer[4096];
        ssize_t n;

        (void)lseek(fd, 0, SEEK_SET);
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                fwrite(buffer, 1, (size_t)n, rep->f);
}

/* What a program says, or why it says nothing. */
static void run(Report *rep, const char *const *argv) {
        _cleanup_close_ int fd = memfd_create("output", MFD_CLOEXEC);
        int r = fd < 0 ? -errno : process_run(argv, (const int[]){-1, fd, fd}, TIMEOUT_MS);

        if (fd >= 0)
                copy(rep, fd);
        if (r != 0)
                fprintf(rep->f, "(%s: %s)\n", argv[0], r < 0 ? strerror(-r) : "it has failed");
}

#define run_program(rep, ...) run(rep, (const char *const[]){__VA_ARGS__, NULL})

static void file(Report *rep, const char *name, const char *path) {
        _cleanup_free_ char *value = NULL;

        if (sysfs_read(AT_FDCWD, path, &value) >= 0)
                fprintf(rep->f, "%s: %s\n", name, value);
}

/* Of the command line only what has to do with us: it may have passwords and disks in it. */
static void command_line(Report *rep) {
        static const char *const ours[] = {"iommu", "i915", "xe.", "vfio", "video", "pci",
                "console", "vga", "nomodeset", "modprobe", "module_blacklist", "systemd.unit",
                "fbcon"};
        _cleanup_free_ char *text = NULL;
        char *rest, *word;

        if (sysfs_read(AT_FDCWD, "/proc/cmdline", &text) < 0)
                return;
        fputs("kernel options:", rep->f);
        rest = text;
        while ((word = strsep(&rest, " ")))
                for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
                        if (strstr(word, ours[i])) {
                                fprintf(rep->f, " %s", word);
                                break;
                        }
        fputc('\n', rep->f);
}

static void machine(Report *rep) {
        section(rep, "machine");
        file(rep, "vendor", "/sys/class/dmi/id/sys_vendor");
        file(rep, "product", "/sys/class/dmi/id/product_name");
        file(rep, "board", "/sys/class/dmi/id/board_name");
        file(rep, "firmware", "/sys/class/dmi/id/bios_version");
        run_program(rep, "sh", "-c", "grep -m1 'model name' /proc/cpuinfo");
        run_program(rep, "sh", "-c",
                "for d in /sys/kernel/iommu_groups/*/devices/*; do g=${d%/devices/*}; "
                "echo \"group ${g##*/}: ${d##*/} $(cat $d/vendor):$(cat $d/device) class $(cat "
                "$d/class) driver $(basename \"$(readlink $d/driver)\")\"; done | sort -V");
}

static void software(Report *rep) {
        section(rep, "software");
        fputs("gpu-guest " PROJECT_VERSION "\n", rep->f);
        run_program(rep, "sh", "-c", ". /etc/os-release && echo \"$PRETTY_NAME\"");
        run_program(rep, "uname", "-srvm");
        command_line(rep);
        run_program(rep, "sh", "-c", "systemctl --version | head -n 1");
        run_program(rep, "sh", "-c", "echo libvirt $(virsh --version)");
        run_program(rep, "sh", "-c",
                "for q in qemu-system-x86_64 /usr/libexec/qemu-kvm; do command -v $q >/dev/null && "
                "$q --version | head -n 1; done; true");
        run_program(rep, "sh", "-c",
                "grep -E '^(i915|xe|snd_hda_intel|vfio|snd_sof)' /proc/modules | cut -d' ' -f1-4");
        run_program(rep, "sh", "-c", "cat " CONF_PATH " 2>/dev/null; true");
}

static int answers(Report *rep, sd_bus *bus, const char *domain) {
        _cleanup_(check_done) Check check = {};
        int r = check_run(&check, bus, domain);

        if (r < 0)
                return r;
        section(rep, "gpu-guest check");
        check_print(rep->f, &check);
        return 0;
}

static void status(Report *rep, sd_bus *bus) {
        _cleanup_(state_done) State state = {};

        section(rep, "gpu-guest status");
        if (state_read(bus, &state) >= 0)
                status_print(rep->f, &state);
        run_program(rep, "sh", "-c", "ls -A /run/gpu-guest 2>/dev/null; true");
        run_program(rep, "systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager",
                "gpu-guest*", "display-manager.service", "graphical.target");
}

static void journal(Report *rep) {
        section(rep, "journal");
        run_program(rep, "journalctl", "-b", "--no-pager", "--no-hostname", "-o", "short-precise",
                "-n", "400", "-u", "gpu-guest*");
        section(rep, "the kernel's journal");
        run_program(rep, "sh", "-c",
                "journalctl -b -k --no-pager --no-hostname -o short-precise -g "
                "'i915|\\bxe\\b|vfio|iommu|DMAR|snd_hda|drm|fb0|Console' | tail -n 200");
}

static int add_name(Report *rep, const char *name) {
        char **more = reallocarray(rep->names, rep->n_names + 2, sizeof(char *));

        if (!more)
                return -ENOMEM;
        rep->names = more;
        more[rep->n_names] = strdup(name);
        if (!more[rep->n_names])
                return -ENOMEM;
        more[++rep->n_names] = NULL;
        return 0;
}

static int collect_names(Report *rep) {
        char host[256] = "";
        struct passwd *user;
        int r;

        /* "lab.example.org", and what most programs call it */
        r = gethostname(host, sizeof(host) - 1) >= 0 ? add_name(rep, host) : -errno;
        if (r >= 0) {
                host[strcspn(host, ".")] = '\0';
                r = add_name(rep, host);
        }
        setpwent();
        while (r >= 0 && (user = getpwent()))
                if (user->pw_uid >= FIRST_USER && strcmp(user->pw_name, "nobody") != 0)
                        r = add_name(rep, user->pw_name);
        endpwent();
        return r;
}

static int collect(Report *rep, const char *domain) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                return r;
        fputs("Please read this before you send it: names of users and of the host are taken out, "
              "names of\ndomains are not.\n",
                rep->f);
        software(rep);
        machine(rep);
        r = answers(rep, bus, domain);
        if (r < 0)
                return r;
        status(rep, bus);
        journal(rep);
        return fflush(rep->f) == 0 ? collect_names(rep) : -errno;
}

int verb_report(const Request *request) {
        _cleanup_(report_done) Report rep = {};
        int r;

        rep.f = open_memstream(&rep.text, &rep.size);
        r = rep.f ? collect(&rep, request->argument) : -errno;
        if (r < 0)
                return log_error_errno(r, "Cannot make the report: %m"), 1;

        text_write_without(stdout, rep.text, rep.names);
        if (fflush(stdout) != 0)
                return log_error_errno(errno, "Cannot write to standard output: %m"), 1;
        return 0;
}
