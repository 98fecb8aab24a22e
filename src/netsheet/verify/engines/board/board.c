/* Start of a bare Cortex-M4F under qemu (mps2-an386), and semihosting: files of the host. */
#include "board.h"
#include <stdint.h>
#include <string.h>

extern uint32_t board_data[], board_data_end[], board_data_from[];
extern uint32_t board_bss[], board_bss_end[], board_stack[], board_stack_end[];

int main(void);
void board_start(void);

static void board_fault(void);

__attribute__((section(".vectors"), used))
static const void *const vectors[16] = {
    board_stack_end, (const void *)board_start,
    (const void *)board_fault, (const void *)board_fault, (const void *)board_fault,
    (const void *)board_fault, (const void *)board_fault, 0, 0, 0, 0,
    (const void *)board_fault, (const void *)board_fault, 0,
    (const void *)board_fault, (const void *)board_fault,
};

/* Operations of "Semihosting for AArch32 and AArch64". */
enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT_EXTENDED = 0x20 };
enum { READ_BINARY = 1, WRITE_BINARY = 5 };

static int32_t semihosting(uint32_t operation, const uint32_t *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static void stop(uint32_t code)
{
    const uint32_t arguments[2] = {0x20026, code}; /* ADP_Stopped_ApplicationExit */
    for (;;)
        semihosting(EXIT_EXTENDED, arguments);
}

static void board_fault(void)
{
    stop(70);
}

static int32_t opened(const char *name, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)name, mode, strlen(name)};
    const int32_t handle = semihosting(OPEN, arguments);
    if (handle < 0)
        stop(71);
    return handle;
}

static int32_t in = -1, out = -1;

int fetch(void *to, unsigned size)
{
    uint32_t arguments[3];
    if (in < 0)
        in = opened("in.bin", READ_BINARY);
    arguments[0] = (uint32_t)in;
    arguments[1] = (uint32_t)to;
    arguments[2] = size;
    return semihosting(READ, arguments) == 0; /* bytes that are missing */
}

/* Small pieces are gathered: each call of the host costs far more than the bytes. */
static char gathered[4096];
static unsigned waiting;

static void flush(const void *from, unsigned size)
{
    uint32_t arguments[3];
    if (out < 0)
        out = opened("out.bin", WRITE_BINARY);
    arguments[0] = (uint32_t)out;
    arguments[1] = (uint32_t)from;
    arguments[2] = size;
    if (size > 0 && semihosting(WRITE, arguments) != 0)
        stop(72);
}

void put(const void *from, unsigned size)
{
    if (waiting + size > sizeof gathered) {
        flush(gathered, waiting);
        waiting = 0;
    }
    if (size > sizeof gathered) {
        flush(from, size);
        return;
    }
    memcpy(gathered + waiting, from, size);
    waiting += size;
}

/* CMSDK APB timer 0, 32 bits, counts down. */
#define TIMER_CTRL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)

void board_count(void)
{
    TIMER_CTRL = 0;
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CTRL = 1;
}

unsigned board_counted(void)
{
    return 0xFFFFFFFFu - TIMER_VALUE;
}

static const uint32_t paint = 0x5AA5C33Cu;

__attribute__((noinline)) void board_paint(void)
{
    uint32_t here;
    volatile uint32_t *at = board_stack;
    while (at < &here - 16)
        *at++ = paint;
}

/* From the stack pointer of the caller down to the deepest word that was written. */
__attribute__((noinline)) unsigned board_used(void)
{
    const uintptr_t caller = (uintptr_t)__builtin_dwarf_cfa();
    const volatile uint32_t *at = board_stack;
    while ((uintptr_t)at < caller && *at == paint)
        at++;
    return (unsigned)(caller - (uintptr_t)at);
}

void board_start(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    memcpy(board_data, board_data_from,
        (size_t)((char *)board_data_end - (char *)board_data));
    memset(board_bss, 0, (size_t)((char *)board_bss_end - (char *)board_bss));
    const int result = main();
    flush(gathered, waiting);
    stop((uint32_t)result);
}
