/* 1 / (1 + exp(-x)) */
static @LIB_CODE float @lib_sigmoid(float x)
{
    return 0.5f + 0.5f * @lib_tanh(0.5f * x);
}
