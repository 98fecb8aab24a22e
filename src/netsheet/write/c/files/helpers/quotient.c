/* a / b rounded down, b > 0. */
static @LIB_CODE int @lib_quotient(int a, int b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}
