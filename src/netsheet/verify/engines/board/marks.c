/* What is measured: instructions between two marks, and the stack that was used. */
#include "board.h"
#include <stdint.h>

extern uint32_t board_stack[];

/* The emulator knows these two by their addresses. */
__attribute__((noinline)) void board_count(void)
{
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void board_counted(void)
{
    __asm__ volatile("" ::: "memory");
}

static const uint32_t paint = 0x5AA5C33Cu;

__attribute__((noinline)) void board_paint(void)
{
    volatile uint32_t here;
    const uintptr_t end = (uintptr_t)&here - 64;
    volatile uint32_t *at = board_stack;
    while ((uintptr_t)at < end)
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
