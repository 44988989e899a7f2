/* Transforms of whole columns. One column is handled in three passes over memory: the widely spaced inverse layers, strip by
 * strip; then, block by block, the close inverse layers, the scaling to each coset and the close forward layers; then the
 * wide forward layers, with the cosets interleaved on the way out. The values on a coset of size n * blowup are those of
 * blowup cosets of size n. */
#if LANES == 1
#define STRIP 16 /* elements of a strip side by side */
#define SMALL 16 /* shorter transforms are done on scalars */
#else
#define STRIP (8 * LANES) /* elements of a strip side by side: reading from memory is faster the longer they are */
#define SMALL (LANES * LANES)
#endif
#define BLOCK_BITS 12
#define MAX_STRIP_BITS 9
#define PREFETCHED 64 /* rows of a strip that the second-level cache holds beside the next strip's: they share its sets */
#define GATHERED 256 /* a strip of as many rows is copied first: steps of 16 of its rows, 256 KiB apart, share the sets of 8 lines */
#define AHEAD 8 /* rows that copying fetches ahead */
#define WIDE ((size_t)1 << 19) /* no cache holds a column's scratch: two at a time read the tables once */
#define SHORT 1024 /* below, a task is several columns */

struct ntt_job {
    const u32 *const *in;
    u32 *const *out, *const *first; /* first: NULL, or where the values on the first coset go too */
    size_t columns, group, abreast, n, blowup; /* a task is `group` columns, `abreast` of them at a time */
    unsigned log_n, strip_bits;
    int from_coefficients, to_coefficients, streamed;
    u32 *scratch; /* one piece for each thread */
    size_t scratch_size, pieces;
    unsigned char *scratch_taken;
    u32 *scales; /* blowup tables of n, in the order of the middle of the transform */
    struct layers layers;
};

/* The tables of a transform of 2^log_n. Returns 0 when out of memory. */
static int layers_new(struct layers *layers, unsigned log_n) {
    unsigned log_roots = log_n > 2 * LOG_LANES ? log_n - LOG_LANES : log_n;
    u32 inverse_root = m_inv(m_root(LOG_LANES));
    for (unsigned k = 0; k < log_n; k++)
        if (!(layers->inverse[k] = power_factors(k))) return 0;
    if (log_n && !(layers->roots = root_factors(log_roots - 1))) return 0;
    for (u32 i = 0; i < LANES; i++) factor_store(layers->lane_inverse, i, m_pow(inverse_root, i));
    return LANES == 1 || log_n < 2 * LOG_LANES || (layers->lanes = lane_factors(log_n, LOG_LANES));
}

/* s^(bit-reverse(position)) * factor, blocks of LANES^2 transposed. */
static void scale_table(u32 *table, unsigned log_n, u32 s, u32 factor) {
    size_t n = (size_t)1 << log_n, first = min_size(n, SMALL);
    int transposed = n >= LANES * LANES;
    for (size_t position = 0; position < first; position++) {
        size_t at = transposed && LANES > 1 ? (position % LANES) * LANES + position / LANES : position;
        table[at] = m_mul(factor, m_pow(s, bit_reverse((u32)position, log_n)));
    }
    for (size_t size = first; size < n; size <<= 1) {
        vec step = v_set1(m_pow(s, n / 2 / size));
        for (size_t i = 0; i < size; i += LANES) v_store(table + size + i, f_mul(v_load(table + i), step));
    }
}

/* n < SMALL: the same steps on scalars. */
static void small_transform(const struct ntt_job *job, const u32 *in, u32 *out, u32 *first) {
    u32 a[SMALL], b[SMALL];
    size_t n = job->n;
    for (size_t i = 0; i < n; i++) a[job->from_coefficients ? bit_reverse((u32)i, job->log_n) : i] = in[i];
    if (!job->from_coefficients)
        for (size_t h = n / 2; h; h /= 2)
            for (size_t s = 0; s < n; s += 2 * h)
                for (size_t i = 0; i < h; i++) {
                    u32 x = a[s + i], y = a[s + i + h];
                    a[s + i] = m_add(x, y);
                    a[s + i + h] = m_scale(m_sub(x, y), job->layers.inverse[log2_of(h)], i);
                }
    if (job->to_coefficients) {
        for (size_t i = 0; i < n; i++) out[bit_reverse((u32)i, job->log_n)] = m_mul(a[i], job->scales[i]);
        return;
    }
    for (size_t coset = 0; coset < job->blowup; coset++) {
        for (size_t i = 0; i < n; i++) b[i] = m_mul(a[i], job->scales[coset * n + i]);
        for (size_t h = 1; h < n; h *= 2)
            for (size_t s = 0; s < n; s += 2 * h)
                for (size_t i = 0; i < h; i++) {
                    u32 x = b[s + i], y = b[s + i + h];
                    b[s + i] = m_add(x, y);
                    b[s + i + h] = m_scale(m_sub(x, y), job->layers.roots, s / (2 * h));
                }
        for (size_t i = 0; i < n; i++) out[i * job->blowup + coset] = b[i];
        if (coset == 0 && first) memcpy(first, b, n * sizeof(u32));
    }
}

HELPER void gather_strip(struct rows from, struct rows to, size_t rows) {
    for (size_t r = 0; r < rows; r++) {
        const u32 *row = from.at + r * from.stride, *ahead = row + AHEAD * from.stride;
        for (size_t i = 0; i < STRIP && r + AHEAD < rows; i += 16) __builtin_prefetch(ahead + i, 0, 2);
        for (size_t i = 0; i < STRIP; i += LANES) v_store(to.at + r * to.stride + i, v_load(row + i));
    }
}

static void inverse_strips(const struct ntt_job *job, const u32 *in, u32 *work, u32 *buffer, size_t offset) {
    size_t rows = (size_t)1 << job->strip_bits, spacing = job->n >> job->strip_bits;
    if (rows == 1) {
        memcpy(work + offset, in + offset, STRIP * sizeof(u32));
        return;
    }
    struct rows from = {(u32 *)in + offset, spacing}, between = {buffer, STRIP}, to = {work + offset, spacing};
    const u32 *next = in + offset + STRIP;
    if (offset + STRIP < spacing && rows <= PREFETCHED)
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < STRIP; i += 16) __builtin_prefetch(next + r * spacing + i, 0, 2);
    if (rows >= GATHERED) {
        gather_strip(from, between, rows);
        from = between;
    }
    inverse_rows(from, between, to, rows, STRIP, 1, spacing, offset, &job->layers);
}

/* Block of work (block_size elements at offset) -> the same block of every coset; the last coset is work itself. */
static void middle_block(const struct ntt_job *job, u32 *work, u32 *cosets, size_t offset, size_t block_size) {
    size_t n = job->n, square = LANES * LANES, rows = block_size / LANES;
    struct rows block = {work + offset, LANES};
    if (!job->from_coefficients) inverse_rows(block, block, block, rows, LANES, LANES, LANES, 0, &job->layers);
    for (size_t at = offset; at < offset + block_size; at += square) {
        vec x[LANES], y[LANES];
        if (job->from_coefficients) {
            rows_load(x, LANES, (struct rows){work + at, LANES}, 0, 1, 0);
            v_transpose(x);
        } else
            block_inverse(x, work + at, &job->layers);
        if (job->to_coefficients) {
            for (int i = 0; i < LANES; i++) x[i] = f_mul(x[i], v_load(job->scales + at + i * LANES));
            v_transpose(x);
            rows_store(x, LANES, (struct rows){work + at, LANES}, 0, 1, 0);
            continue;
        }
        for (size_t coset = 0; coset < job->blowup; coset++) {
            const u32 *scale = job->scales + coset * n + at;
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) y[i] = f_mul(x[i], v_load(scale + i * LANES));
            block_forward(y, (coset + 1 == job->blowup ? work : cosets + coset * n) + at, at / square, &job->layers);
        }
    }
    if (job->to_coefficients) return;
    for (size_t coset = 0; coset < job->blowup; coset++) {
        block.at = (coset + 1 == job->blowup ? work : cosets + coset * n) + offset;
        forward_rows(block, block, block, rows, LANES, LANES, offset / LANES, &job->layers);
    }
}

INLINE int is_streamed(const struct ntt_job *job, const u32 *to) { return job->streamed && (uintptr_t)to % (4 * LANES) == 0; }
INLINE void write_result(u32 *to, vec a, int streamed) {
    if (streamed)
        v_stream(to, a);
    else
        v_store(to, a);
}

/* One vector of each coset -> blowup vectors: coset k is merged with coset k + blowup / 2, and so on inward. */
INLINE void write_interleaved(u32 *to, const u32 *from, size_t stride, const size_t blowup, int streamed) {
    vec x[16], y[16];
#pragma GCC unroll 4
    for (size_t k = 0; k < blowup; k++) x[k] = v_load(from + k * stride);
    for (size_t half = blowup / 2; half; half /= 2) {
#pragma GCC unroll 4
        for (size_t k = 0; k < blowup / 2; k++) { /* x[k], x[k + blowup / 2] -> y[2 k], y[2 k + 1] */
            y[2 * k] = x[k];
            y[2 * k + 1] = x[k + blowup / 2];
            v_interleave(&y[2 * k], &y[2 * k + 1]);
        }
        memcpy(x, y, blowup * sizeof(vec));
    }
#pragma GCC unroll 4
    for (size_t k = 0; k < blowup; k++) write_result(to + k * LANES, x[k], streamed);
}

static void forward_strips(const struct ntt_job *job, u32 *work, u32 *cosets, u32 *out, u32 *first, u32 *buffer, size_t offset) {
    size_t rows = (size_t)1 << job->strip_bits, spacing = job->n >> job->strip_bits, n = job->n, blowup = job->blowup;
    for (size_t coset = 0; coset < blowup; coset++) {
        u32 *at = (coset + 1 == blowup ? work : cosets + coset * n) + offset;
        struct rows from = {at, spacing}, between = {buffer + coset * rows * STRIP, STRIP};
        if (rows == 1)
            memcpy(between.at, at, STRIP * sizeof(u32));
        else
            forward_rows(from, between, between, rows, STRIP, 1, 0, &job->layers);
    }
    int streamed = is_streamed(job, out), first_streamed = is_streamed(job, first);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < STRIP; i += LANES) {
            u32 *to = out + (r * spacing + offset + i) * blowup;
            const u32 *from = buffer + r * STRIP + i;
            if (first) write_result(first + r * spacing + offset + i, v_load(from), first_streamed);
            if (blowup == 1)
                write_interleaved(to, from, rows * STRIP, 1, streamed);
            else if (blowup == 2)
                write_interleaved(to, from, rows * STRIP, 2, streamed);
            else if (blowup == 4)
                write_interleaved(to, from, rows * STRIP, 4, streamed);
            else
                write_interleaved(to, from, rows * STRIP, blowup, streamed);
        }
}

/* Columns start .. end - 1, in turn strip by strip and block by block. */
static void ntt_columns(const struct ntt_job *job, size_t start, size_t end, u32 *memory) {
    size_t n = job->n, spacing = n >> job->strip_bits, size = n * job->blowup;
    u32 *buffer = memory + job->abreast * size, *work;
    if (job->from_coefficients)
        for (size_t c = start; c < end; c++) bit_reverse_copy(job->in[c], memory + (c - start) * size, job->log_n);
    for (size_t offset = 0; offset < spacing && !job->from_coefficients; offset += STRIP)
        for (size_t c = start; c < end; c++) inverse_strips(job, job->in[c], memory + (c - start) * size, buffer, offset);
    for (size_t offset = 0; offset < n; offset += spacing)
        for (size_t c = start; c < end; c++) {
            work = memory + (c - start) * size;
            middle_block(job, work, work + n, offset, spacing);
        }
    if (job->to_coefficients)
        for (size_t c = start; c < end; c++) bit_reverse_copy(memory + (c - start) * size, job->out[c], job->log_n);
    for (size_t offset = 0; offset < spacing && !job->to_coefficients; offset += STRIP)
        for (size_t c = start; c < end; c++) {
            work = memory + (c - start) * size;
            forward_strips(job, work, work + n, job->out[c], job->first ? job->first[c] : NULL, buffer, offset);
        }
}

static void ntt_task(void *context, size_t task) {
    struct ntt_job *job = context;
    size_t piece = 0; /* there are as many pieces as threads, so one is free */
    while (__atomic_test_and_set(&job->scratch_taken[piece], __ATOMIC_ACQUIRE)) piece = (piece + 1) % job->pieces;
    size_t end = min_size(job->columns, (task + 1) * job->group);
    for (size_t c = task * job->group; c < end; c += job->abreast)
        if (job->n < SMALL)
            small_transform(job, job->in[c], job->out[c], job->first ? job->first[c] : NULL);
        else
            ntt_columns(job, c, min_size(end, c + job->abreast), job->scratch + piece * job->scratch_size);
    if (job->streamed) v_stream_end();
    __atomic_clear(&job->scratch_taken[piece], __ATOMIC_RELEASE);
}

/* Values on H (or natural-order coefficients) to values on shift * (the subgroup of order n * blowup), or values on shift * H to
 * natural-order coefficients. first: NULL, or where the values on shift * H go too; it may be `in`. Returns 0 when out of memory. */
static int FN(transform)(const u32 *const *in, u32 *const *out, u32 *const *first, size_t columns, unsigned log_n,
                         unsigned log_blowup, u32 shift, int from_coefficients, int to_coefficients) {
    size_t n = (size_t)1 << log_n, blowup = (size_t)1 << log_blowup;
    struct ntt_job job = {.in = in, .out = out, .first = first, .columns = columns, .n = n, .blowup = blowup, .log_n = log_n};
    job.from_coefficients = from_coefficients;
    job.to_coefficients = to_coefficients;
    job.strip_bits = log_n <= BLOCK_BITS ? 0 : (unsigned)min_size(log_n - BLOCK_BITS, MAX_STRIP_BITS);
    job.streamed = columns * n * blowup >= STREAMED;
    size_t threads = (size_t)pool_threads(), share = (columns + threads - 1) / threads;
    if (columns == 0) return 1;
    job.abreast = n >= WIDE && share >= 4 ? 2 : 1; /* fewer columns are shared out one by one */
    job.group = n < SHORT ? min_size(share, 16) : job.abreast;
    u32 s = m_to(shift), g = m_root(log_n + log_blowup);
    if (!layers_new(&job.layers, log_n)) return 0;
    if (to_coefficients) s = m_inv(s);
    u32 factor = from_coefficients ? R1 : m_inv(m_to((u32)n));
    size_t tasks = (columns + job.group - 1) / job.group;
    unsigned char taken[MAX_THREADS] = {0};
    job.scratch_taken = taken;
    job.pieces = min_size(threads, tasks);
    job.scratch_size = n < SMALL ? 0 : (job.abreast * n + (STRIP << job.strip_bits)) * blowup;
    job.scales = scratch_new(n * blowup * sizeof(u32));
    job.scratch = scratch_new(job.pieces * job.scratch_size * sizeof(u32));
    if (!job.scales || !job.scratch) {
        scratch_free(job.scales);
        scratch_free(job.scratch);
        return 0;
    }
    for (size_t coset = 0; coset < blowup; coset++, s = m_mul(s, g)) scale_table(job.scales + coset * n, log_n, s, factor);
    pool_run(ntt_task, &job, tasks);
    scratch_free(job.scales);
    scratch_free(job.scratch);
    return 1;
}
