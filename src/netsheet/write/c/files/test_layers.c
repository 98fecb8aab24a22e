static struct {
    const char *layer;
    int size, step;
    const float *reference;
    int seen;
} layers[] = {
@rows
};
