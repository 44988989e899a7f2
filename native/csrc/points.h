/* A few values of each column's polynomial, on other cosets than the column's: the forward transform stops at short blocks, and
 * what is wanted of their sums is formed directly: value i is the sum over blocks b of
 * w^(i' bit-reverse(b)) block_b[i mod block], with i' = i - i mod block. */
#define POINT_BLOCK (SMALL > 256 ? SMALL : 256)

struct points_job {
    struct ntt_job ntt; /* blowup: the number of cosets; out: unused */
    size_t block, blocks, total;
    const size_t *ends;  /* coset c has the points ends[c - 1] .. ends[c] - 1 */
    const u32 *indices;  /* by point: its place on its coset */
    const u32 *powers;   /* by point, by block: the factors of that sum */
    const u32 *points;   /* by point: itself, for short columns */
    u32 *out;
};

static void small_points(const struct points_job *job, const u32 *in, u32 *out) {
    u32 a[SMALL];
    unsigned log_n = job->ntt.log_n;
    size_t n = job->ntt.n;
    memcpy(a, in, n * sizeof(u32));
    for (size_t h = n / 2; h; h /= 2)
        for (size_t s = 0; s < n; s += 2 * h)
            for (size_t i = 0; i < h; i++) {
                u32 x = a[s + i], y = a[s + i + h];
                a[s + i] = m_add(x, y);
                a[s + i + h] = m_scale(m_sub(x, y), job->ntt.layers.inverse[log2_of(h)], i);
            }
    u32 factor = m_inv(m_to((u32)n));
    for (size_t q = 0; q < job->total; q++) {
        u32 value = 0;
        for (size_t k = n; k-- > 0;) value = m_add(m_mul(value, job->points[q]), a[bit_reverse((u32)k, log_n)]);
        out[q] = m_mul(value, factor);
    }
}

/* sum over the short blocks of this block: F_b[index mod block] * power. */
HELPER u32 point_sum(const struct points_job *job, const u32 *values, size_t q, size_t first, size_t count) {
    const u32 *from = values + (job->indices[q] & (job->block - 1)), *powers = job->powers + q * job->blocks + first;
    u32 sum = 0;
    size_t b = 0;
    if (count >= LANES) {
        _Alignas(64) u32 lanes[LANES];
        vec sums = v_set1(0);
        for (; b + LANES <= count; b += LANES)
            sums = f_add(sums, f_mul(v_load_strided(from + b * job->block, job->block), v_load(powers + b)));
        v_store(lanes, sums);
        for (int i = 0; i < LANES; i++) sum = m_add(sum, lanes[i]);
    }
    for (; b < count; b++) sum = m_add(sum, m_mul(from[b * job->block], powers[b]));
    return sum;
}

/* Adds to every point what this block of the column gives to it. */
static void points_of_block(const struct points_job *points, u32 *work, u32 *buffer, size_t offset, size_t spacing, u32 *out) {
    const struct ntt_job *job = &points->ntt;
    size_t square = LANES * LANES;
    struct rows block = {work + offset, LANES};
    inverse_rows(block, block, block, spacing / LANES, LANES, LANES, LANES, 0, &job->layers);
    for (size_t at = offset; at < offset + spacing; at += square) {
        vec x[LANES], y[LANES];
        block_inverse(x, work + at, &job->layers);
        for (size_t coset = 0; coset < job->blowup; coset++) {
            const u32 *scale = job->scales + coset * job->n + at;
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) y[i] = f_mul(x[i], v_load(scale + i * LANES));
            block_forward(y, buffer + coset * spacing + at - offset, at / square, &job->layers);
        }
    }
    for (size_t coset = 0, q = 0; coset < job->blowup; coset++) {
        u32 *values = buffer + coset * spacing;
        for (size_t at = 0; at < spacing; at += points->block) {
            block.at = values + at;
            forward_rows(block, block, block, points->block / LANES, LANES, LANES, (offset + at) / LANES, &job->layers);
        }
        for (; q < points->ends[coset]; q++)
            out[q] = m_add(out[q], point_sum(points, values, q, offset / points->block, spacing / points->block));
    }
}

static void points_task(void *context, size_t task) {
    const struct points_job *points = context;
    const struct ntt_job *job = &points->ntt;
    size_t start = task * job->abreast, end = min_size(job->columns, start + job->abreast), piece = 0;
    u32 *out = points->out + start * points->total;
    if (job->n < SMALL) { /* one at a time */
        small_points(points, job->in[start], out);
        return;
    }
    size_t n = job->n, spacing = n >> job->strip_bits;
    while (__atomic_test_and_set(&job->scratch_taken[piece], __ATOMIC_ACQUIRE)) piece = (piece + 1) % job->pieces;
    u32 *work = job->scratch + piece * job->scratch_size, *buffer = work + job->abreast * n;
    for (size_t offset = 0; offset < spacing; offset += STRIP)
        for (size_t c = start; c < end; c++) inverse_strips(job, job->in[c], work + (c - start) * n, buffer, offset);
    memset(out, 0, (end - start) * points->total * sizeof(u32));
    for (size_t offset = 0; offset < n; offset += spacing)
        for (size_t c = 0; c < end - start; c++)
            points_of_block(points, work + c * n, buffer, offset, spacing, out + c * points->total);
    __atomic_clear(&job->scratch_taken[piece], __ATOMIC_RELEASE);
}

/* Columns are values on H; point q of coset c is shifts[c] * w^indices[q]. out: (columns, points). 0 when out of memory. */
static int FN(coset_points)(const u32 *const *in, size_t columns, unsigned log_n, const u32 *shifts, const size_t *ends,
                            size_t cosets, const u32 *indices, u32 *out) {
    size_t n = (size_t)1 << log_n, total = ends[cosets - 1], threads = (size_t)pool_threads();
    struct points_job job = {.ntt = {.in = in, .columns = columns, .n = n, .blowup = cosets, .log_n = log_n}};
    struct ntt_job *ntt = &job.ntt;
    unsigned char taken[MAX_THREADS] = {0};
    ntt->strip_bits = log_n <= BLOCK_BITS ? 0 : (unsigned)min_size(log_n - BLOCK_BITS, MAX_STRIP_BITS);
    ntt->scratch_taken = taken;
    ntt->abreast = n >= WIDE && columns >= 4 * threads ? 2 : 1;
    size_t tasks = (columns + ntt->abreast - 1) / ntt->abreast;
    ntt->pieces = min_size(threads, tasks);
    size_t buffer = (cosets * n) >> ntt->strip_bits;
    if (buffer < (size_t)STRIP << ntt->strip_bits) buffer = (size_t)STRIP << ntt->strip_bits;
    ntt->scratch_size = n < SMALL ? 0 : ntt->abreast * n + buffer;
    job.block = min_size(POINT_BLOCK, n);
    job.blocks = n / job.block;
    job.total = total;
    job.ends = ends;
    job.indices = indices;
    job.out = out;
    if (!layers_new(&ntt->layers, log_n)) return 0;
    u32 w = m_root(log_n), factor = m_inv(m_to((u32)n));
    u32 *scratch = scratch_new(ntt->pieces * ntt->scratch_size * sizeof(u32));
    u32 *tables = scratch_new((cosets * n + total * (job.blocks + 1)) * sizeof(u32));
    int ok = scratch && tables;
    if (ok) {
        u32 *powers = tables + cosets * n, *points = powers + total * job.blocks;
        ntt->scratch = scratch;
        ntt->scales = tables;
        for (size_t coset = 0, q = 0; coset < cosets; coset++) {
            u32 shift = m_to(shifts[coset]);
            scale_table(ntt->scales + coset * n, log_n, shift, factor);
            for (; q < ends[coset]; q++) {
                u32 x = m_pow(w, indices[q] & ~(job.block - 1)), power = R1;
                for (size_t b = 0; b < job.blocks; b++, power = m_mul(power, x))
                    powers[q * job.blocks + bit_reverse((u32)b, log2_of(job.blocks))] = power;
                points[q] = m_mul(shift, m_pow(w, indices[q]));
            }
        }
        job.powers = powers;
        job.points = points;
        pool_run(points_task, &job, tasks);
    }
    scratch_free(scratch);
    scratch_free(tables);
    return ok;
}
