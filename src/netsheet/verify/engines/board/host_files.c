/* Files of the computer that emulates the board: in.bin is read, out.bin is written. */
#include "board.h"
#include <stdint.h>
#include <string.h>

/* Operations of "Semihosting for AArch32 and AArch64"; RISC-V has the same. */
enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT_EXTENDED = 0x20 };
enum { READ_BINARY = 1, WRITE_BINARY = 5 };

void board_stop(unsigned code)
{
    const uint32_t arguments[2] = {0x20026, code}; /* ADP_Stopped_ApplicationExit */
    for (;;)
        board_host(EXIT_EXTENDED, arguments);
}

static int32_t opened(const char *name, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)name, mode, strlen(name)};
    const int32_t handle = board_host(OPEN, arguments);
    if (handle < 0)
        board_stop(BOARD_NO_FILE);
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
    return board_host(READ, arguments) == 0; /* bytes that are missing */
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
    if (size > 0 && board_host(WRITE, arguments) != 0)
        board_stop(BOARD_NO_SPACE);
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

void board_end(unsigned code)
{
    flush(gathered, waiting);
    board_stop(code);
}
