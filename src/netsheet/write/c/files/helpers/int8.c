/* x held in a byte. */
static inline @LIB_CODE int32_t @lib_int8(int32_t x)
{
#if defined __GNUC__ && defined __ARM_FEATURE_SAT && !defined @LIB_PORTABLE
    int32_t held;
    __asm__("ssat %0, #8, %1" : "=r"(held) : "r"(x));
    return held;
#else
    return x < -128 ? -128 : x > 127 ? 127 : x;
#endif
}
