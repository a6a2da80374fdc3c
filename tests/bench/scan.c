/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has a device node open? As fuser(1) is asked: by the node, and with process IDs for an
 * answer. The search is the helpers'.
 *
 * Usage: scan NODE
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/holders.h"

int main(int argc, char *argv[]) {
        _cleanup_(holders_done) Holders holders = {};
        Node node = {};
        struct stat st;

        if (argc != 2 || stat(argv[1], &st) < 0 || !S_ISCHR(st.st_mode)) {
                fprintf(stderr, "Usage: scan NODE\n");
                return 2;
        }
        node = (Node){st.st_rdev, argv[1]};
        if (holders_find(&(Nodes){&node, 1}, &holders) < 0)
                return EXIT_FAILURE;
        for (size_t i = 0; i < holders.n; i++)
                printf("%d\n", (int)holders.list[i].pid);
        return EXIT_SUCCESS;
}
