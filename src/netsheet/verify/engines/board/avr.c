/* An AVR in libsimavr: bytes in and out through registers that the runner listens to. */
#include "board.h"

#define DATA (*(volatile uint8_t *)0x3E)
#define STATE (*(volatile uint8_t *)0x4A)
#define COMMAND (*(volatile uint8_t *)0x4B)
enum { COUNT = 1, COUNTED = 2, END = 3 };

int fetch(void *to, unsigned size)
{
    uint8_t *at = to;
    for (; size > 0; size--) {
        if (!STATE)
            return 0;
        *at++ = DATA;
    }
    return 1;
}

void put(const void *from, unsigned size)
{
    const uint8_t *at = from;
    for (; size > 0; size--)
        DATA = *at++;
}

void board_count(void)
{
    COMMAND = COUNT;
}

void board_counted(void)
{
    COMMAND = COUNTED;
}

/* The runner follows the stack pointer itself. */
void board_paint(void)
{
}

unsigned board_used(void)
{
    return 0;
}

void board_end(unsigned code)
{
    COMMAND = END;
    for (;;)
        DATA = (uint8_t)code;
}

void exit(int code)
{
    board_end((unsigned)code);
    for (;;)
        ;
}
