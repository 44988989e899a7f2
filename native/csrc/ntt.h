/* Transforms of whole columns. One column is handled in three passes over memory: the widely spaced inverse layers, strip by
 * strip; then, block by block, the close inverse layers, the scaling to each coset and the close forward layers; then the
 * wide forward layers, with the cosets interleaved on the way out. The values on a coset of size n * blowup are those of
 * blowup cosets of size n. */
#if LANES == 1
#define STRIP 16 /* elements of a strip side by side: whole cache lines */
#define SMALL 16 /* shorter transforms are done on scalars */
#else
#define STRIP (2 * LANES)
#define SMALL (LANES * LANES)
#endif
#define BLOCK_BITS 12
#define MAX_STRIP_BITS 9
#define MAX_GROUP 2

struct ntt_job {
    const u32 *const *in;
    u32 *const *out;
    size_t columns, group, n, blowup;
    unsigned log_n, strip_bits;
    int from_coefficients, to_coefficients;
    u32 *scratch; /* one piece for each thread */
    size_t scratch_size, pieces;
    unsigned char *scratch_taken;
    u32 *scales; /* blowup tables of n, in the order of the middle of the transform */
    struct layers layers;
};

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
static void small_transform(const struct ntt_job *job, const u32 *in, u32 *out) {
    u32 a[SMALL], b[SMALL];
    size_t n = job->n;
    for (size_t i = 0; i < n; i++) a[job->from_coefficients ? bit_reverse((u32)i, job->log_n) : i] = in[i];
    if (!job->from_coefficients)
        for (size_t h = n / 2; h; h /= 2)
            for (size_t s = 0; s < n; s += 2 * h)
                for (size_t i = 0; i < h; i++) {
                    u32 x = a[s + i], y = a[s + i + h];
                    a[s + i] = m_add(x, y);
                    a[s + i + h] = m_mul(m_sub(x, y), job->layers.inverse[log2_of(h)][i]);
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
                    u32 x = b[s + i], y = m_mul(b[s + i + h], job->layers.forward[log2_of(h)][i]);
                    b[s + i] = m_add(x, y);
                    b[s + i + h] = m_sub(x, y);
                }
        for (size_t i = 0; i < n; i++) out[i * job->blowup + coset] = b[i];
    }
}

static void inverse_strips(const struct ntt_job *job, const u32 *in, u32 *work, u32 *buffer, size_t offset) {
    size_t rows = (size_t)1 << job->strip_bits, spacing = job->n >> job->strip_bits;
    for (size_t r = 0; r < rows; r++) memcpy(buffer + r * STRIP, in + r * spacing + offset, STRIP * sizeof(u32));
    dif_rows(buffer, rows, STRIP, spacing, offset, &job->layers);
    for (size_t r = 0; r < rows; r++) memcpy(work + r * spacing + offset, buffer + r * STRIP, STRIP * sizeof(u32));
}

/* Block of work (block_size elements at offset) -> the same block of every coset; the last coset is work itself. */
static void middle_block(const struct ntt_job *job, u32 *work, u32 *cosets, size_t offset, size_t block_size) {
    size_t n = job->n, square = LANES * LANES;
    if (!job->from_coefficients)
        dif_rows(work + offset, block_size / LANES, LANES, LANES, 0, &job->layers);
    for (size_t at = offset; at < offset + block_size; at += square) {
        vec x[LANES];
        block_load(x, work + at);
        v_transpose(x);
        if (!job->from_coefficients) lanes_inverse(x, &job->layers);
        if (job->to_coefficients) {
            for (int i = 0; i < LANES; i++) x[i] = f_mul(x[i], v_load(job->scales + at + i * LANES));
            v_transpose(x);
            block_store(work + at, x);
            continue;
        }
        for (size_t coset = 0; coset < job->blowup; coset++) {
            const u32 *scale = job->scales + coset * n + at;
            vec y[LANES];
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) y[i] = f_mul(x[i], v_load(scale + i * LANES));
            lanes_forward(y, &job->layers);
            v_transpose(y);
            block_store((coset + 1 == job->blowup ? work : cosets + coset * n) + at, y);
        }
    }
    if (job->to_coefficients) return;
    for (size_t coset = 0; coset < job->blowup; coset++)
        dit_rows((coset + 1 == job->blowup ? work : cosets + coset * n) + offset, block_size / LANES, LANES, LANES, 0,
                 &job->layers);
}

/* One vector of each coset -> blowup vectors: coset k is merged with coset k + blowup / 2, and so on inward. */
INLINE void write_interleaved(u32 *to, const u32 *from, size_t stride, const size_t blowup) {
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
    for (size_t k = 0; k < blowup; k++) v_store(to + k * LANES, x[k]);
}

static void forward_strips(const struct ntt_job *job, u32 *work, u32 *cosets, u32 *out, u32 *buffer, size_t offset) {
    size_t rows = (size_t)1 << job->strip_bits, spacing = job->n >> job->strip_bits, n = job->n, blowup = job->blowup;
    for (size_t coset = 0; coset < blowup; coset++) {
        const u32 *from = coset + 1 == blowup ? work : cosets + coset * n;
        u32 *to = buffer + coset * rows * STRIP;
        for (size_t r = 0; r < rows; r++) memcpy(to + r * STRIP, from + r * spacing + offset, STRIP * sizeof(u32));
        dit_rows(to, rows, STRIP, spacing, offset, &job->layers);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < STRIP; i += LANES) {
            u32 *to = out + (r * spacing + offset + i) * blowup;
            const u32 *from = buffer + r * STRIP + i;
            if (blowup == 1)
                write_interleaved(to, from, rows * STRIP, 1);
            else if (blowup == 2)
                write_interleaved(to, from, rows * STRIP, 2);
            else if (blowup == 4)
                write_interleaved(to, from, rows * STRIP, 4);
            else
                write_interleaved(to, from, rows * STRIP, blowup);
        }
}

static void ntt_task(void *context, size_t task) {
    struct ntt_job *job = context;
    size_t first = task * job->group, count = min_size(job->group, job->columns - first), n = job->n;
    if (n < SMALL) {
        for (size_t c = first; c < first + count; c++) small_transform(job, job->in[c], job->out[c]);
        return;
    }
    size_t spacing = n >> job->strip_bits, blowup = job->blowup;
    size_t piece = 0; /* there are as many pieces as threads, so one is free */
    while (__atomic_test_and_set(&job->scratch_taken[piece], __ATOMIC_ACQUIRE)) piece = (piece + 1) % job->pieces;
    u32 *memory = job->scratch + piece * job->scratch_size;
    u32 *buffer = memory + count * n * blowup;
    for (size_t c = 0; c < count && job->from_coefficients; c++)
        bit_reverse_copy(job->in[first + c], memory + c * n * blowup, job->log_n);
    if (!job->from_coefficients)
        for (size_t offset = 0; offset < spacing; offset += STRIP)
            for (size_t c = 0; c < count; c++)
                inverse_strips(job, job->in[first + c], memory + c * n * blowup, buffer, offset);
    for (size_t offset = 0; offset < n; offset += spacing)
        for (size_t c = 0; c < count; c++)
            middle_block(job, memory + c * n * blowup, memory + c * n * blowup + n, offset, spacing);
    for (size_t c = 0; c < count && job->to_coefficients; c++)
        bit_reverse_copy(memory + c * n * blowup, job->out[first + c], job->log_n);
    if (!job->to_coefficients)
        for (size_t offset = 0; offset < spacing; offset += STRIP)
            for (size_t c = 0; c < count; c++)
                forward_strips(job, memory + c * n * blowup, memory + c * n * blowup + n, job->out[first + c], buffer, offset);
    __atomic_clear(&job->scratch_taken[piece], __ATOMIC_RELEASE);
}

/* Values on H (or natural-order coefficients) to values on shift * (the subgroup of order n * blowup), or values on shift * H to
 * natural-order coefficients. Returns 0 when out of memory. */
static int FN(transform)(const u32 *const *in, u32 *const *out, size_t columns, unsigned log_n, unsigned log_blowup, u32 shift,
                         int from_coefficients, int to_coefficients) {
    size_t n = (size_t)1 << log_n, blowup = (size_t)1 << log_blowup;
    struct ntt_job job = {.in = in, .out = out, .columns = columns, .n = n, .blowup = blowup, .log_n = log_n};
    job.from_coefficients = from_coefficients;
    job.to_coefficients = to_coefficients;
    job.strip_bits = log_n <= BLOCK_BITS ? 0 : (unsigned)min_size(log_n - BLOCK_BITS, MAX_STRIP_BITS);
    size_t threads = (size_t)pool_threads(), share = (columns + threads - 1) / threads;
    job.group = n < 1024 ? min_size(share, 16) : min_size(share, MAX_GROUP);
    if (job.group == 0) return 1;
    for (unsigned k = 0; k < log_n; k++)
        if (!(job.layers.forward[k] = twiddles(k, 0)) || !(job.layers.inverse[k] = twiddles(k, 1))) return 0;
    u32 root = m_root(LOG_LANES), inverse_root = m_inv(root), s = m_to(shift), g = m_root(log_n + log_blowup);
    for (u32 i = 0; i < LANES; i++) {
        job.layers.lane_forward[i] = m_pow(root, i);
        job.layers.lane_inverse[i] = m_pow(inverse_root, i);
    }
    if (to_coefficients) s = m_inv(s);
    u32 factor = from_coefficients ? R1 : m_inv(m_to((u32)n));
    size_t tasks = (columns + job.group - 1) / job.group;
    unsigned char taken[MAX_THREADS] = {0};
    job.scratch_taken = taken;
    job.pieces = min_size(threads, tasks);
    job.scratch_size = n < SMALL ? 0 : job.group * n * blowup + (STRIP << job.strip_bits) * blowup;
    job.scales = aligned_new(n * blowup * sizeof(u32));
    job.scratch = aligned_new(job.pieces * job.scratch_size * sizeof(u32));
    if (!job.scales || !job.scratch) {
        aligned_free(job.scales);
        aligned_free(job.scratch);
        return 0;
    }
    for (size_t coset = 0; coset < blowup; coset++, s = m_mul(s, g)) scale_table(job.scales + coset * n, log_n, s, factor);
    pool_run(ntt_task, &job, tasks);
    aligned_free(job.scales);
    aligned_free(job.scratch);
    return 1;
}
