#ifdef @LIB_HAS_MAIN
static unsigned long taken(void *from, void *to, unsigned long size)
{
    return (unsigned long)fread(to, 1, size, from);
}

/* The weights are the file that is named, or @lib_weights.bin. */
int main(int count, char **words)
{
    static float memory[@LIB_WEIGHTS_SIZE / 4];
    const char *name = count > 1 ? words[1] : "@lib_weights.bin";
    FILE *const file = fopen(name, "rb");
    const int said = file ? @lib_read_weights(taken, file, memory) : @LIB_WEIGHTS_MISSING;
    if (file)
        fclose(file);
    if (said != @LIB_WEIGHTS_GOOD) {
        printf("%s: %s\n", name,
            said == @LIB_WEIGHTS_MISSING ? "is not there, or too short" :
            said == @LIB_WEIGHTS_BROKEN ? "its checksum differs" :
            said == @LIB_WEIGHTS_OTHER ? "belongs to other code" : "is no file of weights");
        return 1;
    }
    return @lib_test();
}
#endif
