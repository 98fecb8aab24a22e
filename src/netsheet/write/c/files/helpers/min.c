/* The smaller value; NaN if there is one. */
static @LIB_CODE float @lib_min(float a, float b)
{
    return b < a || isnan(b) ? b : a;
}
