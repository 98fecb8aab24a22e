/* x / n, halves away from zero, n > 0. */
static @LIB_CODE int32_t @lib_rounded_quotient(int32_t x, int32_t n)
{
    return (x > 0 ? x + n / 2 : x - n / 2) / n;
}
