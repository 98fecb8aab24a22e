/* tanh(x) within 4e-7, as x P(x^2) / Q(x^2); it is 1 to that precision beyond 8. */
static @LIB_CODE float @lib_tanh(float x)
{
    const float t = x > 8.0f ? 8.0f : x < -8.0f ? -8.0f : x;
    const float s = t * t;
    const float p = 1.0f + s * (0.133797139f + s * (0.00349402963f
        + s * (2.05834003e-05f + s * 1.33189637e-08f)));
    const float q = 1.0f + s * (0.467130303f + s * (0.0258710552f
        + s * (0.000328308495f + s * 7.76197453e-07f)));
    return t * p / q;
}
