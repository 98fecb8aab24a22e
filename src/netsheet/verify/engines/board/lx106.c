/* Start of a bare LX106 (ESP8266) under qemu's machine sim, whose calls of the host are simcalls,
 * and the functions that an ESP8266 has in its ROM, for which its compiler has no library. */
#include "board.h"
#include <stdint.h>
#include <string.h>

extern uint32_t board_bss[], board_bss_end[];

int main(void);
void board_run(void);

/* The machine starts at the beginning of its code; exceptions end the program. */
__asm__(
    ".section .vectors,\"ax\"\n"
    ".global board_start\n"
    "board_start: j board_first\n"
    ".section .exceptions,\"ax\"\n"
    ".rept 16\n"
    "    movi a2, 1\n    movi a3, 70\n    simcall\n    j .\n    .balign 16\n"
    ".endr\n"
    ".text\n"
    ".literal_position\n"
    "board_first:\n"
    "    movi a1, board_stack_end\n"
    "    j board_run\n");

static int32_t simcall(int32_t what, int32_t a, int32_t b, int32_t c)
{
    register int32_t r2 __asm__("a2") = what;
    register int32_t r3 __asm__("a3") = a;
    register int32_t r4 __asm__("a4") = b;
    register int32_t r5 __asm__("a5") = c;
    __asm__ volatile("simcall" : "+r"(r2), "+r"(r3) : "r"(r4), "r"(r5) : "memory");
    return r2;
}

/* The operations that host_files.c asks for, as this machine has them. */
int32_t board_host(uint32_t operation, const uint32_t *arguments)
{
    enum { EXIT = 1, READ = 3, WRITE = 4, OPEN = 5 };
    enum { CREATE = 0x241, ALL = 0644 }; /* write only, create, empty */
    const int32_t a = (int32_t)arguments[0], b = (int32_t)arguments[1];
    if (operation == 0x20)
        return simcall(EXIT, b, 0, 0);
    if (operation == 0x01)
        return simcall(OPEN, a, b == 1 ? 0 : CREATE, ALL);
    return (int32_t)arguments[2]
        - simcall(operation == 0x05 ? WRITE : READ, a, b, (int32_t)arguments[2]);
}

void board_run(void)
{
    memset(board_bss, 0, (size_t)((char *)board_bss_end - (char *)board_bss));
    board_end((unsigned)main());
}

/* ------------------------------------------------------------------ what the ROM has */

static uint32_t bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float number(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* The float nearest to mantissa * 2^exponent, halves to even. */
static float rounded(uint32_t sign, int exponent, uint64_t mantissa)
{
    const uint32_t high = (uint32_t)(mantissa >> 32), low = (uint32_t)mantissa;
    uint64_t rest = 0; /* what is shifted out, its first bit in front */
    int shift;
    if (mantissa == 0)
        return number(sign);
    shift = (high ? 32 - __builtin_clz(high) + 32 : 32 - __builtin_clz(low)) - 24;
    if (exponent + shift < -149)
        shift = -149 - exponent;
    if (shift > 64)
        return number(sign);
    if (shift > 0) {
        rest = mantissa << (64 - shift);
        mantissa = shift < 64 ? mantissa >> shift : 0;
    } else
        mantissa <<= -shift;
    exponent += shift;
    if (rest >> 63 && (rest << 1 || mantissa & 1u))
        mantissa++; /* a carry makes the next power of two, as it should */
    if (mantissa >> 24) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent > 104)
        return number(sign | 0x7F800000u);
    if (!(mantissa >> 23))
        return number(sign | (uint32_t)mantissa);
    return number(sign | (uint32_t)(exponent + 150) << 23 | ((uint32_t)mantissa & 0x7FFFFFu));
}

static int exponent_of(uint32_t u)
{
    const int e = (int)(u >> 23 & 255u);
    return (e ? e : 1) - 150;
}

static uint64_t mantissa_of(uint32_t u)
{
    return (u & 0x7FFFFFu) | (u >> 23 & 255u ? 0x800000u : 0u);
}

float __mulsf3(float x, float y);
float __addsf3(float x, float y);
float __subsf3(float x, float y);
float __floatsisf(int32_t x);
float __floatunsisf(uint32_t x);
uint32_t __udivsi3(uint32_t x, uint32_t y);
uint32_t __umodsi3(uint32_t x, uint32_t y);
int32_t __divsi3(int32_t x, int32_t y);
uint64_t __umulsidi3(uint32_t x, uint32_t y);
uint64_t __muldi3(uint64_t x, uint64_t y);

float __mulsf3(float x, float y)
{
    const uint32_t a = bits(x), b = bits(y), sign = (a ^ b) & 0x80000000u;
    const uint32_t p = a & 0x7FFFFFFFu, q = b & 0x7FFFFFFFu;
    if (p > 0x7F800000u || q > 0x7F800000u || (p == 0x7F800000u && !q) || (q == 0x7F800000u && !p))
        return number(0x7FC00000u);
    if (p == 0x7F800000u || q == 0x7F800000u)
        return number(sign | 0x7F800000u);
    return rounded(sign, exponent_of(a) + exponent_of(b), mantissa_of(a) * mantissa_of(b));
}

float __addsf3(float x, float y)
{
    uint32_t a = bits(x), b = bits(y);
    uint64_t m, n;
    int gap;
    if ((a & 0x7FFFFFFFu) < (b & 0x7FFFFFFFu)) {
        const uint32_t other = a;
        a = b;
        b = other;
    }
    if ((a & 0x7FFFFFFFu) >= 0x7F800000u) {
        const int contrary = (b & 0x7FFFFFFFu) == 0x7F800000u && (a ^ b) >> 31;
        return number((a & 0x7FFFFFFFu) > 0x7F800000u || contrary ? 0x7FC00000u : a);
    }
    m = mantissa_of(a) << 32;
    n = mantissa_of(b) << 32;
    gap = exponent_of(a) - exponent_of(b);
    if (gap > 56)
        n = n != 0;
    else
        n = n >> gap | (uint64_t)((n & (((uint64_t)1 << gap) - 1)) != 0);
    if ((a ^ b) >> 31) {
        m -= n;
        return rounded(m ? a & 0x80000000u : 0u, exponent_of(a) - 32, m);
    }
    return rounded(a & 0x80000000u, exponent_of(a) - 32, m + n);
}

float __subsf3(float x, float y)
{
    return __addsf3(x, number(bits(y) ^ 0x80000000u));
}

float __floatunsisf(uint32_t x)
{
    return rounded(0, 0, x);
}

float __floatsisf(int32_t x)
{
    return x < 0 ? rounded(0x80000000u, 0, (uint64_t)-(int64_t)x) : rounded(0, 0, (uint64_t)x);
}

static uint32_t divided(uint32_t x, uint32_t y, uint32_t *rest)
{
    uint32_t quotient = 0, left = 0;
    for (int n = 31; n >= 0; n--) {
        left = left << 1 | (x >> n & 1u);
        if (left >= y) {
            left -= y;
            quotient |= 1u << n;
        }
    }
    *rest = left;
    return quotient;
}

uint32_t __udivsi3(uint32_t x, uint32_t y)
{
    uint32_t rest;
    return divided(x, y, &rest);
}

uint32_t __umodsi3(uint32_t x, uint32_t y)
{
    uint32_t rest;
    divided(x, y, &rest);
    return rest;
}

int32_t __divsi3(int32_t x, int32_t y)
{
    uint32_t rest;
    const uint32_t p = x < 0 ? -(uint32_t)x : (uint32_t)x, q = y < 0 ? -(uint32_t)y : (uint32_t)y;
    const uint32_t found = divided(p, q, &rest);
    return (int32_t)((x < 0) != (y < 0) ? -found : found);
}

uint64_t __umulsidi3(uint32_t x, uint32_t y)
{
    const uint32_t a = x >> 16, b = x & 0xFFFFu, c = y >> 16, d = y & 0xFFFFu;
    const uint32_t low = b * d, middle = a * d + (low >> 16), other = b * c + (middle & 0xFFFFu);
    const uint32_t high = a * c + (middle >> 16) + (other >> 16);
    return (uint64_t)high << 32 | (other << 16 | (low & 0xFFFFu));
}

uint64_t __muldi3(uint64_t x, uint64_t y)
{
    const uint32_t a = (uint32_t)(x >> 32), b = (uint32_t)x, c = (uint32_t)(y >> 32);
    const uint32_t d = (uint32_t)y;
    return __umulsidi3(b, d) + ((uint64_t)(a * d + b * c) << 32);
}
