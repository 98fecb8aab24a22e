/* Files of the computer that emulates the board, and the board's own counters. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Bytes of the file in.bin; 0 where they end before that. */
int fetch(void *to, unsigned size);

/* Bytes for the file out.bin. */
void put(const void *from, unsigned size);

/* Marks: the emulator counts the instructions from the one to the other. */
void board_count(void);
void board_counted(void);

/* Paints the free stack; then: the bytes of it that were used since. */
void board_paint(void);
unsigned board_used(void);

/* Why a board stopped, as exit codes. */
enum { BOARD_FAULT = 70, BOARD_NO_FILE = 71, BOARD_NO_SPACE = 72 };

/* The end: everything that was put is written, or not. */
void board_end(unsigned code);
void board_stop(unsigned code);

/* A request to the computer that emulates the board. */
int32_t board_host(uint32_t operation, const uint32_t *arguments);

#endif
