/* Sixteen lanes. */
#define LOG_LANES 4
#define LANES 16
typedef __m512i vec;
typedef struct {
    __m512i even, odd;
} wide; /* sums of products: 64-bit halves for the even and the odd lanes */

INLINE vec v_load(const u32 *p) { return _mm512_loadu_si512(p); }
INLINE void v_store(u32 *p, vec a) { _mm512_storeu_si512(p, a); }
INLINE void v_stream(u32 *p, vec a) { _mm512_stream_si512((void *)p, a); }
INLINE void v_stream_end(void) { _mm_sfence(); }
INLINE __mmask16 v_part_mask(size_t n) { return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1); }
INLINE vec v_load_part(const u32 *p, size_t n) { return _mm512_maskz_loadu_epi32(v_part_mask(n), p); }
INLINE void v_store_part(u32 *p, vec a, size_t n) { _mm512_mask_storeu_epi32(p, v_part_mask(n), a); }
INLINE vec v_iota(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
INLINE vec v_set1(u32 a) { return _mm512_set1_epi32((int)a); }
INLINE vec v_load_strided(const u32 *p, size_t s) {
    vec index = _mm512_mullo_epi32(v_iota(), v_set1((u32)s));
    return _mm512_i32gather_epi32(index, (const void *)p, 4);
}
INLINE vec v_add(vec a, vec b) { return _mm512_add_epi32(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_epi32(a, b); }
INLINE vec v_and(vec a, vec b) { return _mm512_and_si512(a, b); }
INLINE vec v_xor(vec a, vec b) { return _mm512_xor_si512(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_epu32(a, b); }
#define v_shl(a, k) _mm512_slli_epi32(a, k)
#define v_shr(a, k) _mm512_srli_epi32(a, k)
#define v_ror(a, k) _mm512_ror_epi32(a, k)
INLINE vec v_select_less(vec a, vec b, vec x, vec y) {
    return _mm512_mask_blend_epi32(_mm512_cmplt_epu32_mask(a, b), y, x);
}
INLINE int v_any_nonzero(vec a) { return _mm512_test_epi32_mask(a, a) != 0; }
INLINE void v_transpose(vec *x) {
    vec t[16], u[16];
#pragma GCC unroll 16
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) { /* u[4 i + k]: column k of every 128-bit part, rows 4 i .. 4 i + 3 */
        u[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < 4; k++) {
        vec a = _mm512_shuffle_i32x4(u[k], u[4 + k], 0x88), b = _mm512_shuffle_i32x4(u[k], u[4 + k], 0xdd);
        vec c = _mm512_shuffle_i32x4(u[8 + k], u[12 + k], 0x88), d = _mm512_shuffle_i32x4(u[8 + k], u[12 + k], 0xdd);
        x[k] = _mm512_shuffle_i32x4(a, c, 0x88);
        x[8 + k] = _mm512_shuffle_i32x4(a, c, 0xdd);
        x[4 + k] = _mm512_shuffle_i32x4(b, d, 0x88);
        x[12 + k] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}
INLINE void v_interleave(vec *first, vec *second) { /* a0 b0 a1 b1 .. */
    vec a = *first, b = *second;
    vec low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    vec high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    *first = _mm512_permutex2var_epi32(a, low, b);
    *second = _mm512_permutex2var_epi32(a, high, b);
}

/* The odd lanes moved to where the 32 x 32 -> 64 multiplication reads. */
INLINE vec v_odd(vec a) { return _mm512_srli_epi64(a, 32); }
INLINE vec v_mul_low(vec a, vec b) { return _mm512_mullo_epi32(a, b); }
/* The high halves of the products; b_odd: the odd lanes of b where the multiplication reads. */
INLINE vec v_mul_high(vec a, vec b, vec b_odd) {
    vec odd = _mm512_mul_epu32(v_odd(a), b_odd);
    return _mm512_mask_shuffle_epi32(odd, 0x5555, _mm512_mul_epu32(a, b), (_MM_PERM_ENUM)0xf5);
}
INLINE vec v_modulus(void) { /* in a register: the compiler would make shifts and sums of products with it */
    vec p = v_set1(P);
    __asm__("" : "+v"(p));
    return p;
}
INLINE wide w_zero(void) { return (wide){_mm512_setzero_si512(), _mm512_setzero_si512()}; }
INLINE wide w_mac(wide x, vec a, vec a_odd, vec b, vec b_odd) {
    return (wide){_mm512_add_epi64(x.even, _mm512_mul_epu32(a, b)),
                  _mm512_add_epi64(x.odd, _mm512_mul_epu32(a_odd, b_odd))};
}
typedef __m512i splat;
INLINE splat s_load(const u64 *p) { return _mm512_set1_epi64((long long)*p); }
INLINE wide w_mac_splat(wide x, vec a, vec a_odd, splat b) { return w_mac(x, a, a_odd, b, b); }
INLINE vec w_modulus(void) { return _mm512_set1_epi64((long long)((u64)P << 32)); }
INLINE wide w_fold(wide x) {
    return (wide){v_min(x.even, v_sub(x.even, w_modulus())), v_min(x.odd, v_sub(x.odd, w_modulus()))};
}
INLINE wide w_add(wide x, wide y) {
    return w_fold((wide){_mm512_add_epi64(x.even, y.even), _mm512_add_epi64(x.odd, y.odd)});
}
INLINE wide w_sub(wide x, wide y) {
    vec e = _mm512_sub_epi64(x.even, y.even), o = _mm512_sub_epi64(x.odd, y.odd);
    return (wide){v_min(e, v_add(e, w_modulus())), v_min(o, v_add(o, w_modulus()))};
}
INLINE vec w_reduce(wide x) {
    vec mu = v_set1(MU), p = v_set1(P);
    vec qe = _mm512_mul_epu32(x.even, mu), qo = _mm512_mul_epu32(x.odd, mu);
    vec e = _mm512_sub_epi64(x.even, _mm512_mul_epu32(qe, p));
    vec o = _mm512_sub_epi64(x.odd, _mm512_mul_epu32(qo, p));
    vec t = _mm512_mask_shuffle_epi32(o, 0x5555, e, (_MM_PERM_ENUM)0xf5);
    return v_min(t, v_add(t, p));
}
INLINE vec f_mul(vec a, vec b) {
    vec ao = v_odd(a), bo = v_odd(b);
    return w_reduce((wide){_mm512_mul_epu32(a, b), _mm512_mul_epu32(ao, bo)});
}
