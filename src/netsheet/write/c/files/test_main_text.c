#ifdef @LIB_HAS_MAIN
int main(void)
{
    return @lib_test();
}
#endif
