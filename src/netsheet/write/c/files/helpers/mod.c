/* The remainder with the sign of b. */
static @LIB_CODE float @lib_mod(float a, float b)
{
    const float r = fmodf(a, b);
    return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
