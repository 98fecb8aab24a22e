/* Start of a bare RISC-V core of 32 bits under qemu, and its semihosting. */
#include "board.h"
#include <stdint.h>
#include <string.h>

extern uint32_t board_bss[], board_bss_end[];

int main(void);
void board_run(void);
void board_start(void);
void board_fault(void);

/* The three instructions have to lie in one page and to be of 32 bits each. */
__attribute__((naked, noinline, aligned(16)))
int32_t board_host(uint32_t operation, const uint32_t *arguments)
{
    __asm__ volatile(
        ".option push\n\t.option norvc\n\t"
        "slli x0, x0, 0x1f\n\tebreak\n\tsrai x0, x0, 7\n\tret\n\t"
        ".option pop");
    (void)operation, (void)arguments;
}

__attribute__((aligned(4))) void board_fault(void)
{
    board_stop(BOARD_FAULT);
}

/* The emulator has loaded the variables: they need no copy. */
void board_run(void)
{
    memset(board_bss, 0, (size_t)((char *)board_bss_end - (char *)board_bss));
    board_end((unsigned)main());
}

__attribute__((naked, section(".vectors"), used)) void board_start(void)
{
    __asm__ volatile(
        "la sp, board_stack_end\n\t"
        "la t0, board_fault\n\t"
        ".option push\n\t.option arch, +zicsr\n\tcsrw mtvec, t0\n\t.option pop\n\t"
        "tail board_run");
}
