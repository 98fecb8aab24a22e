#ifdef __AVR__ /* its C library has none */
static @LIB_CODE float @lib_atanhf(float x)
{
    const float s = x * x;
    return fabsf(x) > 0.1f ? 0.5f * logf((1.0f + x) / (1.0f - x))
        : x * (1.0f + s * (1.0f / 3.0f + s * (1.0f / 5.0f + s * (1.0f / 7.0f))));
}
#define atanhf @lib_atanhf
#endif
