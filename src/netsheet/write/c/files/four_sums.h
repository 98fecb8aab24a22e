#ifdef @LIB_FEW_REGISTERS
/* Four sums of two pixels and two channels: from x, and y for the second pixel, up to end. */
struct @lib_four_sums {
    const int16_t *x, *y;
    const int8_t *w;
    const int16_t *end;
    int32_t sums[4];
};
/* One input of each pixel, and its weights, at these distances: r1 = x, r2 = y, r3 = w. */
#define @LIB_FOUR_MACS(first, second) \
    "movs r0, #" #first "\n\tldrsh r4, [r1, r0]\n\tldrsh r5, [r2, r0]\n\t" \
    "ldrsb r6, [r3, r0]\n\tmovs r0, #" #second "\n\tldrsb r7, [r3, r0]\n\t" \
    "mov r0, r4\n\tmuls r0, r6, r0\n\tadd r8, r0\n\tmuls r4, r7, r4\n\tadd r9, r4\n\t" \
    "muls r6, r5, r6\n\tadd r10, r6\n\tmuls r7, r5, r7\n\tadd r11, r7\n\t"
/* Such a processor has eight registers for everything, and others that can be added to: the sums
 * stay there. Compilers would move them back and forth. */
@LIB_INLINE void @lib_mac_pairs(struct @lib_four_sums *four)
{
    register struct @lib_four_sums *at __asm__("r0") = four;
    __asm__ volatile(".syntax unified\n\t"
        "push {r4, r5, r6, r7}\n\tmov r4, r8\n\tmov r5, r9\n\tmov r6, r10\n\tmov r7, r11\n\t"
        "push {r0, r4, r5, r6, r7}\n\t"
        "ldmia r0!, {r1, r2, r3, r4}\n\tmov r12, r4\n\tldmia r0!, {r4, r5, r6, r7}\n\t"
        "mov r8, r4\n\tmov r9, r5\n\tmov r10, r6\n\tmov r11, r7\n"
        "1:\t" @LIB_FOUR_MACS(0, 1) @LIB_FOUR_MACS(2, 3)
        "adds r1, #4\n\tadds r2, #4\n\tadds r3, #4\n\tcmp r1, r12\n\tbne 1b\n\t"
        "mov r4, r8\n\tmov r5, r9\n\tmov r6, r10\n\tmov r7, r11\n\t"
        "pop {r0}\n\tadds r0, #16\n\tstmia r0!, {r4, r5, r6, r7}\n\tsubs r0, #32\n\t"
        "pop {r4, r5, r6, r7}\n\tmov r8, r4\n\tmov r9, r5\n\tmov r10, r6\n\tmov r11, r7\n\t"
        "pop {r4, r5, r6, r7}\n"
        : "+r"(at) : : "r1", "r2", "r3", "r12", "cc", "memory");
}
#endif
