/* Bytes as numbers of 16 bits, with zero added: four at a time where that can be. */
static @LIB_CODE void @lib_widen(int16_t *to, const int8_t *from, int zero, int count)
{
#if defined __GNUC__ && defined __ARM_FEATURE_DSP && __ARM_FEATURE_DSP \
    && !defined __ARM_BIG_ENDIAN && !defined @LIB_PORTABLE
    const uint32_t zeros = (uint32_t)(uint16_t)zero * 0x10001u;
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        uint32_t four, even, odd;
        __builtin_memcpy(&four, from, sizeof four);
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(zeros), "r"(four));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(zeros), "r"(four));
        const uint32_t first = (even & 0xFFFFu) | odd << 16;
        const uint32_t second = even >> 16 | (odd & 0xFFFF0000u);
        __builtin_memcpy(to, &first, sizeof first);
        __builtin_memcpy(to + 2, &second, sizeof second);
    }
#endif
    for (; count > 0; count--)
        *to++ = (int16_t)(*from++ + zero);
}
