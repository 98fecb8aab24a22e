/* a * b / 2^31, halves up, for |a| < 2^30 and b >= 0. */
static inline @LIB_CODE int32_t @lib_short_product(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)(2 * a) * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}
