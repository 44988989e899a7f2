/* Row hashes from columns that arrive a few at a time: the chaining values of one chunk stay in `state` between calls. */
struct stream_job {
    const u32 *const *columns;
    size_t count, rows, first, total;
    u32 counter, only;
    u32 key[8];
    u32 *state;
};

static void hash_update_task(void *context, size_t task) {
    const struct stream_job *job = context;
    size_t row = task * HASH_TILE, rows = min_size(HASH_TILE, job->rows - row);
    for (size_t block = 0; block < job->count; block += BLOCK_COLUMNS) {
        size_t present = min_size(BLOCK_COLUMNS, job->count - block), at = job->first + block;
        u32 flags = DERIVE_KEY_MATERIAL | (at ? 0 : CHUNK_START);
        if (at + BLOCK_COLUMNS >= job->total) flags |= CHUNK_END | (job->only ? ROOT : 0);
        for (size_t i = 0; i < rows; i += LANES) {
            vec m[BLOCK_COLUMNS], cv[8];
            u32 *state = job->state + row + i;
            if (present == BLOCK_COLUMNS && rows - i >= LANES) {
#pragma GCC unroll 16
                for (int k = 0; k < BLOCK_COLUMNS; k++) m[k] = v_load(job->columns[block + (size_t)k] + row + i);
            } else {
                for (size_t k = 0; k < BLOCK_COLUMNS; k++)
                    m[k] = k < present ? v_load_part(job->columns[block + k] + row + i, rows - i) : v_set1(0);
            }
            for (size_t k = 0; k < 8; k++)
                cv[k] = at ? v_load_part(state + k * job->rows, rows - i) : v_set1(job->key[k]);
            blake3_compress(cv, m, job->counter, (u32)(4 * present), flags);
            for (size_t k = 0; k < 8; k++) v_store_part(state + k * job->rows, cv[k], rows - i);
        }
    }
}
/* Absorbs `count` columns of a chunk of `total`, from its column `first` (a multiple of 16) on. */
static void FN(hash_update)(const u32 *const *columns, size_t count, size_t rows, size_t first, size_t total, u32 counter, int only,
                            const u32 *key, u32 *state) {
    struct stream_job job = {.columns = columns, .count = count, .rows = rows, .first = first, .total = total};
    job.counter = counter;
    job.only = (u32)only;
    job.state = state;
    memcpy(job.key, key, 32);
    pool_run(hash_update_task, &job, (rows + HASH_TILE - 1) / HASH_TILE);
}

static void hash_merge_task(void *context, size_t task) {
    const struct hash_job *job = context;
    size_t end = min_size(job->rows, (task + 1) * PAIR_TILE);
    for (size_t i = task * PAIR_TILE; i < end; i += LANES) {
        vec m[16], cv[8];
        for (size_t k = 0; k < 8; k++) {
            m[k] = v_load_part(job->left + k * job->rows + i, end - i);
            m[8 + k] = v_load_part(job->right + k * job->rows + i, end - i);
            cv[k] = v_set1(job->key[k]);
        }
        blake3_compress(cv, m, 0, 64, DERIVE_KEY_MATERIAL | PARENT | (job->count ? ROOT : 0));
        for (size_t k = 0; k < 8; k++) v_store_part(job->out + k * job->rows + i, cv[k], end - i);
    }
}
/* Chaining values of BLAKE3's parent nodes over two neighbouring subtrees of chunks; out may be left. */
static void FN(hash_merge)(const u32 *left, const u32 *right, size_t rows, int root, const u32 *key, u32 *out) {
    struct hash_job job = {.rows = rows, .left = left, .right = right, .count = (size_t)root};
    job.out = out;
    memcpy(job.key, key, 32);
    pool_run(hash_merge_task, &job, (rows + PAIR_TILE - 1) / PAIR_TILE);
}
