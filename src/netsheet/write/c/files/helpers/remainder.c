/* a mod b, never negative, b > 0. */
static @LIB_CODE int @lib_remainder(int a, int b)
{
    const int r = a % b;
    return r < 0 ? r + b : r;
}
