/* Vectors of LANES field elements, and what is built from them for every width. Included once per instruction set, after
 * VEC_HEADER, FN(name) and the target pragma. See vec_portable.h for what a width defines. */
#include VEC_HEADER

#define STREAMED ((size_t)1 << 20) /* results of as many elements pass by the caches, where they would not stay */

INLINE size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Canonical in, canonical out; in Montgomery form or not, alike. */
INLINE vec f_add(vec a, vec b) {
    vec t = v_add(a, b);
    return v_min(t, v_sub(t, v_set1(P)));
}
INLINE vec f_sub(vec a, vec b) {
    vec t = v_sub(a, b);
    return v_min(t, v_add(t, v_set1(P)));
}
INLINE vec f_double(vec a) { return f_add(a, a); }

/* A constant factor with its ratio to p, the latter also in the lanes that multiply the odd ones. */
struct factor {
    vec w, ratio, ratio_odd;
};
INLINE struct factor factor_load(const u32 *table, size_t i) {
    const u32 *at = table + factor_place(i);
    vec ratio = v_load(at + FACTOR_RUN);
    return (struct factor){v_load(at), ratio, v_odd(ratio)};
}
INLINE struct factor factor_new(u32 w, u32 ratio) {
    vec r = v_set1(ratio);
    return (struct factor){v_set1(w), r, r};
}
INLINE struct factor factor_splat(const u32 *table, size_t i) {
    const u32 *at = table + factor_place(i);
    return factor_new(at[0], at[FACTOR_RUN]);
}
/* As m_scale: cheaper than f_mul, and a may be any 32 bits. */
INLINE vec f_scale(vec a, struct factor f) {
    vec p = v_modulus(), t = v_sub(v_mul_low(a, f.w), v_mul_low(v_mul_high(a, f.ratio, f.ratio_odd), p));
    return v_min(t, v_sub(t, p));
}

INLINE vec f_to(vec a) { return f_scale(a, factor_new(R1, factor_ratio(R2))); }
INLINE vec f_from(vec a) { return f_mul(a, v_set1(1)); }

/* a / 2^k for 1 <= k <= 24: (a - low p) / 2^k with low = a mod 2^k, since p = 1 mod 2^24; p >> k = 127 2^(24-k). */
#define F_DIV2EXP(a, k)                                                 \
    __extension__({                                                     \
        vec low_ = v_shr(v_shl(a, 32 - (k)), 1); /* low 2^(31-k) */     \
        vec t_ = v_sub(v_shr(a, k), v_sub(low_, v_shr(low_, 7)));       \
        v_min(t_, v_add(t_, v_set1(P)));                                \
    })

/* acc + a b, where the caller folds after at most two terms (four, from zero). */
INLINE wide w_mac_vec(wide x, vec a, vec b) { return w_mac(x, a, v_odd(a), b, v_odd(b)); }

/* KB6 product, a b / R for canonical planes (so: both in Montgomery form, or one of them). */
INLINE void e_mul_vec(vec *restrict out, const vec *restrict a, const vec *restrict b) {
    vec ao[6], bo[6];
    wide d[11];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) ao[i] = v_odd(a[i]), bo[i] = v_odd(b[i]);
#pragma GCC unroll 11
    for (int k = 0; k < 11; k++) {
        int first = k < 6 ? 0 : k - 5, last = k < 6 ? k : 5;
        d[k] = w_zero();
#pragma GCC unroll 6
        for (int i = first; i <= last; i++) {
            if (i - first == 4) d[k] = w_fold(d[k]);
            d[k] = w_mac(d[k], a[i], ao[i], b[k - i], bo[k - i]);
        }
        if (last - first >= 2) d[k] = w_fold(d[k]);
    }
    out[0] = w_reduce(w_add(w_sub(d[0], d[6]), d[9]));
    out[1] = w_reduce(w_add(w_sub(d[1], d[7]), d[10]));
    out[2] = w_reduce(w_sub(d[2], d[8]));
    out[3] = w_reduce(w_sub(d[3], d[6]));
    out[4] = w_reduce(w_sub(d[4], d[7]));
    out[5] = w_reduce(w_sub(d[5], d[8]));
}

/* Planes of one vector at column i of (6, n). */
INLINE void e_load(vec *out, const u32 *p, size_t n, size_t i, size_t count) {
    for (int k = 0; k < 6; k++) out[k] = v_load_part(p + k * n + i, count);
}
INLINE void e_store(u32 *p, size_t n, size_t i, size_t count, const vec *a) {
    for (int k = 0; k < 6; k++) v_store_part(p + k * n + i, a[k], count);
}

/* The matrix of x -> c x: row k, column j = coefficient k of c X^j; column major: m[6 j + k]. c as it is to stand there. */
HELPER void e_matrix(u64 *m, const u32 *c) {
    u32 column[6];
    memcpy(column, c, 24);
    for (int j = 0; j < 6; j++) {
        for (int k = 0; k < 6; k++) m[6 * j + k] = column[k];
        u32 top = column[5]; /* times X: X^6 = -X^3 - 1 */
        memmove(column + 1, column, 20);
        column[0] = m_sub(0, top);
        column[3] = m_sub(column[3], top);
    }
}

/* Six dot products of n vectors (stride in words apart) with n rows of six weights. */
INLINE void dot6(vec *restrict out, const u32 *restrict a, size_t stride, size_t n, const u64 *restrict w) {
    wide acc[6];
    for (int k = 0; k < 6; k++) acc[k] = w_zero();
    size_t i = 0;
    for (; i + 2 <= n; i += 2, a += 2 * stride, w += 12) {
        vec x = v_load(a), xo = v_odd(x), y = v_load(a + stride), yo = v_odd(y);
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            acc[k] = w_fold(w_mac_splat(w_mac_splat(acc[k], x, xo, s_load(w + k)), y, yo, s_load(w + 6 + k)));
    }
    if (i < n) {
        vec x = v_load(a), xo = v_odd(x);
        for (int k = 0; k < 6; k++) acc[k] = w_fold(w_mac_splat(acc[k], x, xo, s_load(w + k)));
    }
    for (int k = 0; k < 6; k++) out[k] = w_reduce(acc[k]);
}
