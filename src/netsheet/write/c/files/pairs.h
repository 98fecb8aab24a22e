/* Products of whole numbers by twos, where the processor has instructions for that. */
#if defined __GNUC__
#define @LIB_INLINE static inline __attribute__((always_inline))
#define @LIB_APART __attribute__((noinline))
#else
#define @LIB_INLINE static inline
#define @LIB_APART
#endif
#if defined __GNUC__ && defined __ARM_FEATURE_DSP && __ARM_FEATURE_DSP \
    && !defined __ARM_BIG_ENDIAN && !defined @LIB_PORTABLE
#define @LIB_PAIRS
/* Four bytes from anywhere. */
@LIB_INLINE uint32_t @lib_load(const void *at)
{
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}
/* The same, and the place moves on. */
#define @LIB_NEXT_WORD(word, at) \
    __asm__ volatile("ldr %0, [%1], #4" : "=r"(word), "+r"(at) : : "memory")
/* Bytes 0 and 2 as two numbers of 16 bits, and bytes 1 and 3. */
#define @LIB_EVEN_BYTES(to, word) __asm__ volatile("sxtb16 %0, %1" : "=r"(to) : "r"(word))
#define @LIB_ODD_BYTES(to, word) __asm__ volatile("sxtb16 %0, %1, ror #8" : "=r"(to) : "r"(word))
#define @LIB_MAC_BY(name, sum, a, b) \
    __asm__ volatile(name " %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b))
/* sum += a0 * b0 + a1 * b1; and each of the two alone. */
#define @LIB_MAC_BOTH(sum, a, b) @LIB_MAC_BY("smlad", sum, a, b)
#define @LIB_MAC_LOW(sum, a, b) @LIB_MAC_BY("smlabb", sum, a, b)
#define @LIB_MAC_HIGH(sum, a, b) @LIB_MAC_BY("smlatt", sum, a, b)
#endif
#if defined __GNUC__ && defined __thumb__ && !defined __thumb2__ && __ARM_ARCH >= 6 \
    && !defined @LIB_PORTABLE
#define @LIB_FEW_REGISTERS
#endif
