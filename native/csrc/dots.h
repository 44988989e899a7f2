/* Dot products over columns (row_dot) and over rows (dot_columns), with sums of 64-bit products. */
#define ROW_TILE 4096 /* rows whose sums stay in the second-level cache; long enough for streams from memory */
#define ROW_GROUP 16  /* columns read side by side */

struct dot_job {
    const u32 *const *columns;
    size_t count, rows, points, vectors;
    const u64 *row_weights;
    const u32 *weights;
    u32 *out;
};

static void row_dot_task(void *context, size_t task) {
    const struct dot_job *job = context;
    _Alignas(64) u32 sums[6 * ROW_TILE];
    size_t start = task * ROW_TILE, rows = min_size(ROW_TILE, job->rows - start);
    memset(sums, 0, sizeof sums);
    for (size_t first = 0; first < job->count; first += ROW_GROUP) {
        size_t last = min_size(job->count, first + ROW_GROUP);
        for (size_t i = 0; i < rows; i += LANES) {
            size_t part = min_size(LANES, rows - i);
            wide acc[6];
            for (int k = 0; k < 6; k++) acc[k] = w_zero();
            const u64 *w = job->row_weights + 6 * first;
            size_t c = first;
            for (; c + 2 <= last; c += 2, w += 12) {
                vec x = v_load_part(job->columns[c] + start + i, part), xo = v_odd(x);
                vec y = v_load_part(job->columns[c + 1] + start + i, part), yo = v_odd(y);
#pragma GCC unroll 6
                for (int k = 0; k < 6; k++)
                    acc[k] = w_fold(w_mac_splat(w_mac_splat(acc[k], x, xo, s_load(w + k)), y, yo, s_load(w + 6 + k)));
            }
            if (c < last) {
                vec x = v_load_part(job->columns[c] + start + i, part), xo = v_odd(x);
                for (int k = 0; k < 6; k++) acc[k] = w_fold(w_mac_splat(acc[k], x, xo, s_load(w + k)));
            }
            for (size_t k = 0; k < 6; k++) {
                u32 *sum = sums + k * ROW_TILE + i;
                v_store(sum, f_add(v_load(sum), w_reduce(acc[k])));
            }
        }
    }
    for (size_t k = 0; k < 6; k++) memcpy(job->out + k * job->rows + start, sums + k * ROW_TILE, rows * sizeof(u32));
}
static int FN(row_dot)(const u32 *const *columns, size_t count, size_t rows, const u32 *weights, u32 *out) {
    u64 *w = aligned_new(6 * count * sizeof(u64));
    if (!w) return 0;
    for (size_t c = 0; c < count; c++)
        for (size_t k = 0; k < 6; k++) w[6 * c + k] = m_to(weights[k * count + c]);
    struct dot_job job = {.columns = columns, .count = count, .rows = rows, .row_weights = w, .out = out};
    pool_run(row_dot_task, &job, (rows + ROW_TILE - 1) / ROW_TILE);
    aligned_free(w);
    return 1;
}

/* A task: a block of columns, all rows, the rows in tiles whose weights stay in cache. */
#define COLUMN_BLOCK 32
#define WEIGHT_TILE 512

static void dot_columns_task(void *context, size_t task) {
    const struct dot_job *job = context;
    _Alignas(64) u32 sums[COLUMN_BLOCK][12][LANES], tile[12][WEIGHT_TILE];
    size_t first = task * COLUMN_BLOCK, count = min_size(COLUMN_BLOCK, job->count - first);
    memset(sums, 0, sizeof sums);
    for (size_t start = 0; start < job->rows; start += WEIGHT_TILE) {
        size_t rows = min_size(WEIGHT_TILE, job->rows - start);
        for (size_t k = 0; k < 6 * job->points; k++) /* side by side, or planes 2^k apart would evict each other */
            memcpy(tile[k], job->weights + k * job->rows + start, rows * sizeof(u32));
        for (size_t c = 0; c < count; c++) {
            const u32 *column = job->columns[first + c] + start;
            for (size_t point = 0; point < job->points; point++) {
                const u32(*weights)[WEIGHT_TILE] = tile + 6 * point;
                wide acc[6];
                for (int k = 0; k < 6; k++) acc[k] = w_zero();
                size_t i = 0;
                for (; i + 2 * LANES <= rows; i += 2 * LANES) {
                    vec x = v_load(column + i), xo = v_odd(x), y = v_load(column + i + LANES), yo = v_odd(y);
#pragma GCC unroll 6
                    for (int k = 0; k < 6; k++) {
                        vec v = v_load(weights[k] + i), w = v_load(weights[k] + i + LANES);
                        acc[k] = w_fold(w_mac(w_mac(acc[k], x, xo, v, v_odd(v)), y, yo, w, v_odd(w)));
                    }
                }
                for (; i < rows; i += LANES) {
                    vec x = v_load_part(column + i, rows - i);
                    for (int k = 0; k < 6; k++) {
                        vec v = v_load_part(weights[k] + i, rows - i);
                        acc[k] = w_fold(w_mac_vec(acc[k], x, v));
                    }
                }
                for (int k = 0; k < 6; k++) {
                    u32 *sum = sums[c][6 * point + k];
                    v_store(sum, f_add(v_load(sum), w_reduce(acc[k])));
                }
            }
        }
    }
    for (size_t c = 0; c < count; c++)
        for (size_t k = 0; k < 6 * job->points; k++) {
            u32 sum = 0;
            for (int lane = 0; lane < LANES; lane++) sum = m_add(sum, sums[c][k][lane]);
            job->out[k * job->count + first + c] = m_mul(sum, R2); /* the reduction divided by R */
        }
}
static void FN(dot_columns)(const u32 *const *columns, size_t count, size_t rows, const u32 *weights, size_t points,
                            u32 *out) {
    struct dot_job job = {.columns = columns, .count = count, .rows = rows, .weights = weights, .points = points, .out = out};
    pool_run(dot_columns_task, &job, (count + COLUMN_BLOCK - 1) / COLUMN_BLOCK);
}
