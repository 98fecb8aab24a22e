/* Start of a bare Cortex-M under qemu, and its semihosting. */
#include "board.h"
#include <stdint.h>
#include <string.h>

extern uint32_t board_data[], board_data_end[], board_data_from[];
extern uint32_t board_bss[], board_bss_end[], board_stack_end[];

int main(void);
void board_start(void);

static void board_fault(void);

__attribute__((section(".vectors"), used))
static const void *const vectors[16] = {
    board_stack_end, (const void *)board_start,
    (const void *)board_fault, (const void *)board_fault, (const void *)board_fault,
    (const void *)board_fault, (const void *)board_fault, (const void *)board_fault, 0, 0, 0,
    (const void *)board_fault, (const void *)board_fault, 0,
    (const void *)board_fault, (const void *)board_fault,
};

int32_t board_host(uint32_t operation, const uint32_t *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static void board_fault(void)
{
    board_stop(BOARD_FAULT);
}

void board_start(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU, and Helium */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
#if __ARM_ARCH == 6
    /* A Cortex-M3 runs this, which could read words from odd addresses; a Cortex-M0 could not. */
    *(volatile uint32_t *)0xE000ED14u |= 1u << 3; /* UNALIGN_TRP */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    memcpy(board_data, board_data_from,
        (size_t)((char *)board_data_end - (char *)board_data));
    memset(board_bss, 0, (size_t)((char *)board_bss_end - (char *)board_bss));
    board_end((unsigned)main());
}
