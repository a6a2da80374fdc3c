/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold [OPTIONS] NODE [READY]: a program that uses a device node, and does not let go of it by
 * itself. It makes the file READY when it has it.
 *
 *   --map       keep a mapping of it only, and no descriptor; of a DRM card that is one of a buffer
 *   --master    of a DRM card: stay its master, which who opens it first becomes; as a compositor
 *               does, and a program that does not know better
 *   --stubborn  ignore SIGTERM and SIGHUP
 */

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_SIZE 4096

/* of the kernel's drm_mode.h, which belongs to a package of its own */
struct create_dumb {
        uint32_t height, width, bpp, flags, handle, pitch;
        uint64_t size;
};

struct map_dumb {
        uint32_t handle, pad;
        uint64_t offset;
};

#define DROP_MASTER _IO('d', 0x1f)
#define CREATE_DUMB _IOWR('d', 0xb2, struct create_dumb)
#define MAP_DUMB _IOWR('d', 0xb3, struct map_dumb)

static void fail(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static off_t make_buffer(int fd) {
        struct create_dumb create = {.height = 1, .width = BUFFER_SIZE / 4, .bpp = 32};
        struct map_dumb map = {};

        if (ioctl(fd, CREATE_DUMB, &create) < 0)
                fail("CREATE_DUMB");
        map.handle = create.handle;
        if (ioctl(fd, MAP_DUMB, &map) < 0)
                fail("MAP_DUMB");
        return (off_t)map.offset;
}

static void map_only(int fd, const char *node) {
        off_t offset = strstr(node, "/dri/card") ? make_buffer(fd) : 0;
        volatile char *p = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

        if (p == MAP_FAILED)
                fail("mmap");
        p[0] = 0;
        close(fd);
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {{"map", no_argument, NULL, 'm'},
                {"master", no_argument, NULL, 'M'}, {"stubborn", no_argument, NULL, 's'}, {}};
        int c, fd, map = 0, master = 0;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'm')
                        map = 1;
                else if (c == 'M')
                        master = 1;
                else if (c == 's') {
                        signal(SIGTERM, SIG_IGN);
                        signal(SIGHUP, SIG_IGN);
                } else
                        return 2;
        if (optind == argc)
                return 2;

        fd = open(argv[optind], O_RDWR | O_CLOEXEC);
        if (fd < 0)
                fail(argv[optind]);
        if (!master && strstr(argv[optind], "/dri/card"))
                (void)ioctl(fd, DROP_MASTER);
        if (map)
                map_only(fd, argv[optind]);
        if (argv[optind + 1] && open(argv[optind + 1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0)
                fail(argv[optind + 1]);
        for (;;)
                pause();
}
