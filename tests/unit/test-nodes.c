/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes of mocked devices. */

#include <errno.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"
#include "common/gpu.h"
#include "common/names.h"
#include "common/nodes.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define GPU "0000:00:02.0"

static void assert_node(const Nodes *nodes, unsigned major, unsigned minor, const char *name) {
        const Node *node = nodes_find(nodes, makedev(major, minor));

        assert_str(node ? node->name : NULL, name);
}

static void test_pci(void) {
        _cleanup_(udev_unrefp) struct udev *udev = NULL;
        _cleanup_(nodes_done) Nodes all = {}, sound = {}, none = {};

        mock_clear();
        udev = udev_new();
        mock_pci(GPU, NULL);
        mock_pci("0000:00:03.0", NULL);
        mock_drm(GPU, "card0", "drm_minor", "0");
        mock_drm(GPU, "renderD128", "drm_minor", "128");
        mock_drm(GPU, "card0-HDMI-A-1", "drm_connector", NULL);
        mock_drm("0000:00:03.0", "card1", "drm_minor", "1");

        assert_int(nodes_add_pci(&all, udev, GPU, NULL), 0);
        assert_int((int)all.n, 2);
        assert_node(&all, 226, 0, "/dev/dri/card0");
        assert_node(&all, 226, 128, "/dev/dri/renderD128");
        assert_node(&all, 226, 1, NULL);

        /* more of them */
        assert_int(nodes_add_pci(&all, udev, "0000:00:03.0", "drm"), 0);
        assert_int((int)all.n, 3);
        assert_node(&all, 226, 1, "/dev/dri/card1");

        assert_int(nodes_add_pci(&sound, udev, GPU, "sound"), 0);
        assert_int((int)sound.n, 0);
        assert_int(nodes_add_pci(&none, udev, "0000:00:04.0", NULL), -ENODEV);
        assert_int((int)none.n, 0);
}

static void test_vfio(void) {
        _cleanup_free_ char *group = NULL, *device = NULL;
        _cleanup_(nodes_done) Nodes none = {}, one = {}, both = {}, bad = {};

        mock_clear();
        mock_pci(GPU, NULL);
        assert_int(nodes_add_vfio(&none, GPU, "1"), 0);
        assert_int((int)none.n, 0);

        group = mock_path(SYSFS_VFIO "/1/dev");
        file_write(group, "243:7\n");
        assert_int(nodes_add_vfio(&one, GPU, "1"), 0);
        assert_int((int)one.n, 1);
        assert_node(&one, 243, 7, "/dev/vfio/1");

        device = mock_path(SYSFS_PCI_DEVICES "/" GPU "/vfio-dev/vfio3/dev");
        file_write(device, "511:3\n");
        assert_int(nodes_add_vfio(&both, GPU, "1"), 0);
        assert_int((int)both.n, 2);
        assert_node(&both, 511, 3, "/dev/vfio/devices/vfio3");

        file_write(group, "no number\n");
        assert_int(nodes_add_vfio(&bad, GPU, "1"), -EBADMSG);
}

int main(void) {
        mock_enter();
        test_pci();
        test_vfio();
        mock_leave();
        return 0;
}
