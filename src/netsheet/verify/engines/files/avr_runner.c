/* Runs firmware of an AVR in libsimavr: bytes in and out through spare registers, instructions,
 * cycles and stack counted between two marks.
 *
 * Arguments: processor, ELF file, lowest address that the stack may reach, input, output, counts.
 * The memory of variables is extended to the 64 KB that the processor can address. */
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses of GPIOR0, GPIOR1 and GPIOR2: data, state and commands. */
enum { DATA = 0x3E, STATE = 0x4A, COMMAND = 0x4B };
enum { COUNT = 1, COUNTED = 2, END = 3 }; /* END is followed by a status in DATA */
enum { FAULT = 70, NO_FILE = 71, DEEP = 74 };

static FILE *in, *out;
static int next, ended, status, counting;
static unsigned long long instructions, cycles;
static unsigned lowest, deepest;

static unsigned stack(const avr_t *avr)
{
    return avr->data[R_SPL] | (unsigned)avr->data[R_SPH] << 8;
}

static uint8_t data_read(avr_t *avr, avr_io_addr_t address, void *unused)
{
    const int byte = next;
    (void)avr, (void)address, (void)unused;
    next = getc(in);
    return (uint8_t)byte;
}

static uint8_t state_read(avr_t *avr, avr_io_addr_t address, void *unused)
{
    (void)avr, (void)address, (void)unused;
    return next != EOF;
}

static void data_written(avr_t *avr, avr_io_addr_t address, uint8_t byte, void *unused)
{
    (void)avr, (void)address, (void)unused;
    if (ended)
        status = byte;
    else
        putc(byte, out);
}

static void command_written(avr_t *avr, avr_io_addr_t address, uint8_t command, void *unused)
{
    static unsigned long long before, at;
    static unsigned top;
    (void)address, (void)unused;
    if (command == COUNT) {
        before = avr->cycle;
        at = instructions;
        top = lowest = stack(avr);
        counting = 1;
    } else if (command == COUNTED && counting) {
        cycles = avr->cycle - before;
        instructions -= at;
        deepest = top - lowest;
        counting = 0;
    } else if (command == END)
        ended = 1;
}

int main(int count, char **words)
{
    elf_firmware_t firmware = {0};
    avr_t *avr;
    FILE *counts;
    unsigned low;
    if (count != 7 || elf_read_firmware(words[2], &firmware) != 0)
        return NO_FILE;
    avr = avr_make_mcu_by_name(words[1]);
    if (!avr)
        return NO_FILE;
    low = (unsigned)strtoul(words[3], 0, 16) & 0xFFFFu;
    avr->ramend = 0xFFFF;
    avr_init(avr);
    firmware.frequency = 16000000;
    avr_load_firmware(avr, &firmware);
    avr->log = LOG_NONE;
    avr->run_cycle_limit = 1; /* one instruction a step */
    in = fopen(words[4], "rb");
    out = fopen(words[5], "wb");
    if (!in || !out)
        return NO_FILE;
    next = getc(in);
    avr_register_io_read(avr, DATA, data_read, 0);
    avr_register_io_write(avr, DATA, data_written, 0);
    avr_register_io_read(avr, STATE, state_read, 0);
    avr_register_io_write(avr, COMMAND, command_written, 0);
    status = -1;
    while (status < 0) {
        const int state = avr_run(avr);
        instructions += (unsigned long long)counting;
        if (stack(avr) < lowest || !counting)
            lowest = stack(avr);
        if (state == cpu_Crashed || state == cpu_Done)
            return FAULT;
        if (avr->cycle > 100 && stack(avr) < low) /* its start sets the pointer */
            return DEEP;
    }
    counts = fopen(words[6], "w");
    if (!counts || fclose(out) != 0)
        return NO_FILE;
    fprintf(counts, "%llu %llu %u\n", instructions, cycles, deepest);
    return fclose(counts) == 0 ? status : NO_FILE;
}
