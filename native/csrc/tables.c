/* Twiddle tables, made once per size, and aligned memory. */
#include "field_scalar.h"
#include "kernels.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

#define HUGE_PAGE ((size_t)1 << 21)

void *aligned_new(size_t bytes) {
    void *memory = NULL;
    if (bytes >= HUGE_PAGE / 4) bytes = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1); /* or each use takes hundreds of faults */
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    if (posix_memalign(&memory, alignment, bytes ? bytes : 64) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE) (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

void aligned_free(void *memory) { free(memory); }

/* Scratch stays with the process: each call would fetch it from the system again otherwise. */
static pthread_mutex_t scratch_lock = PTHREAD_MUTEX_INITIALIZER;
static struct scratch {
    void *memory;
    size_t bytes;
    int used;
} kept[8];

void *scratch_new(size_t bytes) {
    struct scratch *best = NULL, *spare = NULL; /* the smallest idle one that does; else an empty place, or the smallest idle one */
    if (bytes < HUGE_PAGE) return aligned_new(bytes);
    pthread_mutex_lock(&scratch_lock);
    for (struct scratch *s = kept; s < kept + sizeof kept / sizeof *kept; s++) {
        if (s->used) continue;
        if (s->bytes >= bytes && (!best || s->bytes < best->bytes)) best = s;
        if (!spare || s->bytes < spare->bytes) spare = s;
    }
    if (!best && spare) {
        aligned_free(spare->memory);
        spare->memory = aligned_new(bytes);
        spare->bytes = spare->memory ? bytes : 0;
        best = spare;
    }
    void *memory = best ? best->memory : NULL;
    if (memory) best->used = 1;
    pthread_mutex_unlock(&scratch_lock);
    return best ? memory : aligned_new(bytes);
}

void scratch_free(void *memory) {
    if (!memory) return;
    pthread_mutex_lock(&scratch_lock);
    for (struct scratch *s = kept; s < kept + sizeof kept / sizeof *kept; s++)
        if (s->memory == memory) {
            s->used = 0;
            memory = NULL;
            break;
        }
    pthread_mutex_unlock(&scratch_lock);
    aligned_free(memory);
}

/* Tables of constant factors, by kind and size. */
enum { POWERS, ROOTS, LANES_OF_8, LANES_OF_16, KINDS };
static const u32 *tables[KINDS][TWO_ADICITY + 1];

static const u32 *cached(int kind, unsigned log, size_t count, int (*make)(u32 *table, unsigned log, unsigned log_lanes)) {
    const u32 *found = __atomic_load_n(&tables[kind][log], __ATOMIC_ACQUIRE);
    if (found) return found;
    pthread_mutex_lock(&table_lock);
    found = tables[kind][log];
    if (!found) {
        u32 *made = aligned_new(FACTOR_WORDS(count) * sizeof(u32));
        if (made && make(made, log, kind == LANES_OF_8 ? 3 : 4)) {
            __atomic_store_n(&tables[kind][log], made, __ATOMIC_RELEASE);
            found = made;
        } else
            aligned_free(made);
    }
    pthread_mutex_unlock(&table_lock);
    return found;
}

static int make_powers(u32 *table, unsigned log_h, unsigned unused) {
    size_t h = (size_t)1 << log_h;
    u32 root = m_inv(m_root(log_h + 1)), power = R1;
    (void)unused;
    for (size_t i = 0; i < h; i++, power = m_mul(power, root)) factor_store(table, i, power);
    return 1;
}
const u32 *power_factors(unsigned log_h) { return cached(POWERS, log_h, (size_t)1 << log_h, make_powers); }

/* Root j, of order 2^(log + 1), is the product of the roots of order 2^(k + 2) over the bits k of j. */
static u32 *all_roots(unsigned log) {
    u32 *roots = aligned_new(((size_t)1 << log) * sizeof(u32));
    if (roots) roots[0] = R1;
    for (unsigned k = 0; roots && k < log; k++) {
        u32 root = m_root(k + 2);
        for (size_t i = 0, size = (size_t)1 << k; i < size; i++) roots[size + i] = m_mul(roots[i], root);
    }
    return roots;
}
static int make_roots(u32 *table, unsigned log, unsigned unused) {
    u32 *roots = all_roots(log);
    (void)unused;
    for (size_t i = 0; roots && i < (size_t)1 << log; i++) factor_store(table, i, roots[i]);
    aligned_free(roots);
    return roots != NULL;
}
const u32 *root_factors(unsigned log) { return cached(ROOTS, log, (size_t)1 << log, make_roots); }

static int make_lanes(u32 *table, unsigned log_n, unsigned log_lanes) {
    size_t lanes = (size_t)1 << log_lanes, rows = ((size_t)1 << log_n) / lanes, i = 0;
    u32 *roots = all_roots(log_n - 1);
    for (size_t row = 0; roots && row < rows; row += lanes)
        for (size_t runs = lanes / 2; runs; runs /= 2) /* of a row, in the layer */
            for (size_t run = 0; run < runs; run++)
                for (size_t lane = 0; lane < lanes; lane++, i++)
                    factor_store(table, i, roots[(row + lane) * runs + run]);
    aligned_free(roots);
    return roots != NULL;
}
const u32 *lane_factors(unsigned log_n, unsigned log_lanes) {
    size_t lanes = (size_t)1 << log_lanes, blocks = ((size_t)1 << log_n) / (lanes * lanes);
    return cached(log_lanes == 3 ? LANES_OF_8 : LANES_OF_16, log_n, blocks * lanes * (lanes - 1), make_lanes);
}
