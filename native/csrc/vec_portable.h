/* One lane: plain C. The reference for the other widths. */
#define LOG_LANES 0
#define LANES 1
typedef u32 vec;
typedef u64 wide; /* sums of products, one lane */

INLINE vec v_load(const u32 *p) { return *p; }
INLINE void v_store(u32 *p, vec a) { *p = a; }
/* As v_store, past the caches; p aligned. Before another thread reads: v_stream_end. */
INLINE void v_stream(u32 *p, vec a) { *p = a; }
INLINE void v_stream_end(void) {}
INLINE vec v_load_part(const u32 *p, size_t n) { return n ? *p : 0; }
INLINE void v_store_part(u32 *p, vec a, size_t n) {
    if (n) *p = a;
}
INLINE vec v_load_strided(const u32 *p, size_t stride) {
    (void)stride;
    return *p;
}
INLINE vec v_set1(u32 a) { return a; }
INLINE vec v_iota(void) { return 0; }
INLINE vec v_add(vec a, vec b) { return a + b; }
INLINE vec v_sub(vec a, vec b) { return a - b; }
INLINE vec v_and(vec a, vec b) { return a & b; }
INLINE vec v_xor(vec a, vec b) { return a ^ b; }
INLINE vec v_min(vec a, vec b) { return a < b ? a : b; }
#define v_shl(a, k) ((a) << (k))
#define v_shr(a, k) ((a) >> (k))
#define v_ror(a, k) (((a) >> (k)) | ((a) << (32 - (k))))
/* Lanes where a < b (unsigned) take x, the others y. */
INLINE vec v_select_less(vec a, vec b, vec x, vec y) { return a < b ? x : y; }
INLINE int v_any_nonzero(vec a) { return a != 0; }
INLINE void v_transpose(vec *x) { (void)x; }
INLINE void v_interleave(vec *first, vec *second) { /* a0 b0 a1 b1 .. */
    (void)first, (void)second;
}

INLINE vec f_mul(vec a, vec b) { return m_mul(a, b); }
INLINE vec v_odd(vec a) { return a; }
INLINE vec v_mul_low(vec a, vec b) { return a * b; }
INLINE vec v_mul_high(vec a, vec b, vec b_odd) {
    (void)b_odd;
    return (vec)(((u64)a * b) >> 32);
}
INLINE vec v_modulus(void) { return P; }
INLINE wide w_zero(void) { return 0; }
INLINE wide w_mac(wide x, vec a, vec a_odd, vec b, vec b_odd) {
    (void)a_odd, (void)b_odd;
    return x + (u64)a * b;
}
typedef u32 splat; /* a factor common to all lanes */
INLINE splat s_load(const u64 *p) { return (u32)*p; }
INLINE wide w_mac_splat(wide x, vec a, vec a_odd, splat b) {
    (void)a_odd;
    return x + (u64)a * b;
}
#define WIDE_P ((u64)P << 32)
INLINE wide w_fold(wide x) { return x >= WIDE_P ? x - WIDE_P : x; }
INLINE wide w_add(wide x, wide y) { return w_fold(x + y); }
INLINE wide w_sub(wide x, wide y) { return x >= y ? x - y : x - y + WIDE_P; }
INLINE vec w_reduce(wide x) { return m_red(x); }
