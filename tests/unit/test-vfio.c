/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users of a VFIO group, as far as they go without /dev/vfio. */

#include <errno.h>

#include "common/cleanup.h"
#include "common/vfio.h"
#include "test.h"

#define NO_GROUP "4294967295" /* more than the kernel numbers */

static void test_missing_group(void) {
        pid_t pid = -1;
        char *name = NULL;

        assert_int(vfio_group_check_node(NO_GROUP), -ENOENT);
        assert_int(vfio_find_user("0000:00:02.0", NO_GROUP, &pid, &name), 0);
        assert_int(pid, -1);
        assert_str(name, NULL);
        assert_int(vfio_group_is_free(NO_GROUP), 1);
}

int main(void) {
        test_missing_group();
        return 0;
}
