/* x / 2^n, halves away from zero. */
static @LIB_CODE int32_t @lib_shift_right(int32_t x, int32_t n)
{
    const int32_t mask = (int32_t)(((int64_t)1 << n) - 1);
    const int32_t half = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> n) + ((x & mask) > half ? 1 : 0);
}
