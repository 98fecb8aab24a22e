/* Zeros before the first of the 32 bits of x > 0. */
static @LIB_CODE int32_t @lib_leading_zeros(int32_t x)
{
    int32_t zeros = 32;
    for (; x > 0; x >>= 1)
        zeros--;
    return zeros;
}
