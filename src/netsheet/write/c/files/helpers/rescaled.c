/* a * b / 2^31 / 2^n, each rounded, the second with halves away from zero; no number is near the
 * ends of 32 bits, and n > 0. */
static inline @LIB_CODE int32_t @lib_rescaled(int32_t a, int32_t b, int32_t n)
{
    const int32_t whole = @lib_short_product(a, b);
    return (whole + ((int32_t)1 << (n - 1)) + (whole >> 31)) >> n;
}
