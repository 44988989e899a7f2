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

HELPER void dif_rows(u32 *buffer, size_t rows, size_t width, size_t spacing, size_t offset, const struct layers *layers) {
    size_t h = rows / 2;
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
    for (; h >= 2; h /= 4) { /* two layers at once: distances h and h / 2 */
        size_t half = h / 2, quarter = half * width;
        const u32 *w1 = layers->inverse[log2_of(h * spacing)] + offset;
        const u32 *w2 = layers->inverse[log2_of(half * spacing)] + offset;
        for (size_t s = 0; s < rows; s += 2 * h)
            for (size_t r = 0; r < half; r++)
                for (size_t i = 0; i < width; i += LANES) {
                    u32 *p = buffer + (s + r) * width + i;
                    size_t t = r * spacing + i;
                    vec a = v_load(p), b = v_load(p + quarter), c = v_load(p + 2 * quarter), d = v_load(p + 3 * quarter);
                    vec w = v_load(w2 + t);
                    dif_butterfly(&a, &c, v_load(w1 + t));
                    dif_butterfly(&b, &d, v_load(w1 + t + half * spacing));
                    dif_butterfly(&a, &b, w);
                    dif_butterfly(&c, &d, w);
                    v_store(p, a);
                    v_store(p + quarter, b);
                    v_store(p + 2 * quarter, c);
                    v_store(p + 3 * quarter, d);
                }
    }
}

HELPER void dit_rows(u32 *buffer, size_t rows, size_t width, size_t spacing, size_t offset, const struct layers *layers) {
    size_t h = 1;
    for (; 4 * h <= rows; h *= 4) { /* two layers at once: distances h and 2 h */
        size_t quarter = h * width;
        const u32 *w1 = layers->forward[log2_of(h * spacing)] + offset;
        const u32 *w2 = layers->forward[log2_of(2 * h * spacing)] + offset;
        for (size_t s = 0; s < rows; s += 4 * h)
            for (size_t r = 0; r < h; r++)
                for (size_t i = 0; i < width; i += LANES) {
                    u32 *p = buffer + (s + r) * width + i;
                    size_t t = r * spacing + i;
                    vec a = v_load(p), b = v_load(p + quarter), c = v_load(p + 2 * quarter), d = v_load(p + 3 * quarter);
                    vec w = v_load(w1 + t);
                    dit_butterfly(&a, &b, w);
                    dit_butterfly(&c, &d, w);
                    dit_butterfly(&a, &c, v_load(w2 + t));
                    dit_butterfly(&b, &d, v_load(w2 + t + h * spacing));
                    v_store(p, a);
                    v_store(p + quarter, b);
                    v_store(p + 2 * quarter, c);
                    v_store(p + 3 * quarter, d);
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
