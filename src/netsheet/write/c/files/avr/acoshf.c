#ifdef __AVR__ /* its C library has none */
static @LIB_CODE float @lib_acoshf(float x)
{
    return x > 1e9f ? logf(x) + 0.693147181f : logf(x + sqrtf((x - 1.0f) * (x + 1.0f)));
}
#define acoshf @lib_acoshf
#endif
