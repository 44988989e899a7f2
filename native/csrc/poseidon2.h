/* Poseidon2 over KoalaBear, one permutation per lane. S-box x^3, leansig_2025 constants.
 *
 * The linear layers do not care about Montgomery form, the S-box does: from Montgomery form two products give x^3 in Montgomery
 * form; from canonical values a third, by R^3, gives canonical x^3, which is what the trace stores. */
#define CANONICAL(x) x
#define MONTGOMERY(x) (u32)(((u64)(x) << 32) % P)
#define R3 ((u32)((u64)R2 * (((u64)1 << 32) % P) % P))
static const u32 rounds_16[2][4 * 16 + 20 + 4 * 16] = {{POSEIDON2_16_ROUNDS(CANONICAL)}, {POSEIDON2_16_ROUNDS(MONTGOMERY)}};
static const u32 rounds_24[2][4 * 24 + 23 + 4 * 24] = {{POSEIDON2_24_ROUNDS(CANONICAL)}, {POSEIDON2_24_ROUNDS(MONTGOMERY)}};

enum { FORM_CANONICAL = 0, FORM_MONTGOMERY = 1 };

/* (x + c)^3 */
INLINE vec sbox(vec x, u32 constant, const int form) {
    x = f_add(x, v_set1(constant));
    vec cube = f_mul(f_mul(x, x), x);
    return form == FORM_MONTGOMERY ? cube : f_mul(cube, v_set1(R3));
}

/* circ(2 M4, M4, .., M4), M4 = circ(2, 3, 1, 1). */
INLINE void external_layer(vec *s, const int width) {
    vec sums[4];
#pragma GCC unroll 6
    for (int i = 0; i < width; i += 4) {
        vec t01 = f_add(s[i], s[i + 1]), t23 = f_add(s[i + 2], s[i + 3]), t = f_add(t01, t23);
        vec u = f_add(t, s[i + 1]), v = f_add(t, s[i + 3]);
        vec s0 = s[i], s2 = s[i + 2];
        s[i] = f_add(u, t01);               /* 2 a + 3 b + c + d */
        s[i + 1] = f_add(u, f_double(s2));  /* a + 2 b + 3 c + d */
        s[i + 2] = f_add(v, t23);           /* a + b + 2 c + 3 d */
        s[i + 3] = f_add(v, f_double(s0));  /* 3 a + b + c + 2 d */
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sums[k] = i ? f_add(sums[k], s[i + k]) : s[i + k];
    }
#pragma GCC unroll 24
    for (int i = 0; i < width; i++) s[i] = f_add(s[i], sums[i % 4]);
}

/* J + diag(V): s_i = sum + V_i s_i. */
INLINE void internal_layer(vec *s, const int width) {
    vec part[4] = {s[1], s[2], s[3], s[4]};
#pragma GCC unroll 24
    for (int i = 5; i < width; i++) part[i % 4] = f_add(part[i % 4], s[i]);
    vec rest = f_add(f_add(part[0], part[1]), f_add(part[2], part[3]));
    vec sum = f_add(rest, s[0]);
    s[0] = f_sub(rest, s[0]); /* V = -2, 1, 2, 1/2, 3, 4, -1/2, -3, -4, 1/2^8, .. */
    s[1] = f_add(sum, s[1]);
    s[2] = f_add(sum, f_double(s[2]));
    s[3] = f_add(sum, F_DIV2EXP(s[3], 1));
    s[4] = f_add(sum, f_add(f_double(s[4]), s[4]));
    s[5] = f_add(sum, f_double(f_double(s[5])));
    s[6] = f_sub(sum, F_DIV2EXP(s[6], 1));
    s[7] = f_sub(sum, f_add(f_double(s[7]), s[7]));
    s[8] = f_sub(sum, f_double(f_double(s[8])));
    s[9] = f_add(sum, F_DIV2EXP(s[9], 8));
    if (width == 16) { /* 1/8, 1/2^24, -1/2^8, -1/8, -1/16, -1/2^24 */
        s[10] = f_add(sum, F_DIV2EXP(s[10], 3));
        s[11] = f_add(sum, F_DIV2EXP(s[11], 24));
        s[12] = f_sub(sum, F_DIV2EXP(s[12], 8));
        s[13] = f_sub(sum, F_DIV2EXP(s[13], 3));
        s[14] = f_sub(sum, F_DIV2EXP(s[14], 4));
        s[15] = f_sub(sum, F_DIV2EXP(s[15], 24));
    } else { /* 1/4, 1/8, 1/16, 1/32, 1/64, 1/2^24, then minus 1/2^8, 1/8, 1/16, 1/32, 1/64, 1/2^7, 1/2^9, 1/2^24 */
        s[10] = f_add(sum, F_DIV2EXP(s[10], 2));
        s[11] = f_add(sum, F_DIV2EXP(s[11], 3));
        s[12] = f_add(sum, F_DIV2EXP(s[12], 4));
        s[13] = f_add(sum, F_DIV2EXP(s[13], 5));
        s[14] = f_add(sum, F_DIV2EXP(s[14], 6));
        s[15] = f_add(sum, F_DIV2EXP(s[15], 24));
        s[16] = f_sub(sum, F_DIV2EXP(s[16], 8));
        s[17] = f_sub(sum, F_DIV2EXP(s[17], 3));
        s[18] = f_sub(sum, F_DIV2EXP(s[18], 4));
        s[19] = f_sub(sum, F_DIV2EXP(s[19], 5));
        s[20] = f_sub(sum, F_DIV2EXP(s[20], 6));
        s[21] = f_sub(sum, F_DIV2EXP(s[21], 7));
        s[22] = f_sub(sum, F_DIV2EXP(s[22], 9));
        s[23] = f_sub(sum, F_DIV2EXP(s[23], 24));
    }
}

/* Where a trace goes: column c of the current lanes at out + c * stride; nowhere if out is NULL. */
struct trace {
    u32 *out;
    size_t stride;
};
INLINE void trace_put(struct trace *trace, const vec *s, const int count) {
#pragma GCC unroll 24
    for (int i = 0; i < count; i++) v_store(trace->out + i * trace->stride, s[i]);
    trace->out += (size_t)count * trace->stride;
}

INLINE void full_rounds(vec *s, const u32 *constants, const int width, const int form, struct trace *trace) {
    for (int round = 0; round < 4; round++) {
#pragma GCC unroll 24
        for (int i = 0; i < width; i++) s[i] = sbox(s[i], constants[round * width + i], form);
        external_layer(s, width);
        if (trace) trace_put(trace, s, width);
    }
}
INLINE void permute(vec *s, const u32 *constants, const int width, const int form, struct trace *trace) {
    const int partial = width == 16 ? 20 : 23;
    external_layer(s, width);
    full_rounds(s, constants, width, form, trace);
    constants += 4 * width;
    for (int round = 0; round < partial; round++) {
        s[0] = sbox(s[0], constants[round], form);
        if (trace) trace_put(trace, s, 1);
        internal_layer(s, width);
    }
    full_rounds(s, constants + partial, width, form, trace);
}
static __attribute__((noinline)) void permute_16(vec *s) {
    vec t[16];
    memcpy(t, s, sizeof t);
    permute(t, rounds_16[FORM_MONTGOMERY], 16, FORM_MONTGOMERY, NULL);
    memcpy(s, t, sizeof t);
}
static __attribute__((noinline)) void permute_24(vec *s) {
    vec t[24];
    memcpy(t, s, sizeof t);
    permute(t, rounds_24[FORM_MONTGOMERY], 24, FORM_MONTGOMERY, NULL);
    memcpy(s, t, sizeof t);
}
static __attribute__((noinline)) void trace_16(vec *s, struct trace *trace) {
    permute(s, rounds_16[FORM_CANONICAL], 16, FORM_CANONICAL, trace);
}
static __attribute__((noinline)) void trace_24(vec *s, struct trace *trace) {
    permute(s, rounds_24[FORM_CANONICAL], 24, FORM_CANONICAL, trace);
}

#define PERMUTE_TILE 512
struct permute_job {
    const u32 *in;
    u32 *out;
    size_t n, stride;
    unsigned width, out_len;
    int feed_forward;
};
static void permute_task(void *context, size_t task) {
    const struct permute_job *job = context;
    size_t n = job->n, end = min_size(n, (task + 1) * PERMUTE_TILE);
    for (size_t i = task * PERMUTE_TILE; i < end; i += LANES) {
        vec s[24];
        for (size_t k = 0; k < job->width; k++) s[k] = f_to(v_load_part(job->in + k * n + i, end - i));
        if (job->width == 16)
            permute_16(s);
        else
            permute_24(s);
        for (size_t k = 0; k < job->out_len; k++) {
            vec x = f_from(s[k]);
            if (job->feed_forward) x = f_add(x, v_load_part(job->in + k * n + i, end - i));
            v_store_part(job->out + k * n + i, x, end - i);
        }
    }
}
static void FN(poseidon2_permute)(const u32 *in, u32 *out, unsigned width, size_t n) {
    struct permute_job job = {.in = in, .out = out, .n = n, .width = width, .out_len = width};
    pool_run(permute_task, &job, (n + PERMUTE_TILE - 1) / PERMUTE_TILE);
}
static void FN(poseidon2_compress)(const u32 *in, u32 *out, unsigned width, unsigned out_len, size_t n) {
    struct permute_job job = {.in = in, .out = out, .n = n, .width = width, .out_len = out_len, .feed_forward = 1};
    pool_run(permute_task, &job, (n + PERMUTE_TILE - 1) / PERMUTE_TILE);
}

/* Rows are traced into a tile first, so that each column is written in whole cache lines. */
#define TRACE_TILE 64
#define TRACE_COLUMNS (24 + 8 * 24 + 23)
static void trace_task(void *context, size_t task) {
    const struct permute_job *job = context;
    _Alignas(64) u32 tile[TRACE_COLUMNS * TRACE_TILE];
    unsigned width = job->width;
    size_t columns = 9 * width + (width == 16 ? 20 : 23), end = min_size(job->n, (task + 1) * PERMUTE_TILE);
    for (size_t row = task * PERMUTE_TILE; row < end; row += TRACE_TILE) {
        size_t rows = min_size(TRACE_TILE, end - row);
        for (size_t i = 0; i < rows; i += LANES) {
            vec s[24];
            struct trace trace = {tile + i, TRACE_TILE};
            for (size_t k = 0; k < width; k++) {
                s[k] = v_load_part(job->in + k * job->n + row + i, rows - i);
                v_store(tile + k * TRACE_TILE + i, s[k]);
            }
            trace.out += width * TRACE_TILE;
            if (width == 16)
                trace_16(s, &trace);
            else
                trace_24(s, &trace);
        }
        for (size_t c = 0; c < columns; c++)
            memcpy(job->out + c * job->stride + row, tile + c * TRACE_TILE, rows * sizeof(u32));
    }
}
static void FN(poseidon2_trace)(const u32 *in, u32 *out, unsigned width, size_t n, size_t out_stride) {
    struct permute_job job = {.in = in, .out = out, .n = n, .stride = out_stride, .width = width};
    pool_run(trace_task, &job, (n + PERMUTE_TILE - 1) / PERMUTE_TILE);
}

/* XMSS chains: value = (perm(x) + x)[:8] of x = (parameter 5, t0, t1, value 8, 0), t0 + 256 from step to step. */
#define CHAIN_TILE 256
struct chain_job {
    const u32 *parameter, *t0, *t1, *starts, *steps, *order;
    u32 *out;
    size_t n;
};
static void chains_task(void *context, size_t task) {
    const struct chain_job *job = context;
    size_t n = job->n, end = min_size(n, (task + 1) * CHAIN_TILE);
    for (size_t i = task * CHAIN_TILE; i < end; i += LANES) {
        _Alignas(64) u32 gathered[16][LANES];
        size_t lanes = min_size(LANES, end - i);
        u32 longest = 0;
        memset(gathered, 0, sizeof gathered);
        for (size_t lane = 0; lane < lanes; lane++) { /* rows 0..14: the input; row 15: steps */
            size_t from = job->order[i + lane];
            for (size_t k = 0; k < 5; k++) gathered[k][lane] = job->parameter[k * n + from];
            gathered[5][lane] = job->t0[from];
            gathered[6][lane] = job->t1[from];
            for (size_t k = 0; k < 8; k++) gathered[7 + k][lane] = job->starts[k * n + from];
            gathered[15][lane] = job->steps[from];
            if (job->steps[from] > longest) longest = job->steps[from];
        }
        vec x[16], s[16], steps = v_load(gathered[15]);
        for (int k = 0; k < 15; k++) x[k] = f_to(v_load(gathered[k]));
        x[15] = v_set1(0);
        for (u32 step = 0; step < longest; step++) {
            memcpy(s, x, sizeof s);
            permute_16(s);
            vec next[8];
            for (int k = 0; k < 8; k++) next[k] = f_add(s[k], x[k]);
            for (int k = 0; k < 8; k++) x[7 + k] = v_select_less(v_set1(step), steps, next[k], x[7 + k]);
            x[5] = f_add(x[5], v_set1(MONTGOMERY(256)));
        }
        for (int k = 0; k < 8; k++) v_store(gathered[k], f_from(x[7 + k]));
        for (size_t lane = 0; lane < lanes; lane++)
            for (size_t k = 0; k < 8; k++) job->out[k * n + job->order[i + lane]] = gathered[k][lane];
    }
}
static void FN(xmss_chains)(const u32 *parameter, const u32 *t0, const u32 *t1, const u32 *starts, const u32 *steps,
                            const u32 *order, u32 *out, size_t n) {
    struct chain_job job = {parameter, t0, t1, starts, steps, order, out, n};
    pool_run(chains_task, &job, (n + CHAIN_TILE - 1) / CHAIN_TILE);
}
