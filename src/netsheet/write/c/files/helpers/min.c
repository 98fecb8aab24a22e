/* The smaller value; NaN if there is one. */
static float @lib_min(float a, float b)
{
    return b < a || isnan(b) ? b : a;
}
