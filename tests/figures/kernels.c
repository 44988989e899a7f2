/* One kernel, called twice: kernels NAME TIER. Callgrind counts the second call, in `measured`; tables and buffers are
 * there by then (tests/figures/instructions.py). */
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

#define KERNEL(result, name, parameters, arguments) result pp_##name parameters;
#include "kernel_list.h"
#undef KERNEL
int pp_set_tier(int tier);

enum { LOG = 12, ROWS = 1 << LOG, COLUMNS = 32, P = 0x7f000001 };

static uint32_t in[COLUMNS * ROWS], out[2 * COLUMNS * ROWS], key[64];
static const uint32_t *from[COLUMNS];
static uint32_t *to[COLUMNS];

__attribute__((noinline)) static int call(const char *name) {
    if (!strcmp(name, "poseidon2_w16")) pp_poseidon2_permute(in, out, 16, ROWS);
    else if (!strcmp(name, "poseidon2_w24")) pp_poseidon2_permute(in, out, 24, ROWS);
    else if (!strcmp(name, "poseidon2_trace")) pp_poseidon2_trace(in, out, 16, ROWS / 8, ROWS / 8);
    else if (!strcmp(name, "ntt")) return pp_transform(from, to, NULL, COLUMNS, LOG, 0, 1, 1, 0);
    else if (!strcmp(name, "lde_2x")) return pp_transform(from, to, NULL, COLUMNS, LOG, 1, 3, 0, 0);
    else if (!strcmp(name, "hash_rows")) pp_hash_rows(from, COLUMNS, ROWS, key, out);
    else if (!strcmp(name, "hash_pairs")) pp_hash_pairs(in, ROWS, in + 8 * ROWS, ROWS, ROWS, key, out);
    else if (!strcmp(name, "kb6_mul")) pp_kb6_mul(in, in + 6 * ROWS, out, ROWS);
    else if (!strcmp(name, "dot_columns")) pp_dot_columns(from, 20, ROWS, in + 20 * ROWS, 2, out);
    else if (!strcmp(name, "row_dot")) return pp_row_dot(from, COLUMNS, ROWS, in, out);
    else if (!strcmp(name, "fri_fold")) pp_fri_fold(in, LOG, 3, key, 3, out);
    else if (!strcmp(name, "hash160_chains")) pp_hash160_chains(in, out, 64, 16);
    else return 0;
    return 1;
}

__attribute__((noinline)) static int measured(const char *name) {
    int done = call(name);
    __asm__ volatile(""); /* no tail call: collecting ends where this returns */
    return done;
}

int main(int count, char **arguments) {
    if (count != 3 || !pp_set_tier(atoi(arguments[2]))) return 2;
    pool_set_threads(1);
    for (size_t i = 0; i < COLUMNS * ROWS; i++) in[i] = (uint32_t)((i + 1) * 2654435761u % P);
    memcpy(key, in, sizeof key);
    for (size_t i = 0; i < COLUMNS; i++) from[i] = in + i * ROWS, to[i] = out + 2 * i * ROWS;
    return call(arguments[1]) && measured(arguments[1]) ? 0 : 1;
}
