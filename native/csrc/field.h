/* Element-wise field kernels, copies and batch inversion. */
#define FIELD_TILE ((size_t)1 << 14)

struct binary_job {
    const u32 *a, *b;
    u32 *out;
    size_t n;
};
#define BINARY_KERNEL(name, expression)                                                                   \
    static void name##_task(void *context, size_t task) {                                                 \
        const struct binary_job *job = context;                                                           \
        size_t end = min_size(job->n, (task + 1) * FIELD_TILE);                                           \
        for (size_t i = task * FIELD_TILE; i < end; i += LANES) {                                         \
            vec x = v_load_part(job->a + i, end - i), y = v_load_part(job->b + i, end - i);               \
            v_store_part(job->out + i, expression, end - i);                                              \
        }                                                                                                 \
    }                                                                                                     \
    static void FN(name)(const u32 *a, const u32 *b, u32 *out, size_t n) {                                \
        struct binary_job job = {a, b, out, n};                                                           \
        pool_run(name##_task, &job, (n + FIELD_TILE - 1) / FIELD_TILE);                                   \
    }
BINARY_KERNEL(field_add, f_add(x, y))
BINARY_KERNEL(field_sub, f_sub(x, y))
BINARY_KERNEL(field_mul, f_to(f_mul(x, y)))

struct canonical_job {
    const u32 *a;
    size_t n;
    int bad;
};
static void canonical_task(void *context, size_t task) {
    struct canonical_job *job = context;
    size_t end = min_size(job->n, (task + 1) * FIELD_TILE);
    vec bad = v_set1(0), last = v_set1(P - 1), one = v_set1(1), zero = v_set1(0);
    for (size_t i = task * FIELD_TILE; i < end; i += LANES)
        bad = v_add(bad, v_select_less(last, v_load_part(job->a + i, end - i), one, zero));
    if (v_any_nonzero(bad)) __atomic_store_n(&job->bad, 1, __ATOMIC_RELAXED);
}
static int FN(is_canonical)(const u32 *a, size_t n) {
    struct canonical_job job = {a, n, 0};
    pool_run(canonical_task, &job, (n + FIELD_TILE - 1) / FIELD_TILE);
    return !job.bad;
}

struct copy_job {
    const u32 *const *in;
    u32 *out;
    size_t rows, tiles;
    int streamed;
};
static void copy_task(void *context, size_t task) {
    const struct copy_job *job = context;
    size_t column = task / job->tiles, start = task % job->tiles * FIELD_TILE, n = min_size(job->rows - start, FIELD_TILE);
    const u32 *from = job->in[column] + start;
    u32 *to = job->out + column * job->rows + start;
    if (!job->streamed || (uintptr_t)to % (4 * LANES) || n % LANES) {
        memcpy(to, from, n * sizeof(u32));
        return;
    }
    for (size_t i = 0; i < n; i += LANES) v_stream(to + i, v_load(from + i));
    v_stream_end();
}
/* Columns, copied one after another. */
static void FN(copy_columns)(const u32 *const *in, size_t columns, size_t rows, u32 *out) {
    struct copy_job job = {in, out, rows, (rows + FIELD_TILE - 1) / FIELD_TILE, columns * rows >= STREAMED};
    pool_run(copy_task, &job, columns * job.tiles);
}

HELPER vec f_inverse(vec a) { /* a^(p-2), Montgomery form; 0 -> 0. p - 2 = 0x7effffff */
    vec r = a;
    for (int i = 29; i >= 0; i--) {
        r = f_mul(r, r);
        if ((P - 2) >> i & 1) r = f_mul(r, a);
    }
    return r;
}

/* Inverts count vectors in place (Montgomery form, 0 -> 0): lanes are independent chains. scratch: as long as a. */
HELPER void invert_vectors(u32 *a, u32 *scratch, size_t count) {
    vec zero = v_set1(0), one = v_set1(R1), run = one;
    for (size_t i = 0; i < count; i++) {
        vec x = v_load(a + i * LANES);
        v_store(scratch + i * LANES, run);
        run = f_mul(run, v_select_less(zero, x, x, one));
    }
    run = f_inverse(run);
    for (size_t i = count; i-- > 0;) {
        vec x = v_load(a + i * LANES);
        vec inverse = f_mul(run, v_load(scratch + i * LANES));
        v_store(a + i * LANES, v_select_less(zero, x, inverse, zero));
        run = f_mul(run, v_select_less(zero, x, x, one));
    }
}

#define INVERT_TILE 1024

static void batch_inverse_task(void *context, size_t task) {
    const struct binary_job *job = context;
    _Alignas(64) u32 a[INVERT_TILE], scratch[INVERT_TILE];
    size_t start = task * INVERT_TILE, count = min_size(INVERT_TILE, job->n - start);
    size_t vectors = (count + LANES - 1) / LANES;
    for (size_t i = 0; i < vectors; i++)
        v_store(a + i * LANES, f_to(v_load_part(job->a + start + i * LANES, count - i * LANES)));
    invert_vectors(a, scratch, vectors);
    for (size_t i = 0; i < vectors; i++)
        v_store_part(job->out + start + i * LANES, f_from(v_load(a + i * LANES)), count - i * LANES);
}
static void FN(batch_inverse)(const u32 *a, u32 *out, size_t n) {
    struct binary_job job = {a, NULL, out, n};
    pool_run(batch_inverse_task, &job, (n + INVERT_TILE - 1) / INVERT_TILE);
}
