/* Abramowitz and Stegun 7.1.26, within 2e-7. */
#ifdef __AVR__ /* its C library has none */
static @LIB_CODE float @lib_erff(float x)
{
    const float t = 1.0f / (1.0f + 0.3275911f * fabsf(x));
    const float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f
        + t * (-1.453152027f + t * 1.061405429f))));
    const float found = 1.0f - p * expf(-x * x);
    return x < 0.0f ? -found : found;
}
#define erff @lib_erff
#endif
