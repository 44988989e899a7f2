/* Scalar KoalaBear arithmetic: p = 2^31 - 2^24 + 1, Montgomery radix R = 2^32. */
#ifndef PEGPROOF_FIELD_SCALAR_H
#define PEGPROOF_FIELD_SCALAR_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define P 0x7f000001u
#define MU 0x81000001u /* p^-1 mod 2^32 */
#define R1 33554430u   /* R mod p */
#define R2 402124772u  /* R^2 mod p */
#define TWO_ADICITY 24
#define G24 1791270792u /* 3^127: generator of the subgroup of order 2^24 */

#define INLINE static inline __attribute__((always_inline, unused))
#define HELPER static __attribute__((unused))

/* Montgomery reduction of x < p * 2^32 to x / R mod p, canonical. */
INLINE u32 m_red(u64 x) {
    u32 q = (u32)x * MU;
    u32 t = (u32)(x >> 32) - (u32)(((u64)q * P) >> 32);
    return t + (P & (0u - (t >> 31)));
}
INLINE u32 m_mul(u32 a, u32 b) { return m_red((u64)a * b); }
INLINE u32 m_add(u32 a, u32 b) {
    u32 t = a + b;
    return t >= P ? t - P : t;
}
INLINE u32 m_sub(u32 a, u32 b) { return a >= b ? a - b : a - b + P; }
INLINE u32 m_to(u32 a) { return m_mul(a, R2); }
INLINE u32 m_from(u32 a) { return m_red(a); }

/* Constant factors w are kept with their ratios to p, floor(2^32 w / p), a run of 16 and then the ratios of the run. */
#define FACTOR_RUN 16
#define FACTOR_WORDS(count) (2 * (((count) + FACTOR_RUN - 1) & ~(size_t)(FACTOR_RUN - 1)))
INLINE size_t factor_place(size_t i) { return i + (i & ~(size_t)(FACTOR_RUN - 1)); }
INLINE u32 factor_ratio(u32 montgomery) { return 0u - montgomery * MU; } /* (2^32 w - w R mod p) / p */
INLINE void factor_store(u32 *table, size_t i, u32 montgomery) {
    table[factor_place(i)] = m_from(montgomery);
    table[factor_place(i) + FACTOR_RUN] = factor_ratio(montgomery);
}
/* a times factor i for any 32-bit a: a w - floor(a ratio / 2^32) p is below 2 p. */
INLINE u32 m_scale(u32 a, const u32 *table, size_t i) {
    const u32 *factor = table + factor_place(i);
    u32 t = a * factor[0] - (u32)(((u64)a * factor[FACTOR_RUN]) >> 32) * P;
    return t >= P ? t - P : t;
}

/* Base and result in Montgomery form. */
HELPER u32 m_pow(u32 base, u64 e) {
    u32 r = R1;
    for (; e; e >>= 1, base = m_mul(base, base))
        if (e & 1) r = m_mul(r, base);
    return r;
}
HELPER u32 m_inv(u32 a) { return m_pow(a, P - 2); }

/* Root of unity of order 2^k, Montgomery form. */
HELPER u32 m_root(unsigned k) {
    u32 g = m_to(G24);
    for (unsigned i = TWO_ADICITY; i > k; i--) g = m_mul(g, g);
    return g;
}

INLINE u32 bit_reverse(u32 x, unsigned bits) {
    x = ((x >> 1) & 0x55555555u) | ((x & 0x55555555u) << 1);
    x = ((x >> 2) & 0x33333333u) | ((x & 0x33333333u) << 2);
    x = ((x >> 4) & 0x0f0f0f0fu) | ((x & 0x0f0f0f0fu) << 4);
    x = __builtin_bswap32(x);
    return bits ? x >> (32 - bits) : 0;
}

/* KB6 = F_p[X]/(X^6 + X^3 + 1); every argument in Montgomery form. */
HELPER void e_mul(u32 *out, const u32 *a, const u32 *b) {
    u32 d[11] = {0};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) d[i + j] = m_add(d[i + j], m_mul(a[i], b[j]));
    out[0] = m_add(m_sub(d[0], d[6]), d[9]);
    out[1] = m_add(m_sub(d[1], d[7]), d[10]);
    out[2] = m_sub(d[2], d[8]);
    out[3] = m_sub(d[3], d[6]);
    out[4] = m_sub(d[4], d[7]);
    out[5] = m_sub(d[5], d[8]);
}
HELPER void e_one(u32 *out) {
    memset(out, 0, 24);
    out[0] = R1;
}
HELPER void e_pow(u32 *out, const u32 *base, u64 e) {
    u32 b[6], r[6], t[6];
    memcpy(b, base, 24);
    e_one(r);
    for (; e; e >>= 1) {
        if (e & 1) {
            e_mul(t, r, b);
            memcpy(r, t, 24);
        }
        e_mul(t, b, b);
        memcpy(b, t, 24);
    }
    memcpy(out, r, 24);
}
/* x -> x^p maps X^i to X^(2i mod 9), with X^6 = -X^3 - 1, X^7 = -X^4 - X, X^8 = -X^5 - X^2. */
HELPER void e_frobenius(u32 *out, const u32 *a) {
    out[0] = m_sub(a[0], a[3]);
    out[1] = m_sub(a[5], 0);
    out[2] = m_sub(a[1], a[4]);
    out[3] = m_sub(0, a[3]);
    out[4] = a[2];
    out[5] = m_sub(0, a[4]);
}
HELPER void e_to(u32 *out, const u32 *a) {
    for (int i = 0; i < 6; i++) out[i] = m_to(a[i]);
}
#endif
