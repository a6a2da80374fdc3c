// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * painter - the smallest guest that shows who owns the monitor
 *
 * A multiboot kernel for a q35 machine. It finds QEMU's VGA on its PCI bus, sets
 * a mode through the registers behind BAR 2 and paints green and magenta stripes
 * into the memory behind BAR 0: the VGA's ports and option ROM do not reach a
 * passed-through device. Without a VGA it paints nothing and runs on all the same.
 *
 * It powers off when the ACPI power button is pressed, and by itself after
 * "seconds=N" of its command line (default 600, 0 is never), and says what it
 * does on the first serial port. Between two ticks of the timer it sleeps: the
 * machine around it is slow enough.
 *
 * Build it with the Makefile beside it.
 */
#include <stdint.h>

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_CMDLINE (1 << 2)

#define QEMU_VGA 0x11111234 /* device and vendor */
#define BUSES 16            /* with room for what libvirt adds */
#define WIDTH 640
#define HEIGHT 480
#define STRIPE 80
#define GREEN 0x0000c000
#define MAGENTA 0x00c000c0

#define SERIAL 0x3f8

/* ICH9's LPC bridge is 00:1f.0; its register 0x40 says where the power management ports are */
#define LPC_BRIDGE 0x1f
#define LPC_PMBASE 0x40
#define PM1A_STS 0x00
#define PM1A_EN 0x02
#define PM1A_PWRBTN (1 << 8)
#define PM1A_CNT 0x04
#define PM1A_SLP_EN (1 << 13) /* sleep type 0 is S5 in QEMU */
#define PM_TMR 0x08
#define PM_TMR_MASK 0x00ffffff /* 24 bits, wraps every 4.7 s */
#define PM_TMR_HZ 3579545

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_EOI 0x20
#define IRQ_VECTOR 0x20

#define CODE_SELECTOR 0x08

struct MultibootInfo {
        uint32_t flags;
        uint32_t memory[2];
        uint32_t boot_device;
        uint32_t cmdline;
};

struct Gate {
        uint16_t offset_low;
        uint16_t selector;
        uint16_t attributes;
        uint16_t offset_high;
};

struct TablePointer {
        uint16_t limit;
        uint32_t base;
} __attribute__((packed));

__attribute__((section(".multiboot"), used, aligned(4))) static const uint32_t multiboot[3] = {
        MULTIBOOT_HEADER_MAGIC, 0, -MULTIBOOT_HEADER_MAGIC};

/* empty, code and data, both flat 4 GiB */
static const uint64_t gdt[3] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
static struct Gate idt[IRQ_VECTOR + 1];

static void outb(uint16_t port, uint8_t v) {
        __asm__ volatile("outb %0,%1" ::"a"(v), "Nd"(port));
}

static void outw(uint16_t port, uint16_t v) {
        __asm__ volatile("outw %0,%1" ::"a"(v), "Nd"(port));
}

static uint16_t inw(uint16_t port) {
        uint16_t v;

        __asm__ volatile("inw %1,%0" : "=a"(v) : "Nd"(port));
        return v;
}

static void outl(uint16_t port, uint32_t v) {
        __asm__ volatile("outl %0,%1" ::"a"(v), "Nd"(port));
}

static uint32_t inl(uint16_t port) {
        uint32_t v;

        __asm__ volatile("inl %1,%0" : "=a"(v) : "Nd"(port));
        return v;
}

/* A device is bus << 5 | slot, its function always 0 */
static void pci_select(uint32_t device, uint32_t reg) {
        outl(0xcf8, 0x80000000 | device << 11 | reg);
}

static uint32_t pci_read(uint32_t device, uint32_t reg) {
        pci_select(device, reg);
        return inl(0xcfc);
}

static void pci_write(uint32_t device, uint32_t reg, uint32_t value) {
        pci_select(device, reg);
        outl(0xcfc, value);
}

static void say(const char *s) {
        while (*s)
                outb(SERIAL, *s++);
}

static void paint(uint32_t device) {
        volatile uint32_t *vram = (void *)(pci_read(device, 0x10) & ~0xfu);
        uint32_t mmio = pci_read(device, 0x18) & ~0xfu;
        volatile uint16_t *dispi = (void *)(mmio + 0x500);
        volatile uint8_t *vga = (void *)(mmio + 0x400);

        pci_write(device, 0x04, pci_read(device, 0x04) | 7);
        dispi[4] = 0;
        dispi[1] = WIDTH;
        dispi[2] = HEIGHT;
        dispi[3] = 32;
        dispi[4] = 0x41;
        (void)vga[0x1a]; /* reading the status makes the next write an index */
        vga[0] = 0x20;   /* unblank */
        for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
                vram[i] = i % WIDTH / STRIPE % 2 ? GREEN : MAGENTA;
        say("painter: painted\n");
}

/* The timer does nothing but end a hlt */
__attribute__((interrupt)) static void timer_interrupt(void *frame) {
        (void)frame;
        outb(PIC1, PIC_EOI);
}

/* The firmware left the PIT at 18.2 Hz. A boot loader's descriptor tables may be gone by now. */
static void timer_start(void) {
        struct TablePointer gdtr = {sizeof(gdt) - 1, (uint32_t)gdt};
        struct TablePointer idtr = {sizeof(idt) - 1, (uint32_t)idt};
        uint32_t handler = (uint32_t)timer_interrupt;

        idt[IRQ_VECTOR] = (struct Gate){handler & 0xffff, CODE_SELECTOR, 0x8e00, handler >> 16};
        __asm__ volatile(
                "lgdt %0; lidt %1; ljmp %2,$1f; 1:" ::"m"(gdtr), "m"(idtr), "i"(CODE_SELECTOR)
                : "memory");

        outb(PIC1, 0x11);
        outb(PIC1 + 1, IRQ_VECTOR);
        outb(PIC1 + 1, 4);
        outb(PIC1 + 1, 1);
        outb(PIC1 + 1, 0xfe); /* only the timer */
        outb(PIC2 + 1, 0xff);
}

/* The number after NAME in the command line */
static uint32_t option(const struct MultibootInfo *info, const char *name, uint32_t value) {
        if (!(info->flags & MULTIBOOT_CMDLINE))
                return value;

        for (const char *s = (const char *)info->cmdline; *s; s++) {
                const char *a = s, *b = name;

                while (*b && *a == *b)
                        a++, b++;
                if (*b)
                        continue;
                for (value = 0; *a >= '0' && *a <= '9'; a++)
                        value = 10 * value + *a - '0';
                return value;
        }
        return value;
}

static const char *power_off_reason(uint16_t pmbase, uint32_t seconds) {
        uint32_t last = inl(pmbase + PM_TMR), ticks = 0, passed = 0;

        outw(pmbase + PM1A_STS, PM1A_PWRBTN);
        outw(pmbase + PM1A_EN, PM1A_PWRBTN);

        for (;;) {
                uint32_t now;

                __asm__ volatile("sti; hlt; cli");
                if (inw(pmbase + PM1A_STS) & PM1A_PWRBTN)
                        return "painter: power button, powering off\n";

                now = inl(pmbase + PM_TMR);
                ticks += (now - last) & PM_TMR_MASK;
                last = now;
                for (; ticks >= PM_TMR_HZ; ticks -= PM_TMR_HZ)
                        passed++;
                if (seconds && passed >= seconds)
                        return "painter: time is up, powering off\n";
        }
}

__attribute__((used, noreturn)) static void painter(const struct MultibootInfo *info) {
        uint32_t seconds = option(info, "seconds=", 600);
        uint16_t pmbase = pci_read(LPC_BRIDGE, LPC_PMBASE) & 0xff80;

        say("painter: started\n");
        timer_start();
        for (uint32_t device = 0; device < BUSES << 5; device++)
                if (pci_read(device, 0) == QEMU_VGA)
                        paint(device);

        say(power_off_reason(pmbase, seconds));
        outw(pmbase + PM1A_CNT, PM1A_SLP_EN);
        for (;;)
                __asm__ volatile("cli; hlt");
}

__attribute__((section(".start"), used, naked, noreturn)) void start(void) {
        __asm__ volatile("mov $0x180000,%esp; push %ebx; call painter");
}
