static struct {
    const char *layer;
    int size, step;
    const @LIB_FLASH float *reference;
    int seen;
} layers[] = {
@rows
};
