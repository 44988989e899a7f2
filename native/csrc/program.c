/* Interpreter of the verifier's Program (verifier/stark/program.py states every instruction).
 *
 * Scalar on purpose: 30,000 compressions take a few milliseconds. All field elements are canonical, below P. The
 * caller has checked that every address lies inside memory, every read inside the body, and no result over its
 * operands; memory and body do not alias. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define P 2130706433u

enum { INSTRUCTION_WORDS = 8, EXT = 6, DIGEST = 8 };
enum code {
    READ_ELEMENTS, READ_WORDS, COPY, HASH, HASH_WIDE, BITS, SELECT, CHALLENGE, MUL, EXT_ADD, EXT_SUB, EXT_MUL,
    EXT_SCALE, EXT_INVERSE, EMBED, POWERS, DOT, EXT_DOT, ASSERT_EQUAL, ASSERT_ZERO, ASSERT_NOT_ALL_ZERO, FOR_EACH
};

/* ---- BLAKE3, derive_key mode: key is the context key ---- */

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, MATERIAL = 64, BLOCK_WORDS = 16, CHUNK_WORDS = 256 };
static const u32 IV[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

static inline u32 ror(u32 x, int n) { return x >> n | x << (32 - n); }
#define G(a, b, c, d, x, y)                                        \
    do {                                                           \
        a += b + (x), d = ror(d ^ a, 16), c += d, b = ror(b ^ c, 12); \
        a += b + (y), d = ror(d ^ a, 8), c += d, b = ror(b ^ c, 7);   \
    } while (0)
#define ROUND(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15) \
    do {                                                                           \
        G(s0, s4, s8, s12, m[m0], m[m1]); G(s1, s5, s9, s13, m[m2], m[m3]);        \
        G(s2, s6, s10, s14, m[m4], m[m5]); G(s3, s7, s11, s15, m[m6], m[m7]);      \
        G(s0, s5, s10, s15, m[m8], m[m9]); G(s1, s6, s11, s12, m[m10], m[m11]);    \
        G(s2, s7, s8, s13, m[m12], m[m13]); G(s3, s4, s9, s14, m[m14], m[m15]);    \
    } while (0)

/* out: 16 words; the first 8 are the next chaining value. May alias cv. */
static void compress(const u32 *cv, const u32 *m, u32 counter, u32 length, u32 flags, u32 *out) {
    u32 s0 = cv[0], s1 = cv[1], s2 = cv[2], s3 = cv[3], s4 = cv[4], s5 = cv[5], s6 = cv[6], s7 = cv[7];
    u32 s8 = IV[0], s9 = IV[1], s10 = IV[2], s11 = IV[3], s12 = counter, s13 = 0, s14 = length, s15 = flags;
    u32 in[8];
    memcpy(in, cv, sizeof in);
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);
    ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);
    ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);
    ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);
    ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);
    ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);
    out[0] = s0 ^ s8, out[1] = s1 ^ s9, out[2] = s2 ^ s10, out[3] = s3 ^ s11;
    out[4] = s4 ^ s12, out[5] = s5 ^ s13, out[6] = s6 ^ s14, out[7] = s7 ^ s15;
    out[8] = s8 ^ in[0], out[9] = s9 ^ in[1], out[10] = s10 ^ in[2], out[11] = s11 ^ in[3];
    out[12] = s12 ^ in[4], out[13] = s13 ^ in[5], out[14] = s14 ^ in[6], out[15] = s15 ^ in[7];
}

/* Last compression of a subtree, not yet done: its root flag depends on what follows. */
struct pending {
    u32 cv[8], block[16], counter, length, flags;
};

static void chunk(const u32 *key, const u32 *words, size_t count, u32 counter, struct pending *last) {
    u32 cv[16];
    memcpy(cv, key, 32);
    u32 flags = MATERIAL | CHUNK_START;
    while (count > BLOCK_WORDS) {
        compress(cv, words, counter, 64, flags, cv);
        words += BLOCK_WORDS, count -= BLOCK_WORDS, flags = MATERIAL;
    }
    memcpy(last->cv, cv, 32);
    memset(last->block, 0, 64);
    memcpy(last->block, words, 4 * count);
    last->counter = counter, last->length = (u32)(4 * count), last->flags = flags | CHUNK_END;
}

static void subtree(const u32 *key, const u32 *words, size_t count, u32 counter, struct pending *last) {
    if (count <= CHUNK_WORDS) {
        chunk(key, words, count, counter, last);
        return;
    }
    size_t left = CHUNK_WORDS; /* the largest power of two of chunks that leaves something to the right */
    while (2 * left < count) left *= 2;
    u32 out[16], block[16];
    subtree(key, words, left, counter, last);
    compress(last->cv, last->block, last->counter, last->length, last->flags, out);
    memcpy(block, out, 32);
    subtree(key, words + left, count - left, counter + (u32)(left / CHUNK_WORDS), last);
    compress(last->cv, last->block, last->counter, last->length, last->flags, out);
    memcpy(block + 8, out, 32);
    memcpy(last->cv, key, 32);
    memcpy(last->block, block, 64);
    last->counter = 0, last->length = 64, last->flags = MATERIAL | PARENT;
}

static void hash_words(const u32 *key, const u32 *words, size_t count, u32 *out16) {
    struct pending last;
    subtree(key, words, count, 0, &last);
    compress(last.cv, last.block, last.counter, last.length, last.flags | ROOT, out16);
}

/* ---- KoalaBear and KB6 ---- */

static inline u32 add(u32 a, u32 b) {
    u32 c = a + b; /* < 2^32: both below 2^31 */
    return c >= P ? c - P : c;
}
static inline u32 sub(u32 a, u32 b) { return a >= b ? a - b : a + P - b; }
static inline u32 mul(u32 a, u32 b) { return (u32)((u64)a * b % P); }

/* Sums of at most four products fit 64 bits: 4 P^2 < 2^64. */
static void ext_mul(const u32 *a, const u32 *b, u32 *out) {
    u32 c[11];
    for (int k = 0; k < 11; k++) {
        u64 low = 0, high = 0;
        int first = k < 6 ? 0 : k - 5, last = k < 6 ? k : 5;
        for (int i = first; i <= last && i < first + 4; i++) low += (u64)a[i] * b[k - i];
        for (int i = first + 4; i <= last; i++) high += (u64)a[i] * b[k - i];
        c[k] = add((u32)(low % P), (u32)(high % P));
    }
    /* X^6 = -X^3 - 1, X^9 = 1 */
    u32 r0 = add(sub(c[0], c[6]), c[9]), r1 = add(sub(c[1], c[7]), c[10]);
    out[2] = sub(c[2], c[8]), out[3] = sub(c[3], c[6]), out[4] = sub(c[4], c[7]), out[5] = sub(c[5], c[8]);
    out[0] = r0, out[1] = r1;
}

static void frobenius(const u32 *a, int step, u32 *out) {
    u32 c[9] = {0};
    for (int i = 0; i < EXT; i++) c[i * step % 9] = a[i];
    for (int i = 0; i < 3; i++) out[i] = sub(c[i], c[6 + i]), out[3 + i] = sub(c[3 + i], c[6 + i]);
}

static u32 inverse(u32 a) {
    u32 result = 1;
    for (u32 e = P - 2; e; e >>= 1) {
        if (e & 1) result = mul(result, a);
        a = mul(a, a);
    }
    return result;
}

static void ext_inverse(const u32 *a, u32 *out) {
    static const int steps[5] = {2, 4, 8, 7, 5}; /* 2^i mod 9 */
    u32 conjugates[EXT], next[EXT], norm[EXT];
    frobenius(a, steps[0], conjugates);
    for (int i = 1; i < 5; i++) {
        frobenius(a, steps[i], next);
        ext_mul(conjugates, next, conjugates);
    }
    ext_mul(a, conjugates, norm);
    u32 n = inverse(norm[0]);
    for (int i = 0; i < EXT; i++) out[i] = mul(conjugates[i], n);
}

static void dot(const u32 *weights, const u32 *values, size_t count, u32 *out) {
    u64 low[EXT] = {0}, high[EXT] = {0}; /* count < 2^31: no carry out */
    for (size_t k = 0; k < count; k++)
        for (int i = 0; i < EXT; i++) {
            u64 product = (u64)weights[EXT * k + i] * values[k];
            low[i] += (u32)product, high[i] += product >> 32;
        }
    for (int i = 0; i < EXT; i++) out[i] = (u32)((((high[i] % P) << 32) % P + low[i] % P) % P);
}

static int any(const u32 *a, size_t count) {
    u32 bits = 0;
    for (size_t i = 0; i < count; i++) bits |= a[i];
    return bits != 0;
}

struct run {
    const u32 *const *blocks;
    const size_t *lengths; /* instructions */
    const u32 *reads, *items;
    const u32 *keys;
    u32 *memory;
    u32 *failure; /* block, instruction, item */
};

static int run_block(const struct run *r, u32 number, u32 item, const u32 *body) {
    u32 *mem = r->memory, wide[16];
    const u32 *code = r->blocks[number];
    for (size_t at = 0; at < r->lengths[number]; at++, code += INSTRUCTION_WORDS) {
        u32 *out = mem + code[1];
        const u32 *a = mem + code[2], *b = mem + code[3], *c = mem + code[4];
        size_t count = code[5];
        int ok = 1;
        switch ((enum code)code[0]) {
        case READ_ELEMENTS:
            for (size_t i = 0; i < count; i++) {
                out[i] = body[code[2] + i];
                ok &= out[i] < P;
            }
            break;
        case READ_WORDS: memcpy(out, body + code[2], 4 * count); break;
        case COPY: memcpy(out, a, 4 * count); break;
        case HASH:
            hash_words(r->keys + 8 * code[3], a, count, wide);
            memcpy(out, wide, 32);
            break;
        case HASH_WIDE: hash_words(r->keys + 8 * code[3], a, count, out); break;
        case BITS:
            for (size_t i = 0; i < count; i++) out[i] = a[0] >> i & 1;
            break;
        case SELECT: memcpy(out, a[0] ? c : b, 4 * count); break;
        case CHALLENGE:
            for (int i = 0; i < EXT; i++) out[i] = (u32)(((u64)a[2 * i + 1] << 32 | a[2 * i]) % P);
            break;
        case MUL: out[0] = mul(a[0], b[0]); break;
        case EXT_ADD:
            for (int i = 0; i < EXT; i++) out[i] = add(a[i], b[i]);
            break;
        case EXT_SUB:
            for (int i = 0; i < EXT; i++) out[i] = sub(a[i], b[i]);
            break;
        case EXT_MUL: ext_mul(a, b, out); break;
        case EXT_SCALE:
            for (int i = 0; i < EXT; i++) out[i] = mul(a[i], b[0]);
            break;
        case EXT_INVERSE:
            ok = any(a, EXT);
            if (ok) ext_inverse(a, out);
            break;
        case EMBED:
            out[0] = a[0];
            memset(out + 1, 0, 4 * (EXT - 1));
            break;
        case POWERS:
            out[0] = 1;
            memset(out + 1, 0, 4 * (EXT - 1));
            for (size_t i = 1; i < count; i++) ext_mul(out + EXT * (i - 1), a, out + EXT * i);
            break;
        case DOT: dot(a, b, count, out); break;
        case EXT_DOT: {
            u32 total[EXT] = {0}, product[EXT];
            for (size_t k = 0; k < count; k++) {
                ext_mul(a + EXT * k, b + EXT * k, product);
                for (int i = 0; i < EXT; i++) total[i] = add(total[i], product[i]);
            }
            memcpy(out, total, sizeof total);
            break;
        }
        case ASSERT_EQUAL: ok = memcmp(a, b, 4 * count) == 0; break;
        case ASSERT_ZERO: ok = !any(a, count); break;
        case ASSERT_NOT_ALL_ZERO: ok = any(a, count); break;
        case FOR_EACH:
            for (u32 i = 0; i < count; i++) {
                memcpy(mem + r->items[code[4]], a + (size_t)i * code[3], 4 * code[3]);
                if (!run_block(r, code[4], i, body + code[1] + (size_t)i * r->reads[code[4]])) return 0;
            }
            break;
        }
        if (!ok) {
            r->failure[0] = number, r->failure[1] = (u32)at, r->failure[2] = item;
            return 0;
        }
    }
    return 1;
}

/* 1: accepted. 0: failure[0..2] = block, instruction, item of the assertion that failed. */
int pp_program_run(const uint32_t *const *blocks, const size_t *lengths, const uint32_t *reads, const uint32_t *items,
                   const uint32_t *keys, const uint32_t *body, uint32_t *memory, uint32_t *failure) {
    struct run r = {blocks, lengths, reads, items, keys, memory, failure};
    return run_block(&r, 0, 0, body);
}

/* Index of the first word of the spans (start, length) that is not below P; -1 where there is none. */
int64_t pp_first_non_canonical(const uint32_t *body, const uint32_t *spans, size_t count) {
    for (size_t k = 0; k < count; k++) {
        u32 most = 0;
        const u32 *run = body + spans[2 * k];
        for (u32 i = 0; i < spans[2 * k + 1]; i++) most = run[i] > most ? run[i] : most;
        if (most < P) continue;
        for (u32 i = 0; i < spans[2 * k + 1]; i++)
            if (run[i] >= P) return (int64_t)spans[2 * k] + i;
    }
    return -1;
}
