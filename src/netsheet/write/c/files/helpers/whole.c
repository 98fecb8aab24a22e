/* The nearest whole number, halves away from zero, held in 32 bits. */
static @LIB_CODE int32_t @lib_whole(float x)
{
    if (!(x > -2147483648.0f))
        return x <= -2147483648.0f ? INT32_MIN : 0;
    return x >= 2147483648.0f ? INT32_MAX : (int32_t)roundf(x);
}
