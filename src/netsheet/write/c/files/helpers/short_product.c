/* a * b / 2^31, halves up, for |a| < 2^30 and b >= 0. */
static inline @LIB_CODE int32_t @lib_short_product(int32_t a, int32_t b)
{
#if (defined __thumb__ && !defined __thumb2__) || defined __AVR__
    /* no instruction for products of 64 bits: by halves */
    const int32_t upper = (2 * a) >> 16, lower = (2 * a) & 0xFFFF;
    const int32_t b_upper = b >> 16, b_lower = b & 0xFFFF;
    const uint32_t last = (uint32_t)lower * (uint32_t)b_lower;
    const int32_t middle = upper * b_lower + (int32_t)(last >> 16), other = lower * b_upper;
    const int32_t rest = (middle & 0xFFFF) + (other & 0xFFFF) + 0x8000;
    return upper * b_upper + (middle >> 16) + (other >> 16) + (rest >> 16);
#else
    const int64_t product = (int64_t)(2 * a) * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}
