#ifdef __AVR__ /* its C library has none */
static @LIB_CODE float @lib_rintf(float x)
{
    const float down = floorf(x), above = x - down;
    if (above < 0.5f || (above == 0.5f && fmodf(down, 2.0f) == 0.0f))
        return down;
    return down + 1.0f;
}
#define rintf @lib_rintf
#endif
