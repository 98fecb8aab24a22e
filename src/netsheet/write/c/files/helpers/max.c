/* The larger value; NaN if there is one. */
static @LIB_CODE float @lib_max(float a, float b)
{
    return a < b || isnan(b) ? b : a;
}
