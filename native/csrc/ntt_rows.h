/* Butterfly layers on rows, and inside a block of LANES x LANES elements.
 *
 * Both directions use one butterfly, (a, b) -> (a + b, (a - b) w): its product takes what a + b leaves unreduced. From natural to
 * bit-reversed order the factors w^i run along the elements; from bit-reversed to natural order every run of 2 h elements has one
 * factor, the roots in bit-reversed order, so that rows share it and only the layers inside a vector need factors by lane.
 *
 * Row r of a buffer holds the elements r * spacing + offset + 0..width-1 of a transform; a layer joins rows that are h apart. */
#define RADIX_BITS (LANES == 1 ? 3 : LOG_LANES) /* layers done between one load and one store */
#define RADIX (1 << RADIX_BITS)

struct layers {
    const u32 *inverse[TWO_ADICITY]; /* by log h: w^i, i < h */
    const u32 *roots;                /* of the forward direction, in bit-reversed order */
    const u32 *lanes;                /* the same for the layers inside a vector, by block (`lane_factors`) */
    u32 lane_inverse[FACTOR_WORDS(LANES)]; /* powers of the root of order LANES */
};
struct rows {
    u32 *at;
    size_t stride;
};

INLINE void sum_difference(vec *a, vec *b) {
    vec t = f_sub(*a, *b);
    *a = f_add(*a, *b);
    *b = t;
}
INLINE void butterfly(vec *a, vec *b, struct factor f) {
    vec t = v_add(v_sub(*a, *b), v_set1(P));
    *a = f_add(*a, *b);
    *b = f_scale(t, f);
}

INLINE unsigned log2_of(size_t n) { return (unsigned)__builtin_ctzll((unsigned long long)n); }

/* The layers of distances count / 2 .. 1 times `distance` elements, vector k of x being k * distance + at of its run. */
INLINE void inverse_layers(vec *x, const int count, size_t distance, size_t at, const struct layers *layers) {
#pragma GCC unroll 4
    for (int h = count / 2; h; h /= 2) {
        const u32 *factors = layers->inverse[log2_of((size_t)h * distance)];
#pragma GCC unroll 16
        for (int i = 0; i < count / 2; i++) {
            int t = i & (h - 1), p = (i - t) * 2 + t;
            butterfly(&x[p], &x[p + h], factor_load(factors, (size_t)t * distance + at));
        }
    }
}
/* The layers of distances 1 .. count / 2; the vectors are run `block` of the column's runs of that many. */
INLINE void forward_layers(vec *x, const int count, size_t block, const int first, const struct layers *layers) {
#pragma GCC unroll 4
    for (int h = 1; h < count; h *= 2) {
        size_t root = block * (size_t)(count / (2 * h));
#pragma GCC unroll 16
        for (int i = 0; i < count / 2; i++) {
            int t = i & (h - 1), p = (i - t) * 2 + t;
            if (first && i < h) /* the first root is 1 */
                sum_difference(&x[p], &x[p + h]);
            else
                butterfly(&x[p], &x[p + h], factor_splat(layers->roots, root + (size_t)(i / h)));
        }
    }
}

INLINE void rows_load(vec *x, const int count, struct rows from, size_t row, size_t h, size_t i) {
#pragma GCC unroll 16
    for (int k = 0; k < count; k++) x[k] = v_load(from.at + (row + (size_t)k * h) * from.stride + i);
}
INLINE void rows_store(const vec *x, const int count, struct rows to, size_t row, size_t h, size_t i) {
#pragma GCC unroll 16
    for (int k = 0; k < count; k++) v_store(to.at + (row + (size_t)k * h) * to.stride + i, x[k]);
}
INLINE void inverse_step(struct rows from, struct rows to, size_t rows, size_t width, size_t h, const int bits, size_t spacing,
                         size_t offset, const struct layers *layers) {
    for (size_t s = 0; s < rows; s += h << bits)
        for (size_t r = 0; r < h; r++)
            for (size_t i = 0; i < width; i += LANES) {
                vec x[RADIX];
                rows_load(x, 1 << bits, from, s + r, h, i);
                inverse_layers(x, 1 << bits, h * spacing, r * spacing + offset + i, layers);
                rows_store(x, 1 << bits, to, s + r, h, i);
            }
}
INLINE void forward_step(struct rows from, struct rows to, size_t rows, size_t width, size_t h, const int bits, size_t block,
                         const struct layers *layers) {
    for (size_t s = 0; s < rows; s += h << bits, block++)
        for (size_t r = s; r < s + h; r++)
            for (size_t i = 0; i < width; i += LANES) {
                vec x[RADIX];
                rows_load(x, 1 << bits, from, r, h, i);
                if (block)
                    forward_layers(x, 1 << bits, block, 0, layers);
                else
                    forward_layers(x, 1 << bits, 0, 1, layers);
                rows_store(x, 1 << bits, to, r, h, i);
            }
}
/* How many of `left` layers the next step does, so that all steps do about as many. */
INLINE unsigned step_bits(unsigned left) {
    unsigned steps = (left + RADIX_BITS - 1) / RADIX_BITS;
    return (left + steps - 1) / steps;
}

/* Layers of distances rows / 2 .. least, the first step reading `from`, the last writing `to`, those between in `between`. */
HELPER void inverse_rows(struct rows from, struct rows between, struct rows to, size_t rows, size_t width, size_t least,
                         size_t spacing, size_t offset, const struct layers *layers) {
    for (size_t h = rows; h > least; from = between) {
        unsigned bits = step_bits(log2_of(h / least));
        h >>= bits;
        struct rows out = h > least ? between : to;
        if (bits == 1) inverse_step(from, out, rows, width, h, 1, spacing, offset, layers);
        if (bits == 2) inverse_step(from, out, rows, width, h, 2, spacing, offset, layers);
        if (bits == 3) inverse_step(from, out, rows, width, h, 3, spacing, offset, layers);
        if (bits == 4 && RADIX_BITS == 4) inverse_step(from, out, rows, width, h, RADIX_BITS, spacing, offset, layers);
    }
}
/* Layers of distances least .. rows / 2; row 0 is row `first` of the column. */
HELPER void forward_rows(struct rows from, struct rows between, struct rows to, size_t rows, size_t width, size_t least,
                         size_t first, const struct layers *layers) {
    for (size_t h = least; h < rows; from = between) {
        unsigned bits = step_bits(log2_of(rows / h));
        struct rows out = h << bits < rows ? between : to;
        size_t block = first / (h << bits);
        if (bits == 1) forward_step(from, out, rows, width, h, 1, block, layers);
        if (bits == 2) forward_step(from, out, rows, width, h, 2, block, layers);
        if (bits == 3) forward_step(from, out, rows, width, h, 3, block, layers);
        if (bits == 4 && RADIX_BITS == 4) forward_step(from, out, rows, width, h, RADIX_BITS, block, layers);
        h <<= bits;
    }
}

/* The layers inside a vector, on a transposed block, between registers. */
INLINE void lanes_inverse(vec *x, const struct layers *layers) {
#pragma GCC unroll 4
    for (int h = LANES / 2; h; h /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            int t = i & (h - 1), p = (i - t) * 2 + t;
            if (t == 0)
                sum_difference(&x[p], &x[p + h]);
            else
                butterfly(&x[p], &x[p + h], factor_splat(layers->lane_inverse, (size_t)t * (LANES / (2 * h))));
        }
}
INLINE void lanes_forward(vec *x, size_t block, const struct layers *layers) {
    size_t first = block * (LANES - 1);
#pragma GCC unroll 4
    for (int h = 1; h < LANES; h *= 2)
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            int t = i & (h - 1), p = (i - t) * 2 + t;
            butterfly(&x[p], &x[p + h], factor_load(layers->lanes, (first + (size_t)(LANES - LANES / h + i / h)) * LANES));
        }
}

/* A block from row `row` of the column on: as rows of the column, and transposed with the layers of its rows and lanes done. */
INLINE void block_inverse(vec *x, const u32 *from, const struct layers *layers) {
    rows_load(x, LANES, (struct rows){(u32 *)from, LANES}, 0, 1, 0);
    if (LANES > 1) inverse_layers(x, LANES, LANES, 0, layers);
    v_transpose(x);
    lanes_inverse(x, layers);
}
INLINE void block_forward(vec *x, u32 *to, size_t block, const struct layers *layers) {
    lanes_forward(x, block, layers);
    v_transpose(x);
    if (LANES > 1) forward_layers(x, LANES, block, 0, layers);
    rows_store(x, LANES, (struct rows){to, LANES}, 0, 1, 0);
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
