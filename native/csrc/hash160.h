/* HASH160 = RIPEMD160 of SHA256, one message of 20 bytes per lane, over and over: the chains of Winternitz keys.
 *
 * A link is five words as RIPEMD160 has them (little-endian); SHA256 reads them big-endian. Both messages fit one block.
 * Source: FIPS 180-4; Dobbertin, Bosselaers, Preneel, "RIPEMD-160" (1996). */
#define HASH160_TILE 64 /* links of a task */

static const u32 SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const u32 SHA256_IV[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const u32 RIPEMD160_IV[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

INLINE vec v_bswap(vec a) {
    return v_xor(v_and(v_ror(a, 8), v_set1(0xff00ff00u)), v_and(v_ror(a, 24), v_set1(0x00ff00ffu)));
}
#define V_XOR3(a, b, c) v_xor(v_xor(a, b), c)
#define V_NOT(a) v_xor(a, v_set1(0xffffffffu))

/* Eight words of SHA256 of one padded block of 16 words; w is used up. */
INLINE void sha256_block(vec *restrict out, vec *restrict w) {
    vec a = v_set1(SHA256_IV[0]), b = v_set1(SHA256_IV[1]), c = v_set1(SHA256_IV[2]), d = v_set1(SHA256_IV[3]);
    vec e = v_set1(SHA256_IV[4]), f = v_set1(SHA256_IV[5]), g = v_set1(SHA256_IV[6]), h = v_set1(SHA256_IV[7]);
    for (int block = 0; block < 64; block += 16) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if (block) {
                vec x = w[(i + 1) & 15], y = w[(i + 14) & 15];
                vec s0 = V_XOR3(v_ror(x, 7), v_ror(x, 18), v_shr(x, 3)), s1 = V_XOR3(v_ror(y, 17), v_ror(y, 19), v_shr(y, 10));
                w[i] = v_add(v_add(w[i], s0), v_add(w[(i + 9) & 15], s1));
            }
            vec t = v_add(v_add(h, V_XOR3(v_ror(e, 6), v_ror(e, 11), v_ror(e, 25))), v_xor(g, v_and(e, v_xor(f, g))));
            t = v_add(t, v_add(w[i], v_set1(SHA256_K[block + i])));
            vec u = v_add(V_XOR3(v_ror(a, 2), v_ror(a, 13), v_ror(a, 22)), v_xor(v_and(a, b), v_and(c, v_xor(a, b))));
            h = g, g = f, f = e, e = v_add(d, t), d = c, c = b, b = a, a = v_add(t, u);
        }
    }
    vec state[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) out[i] = v_add(state[i], v_set1(SHA256_IV[i]));
}

#define RIPEMD_F1(x, y, z) V_XOR3(x, y, z)
#define RIPEMD_F2(x, y, z) v_xor(z, v_and(x, v_xor(y, z)))
#define RIPEMD_F3(x, y, z) v_xor(V_NOT(v_and(V_NOT(x), y)), z)
#define RIPEMD_F4(x, y, z) v_xor(y, v_and(z, v_xor(x, y)))
#define RIPEMD_F5(x, y, z) v_xor(x, V_NOT(v_and(V_NOT(y), z)))
#define RIPEMD_STEP(f, k, r, s)                                                             \
    do {                                                                                    \
        vec t_ = v_add(v_add(a, f(b, c, d)), v_add(m[r], v_set1(k)));                        \
        t_ = v_add(v_ror(t_, 32 - (s)), e);                                                 \
        a = e, e = d, d = v_ror(c, 22), c = b, b = t_;                                      \
    } while (0)
#define RIPEMD_ROUND(f, k, r0, s0, r1, s1, r2, s2, r3, s3, r4, s4, r5, s5, r6, s6, r7, s7, r8, s8, r9, s9, r10, s10, r11, s11, r12, \
                     s12, r13, s13, r14, s14, r15, s15)                                                                             \
    RIPEMD_STEP(f, k, r0, s0); RIPEMD_STEP(f, k, r1, s1); RIPEMD_STEP(f, k, r2, s2); RIPEMD_STEP(f, k, r3, s3);                     \
    RIPEMD_STEP(f, k, r4, s4); RIPEMD_STEP(f, k, r5, s5); RIPEMD_STEP(f, k, r6, s6); RIPEMD_STEP(f, k, r7, s7);                     \
    RIPEMD_STEP(f, k, r8, s8); RIPEMD_STEP(f, k, r9, s9); RIPEMD_STEP(f, k, r10, s10); RIPEMD_STEP(f, k, r11, s11);                 \
    RIPEMD_STEP(f, k, r12, s12); RIPEMD_STEP(f, k, r13, s13); RIPEMD_STEP(f, k, r14, s14); RIPEMD_STEP(f, k, r15, s15)

/* Five words of RIPEMD160 of one padded block of 16 words. */
INLINE void ripemd160_block(vec *restrict out, const vec *restrict m) {
    vec left[5], a, b, c, d, e;
    a = v_set1(RIPEMD160_IV[0]), b = v_set1(RIPEMD160_IV[1]), c = v_set1(RIPEMD160_IV[2]);
    d = v_set1(RIPEMD160_IV[3]), e = v_set1(RIPEMD160_IV[4]);
    RIPEMD_ROUND(RIPEMD_F1, 0u, 0, 11, 1, 14, 2, 15, 3, 12, 4, 5, 5, 8, 6, 7, 7, 9, 8, 11, 9, 13, 10, 14, 11, 15, 12, 6, 13, 7, 14, 9, 15, 8);
    RIPEMD_ROUND(RIPEMD_F2, 0x5a827999u, 7, 7, 4, 6, 13, 8, 1, 13, 10, 11, 6, 9, 15, 7, 3, 15, 12, 7, 0, 12, 9, 15, 5, 9, 2, 11, 14, 7, 11, 13, 8, 12);
    RIPEMD_ROUND(RIPEMD_F3, 0x6ed9eba1u, 3, 11, 10, 13, 14, 6, 4, 7, 9, 14, 15, 9, 8, 13, 1, 15, 2, 14, 7, 8, 0, 13, 6, 6, 13, 5, 11, 12, 5, 7, 12, 5);
    RIPEMD_ROUND(RIPEMD_F4, 0x8f1bbcdcu, 1, 11, 9, 12, 11, 14, 10, 15, 0, 14, 8, 15, 12, 9, 4, 8, 13, 9, 3, 14, 7, 5, 15, 6, 14, 8, 5, 6, 6, 5, 2, 12);
    RIPEMD_ROUND(RIPEMD_F5, 0xa953fd4eu, 4, 9, 0, 15, 5, 5, 9, 11, 7, 6, 12, 8, 2, 13, 10, 12, 14, 5, 1, 12, 3, 13, 8, 14, 11, 11, 6, 8, 15, 5, 13, 6);
    left[0] = a, left[1] = b, left[2] = c, left[3] = d, left[4] = e;
    a = v_set1(RIPEMD160_IV[0]), b = v_set1(RIPEMD160_IV[1]), c = v_set1(RIPEMD160_IV[2]);
    d = v_set1(RIPEMD160_IV[3]), e = v_set1(RIPEMD160_IV[4]);
    RIPEMD_ROUND(RIPEMD_F5, 0x50a28be6u, 5, 8, 14, 9, 7, 9, 0, 11, 9, 13, 2, 15, 11, 15, 4, 5, 13, 7, 6, 7, 15, 8, 8, 11, 1, 14, 10, 14, 3, 12, 12, 6);
    RIPEMD_ROUND(RIPEMD_F4, 0x5c4dd124u, 6, 9, 11, 13, 3, 15, 7, 7, 0, 12, 13, 8, 5, 9, 10, 11, 14, 7, 15, 7, 8, 12, 12, 7, 4, 6, 9, 15, 1, 13, 2, 11);
    RIPEMD_ROUND(RIPEMD_F3, 0x6d703ef3u, 15, 9, 5, 7, 1, 15, 3, 11, 7, 8, 14, 6, 6, 6, 9, 14, 11, 12, 8, 13, 12, 5, 2, 14, 10, 13, 0, 13, 4, 7, 13, 5);
    RIPEMD_ROUND(RIPEMD_F2, 0x7a6d76e9u, 8, 15, 6, 5, 4, 8, 1, 11, 3, 14, 11, 14, 15, 6, 0, 14, 5, 6, 12, 9, 2, 12, 13, 9, 9, 12, 7, 5, 10, 15, 14, 8);
    RIPEMD_ROUND(RIPEMD_F1, 0u, 12, 8, 15, 5, 10, 12, 4, 9, 1, 12, 5, 5, 8, 14, 7, 6, 6, 8, 2, 13, 13, 6, 14, 5, 0, 15, 3, 13, 9, 11, 11, 11);
    out[0] = v_add(v_set1(RIPEMD160_IV[1]), v_add(left[2], d));
    out[1] = v_add(v_set1(RIPEMD160_IV[2]), v_add(left[3], e));
    out[2] = v_add(v_set1(RIPEMD160_IV[3]), v_add(left[4], a));
    out[3] = v_add(v_set1(RIPEMD160_IV[4]), v_add(left[0], b));
    out[4] = v_add(v_set1(RIPEMD160_IV[0]), v_add(left[1], c));
}

struct hash160_job {
    const u32 *starts;
    u32 *out;
    size_t n, steps;
};
static void hash160_task(void *context, size_t task) {
    const struct hash160_job *job = context;
    size_t n = job->n, end = min_size(n, (task + 1) * HASH160_TILE);
    for (size_t i = task * HASH160_TILE; i < end; i += LANES) {
        vec link[5], w[16], m[16];
        for (int k = 0; k < 5; k++) link[k] = v_load_part(job->starts + k * n + i, end - i);
        for (size_t step = 0; step < job->steps; step++) {
            for (int k = 0; k < 5; k++) w[k] = v_bswap(link[k]);
            w[5] = v_set1(0x80000000u);
            for (int k = 6; k < 15; k++) w[k] = v_set1(0);
            w[15] = v_set1(8 * 20);
            sha256_block(m, w);
            for (int k = 0; k < 8; k++) m[k] = v_bswap(m[k]);
            m[8] = v_set1(0x80);
            for (int k = 9; k < 16; k++) m[k] = v_set1(0);
            m[14] = v_set1(8 * 32);
            ripemd160_block(link, m);
        }
        for (int k = 0; k < 5; k++) v_store_part(job->out + k * n + i, link[k], end - i);
    }
}
/* starts, out: five rows of n words; each link is hashed `steps` times. They may be the same array. */
static void FN(hash160_chains)(const u32 *starts, u32 *out, size_t n, size_t steps) {
    struct hash160_job job = {starts, out, n, steps};
    pool_run(hash160_task, &job, (n + HASH160_TILE - 1) / HASH160_TILE);
}
