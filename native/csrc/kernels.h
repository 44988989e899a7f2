/* What every source of the package shares: the kernel table, the thread pool and the twiddle tables. */
#ifndef PEGPROOF_KERNELS_H
#define PEGPROOF_KERNELS_H
#include <stdint.h>
#include <stddef.h>

struct kernels {
#define KERNEL(result, name, parameters, arguments) result(*name) parameters;
#include "kernel_list.h"
#undef KERNEL
};

enum { TIER_PORTABLE = 0, TIER_AVX2 = 1, TIER_AVX512 = 2 };

extern const struct kernels kernels_portable;
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;

#define MAX_THREADS 256

/* Runs task(context, 0..count-1) on the pool; the caller works too. Nested or concurrent calls run on the caller alone. */
typedef void (*pool_task)(void *context, size_t index);
void pool_run(pool_task task, void *context, size_t count);
void pool_set_threads(int count);
int pool_threads(void);

/* Tables of constant factors (`factor_store`) for transforms, cached for ever. NULL: out of memory.
 * Powers i < 2^log_h of the inverse root of order 2^(log_h + 1). */
const uint32_t *power_factors(unsigned log_h);
/* Roots in bit-reversed order, 2^log of them: a prefix of those of any larger table. */
const uint32_t *root_factors(unsigned log);
/* By block of lanes x lanes elements of a column, by run of the layers inside its rows: one vector, a lane a row. */
const uint32_t *lane_factors(unsigned log_n, unsigned log_lanes);
/* 64-byte aligned memory; NULL if there is none. */
void *aligned_new(size_t bytes);
void aligned_free(void *memory);
/* The same for what a call needs and its successors will need again: it stays with the process. */
void *scratch_new(size_t bytes);
void scratch_free(void *memory);
#endif
