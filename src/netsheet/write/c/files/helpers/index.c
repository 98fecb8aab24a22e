/* A computed position, kept inside 0 .. size - 1. */
static @LIB_CODE int @lib_index(float at, int size)
{
    return !(at >= 0.0f) ? 0 : at >= (float)(size - 1) ? size - 1 : (int)at;
}
