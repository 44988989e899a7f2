/* BLAKE3 derive_key hashing, one message per lane. key: the context key, so the chaining value every chunk starts from. */
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, DERIVE_KEY_MATERIAL = 64 };
#define CHUNK_COLUMNS 256 /* elements of a chunk of 1024 bytes */
#define BLOCK_COLUMNS 16  /* elements of a block of 64 bytes */
#define HASH_TILE 512     /* rows whose chaining values stay in the first-level cache */
#define MAX_TREE_DEPTH 16

#define BLAKE3_IV0 0x6a09e667u
#define BLAKE3_IV1 0xbb67ae85u
#define BLAKE3_IV2 0x3c6ef372u
#define BLAKE3_IV3 0xa54ff53au

/* One step of four mixings at once, so that none waits for itself. */
#define HALF_MIX(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, x0, x1, x2, x3, first, second)         \
    do {                                                                                                              \
        a0 = v_add(v_add(a0, x0), b0), a1 = v_add(v_add(a1, x1), b1);                                                 \
        a2 = v_add(v_add(a2, x2), b2), a3 = v_add(v_add(a3, x3), b3);                                                 \
        d0 = v_xor(d0, a0), d1 = v_xor(d1, a1), d2 = v_xor(d2, a2), d3 = v_xor(d3, a3);                               \
        d0 = v_ror(d0, first), d1 = v_ror(d1, first), d2 = v_ror(d2, first), d3 = v_ror(d3, first);                   \
        c0 = v_add(c0, d0), c1 = v_add(c1, d1), c2 = v_add(c2, d2), c3 = v_add(c3, d3);                               \
        b0 = v_xor(b0, c0), b1 = v_xor(b1, c1), b2 = v_xor(b2, c2), b3 = v_xor(b3, c3);                               \
        b0 = v_ror(b0, second), b1 = v_ror(b1, second), b2 = v_ror(b2, second), b3 = v_ror(b3, second);               \
    } while (0)
#define MIX_ROUND(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)                               \
    do {                                                                                                              \
        HALF_MIX(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, m[m0], m[m2], m[m4], m[m6], 16, 12);   \
        HALF_MIX(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, m[m1], m[m3], m[m5], m[m7], 8, 7);     \
        HALF_MIX(s0, s1, s2, s3, s5, s6, s7, s4, s10, s11, s8, s9, s15, s12, s13, s14, m[m8], m[m10], m[m12], m[m14], 16, 12); \
        HALF_MIX(s0, s1, s2, s3, s5, s6, s7, s4, s10, s11, s8, s9, s15, s12, s13, s14, m[m9], m[m11], m[m13], m[m15], 8, 7);   \
    } while (0)

/* cv = first half of the compression of m from cv. */
INLINE void blake3_compress(vec *cv, const vec *m, u32 counter, u32 length, u32 flags) {
    vec s0 = cv[0], s1 = cv[1], s2 = cv[2], s3 = cv[3], s4 = cv[4], s5 = cv[5], s6 = cv[6], s7 = cv[7];
    vec s8 = v_set1(BLAKE3_IV0), s9 = v_set1(BLAKE3_IV1), s10 = v_set1(BLAKE3_IV2), s11 = v_set1(BLAKE3_IV3);
    vec s12 = v_set1(counter), s13 = v_set1(0), s14 = v_set1(length), s15 = v_set1(flags);
    MIX_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    MIX_ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);
    MIX_ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);
    MIX_ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);
    MIX_ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);
    MIX_ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);
    MIX_ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);
    cv[0] = v_xor(s0, s8), cv[1] = v_xor(s1, s9), cv[2] = v_xor(s2, s10), cv[3] = v_xor(s3, s11);
    cv[4] = v_xor(s4, s12), cv[5] = v_xor(s5, s13), cv[6] = v_xor(s6, s14), cv[7] = v_xor(s7, s15);
}

struct hash_job {
    const u32 *const *columns;
    size_t count, rows;
    const u32 *left, *right;
    size_t left_stride, right_stride;
    u32 key[8];
    u32 *out;
};

/* Chaining values of one chunk of a tile of rows, block of columns by block of columns. */
static void hash_chunk(const struct hash_job *job, size_t row, size_t rows, size_t first, size_t count, u32 counter, int only,
                       u32 (*cvs)[HASH_TILE]) {
    for (int k = 0; k < 8; k++)
        for (size_t i = 0; i < HASH_TILE; i += LANES) v_store(cvs[k] + i, v_set1(job->key[k]));
    size_t block = 0;
    do {
        size_t present = min_size(BLOCK_COLUMNS, count - block);
        u32 flags = DERIVE_KEY_MATERIAL | (block ? 0 : CHUNK_START);
        if (block + BLOCK_COLUMNS >= count) flags |= CHUNK_END | (only ? ROOT : 0);
        const u32 *column[BLOCK_COLUMNS];
        for (size_t k = 0; k < present; k++) column[k] = job->columns[first + block + k] + row;
        for (size_t i = 0; i < rows; i += LANES) {
            vec m[BLOCK_COLUMNS], cv[8];
            if (present == BLOCK_COLUMNS && rows - i >= LANES) {
#pragma GCC unroll 16
                for (int k = 0; k < BLOCK_COLUMNS; k++) m[k] = v_load(column[k] + i);
            } else {
                for (size_t k = 0; k < BLOCK_COLUMNS; k++)
                    m[k] = k < present ? v_load_part(column[k] + i, rows - i) : v_set1(0);
            }
            for (int k = 0; k < 8; k++) cv[k] = v_load(cvs[k] + i);
            blake3_compress(cv, m, counter, (u32)(4 * present), flags);
            for (int k = 0; k < 8; k++) v_store(cvs[k] + i, cv[k]);
        }
        block += BLOCK_COLUMNS;
    } while (block < count);
}
/* left = parent of (left, right). */
static void hash_parents(const struct hash_job *job, size_t rows, u32 (*left)[HASH_TILE], u32 (*right)[HASH_TILE], int root) {
    for (size_t i = 0; i < rows; i += LANES) {
        vec m[16], cv[8];
        for (int k = 0; k < 8; k++) {
            m[k] = v_load(left[k] + i);
            m[8 + k] = v_load(right[k] + i);
            cv[k] = v_set1(job->key[k]);
        }
        blake3_compress(cv, m, 0, 64, DERIVE_KEY_MATERIAL | PARENT | (root ? ROOT : 0));
        for (int k = 0; k < 8; k++) v_store(left[k] + i, cv[k]);
    }
}

static void hash_rows_task(void *context, size_t task) {
    const struct hash_job *job = context;
    _Alignas(64) u32 stack[MAX_TREE_DEPTH][8][HASH_TILE];
    size_t row = task * HASH_TILE, rows = min_size(HASH_TILE, job->rows - row);
    size_t chunks = job->count ? (job->count + CHUNK_COLUMNS - 1) / CHUNK_COLUMNS : 1, depth = 0;
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        size_t first = chunk * CHUNK_COLUMNS, count = min_size(CHUNK_COLUMNS, job->count - first);
        hash_chunk(job, row, rows, first, count, (u32)chunk, chunks == 1, stack[depth++]);
        if (chunk + 1 == chunks) break;
        for (size_t done = chunk + 1; !(done & 1); done >>= 1, depth--) /* as many merges as trailing zeros */
            hash_parents(job, rows, stack[depth - 2], stack[depth - 1], 0);
    }
    for (; depth > 1; depth--) hash_parents(job, rows, stack[depth - 2], stack[depth - 1], depth == 2);
    for (size_t k = 0; k < 8; k++) memcpy(job->out + k * job->rows + row, stack[0][k], rows * sizeof(u32));
}
static void FN(hash_rows)(const u32 *const *columns, size_t count, size_t rows, const u32 *key, u32 *out) {
    struct hash_job job = {.columns = columns, .count = count, .rows = rows, .out = out};
    memcpy(job.key, key, 32);
    pool_run(hash_rows_task, &job, (rows + HASH_TILE - 1) / HASH_TILE);
}

#define PAIR_TILE 2048
static void hash_pairs_task(void *context, size_t task) {
    const struct hash_job *job = context;
    size_t end = min_size(job->rows, (task + 1) * PAIR_TILE);
    for (size_t i = task * PAIR_TILE; i < end; i += LANES) {
        vec m[16], cv[8];
        for (size_t k = 0; k < 8; k++) {
            m[k] = v_load_part(job->left + k * job->left_stride + i, end - i);
            m[8 + k] = v_load_part(job->right + k * job->right_stride + i, end - i);
            cv[k] = v_set1(job->key[k]);
        }
        blake3_compress(cv, m, 0, 64, DERIVE_KEY_MATERIAL | CHUNK_START | CHUNK_END | ROOT);
        for (size_t k = 0; k < 8; k++) v_store_part(job->out + k * job->rows + i, cv[k], end - i);
    }
}
/* Hashes of 64 bytes: eight words left, eight right. */
static void FN(hash_pairs)(const u32 *left, size_t left_stride, const u32 *right, size_t right_stride, size_t n, const u32 *key,
                           u32 *out) {
    struct hash_job job = {.rows = n, .left = left, .right = right, .left_stride = left_stride, .right_stride = right_stride};
    job.out = out;
    memcpy(job.key, key, 32);
    pool_run(hash_pairs_task, &job, (n + PAIR_TILE - 1) / PAIR_TILE);
}

#define NONCES_PER_TASK ((u64)1 << 14)
struct grind_job {
    u32 key[8], prefix[8];
    u64 mask, start, best;
};
static void grind_task(void *context, size_t task) {
    struct grind_job *job = context;
    u64 first = job->start + task * NONCES_PER_TASK;
    if (__atomic_load_n(&job->best, __ATOMIC_RELAXED) <= first) return;
    for (u64 nonce = first; nonce < first + NONCES_PER_TASK; nonce += LANES) {
        vec m[16], cv[8];
        for (int k = 0; k < 8; k++) {
            m[k] = v_set1(job->prefix[k]);
            m[8 + k] = v_set1(0);
            cv[k] = v_set1(job->key[k]);
        }
        m[8] = v_add(v_set1((u32)nonce), v_iota()); /* no carry: tasks are aligned */
        m[9] = v_set1((u32)(nonce >> 32));
        blake3_compress(cv, m, 0, 40, DERIVE_KEY_MATERIAL | CHUNK_START | CHUNK_END | ROOT);
        _Alignas(64) u32 low[LANES], high[LANES];
        v_store(low, v_and(cv[0], v_set1((u32)job->mask)));
        v_store(high, v_and(cv[1], v_set1((u32)(job->mask >> 32))));
        for (u32 lane = 0; lane < LANES; lane++)
            if ((low[lane] | high[lane]) == 0) {
                u64 found = nonce + lane, best = __atomic_load_n(&job->best, __ATOMIC_RELAXED);
                while (found < best && !__atomic_compare_exchange_n(&job->best, &best, found, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
                }
                return;
            }
    }
}
/* The smallest nonce whose hash has the low bits zero. */
static u64 FN(grind)(const u32 *prefix, unsigned bits, const u32 *key) {
    struct grind_job job = {.mask = bits >= 64 ? ~0ull : (1ull << bits) - 1, .best = ~0ull};
    memcpy(job.key, key, 32);
    memcpy(job.prefix, prefix, 32);
    for (;; job.start += 64 * NONCES_PER_TASK) {
        pool_run(grind_task, &job, 64);
        if (job.best != ~0ull) return job.best;
    }
}
