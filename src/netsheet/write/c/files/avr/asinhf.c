#ifdef __AVR__ /* its C library has none */
static @LIB_CODE float @lib_asinhf(float x)
{
    const float a = fabsf(x);
    const float found = a > 1e9f ? logf(a) + 0.693147181f
        : a > 0.1f ? logf(a + sqrtf(a * a + 1.0f))
        : a * (1.0f - a * a * (1.0f / 6.0f - a * a * (3.0f / 40.0f)));
    return x < 0.0f ? -found : found;
}
#define asinhf @lib_asinhf
#endif
