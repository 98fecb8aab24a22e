/* The weights are a file, @lib_weights.bin, of @LIB_WEIGHTS_SIZE bytes, or of more: what lies
 * behind is needed with @LIB_TRACE only. Give it before the first run. */
#ifdef @LIB_TRACE
#define @LIB_WEIGHTS_SIZE @wholeuL
#else
#define @LIB_WEIGHTS_SIZE @plainuL
#endif
#define @LIB_WEIGHTS_KEY @key

/* What the functions below, and a run without weights, return. */
enum {
    @LIB_WEIGHTS_GOOD = 0,
    @LIB_WEIGHTS_MISSING = 2, /* none were given, or it ends too early */
    @LIB_WEIGHTS_FOREIGN = 3, /* it is no such file */
    @LIB_WEIGHTS_OTHER = 4,   /* it belongs to other code than this */
    @LIB_WEIGHTS_BROKEN = 5,  /* its checksum differs */
    @LIB_WEIGHTS_PLACE = 6    /* it does not lie at a multiple of 4, or this machine is big-endian */
};
