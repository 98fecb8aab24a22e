#if defined(__GNUC__) && !defined(@LIB_PORTABLE)
#if (defined(__clang__) || __GNUC__ >= 12) && defined(__AVX512F__)
#define @LIB_LANES 16
#elif (defined(__clang__) || __GNUC__ >= 12) && defined(__AVX__)
#define @LIB_LANES 8
#elif defined(__SSE__) || defined(__ARM_NEON) || defined(__ALTIVEC__) \
    || defined(__wasm_simd128__)
#define @LIB_LANES 4
#endif
#endif

#ifdef @LIB_LANES
typedef float @lib_vector4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int @lib_mask4 __attribute__((vector_size(16)));
#if @LIB_LANES >= 8
typedef float @lib_vector8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int @lib_mask8 __attribute__((vector_size(32)));
/* two vectors as one */
#define @LIB_JOIN8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#endif
#if @LIB_LANES >= 16
typedef float @lib_vector16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int @lib_mask16 __attribute__((vector_size(64)));
#define @LIB_JOIN16(a, b) \
    __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
/* a where the test holds, else b */
#define @LIB_CHOOSE(lanes, test, a, b) (@lib_vector##lanes)(((@lib_mask##lanes)(test) \
    & (@lib_mask##lanes)(a)) | (~(@lib_mask##lanes)(test) & (@lib_mask##lanes)(b)))
#endif
