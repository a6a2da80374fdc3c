/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of pci.c against a fake kernel: what they do, that they may be done again, and that
 * they do not believe a write that had no effect. */

#include <errno.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/pci.h"
#include "mock.h"
#include "private-run.h"
#include "test.h"

#define GPU "0000:00:02.0"

/* A machine with a GPU at i915, with the drivers loaded, and a kernel. */
static int machine(void) {
        int fd;

        mock_clear();
        mock_pci(GPU, NULL);
        mock_driver("i915", "i915");
        mock_driver("vfio-pci", "vfio_pci");
        mock_bind(GPU, "i915");
        mock_kernel = mock_kernel_linux;

        fd = pci_open(GPU);
        assert_true(fd >= 0);
        return fd;
}

#define assert_driver(fd, expected)                          \
        do {                                                 \
                _cleanup_free_ char *driver_ = NULL;         \
                                                             \
                assert_int(pci_get_driver(fd, &driver_), 0); \
                assert_str(driver_, expected);               \
        } while (0)

#define assert_writes(expected)                                      \
        do {                                                         \
                _cleanup_free_ char *writes_ = mock_kernel_writes(); \
                                                                     \
                assert_str(writes_, expected);                       \
        } while (0)

static void test_open(void) {
        static const char *const bad[] = {"", "0000:00:02", "../" GPU, GPU "/", GPU "/..", "."};
        _cleanup_close_ int fd = machine();

        assert_true(fd >= 0);
        assert_int(pci_open("0000:00:03.0"), -ENODEV);
        assert_int(pci_open("ffffffff:ff:1f.7"), -ENODEV);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_in(bad[i], pci_open(bad[i]), -EINVAL);
}

static void test_get_binding(void) {
        _cleanup_(binding_done) Binding b = {}, without_module = {}, without_driver = {};
        _cleanup_close_ int fd = machine();

        assert_int(pci_get_binding(fd, GPU, &b), 0);
        assert_str(b.address, GPU);
        assert_str(b.driver, "i915");
        assert_str(b.module, "i915");

        mock_driver("built-in", NULL);
        mock_bind(GPU, "built-in");
        assert_int(pci_get_binding(fd, GPU, &without_module), 0);
        assert_str(without_module.driver, "built-in");
        assert_str(without_module.module, NULL);

        mock_bind(GPU, NULL);
        assert_int(pci_get_binding(fd, GPU, &without_driver), 0);
        assert_str(without_driver.address, GPU);
        assert_str(without_driver.driver, NULL);
        assert_str(without_driver.module, NULL);
        assert_driver(fd, NULL);
}

static void test_unbind(void) {
        _cleanup_close_ int fd = machine();

        assert_int(pci_unbind(fd, GPU), 0);
        assert_writes("driver/unbind=" GPU "\n");
        assert_driver(fd, NULL);
        assert_int(pci_unbind(fd, GPU), 0);
        assert_driver(fd, NULL);

        mock_bind(GPU, "i915");
        mock_kernel = mock_kernel_deaf;
        assert_int(pci_unbind(fd, GPU), -EIO);
        mock_kernel = mock_kernel_refuse;
        assert_int(pci_unbind(fd, GPU), -EPERM);
        assert_driver(fd, "i915");
}

/* As if somebody else took the driver away at the same time: the kernel has none any more. */
static int kernel_that_loses_a_race(int dirfd, const char *name, const char *value) {
        mock_bind(GPU, NULL);
        return -ENODEV;
}

static int kernel_without_device(int dirfd, const char *name, const char *value) {
        return -ENODEV;
}

static void test_unbind_race(void) {
        _cleanup_close_ int fd = machine();

        mock_kernel = kernel_that_loses_a_race;
        assert_int(pci_unbind(fd, GPU), 0);

        mock_bind(GPU, "i915");
        mock_kernel = kernel_without_device;
        assert_int(pci_unbind(fd, GPU), -EIO);
}

static void test_bind(void) {
        _cleanup_close_ int fd = machine();

        /* bound already: nothing is written */
        assert_int(pci_bind(fd, GPU, "i915"), 0);
        assert_int(pci_bind(fd, GPU, "vfio-pci"), -EBUSY);
        assert_int(pci_bind(fd, GPU, "none"), -EBUSY);
        assert_writes("");

        mock_bind(GPU, NULL);
        assert_int(pci_bind(fd, GPU, "none"), -ENOENT);
        assert_writes("");
        assert_int(pci_bind(fd, GPU, "i915"), 0);
        assert_writes("bind=" GPU "\n");
        assert_driver(fd, "i915");

        mock_bind(GPU, NULL);
        mock_kernel = mock_kernel_deaf;
        assert_int(pci_bind(fd, GPU, "i915"), -EIO);
        mock_kernel = mock_kernel_refuse;
        assert_int(pci_bind(fd, GPU, "i915"), -EPERM);
        assert_driver(fd, NULL);
}

/* As if another driver took the device in the same moment. */
static int kernel_with_another_mind(int dirfd, const char *name, const char *value) {
        mock_bind(GPU, "i915");
        return 0;
}

static void test_bind_to_another(void) {
        _cleanup_close_ int fd = machine();

        mock_bind(GPU, NULL);
        mock_kernel = kernel_with_another_mind;
        assert_int(pci_bind(fd, GPU, "vfio-pci"), -EIO);
}

static void test_probe(void) {
        _cleanup_close_ int fd = machine();

        mock_bind(GPU, NULL);
        assert_int(pci_probe(fd, GPU), 0);
        assert_writes("/sys/bus/pci/drivers_probe=" GPU "\n");
        assert_driver(fd, "i915");
        assert_int(pci_probe(fd, GPU), 0);

        /* the kernel says success where no driver took the device */
        mock_bind(GPU, NULL);
        mock_kernel = mock_kernel_deaf;
        assert_int(pci_probe(fd, GPU), -ENODEV);
        mock_kernel = mock_kernel_refuse;
        assert_int(pci_probe(fd, GPU), -EPERM);
}

static void test_driver_override(void) {
        _cleanup_close_ int fd = machine();

        /* unset reads "(null)" */
        assert_int(pci_set_driver_override(fd, NULL), 0);
        assert_writes("driver_override=\n");
        assert_int(pci_set_driver_override(fd, "vfio-pci"), 0);
        assert_writes("driver_override=vfio-pci\n");
        assert_int(pci_set_driver_override(fd, "vfio-pci"), 0);
        assert_driver(fd, "i915");

        mock_kernel = mock_kernel_deaf;
        assert_int(pci_set_driver_override(fd, NULL), -EIO);
        assert_int(pci_set_driver_override(fd, "i915"), -EIO);
        mock_kernel = mock_kernel_refuse;
        assert_int(pci_set_driver_override(fd, NULL), -EPERM);

        mock_kernel = mock_kernel_linux;
        assert_int(pci_set_driver_override(fd, NULL), 0);
        mock_kernel = mock_kernel_deaf;
        assert_int(pci_set_driver_override(fd, "vfio-pci"), -EIO);
}

/* A kernel in which an attribute that is not set reads as nothing. */
static void test_driver_override_empty(void) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = machine();

        path = mock_path("/sys/bus/pci/devices/" GPU "/driver_override");
        file_write(path, "\n");
        mock_kernel = mock_kernel_deaf;
        assert_int(pci_set_driver_override(fd, NULL), 0);
        assert_int(pci_set_driver_override(fd, "vfio-pci"), -EIO);
}

static void test_driver_is_vfio(void) {
        assert_true(pci_driver_is_vfio("vfio-pci"));
        assert_true(pci_driver_is_vfio("xe-vfio-pci"));
        assert_true(pci_driver_is_vfio("mlx5_vfio_pci"));
        assert_true(!pci_driver_is_vfio(NULL));
        assert_true(!pci_driver_is_vfio(""));
        assert_true(!pci_driver_is_vfio("i915"));
        assert_true(!pci_driver_is_vfio("pci-stub"));
        assert_true(!pci_driver_is_vfio("novfio-pci"));
        assert_true(!pci_driver_is_vfio("vfio-pci-core"));
}

/* Only an override of VFIO's is lifted. */
static void test_lift_vfio_override(void) {
        static const char *const drivers[] = {"vfio-pci", "xe-vfio-pci", NULL};
        _cleanup_close_ int fd = machine();

        assert_int(pci_lift_vfio_override(fd), 0);
        assert_writes("");
        assert_int(pci_set_driver_override(fd, "pci-stub"), 0);
        assert_writes("driver_override=pci-stub\n");
        assert_int(pci_lift_vfio_override(fd), 0);
        assert_writes("");
        for (const char *const *driver = drivers; *driver; driver++) {
                assert_int(pci_set_driver_override(fd, *driver), 0);
                free(mock_kernel_writes());
                assert_int(pci_lift_vfio_override(fd), 0);
                assert_writes("driver_override=\n");
        }
        assert_int(pci_set_driver_override(fd, "vfio-pci"), 0);
        mock_kernel = mock_kernel_refuse;
        assert_int(pci_lift_vfio_override(fd), -EPERM);
}

/* The whole way there and back. */
static void test_hand_over(void) {
        _cleanup_close_ int fd = machine();

        assert_int(pci_unbind(fd, GPU), 0);
        assert_int(pci_bind(fd, GPU, "vfio-pci"), -ENODEV);
        assert_int(pci_set_driver_override(fd, "vfio-pci"), 0);
        assert_int(pci_bind(fd, GPU, "i915"), -ENODEV);
        assert_int(pci_bind(fd, GPU, "vfio-pci"), 0);
        assert_driver(fd, "vfio-pci");

        assert_int(pci_unbind(fd, GPU), 0);
        assert_int(pci_set_driver_override(fd, NULL), 0);
        assert_int(pci_bind(fd, GPU, "i915"), 0);
        assert_driver(fd, "i915");
}

static void test_iommu_group(void) {
        _cleanup_free_ char *group = NULL;
        _cleanup_close_ int fd = machine();
        char *unset = NULL;

        assert_int(pci_get_iommu_group(fd, &unset), -ENOENT);
        assert_str(unset, NULL);
        mock_group(GPU, "17");
        assert_int(pci_get_iommu_group(fd, &group), 0);
        assert_str(group, "17");
}

static void join_group(const char *address, const char *driver) {
        mock_pci(address, NULL);
        mock_group(address, "1");
        if (driver)
                mock_driver(driver, driver);
        mock_bind(address, driver);
}

static void assert_blocker(int fd, const char *const *except, const char *address) {
        _cleanup_(binding_done) Binding b = {};

        assert_int_in(address ?: "no blocker: ",
                pci_find_group_blocker(fd, GPU, (char *const *)except, &b), address ? 1 : 0);
        assert_str(b.address, address);
        if (address)
                assert_true(b.driver);
}

static void test_group_blocker(void) {
        _cleanup_(binding_done) Binding b = {};
        _cleanup_close_ int fd = machine();

        assert_int(pci_find_group_blocker(fd, GPU, NULL, &b), -ENOENT);
        assert_str(b.address, NULL);

        /* the device itself, bound to i915, is none */
        mock_group(GPU, "1");
        assert_blocker(fd, NULL, NULL);

        /* nor are devices without a driver, and those whose driver does no DMA */
        join_group("0000:00:01.0", "pcieport");
        join_group("0000:00:02.1", "vfio-pci");
        join_group("0000:00:02.2", "pci-stub");
        join_group("0000:00:02.3", NULL);
        assert_blocker(fd, NULL, NULL);

        join_group("0000:00:1f.3", "snd_hda_intel");
        assert_blocker(fd, NULL, "0000:00:1f.3");
        assert_blocker(fd, (const char *const[]){NULL}, "0000:00:1f.3");
        assert_blocker(fd, (const char *const[]){"0000:00:1b.0", NULL}, "0000:00:1f.3");
        assert_blocker(fd, (const char *const[]){"0000:00:1b.0", "0000:00:1f.3", NULL}, NULL);

        /* names that only begin like a harmless one */
        mock_driver("vfio-pci-core", NULL);
        mock_bind("0000:00:1f.3", "vfio-pci-core");
        assert_blocker(fd, NULL, "0000:00:1f.3");
        mock_bind("0000:00:1f.3", "vfio-pci");
        assert_blocker(fd, NULL, NULL);
}

static void test_group_blocker_names_driver(void) {
        _cleanup_(binding_done) Binding b = {};
        _cleanup_close_ int fd = machine();

        mock_group(GPU, "1");
        join_group("0000:00:1f.6", "e1000e");
        assert_int(pci_find_group_blocker(fd, GPU, NULL, &b), 1);
        assert_str(b.address, "0000:00:1f.6");
        assert_str(b.driver, "e1000e");
        assert_str(b.module, "e1000e");
}

int main(void) {
        mock_enter();
        test_open();
        test_get_binding();
        test_unbind();
        test_unbind_race();
        test_bind();
        test_bind_to_another();
        test_probe();
        test_driver_override();
        test_driver_override_empty();
        test_driver_is_vfio();
        test_lift_vfio_override();
        test_hand_over();
        test_iommu_group();
        test_group_blocker();
        test_group_blocker_names_driver();
        mock_leave();
        return 0;
}
