/* Weights that lie in memory and stay there: a flash partition that is mapped, for instance.
 * Checks the size, the key and the checksum. */
int @lib_use_weights(const void *file, unsigned long size);

/* Weights that a function of yours reads into memory of @LIB_WEIGHTS_SIZE bytes, from an SD card
 * for instance: it is given `from`, and returns how many of the wanted bytes it has read. */
int @lib_read_weights(unsigned long (*read)(void *from, void *to, unsigned long size), void *from,
    void *memory);
