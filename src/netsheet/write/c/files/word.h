/* A word of memory for activations: numbers of these kinds lie in it, one after the other. */
typedef union {
    float real;
    int32_t whole;
    int16_t halves[2];
    int8_t bytes[4];
    uint8_t positive_bytes[4];
} @lib_word;
