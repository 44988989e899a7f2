/* Butterfly layers on a buffer of rows, and inside a block of LANES x LANES elements.
 *
 * Row r of the buffer holds the elements r * spacing + offset + 0..width-1 of a transform. A layer joins rows that are h
 * apart, elements h * spacing apart; its twiddles are table[log2(h * spacing)]. Decimation in frequency (natural order to
 * bit-reversed) for the inverse, decimation in time (bit-reversed to natural) for the forward direction. */
struct layers {
    const u32 *forward[TWO_ADICITY], *inverse[TWO_ADICITY];
    u32 lane_forward[LANES], lane_inverse[LANES]; /* powers of the root of order LANES */
};

INLINE unsigned log2_of(size_t n) { return (unsigned)__builtin_ctzll((unsigned long long)n); }

INLINE void dif_butterfly(vec *a, vec *b, vec w) {
    vec t = f_sub(*a, *b);
    *a = f_add(*a, *b);
    *b = f_mul(t, w);
}
INLINE void dit_butterfly(vec *a, vec *b, vec w) {
    vec t = f_mul(*b, w);
    *b = f_sub(*a, t);
    *a = f_add(*a, t);
}

/* Two layers at once on four runs, `quarter` elements apart; distances of two and one quarters for the inverse, one and two
 * for the forward direction. `side` vectors are done side by side, since one alone would wait for its own products. */
INLINE void dif_runs_step(u32 *p, size_t quarter, const u32 *w1, const u32 *w1_half, const u32 *w2, const int side) {
    vec a[2], b[2], c[2], d[2];
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) {
        u32 *q = p + k * LANES;
        a[k] = v_load(q), b[k] = v_load(q + quarter), c[k] = v_load(q + 2 * quarter), d[k] = v_load(q + 3 * quarter);
    }
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dif_butterfly(&a[k], &c[k], v_load(w1 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dif_butterfly(&b[k], &d[k], v_load(w1_half + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dif_butterfly(&a[k], &b[k], v_load(w2 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dif_butterfly(&c[k], &d[k], v_load(w2 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) {
        u32 *q = p + k * LANES;
        v_store(q, a[k]), v_store(q + quarter, b[k]), v_store(q + 2 * quarter, c[k]), v_store(q + 3 * quarter, d[k]);
    }
}
INLINE void dif_runs(u32 *p, size_t quarter, size_t run, const u32 *w1, const u32 *w1_half, const u32 *w2) {
    size_t i = 0;
    for (; i + 2 * LANES <= run; i += 2 * LANES) dif_runs_step(p + i, quarter, w1 + i, w1_half + i, w2 + i, 2);
    if (i < run) dif_runs_step(p + i, quarter, w1 + i, w1_half + i, w2 + i, 1);
}
INLINE void dit_runs_step(u32 *p, size_t quarter, const u32 *w1, const u32 *w2, const u32 *w2_half, const int side) {
    vec a[2], b[2], c[2], d[2];
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) {
        u32 *q = p + k * LANES;
        a[k] = v_load(q), b[k] = v_load(q + quarter), c[k] = v_load(q + 2 * quarter), d[k] = v_load(q + 3 * quarter);
    }
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dit_butterfly(&a[k], &b[k], v_load(w1 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dit_butterfly(&c[k], &d[k], v_load(w1 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dit_butterfly(&a[k], &c[k], v_load(w2 + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) dit_butterfly(&b[k], &d[k], v_load(w2_half + k * LANES));
#pragma GCC unroll 2
    for (int k = 0; k < side; k++) {
        u32 *q = p + k * LANES;
        v_store(q, a[k]), v_store(q + quarter, b[k]), v_store(q + 2 * quarter, c[k]), v_store(q + 3 * quarter, d[k]);
    }
}
INLINE void dit_runs(u32 *p, size_t quarter, size_t run, const u32 *w1, const u32 *w2, const u32 *w2_half) {
    size_t i = 0;
    for (; i + 2 * LANES <= run; i += 2 * LANES) dit_runs_step(p + i, quarter, w1 + i, w2 + i, w2_half + i, 2);
    if (i < run) dit_runs_step(p + i, quarter, w1 + i, w2 + i, w2_half + i, 1);
}

HELPER void dif_rows(u32 *buffer, size_t rows, size_t width, size_t spacing, size_t offset, const struct layers *layers) {
    size_t h = rows / 2, joined = spacing == width; /* rows side by side, and so are their twiddles: one run */
    if (log2_of(rows) & 1) {
        const u32 *w = layers->inverse[log2_of(h * spacing)] + offset;
        for (size_t r = 0; r < h; r++)
            for (size_t i = 0; i < width; i += LANES) {
                u32 *p = buffer + r * width + i, *q = p + h * width;
                vec a = v_load(p), b = v_load(q);
                dif_butterfly(&a, &b, v_load(w + r * spacing + i));
                v_store(p, a);
                v_store(q, b);
            }
        h /= 2;
    }
    for (; h >= 2; h /= 4) { /* distances h and h / 2 */
        size_t half = h / 2, quarter = half * width, run = joined ? quarter : width;
        const u32 *w1 = layers->inverse[log2_of(h * spacing)] + offset;
        const u32 *w2 = layers->inverse[log2_of(half * spacing)] + offset;
        for (size_t s = 0; s < rows; s += 2 * h)
            for (size_t r = 0; r < half; r += joined ? half : 1) {
                size_t t = r * spacing;
                dif_runs(buffer + (s + r) * width, quarter, run, w1 + t, w1 + t + half * spacing, w2 + t);
            }
    }
}

HELPER void dit_rows(u32 *buffer, size_t rows, size_t width, size_t spacing, size_t offset, const struct layers *layers) {
    size_t h = 1, joined = spacing == width;
    for (; 4 * h <= rows; h *= 4) { /* distances h and 2 h */
        size_t quarter = h * width, run = joined ? quarter : width;
        const u32 *w1 = layers->forward[log2_of(h * spacing)] + offset;
        const u32 *w2 = layers->forward[log2_of(2 * h * spacing)] + offset;
        for (size_t s = 0; s < rows; s += 4 * h)
            for (size_t r = 0; r < h; r += joined ? h : 1) {
                size_t t = r * spacing;
                dit_runs(buffer + (s + r) * width, quarter, run, w1 + t, w2 + t, w2 + t + h * spacing);
            }
    }
    if (2 * h <= rows) {
        const u32 *w = layers->forward[log2_of(h * spacing)] + offset;
        for (size_t r = 0; r < h; r++)
            for (size_t i = 0; i < width; i += LANES) {
                u32 *p = buffer + r * width + i, *q = p + h * width;
                vec a = v_load(p), b = v_load(q);
                dit_butterfly(&a, &b, v_load(w + r * spacing + i));
                v_store(p, a);
                v_store(q, b);
            }
    }
}

/* The last log2(LANES) layers join lanes of one vector: done on transposed blocks, between registers. */
INLINE void lane_layer_inverse(vec *x, int h, const u32 *roots) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
        int t = i & (h - 1), p = (i - t) * 2 + t;
        vec d = f_sub(x[p], x[p + h]);
        x[p] = f_add(x[p], x[p + h]);
        x[p + h] = t ? f_mul(d, v_set1(roots[t * (LANES / (2 * h))])) : d;
    }
}
INLINE void lane_layer_forward(vec *x, int h, const u32 *roots) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
        int t = i & (h - 1), p = (i - t) * 2 + t;
        vec d = t ? f_mul(x[p + h], v_set1(roots[t * (LANES / (2 * h))])) : x[p + h];
        x[p + h] = f_sub(x[p], d);
        x[p] = f_add(x[p], d);
    }
}
INLINE void lanes_inverse(vec *x, const struct layers *layers) {
    if (LANES >= 16) lane_layer_inverse(x, 8, layers->lane_inverse);
    if (LANES >= 8) lane_layer_inverse(x, 4, layers->lane_inverse);
    if (LANES >= 8) lane_layer_inverse(x, 2, layers->lane_inverse);
    if (LANES >= 8) lane_layer_inverse(x, 1, layers->lane_inverse);
}
INLINE void lanes_forward(vec *x, const struct layers *layers) {
    if (LANES >= 8) lane_layer_forward(x, 1, layers->lane_forward);
    if (LANES >= 8) lane_layer_forward(x, 2, layers->lane_forward);
    if (LANES >= 8) lane_layer_forward(x, 4, layers->lane_forward);
    if (LANES >= 16) lane_layer_forward(x, 8, layers->lane_forward);
}
INLINE void block_load(vec *x, const u32 *p) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) x[i] = v_load(p + i * LANES);
}
INLINE void block_store(u32 *p, const vec *x) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) v_store(p + i * LANES, x[i]);
}

/* out[bit-reverse(i)] = in[i] for 2^log_n >= LANES^2 elements: blocks of LANES x LANES, transposed in registers. */
HELPER void bit_reverse_copy(const u32 *in, u32 *out, unsigned log_n) {
    unsigned middle_bits = log_n - 2 * LOG_LANES;
    size_t stride = (size_t)1 << (log_n - LOG_LANES);
    for (size_t m = 0; m < (size_t)1 << middle_bits; m++) {
        vec x[LANES];
        for (u32 u = 0; u < LANES; u++) x[bit_reverse(u, LOG_LANES)] = v_load(in + u * stride + m * LANES);
        v_transpose(x);
        u32 *to = out + (size_t)bit_reverse((u32)m, middle_bits) * LANES;
        for (u32 v = 0; v < LANES; v++) v_store(to + bit_reverse(v, LOG_LANES) * stride, x[v]);
    }
}
