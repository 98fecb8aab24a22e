/* Where things lie. Define any of these on the command line, or in a header of yours that
 * @LIB_PLACES names (-D@LIB_PLACES='"places.h"'):
 * @LIB_WEIGHTS  attribute of the arrays of weights: a section of an external flash, for instance
 * @LIB_SMALL_WEIGHTS  the same of those whose values are bytes or pairs of bytes
 * @LIB_ARENA    attribute of the static arena: EXT_RAM_BSS_ATTR for the PSRAM of an ESP32
 * @LIB_CODE     attribute of the functions: IRAM_ATTR, or a section that is copied to RAM
 * @LIB_FLASH    qualifier of all constants, where program memory has addresses of its own */
#ifdef @LIB_PLACES
#include @LIB_PLACES
#endif
#ifndef @LIB_FLASH
#if defined @LIB_WEIGHTS_KEY /* weights are a file, in memory like any other */
#define @LIB_FLASH
#elif defined __AVR__ && defined @LIB_FAR
#define @LIB_FLASH __memx
#elif defined __AVR__
#define @LIB_FLASH __flash
#else
#define @LIB_FLASH
#endif
#endif
#ifndef @LIB_WEIGHTS
#ifdef ESP8266 /* its linker puts other constants into RAM; this flash is read by whole words */
#define @LIB_WEIGHTS __attribute__((section(".irom.text.@lib"), aligned(4)))
#else
#define @LIB_WEIGHTS
#endif
#endif
#ifndef @LIB_SMALL_WEIGHTS
#ifdef ESP8266
#define @LIB_SMALL_WEIGHTS
#else
#define @LIB_SMALL_WEIGHTS @LIB_WEIGHTS
#endif
#endif
#ifndef @LIB_ARENA
#define @LIB_ARENA
#endif
#ifndef @LIB_CODE
#define @LIB_CODE
#endif

/* Vectors are read over the end of arrays of weights, where there are vectors. */
#if defined(__GNUC__) && !defined(@LIB_PORTABLE) \
    && (defined(__SSE__) || defined(__ARM_NEON) || defined(__ALTIVEC__) \
        || defined(__wasm_simd128__))
#define @LIB_SPARE + 16
#else
#define @LIB_SPARE
#endif

/* Infinity and minus infinity as constants, for every compiler. */
#ifndef NETSHEET_INFINITE
#if defined __SDCC || (defined __SIZEOF_DOUBLE__ && __SIZEOF_DOUBLE__ == 4)
#define NETSHEET_INFINITE (1e30f * 1e30f)
#define NETSHEET_BELOW_ALL (-1e30f * 1e30f)
#else
#define NETSHEET_INFINITE ((float)1e39)
#define NETSHEET_BELOW_ALL ((float)-1e39)
#endif
#endif
