/* Plugin of QEMU: how often each stretch of code is run between two marks.
 *
 * Arguments: start=ADDRESS, stop=ADDRESS (of functions), to=FILE. The file gets a line for each
 * stretch that was run: its first address, its instructions, how often it ran, and how often
 * something else than the code behind it followed (a branch that was taken).
 * The few functions of QEMU's plugin interface are declared here: few systems have its header. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *tb, void (*callback)(unsigned, void *), int flags, void *data);
extern void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, void *), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(
    const struct qemu_plugin_tb *tb, size_t index);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = PLUGIN_VERSION;

struct stretch {
    uint64_t start, end, instructions, runs, left;
    struct stretch *next;
};

static struct stretch *all, *last;
static uint64_t start_at, stop_at;
static int counting;
static const char *to = "counts.txt";

static void run(unsigned processor, void *data)
{
    struct stretch *const here = data;
    (void)processor;
    if (here->start == start_at) {
        counting = 1;
        last = 0;
    } else if (here->start == stop_at) {
        counting = 0;
    }
    if (!counting)
        return;
    if (last && here->start != last->end)
        last->left++;
    here->runs++;
    last = here;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t count = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *const end = qemu_plugin_tb_get_insn(tb, count - 1);
    struct stretch *const one = calloc(1, sizeof *one);
    (void)id;
    if (!one)
        abort();
    one->start = qemu_plugin_tb_vaddr(tb);
    one->end = qemu_plugin_insn_vaddr(end) + qemu_plugin_insn_size(end);
    one->instructions = count;
    one->next = all;
    all = one;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run, 0, one);
}

static void written(qemu_plugin_id_t id, void *data)
{
    FILE *const file = fopen(to, "w");
    (void)id, (void)data;
    if (!file)
        return;
    for (const struct stretch *one = all; one; one = one->next)
        if (one->runs)
            fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", one->start,
                one->instructions, one->runs, one->left);
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **words);

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **words)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], "start=", 6) == 0)
            start_at = strtoull(words[i] + 6, 0, 16);
        else if (strncmp(words[i], "stop=", 5) == 0)
            stop_at = strtoull(words[i] + 5, 0, 16);
        else if (strncmp(words[i], "to=", 3) == 0)
            to = strdup(words[i] + 3);
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, written, 0);
    return 0;
}
