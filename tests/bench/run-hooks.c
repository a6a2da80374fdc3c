/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has libvirt run its hooks for QEMU, with libvirt's own code: virHookCall() of its library is what
 * libvirtd calls. It is no public function, so it is looked up by its name; its arguments have been
 * the same since libvirt 0.9.11 (src/util/virhook.h).
 *
 * libvirt runs all that is in qemu.d. That is a link here, which is changed before each call: to
 * the directories in turn, as often as asked for.
 *
 * Usage: run-hooks ROUNDS DOMAIN XML-FILE OPERATION SUB-OPERATION DIRECTORY...
 *
 * OPERATION and SUB-OPERATION are numbers. Prints a line for each call: which directory it was, how
 * long it took and what processor time its processes used, both in microseconds, and, if it was not
 * 0 and nothing, what it returned and printed.
 */

#include <dlfcn.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DRIVER_QEMU 1
#define HOOKS "/etc/libvirt/hooks/"
#define XML_MAX (64 * 1024)

typedef int (*HookCall)(int driver, const char *id, int operation, int sub_operation,
        const char *extra, const char *input, char **output);

static void *find(void *library, const char *name) {
        void *function = dlsym(library, name);

        if (!function)
                errx(EXIT_FAILURE, "libvirt.so.0 has no %s", name);
        return function;
}

/* As libvirtd begins. */
static HookCall initialize(void) {
        void *library = dlopen("libvirt.so.0", RTLD_NOW);

        if (!library)
                errx(EXIT_FAILURE, "%s", dlerror());
        signal(SIGPIPE, SIG_IGN);
        if (((int (*)(void))find(library, "virInitialize"))() < 0)
                errx(EXIT_FAILURE, "libvirt cannot be initialized");
        if (((int (*)(void))find(library, "virHookInitialize"))() <= 0)
                errx(EXIT_FAILURE, "libvirt has not found any hook");
        return (HookCall)find(library, "virHookCall");
}

static char *read_file(const char *path) {
        static char text[XML_MAX];
        FILE *f = fopen(path, "re");

        if (!f || fread(text, 1, sizeof(text) - 1, f) == 0)
                err(EXIT_FAILURE, "%s", path);
        fclose(f);
        return text;
}

static void use(const char *directory) {
        if (symlink(directory, HOOKS "qemu.d.new") < 0 ||
                rename(HOOKS "qemu.d.new", HOOKS "qemu.d") < 0)
                err(EXIT_FAILURE, HOOKS "qemu.d");
}

static double wall(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu(void) {
        struct rusage u;

        getrusage(RUSAGE_CHILDREN, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char *argv[]) {
        int rounds = argc > 6 ? atoi(argv[1]) : 0;
        HookCall call;
        char *xml;

        if (rounds <= 0)
                errx(EXIT_FAILURE, "usage, see the source");
        xml = read_file(argv[3]);
        use(argv[6]);
        call = initialize();

        for (int i = 0; i < rounds; i++)
                for (int j = 6; j < argc; j++) {
                        char *output = NULL;
                        double begin, used;
                        int r;

                        use(argv[j]);
                        used = cpu();
                        begin = wall();
                        r = call(DRIVER_QEMU, argv[2], atoi(argv[4]), atoi(argv[5]), NULL, xml,
                                &output);
                        printf("%s %.1f %.1f", argv[j], wall() - begin, cpu() - used);
                        if (r != 0 || (output && *output))
                                printf(" %d %s", r, output ?: "");
                        putchar('\n');
                        free(output);
                }
        return EXIT_SUCCESS;
}
