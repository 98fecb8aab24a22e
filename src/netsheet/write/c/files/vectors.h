#if defined(__GNUC__) && !defined(@LIB_PORTABLE) \
    && (defined(__SSE__) || defined(__ARM_NEON) || defined(__ALTIVEC__) \
        || defined(__wasm_simd128__))
#define @LIB_VECTORS
typedef float @lib_vector __attribute__((vector_size(16), aligned(4), may_alias));
typedef int @lib_mask __attribute__((vector_size(16)));
/* a where the test holds, else b */
#define @LIB_CHOOSE(test, a, b) \
    (@lib_vector)(((@lib_mask)(test) & (@lib_mask)(a)) | (~(@lib_mask)(test) & (@lib_mask)(b)))
#endif
