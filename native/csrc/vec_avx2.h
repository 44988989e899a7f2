/* Eight lanes. */
#define LOG_LANES 3
#define LANES 8
typedef __m256i vec;
typedef struct {
    __m256i even, odd;
} wide; /* sums of products: 64-bit halves for the even and the odd lanes */

INLINE vec v_load(const u32 *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void v_store(u32 *p, vec a) { _mm256_storeu_si256((__m256i *)p, a); }
INLINE void v_stream(u32 *p, vec a) { _mm256_stream_si256((__m256i *)p, a); }
INLINE void v_stream_end(void) { _mm_sfence(); }
INLINE vec v_part_mask(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vec v_load_part(const u32 *p, size_t n) {
    return n >= LANES ? v_load(p) : _mm256_maskload_epi32((const int *)p, v_part_mask(n));
}
INLINE void v_store_part(u32 *p, vec a, size_t n) {
    if (n >= LANES)
        v_store(p, a);
    else
        _mm256_maskstore_epi32((int *)p, v_part_mask(n), a);
}
INLINE vec v_load_strided(const u32 *p, size_t s) {
    return _mm256_setr_epi32((int)p[0], (int)p[s], (int)p[2 * s], (int)p[3 * s], (int)p[4 * s], (int)p[5 * s],
                             (int)p[6 * s], (int)p[7 * s]);
}
INLINE vec v_set1(u32 a) { return _mm256_set1_epi32((int)a); }
INLINE vec v_iota(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_epi32(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_epi32(a, b); }
INLINE vec v_and(vec a, vec b) { return _mm256_and_si256(a, b); }
INLINE vec v_xor(vec a, vec b) { return _mm256_xor_si256(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm256_min_epu32(a, b); }
#define v_shl(a, k) _mm256_slli_epi32(a, k)
#define v_shr(a, k) _mm256_srli_epi32(a, k)
INLINE vec v_ror16(vec a) {
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6,
                                                   7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
INLINE vec v_ror8(vec a) {
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5,
                                                   6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
#define v_ror(a, k)     \
    ((k) == 16  ? v_ror16(a) \
     : (k) == 8 ? v_ror8(a)  \
                : _mm256_or_si256(_mm256_srli_epi32(a, k), _mm256_slli_epi32(a, 32 - (k))))
INLINE vec v_select_less(vec a, vec b, vec x, vec y) { /* a < b <=> max(a, b) != a */
    return _mm256_blendv_epi8(x, y, _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a));
}
INLINE int v_any_nonzero(vec a) { return !_mm256_testz_si256(a, a); }
INLINE void v_transpose(vec *x) {
    vec t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            u[4 * i + 2 * j] = _mm256_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
            u[4 * i + 2 * j + 1] = _mm256_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        x[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        x[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}
INLINE void v_interleave(vec *first, vec *second) { /* a0 b0 a1 b1 .. */
    vec a = *first, b = *second;
    vec lo = _mm256_unpacklo_epi32(a, b), hi = _mm256_unpackhi_epi32(a, b);
    *first = _mm256_permute2x128_si256(lo, hi, 0x20);
    *second = _mm256_permute2x128_si256(lo, hi, 0x31);
}

/* The odd lanes moved to where the 32 x 32 -> 64 multiplication reads. */
INLINE vec v_odd(vec a) { return _mm256_srli_epi64(a, 32); }
INLINE vec v_mul_low(vec a, vec b) { return _mm256_mullo_epi32(a, b); }
/* The high halves of the products; b_odd: the odd lanes of b where the multiplication reads. */
INLINE vec v_mul_high(vec a, vec b, vec b_odd) {
    vec even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32), odd = _mm256_mul_epu32(v_odd(a), b_odd);
    return _mm256_blend_epi32(even, odd, 0xaa);
}
INLINE vec v_modulus(void) { /* in a register: the compiler would make shifts and sums of products with it */
    vec p = v_set1(P);
    __asm__("" : "+x"(p));
    return p;
}
INLINE wide w_zero(void) { return (wide){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
INLINE wide w_mac(wide x, vec a, vec a_odd, vec b, vec b_odd) {
    return (wide){_mm256_add_epi64(x.even, _mm256_mul_epu32(a, b)),
                  _mm256_add_epi64(x.odd, _mm256_mul_epu32(a_odd, b_odd))};
}
typedef __m256i splat;
INLINE splat s_load(const u64 *p) { return _mm256_set1_epi64x((long long)*p); }
INLINE wide w_mac_splat(wide x, vec a, vec a_odd, splat b) { return w_mac(x, a, a_odd, b, b); }
INLINE vec w_modulus(void) { return _mm256_set1_epi64x((long long)((u64)P << 32)); }
INLINE wide w_fold(wide x) {
    return (wide){v_min(x.even, v_sub(x.even, w_modulus())), v_min(x.odd, v_sub(x.odd, w_modulus()))};
}
INLINE wide w_add(wide x, wide y) {
    return w_fold((wide){_mm256_add_epi64(x.even, y.even), _mm256_add_epi64(x.odd, y.odd)});
}
INLINE wide w_sub(wide x, wide y) {
    vec e = _mm256_sub_epi64(x.even, y.even), o = _mm256_sub_epi64(x.odd, y.odd);
    return (wide){v_min(e, v_add(e, w_modulus())), v_min(o, v_add(o, w_modulus()))};
}
INLINE vec w_reduce(wide x) {
    vec mu = v_set1(MU), p = v_set1(P);
    vec qe = _mm256_mul_epu32(x.even, mu), qo = _mm256_mul_epu32(x.odd, mu);
    vec e = _mm256_sub_epi64(x.even, _mm256_mul_epu32(qe, p));
    vec o = _mm256_sub_epi64(x.odd, _mm256_mul_epu32(qo, p));
    vec t = _mm256_blend_epi32(_mm256_srli_epi64(e, 32), o, 0xaa);
    return v_min(t, v_add(t, p));
}
INLINE vec f_mul(vec a, vec b) {
    vec ao = v_odd(a), bo = v_odd(b);
    return w_reduce((wide){_mm256_mul_epu32(a, b), _mm256_mul_epu32(ao, bo)});
}
