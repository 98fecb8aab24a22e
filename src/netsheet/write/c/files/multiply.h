/* One copy of each row function, not one for every layer. */
#if defined(__GNUC__) && !defined(__clang__)
#define @LIB_ONCE __attribute__((noinline, noclone))
#else
#define @LIB_ONCE
#endif

#if defined(FP_FAST_FMAF) || defined(__FP_FAST_FMAF)
#define @LIB_MAC(sum, a, b) sum = fmaf(a, b, sum)
#else
#define @LIB_MAC(sum, a, b) sum += (a) * (b)
#endif
