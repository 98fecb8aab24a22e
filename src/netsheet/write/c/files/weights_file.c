/* Checks @lib_weights.bin, and remembers where it lies. */
#include "@lib.h"
#include <stdint.h>
#include <string.h>

extern const unsigned char *@lib_weights_at;
const unsigned char *@lib_weights_at;

static uint32_t word(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* CRC-32 as in zip files, by halves of bytes. */
static uint32_t checksum(const unsigned char *at, unsigned long size)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u,
        0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u,
        0xa00ae278u, 0xbdbdf21cu,
    };
    uint32_t sum = 0xffffffffu;
    for (; size > 0; size--, at++) {
        sum ^= *at;
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}

int @lib_use_weights(const void *file, unsigned long size)
{
    enum { HEAD = 32 };
    static const uint32_t one = 1;
    const unsigned char *const bytes = file;
    int sum = 8;
#ifdef @LIB_TRACE
    sum = 12;
#endif
    @lib_weights_at = 0;
    if (!file || size < @LIB_WEIGHTS_SIZE)
        return @LIB_WEIGHTS_MISSING;
    if (memcmp(bytes, "NSW1", 4) != 0)
        return @LIB_WEIGHTS_FOREIGN;
    if (word(bytes + 4) != @LIB_WEIGHTS_KEY)
        return @LIB_WEIGHTS_OTHER;
    if ((uintptr_t)bytes % 4 != 0 || *(const unsigned char *)&one != 1)
        return @LIB_WEIGHTS_PLACE;
    if (checksum(bytes + HEAD, @LIB_WEIGHTS_SIZE - HEAD) != word(bytes + sum))
        return @LIB_WEIGHTS_BROKEN;
    @lib_weights_at = bytes;
    return @LIB_WEIGHTS_GOOD;
}

int @lib_read_weights(unsigned long (*read)(void *from, void *to, unsigned long size), void *from,
    void *memory)
{
    if (!memory || read(from, memory, @LIB_WEIGHTS_SIZE) != @LIB_WEIGHTS_SIZE)
        return @LIB_WEIGHTS_MISSING;
    return @lib_use_weights(memory, @LIB_WEIGHTS_SIZE);
}
