/* KB6 kernels: products, inverses, LogUp fractions, running sums, powers. Planes are (6, n). */
#define KB6_TILE 256

struct kb6_job {
    const u32 *a, *b;
    u32 *out;
    size_t n;
    u64 matrix[36];
    u32 base[6];
};

static void kb6_mul_task(void *context, size_t task) {
    const struct kb6_job *job = context;
    size_t n = job->n, end = min_size(n, (task + 1) * FIELD_TILE);
    for (size_t i = task * FIELD_TILE; i < end; i += LANES) {
        vec a[6], b[6], c[6];
        e_load(a, job->a, n, i, end - i);
        e_load(b, job->b, n, i, end - i);
        for (int k = 0; k < 6; k++) a[k] = f_to(a[k]);
        e_mul_vec(c, a, b);
        e_store(job->out, n, i, end - i, c);
    }
}
static void FN(kb6_mul)(const u32 *a, const u32 *b, u32 *out, size_t n) {
    struct kb6_job job = {.a = a, .b = b, .out = out, .n = n};
    pool_run(kb6_mul_task, &job, (n + FIELD_TILE - 1) / FIELD_TILE);
}

static void kb6_axpy_task(void *context, size_t task) {
    const struct kb6_job *job = context;
    size_t n = job->n, end = min_size(n, (task + 1) * FIELD_TILE);
    for (size_t i = task * FIELD_TILE; i < end; i += LANES) {
        _Alignas(64) u32 x[6 * LANES];
        vec y[6], acc[6];
        for (int k = 0; k < 6; k++) v_store(x + k * LANES, v_load_part(job->b + k * n + i, end - i));
        dot6(y, x, LANES, 6, job->matrix);
        e_load(acc, job->out, n, i, end - i);
        for (int k = 0; k < 6; k++) acc[k] = f_add(acc[k], y[k]);
        e_store(job->out, n, i, end - i, acc);
    }
}
static void FN(kb6_axpy)(u32 *acc, const u32 *scale, const u32 *x, size_t n) {
    struct kb6_job job = {.b = x, .out = acc, .n = n};
    u32 c[6];
    e_to(c, scale);
    e_matrix(job.matrix, c);
    pool_run(kb6_axpy_task, &job, (n + FIELD_TILE - 1) / FIELD_TILE);
}

/* F_p[w], w = X^3, w^2 = -w - 1: pairs (u0, u1). KB6 is its cubic extension by X, with X^3 = w. */
INLINE void k2_mul(vec *out, const vec *u, const vec *v) {
    vec u0o = v_odd(u[0]), u1o = v_odd(u[1]), v0o = v_odd(v[0]), v1o = v_odd(v[1]);
    wide low = w_mac(w_zero(), u[0], u0o, v[0], v0o);
    wide high = w_mac(w_zero(), u[1], u1o, v[1], v1o);
    wide middle = w_mac(w_mac(w_zero(), u[0], u0o, v[1], v1o), u[1], u1o, v[0], v0o);
    out[0] = w_reduce(w_sub(low, high));
    out[1] = w_reduce(w_sub(middle, high));
}
INLINE void k2_add(vec *out, const vec *u, const vec *v) {
    out[0] = f_add(u[0], v[0]);
    out[1] = f_add(u[1], v[1]);
}
INLINE void k2_sub(vec *out, const vec *u, const vec *v) {
    out[0] = f_sub(u[0], v[0]);
    out[1] = f_sub(u[1], v[1]);
}
INLINE void k2_mul_w(vec *out, const vec *u) {
    vec u1 = u[1];
    out[1] = f_sub(u[0], u1);
    out[0] = f_sub(v_set1(0), u1);
}
/* cofactor with a cofactor = norm in F_p (Montgomery form). */
INLINE void e_cofactor(vec *cofactor, vec *norm, const vec *a) {
    vec A[2] = {a[0], a[3]}, B[2] = {a[1], a[4]}, C[2] = {a[2], a[5]};
    vec c0[2], c1[2], c2[2], t[2], s[2], conjugate[2];
    k2_mul(c0, A, A); /* c0 = A^2 - w B C, c1 = w C^2 - A B, c2 = B^2 - A C */
    k2_mul(t, B, C);
    k2_mul_w(t, t);
    k2_sub(c0, c0, t);
    k2_mul(c1, C, C);
    k2_mul_w(c1, c1);
    k2_mul(t, A, B);
    k2_sub(c1, c1, t);
    k2_mul(c2, B, B);
    k2_mul(t, A, C);
    k2_sub(c2, c2, t);
    k2_mul(t, C, c1); /* norm to F_p[w]: A c0 + w (C c1 + B c2) */
    k2_mul(s, B, c2);
    k2_add(t, t, s);
    k2_mul_w(t, t);
    k2_mul(s, A, c0);
    k2_add(t, t, s);
    conjugate[0] = f_sub(t[0], t[1]);
    conjugate[1] = f_sub(v_set1(0), t[1]);
    k2_mul(s, t, conjugate);
    *norm = s[0];
    k2_mul(c0, c0, conjugate);
    k2_mul(c1, c1, conjugate);
    k2_mul(c2, c2, conjugate);
    cofactor[0] = c0[0], cofactor[3] = c0[1];
    cofactor[1] = c1[0], cofactor[4] = c1[1];
    cofactor[2] = c2[0], cofactor[5] = c2[1];
}

/* out = a / b, or 1 / b where a is NULL; 0 where b = 0. */
static void kb6_divide_task(void *context, size_t task) {
    const struct kb6_job *job = context;
    _Alignas(64) u32 cofactors[6 * KB6_TILE], norms[KB6_TILE], scratch[KB6_TILE];
    size_t n = job->n, start = task * KB6_TILE, count = min_size(KB6_TILE, n - start);
    for (size_t i = 0; i < count; i += LANES) {
        vec b[6], c[6], norm;
        e_load(b, job->b, n, start + i, count - i);
        e_cofactor(c, &norm, b);
        e_store(cofactors, KB6_TILE, i, LANES, c);
        v_store(norms + i, norm);
    }
    invert_vectors(norms, scratch, (count + LANES - 1) / LANES);
    for (size_t i = 0; i < count; i += LANES) {
        vec a[6], c[6], inverse = f_from(v_load(norms + i)); /* b as it stands is (b / R) R, its inverse R^2 / b */
        e_load(c, cofactors, KB6_TILE, i, LANES);
        if (!job->a) inverse = f_from(inverse);
        for (int k = 0; k < 6; k++) c[k] = f_mul(c[k], inverse);
        if (job->a) {
            vec q[6];
            e_load(a, job->a, n, start + i, count - i);
            e_mul_vec(q, a, c);
            e_store(job->out, n, start + i, count - i, q);
        } else {
            e_store(job->out, n, start + i, count - i, c);
        }
    }
}
static void FN(logup_divide)(const u32 *num, const u32 *den, u32 *out, size_t n) {
    struct kb6_job job = {.a = num, .b = den, .out = out, .n = n};
    pool_run(kb6_divide_task, &job, (n + KB6_TILE - 1) / KB6_TILE);
}
static void FN(kb6_batch_inverse)(const u32 *a, u32 *out, size_t n) { FN(logup_divide)(NULL, a, out, n); }

struct sum_job {
    const u32 *a;
    u32 *out, *total;
    size_t n;
};
static void prefix_sum_task(void *context, size_t plane) {
    const struct sum_job *job = context;
    const u32 *a = job->a + plane * job->n;
    u32 *out = job->out + plane * job->n, sum = 0;
    for (size_t i = 0; i < job->n; i++) {
        u32 x = a[i];
        out[i] = sum;
        sum = m_add(sum, x);
    }
    job->total[plane] = sum;
}
static void FN(prefix_sum)(const u32 *a, u32 *out, u32 *total, size_t n) {
    struct sum_job job = {a, out, total, n};
    pool_run(prefix_sum_task, &job, 6);
}

#define POWERS_TILE ((size_t)1 << 12)

static void powers_task(void *context, size_t task) {
    const struct kb6_job *job = context;
    size_t n = job->n, start = task * POWERS_TILE, end = min_size(n, start + POWERS_TILE);
    _Alignas(64) u32 x[6 * LANES];
    u32 power[6], next[6];
    e_pow(power, job->base, start);
    for (int lane = 0; lane < LANES; lane++) {
        for (int k = 0; k < 6; k++) x[k * LANES + lane] = m_from(power[k]);
        e_mul(next, power, job->base);
        memcpy(power, next, 24);
    }
    for (size_t i = start; i < end; i += LANES) {
        vec y[6];
        for (int k = 0; k < 6; k++) v_store_part(job->out + k * n + i, v_load(x + k * LANES), end - i);
        dot6(y, x, LANES, 6, job->matrix); /* the next LANES powers: times base^LANES */
        for (int k = 0; k < 6; k++) v_store(x + k * LANES, y[k]);
    }
}
static void FN(powers)(const u32 *base, size_t n, u32 *out) {
    struct kb6_job job = {.out = out, .n = n};
    u32 step[6];
    e_to(job.base, base);
    e_pow(step, job.base, LANES);
    e_matrix(job.matrix, step);
    pool_run(powers_task, &job, (n + POWERS_TILE - 1) / POWERS_TILE);
}
