/* A computed whole number as a position, kept inside 0 .. size - 1. */
static @LIB_CODE int @lib_place(int32_t at, int size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : (int)at;
}
