/* Files of the computer that emulates the board, and the board's own counters. */
#ifndef BOARD_H
#define BOARD_H

/* Bytes of the file in.bin; 0 where they end before that. */
int fetch(void *to, unsigned size);

/* Bytes for the file out.bin. */
void put(const void *from, unsigned size);

/* Ticks of 25 MHz since board_count(); qemu -icount shift=0 executes 40 instructions in one. */
void board_count(void);
unsigned board_counted(void);

/* Paints the free stack; then: the bytes of it that were used since. */
void board_paint(void);
unsigned board_used(void);

#endif
