/* What is rational in x on a coset: barycentric weights, DEEP quotients; and the FRI fold. */

/* 1 / (z - x) = c(x) / m(x): m(x) = product of (conjugate of z - x), in F_p[x]; c(x) the other five factors. */
struct rational {
    u64 cofactor[36]; /* 6 i + k: coefficient k of the coefficient of x^i, for dot6 over 1, x, .., x^5 */
    u32 norm[6];      /* m(x) = x^6 + norm[5] x^5 + .. */
};

/* z and scale in Montgomery form; c(x) is multiplied by scale. */
HELPER void rational_new(struct rational *r, const u32 *z, const u32 *scale) {
    u32 poly[7][6], conjugate[6], t[6];
    memset(poly, 0, sizeof poly);
    e_one(poly[0]);
    memcpy(conjugate, z, 24);
    for (int degree = 0; degree < 6; degree++) {
        if (degree < 5) {
            e_frobenius(t, conjugate);
            memcpy(conjugate, t, 24);
        } else { /* five conjugates done: keep c(x), then multiply by z - x itself */
            memcpy(conjugate, z, 24);
            for (int i = 0; i < 6; i++) {
                e_mul(t, poly[i], scale);
                for (int k = 0; k < 6; k++) r->cofactor[6 * i + k] = t[k];
            }
        }
        for (int i = degree + 1; i >= 0; i--) { /* poly = poly * (conjugate - x) */
            e_mul(t, poly[i], conjugate);
            for (int k = 0; k < 6; k++) poly[i][k] = m_sub(t[k], i ? poly[i - 1][k] : 0);
        }
    }
    for (int i = 0; i < 6; i++) r->norm[i] = poly[i][0];
}
/* powers: 1, x, .., x^5 as vectors LANES words apart. */
INLINE void rational_eval(vec *cofactor, vec *norm, const struct rational *r, const u32 *powers) {
    dot6(cofactor, powers, LANES, 6, r->cofactor);
    vec x = v_load(powers + LANES), m = f_add(x, v_set1(r->norm[5]));
    for (int i = 4; i >= 0; i--) m = f_add(f_mul(m, x), v_set1(r->norm[i]));
    *norm = m;
}

/* x_i = shift g^i from index start on: first vector, and the factor from one vector to the next. */
HELPER vec coset_start(u32 shift, u32 g, size_t start) {
    _Alignas(64) u32 x[LANES];
    u32 value = m_mul(shift, m_pow(g, start));
    for (int lane = 0; lane < LANES; lane++, value = m_mul(value, g)) x[lane] = value;
    return v_load(x);
}
HELPER void coset_powers(u32 *powers, vec x) {
    vec power = v_set1(R1);
    for (int i = 0; i < 6; i++) {
        v_store(powers + i * LANES, power);
        power = i ? f_mul(power, x) : x;
    }
}

#define DEEP_TILE 512
struct deep_job {
    struct rational first, second;
    const u32 *dot;
    u32 *out;
    size_t n;
    u32 shift, g, step;
    u32 values[12]; /* canonical R(zeta), R(zeta w) */
};

static void barycentric_task(void *context, size_t task) {
    const struct deep_job *job = context;
    _Alignas(64) u32 cofactors[6 * DEEP_TILE], norms[DEEP_TILE], scratch[DEEP_TILE], powers[6 * LANES];
    size_t n = job->n, start = task * DEEP_TILE, count = min_size(DEEP_TILE, n - start);
    vec x = coset_start(R1, job->g, start), first = x, step = v_set1(job->step);
    for (size_t i = 0; i < count; i += LANES, x = f_mul(x, step)) {
        vec c[6], norm;
        coset_powers(powers, x);
        rational_eval(c, &norm, &job->first, powers);
        e_store(cofactors, DEEP_TILE, i, LANES, c);
        v_store(norms + i, norm);
    }
    invert_vectors(norms, scratch, (count + LANES - 1) / LANES);
    x = first;
    for (size_t i = 0; i < count; i += LANES, x = f_mul(x, step)) {
        vec c[6], inverse = f_mul(f_from(v_load(norms + i)), x);
        e_load(c, cofactors, DEEP_TILE, i, LANES);
        for (int k = 0; k < 6; k++) c[k] = f_mul(c[k], inverse);
        e_store(job->out, n, start + i, count - i, c);
    }
}
static void FN(barycentric_weights)(unsigned log_n, const u32 *point, u32 *out) {
    struct deep_job job = {.out = out, .n = (size_t)1 << log_n, .g = m_root(log_n)};
    u32 z[6], scale[6], inverse_n = m_inv(m_to((u32)job.n));
    e_to(z, point);
    e_pow(scale, z, job.n); /* (z^n - 1) / n */
    scale[0] = m_sub(scale[0], R1);
    for (int k = 0; k < 6; k++) scale[k] = m_mul(scale[k], inverse_n);
    rational_new(&job.first, z, scale);
    job.step = m_pow(job.g, LANES);
    pool_run(barycentric_task, &job, (job.n + DEEP_TILE - 1) / DEEP_TILE);
}

static void deep_task(void *context, size_t task) {
    const struct deep_job *job = context;
    _Alignas(64) u32 cofactors[12 * DEEP_TILE], norms[2 * DEEP_TILE], scratch[2 * DEEP_TILE], powers[6 * LANES];
    size_t n = job->n, start = task * DEEP_TILE, count = min_size(DEEP_TILE, n - start);
    vec x = coset_start(job->shift, job->g, start), step = v_set1(job->step);
    for (size_t i = 0; i < count; i += LANES, x = f_mul(x, step)) {
        vec c[6], norm;
        coset_powers(powers, x);
        rational_eval(c, &norm, &job->first, powers);
        e_store(cofactors, DEEP_TILE, i, LANES, c);
        v_store(norms + 2 * i, norm);
        rational_eval(c, &norm, &job->second, powers);
        e_store(cofactors + 6 * DEEP_TILE, DEEP_TILE, i, LANES, c);
        v_store(norms + 2 * i + LANES, norm);
    }
    invert_vectors(norms, scratch, 2 * ((count + LANES - 1) / LANES));
    for (size_t i = 0; i < count; i += LANES) {
        vec d[6], t[6], c[6], u[6], v[6], inverse = v_load(norms + 2 * i), other = v_load(norms + 2 * i + LANES);
        e_load(d, job->dot, n, start + i, count - i);
        e_load(c, cofactors, DEEP_TILE, i, LANES);
        for (int k = 0; k < 6; k++) {
            t[k] = f_sub(v_set1(job->values[k]), d[k]);
            c[k] = f_mul(c[k], inverse);
        }
        e_mul_vec(u, t, c);
        e_load(c, cofactors + 6 * DEEP_TILE, DEEP_TILE, i, LANES);
        for (int k = 0; k < 6; k++) {
            t[k] = f_sub(v_set1(job->values[6 + k]), d[k]);
            c[k] = f_mul(c[k], other);
        }
        e_mul_vec(v, t, c);
        for (int k = 0; k < 6; k++) u[k] = f_add(u[k], v[k]);
        e_store(job->out, n, start + i, count - i, u);
    }
}
/* values: R(zeta), R(zeta w), gamma^B, zeta, zeta w, canonical; shift canonical. */
static void FN(deep_quotient)(const u32 *dot, unsigned log_n, const u32 *values, u32 shift, u32 *out) {
    struct deep_job job = {.dot = dot, .out = out, .n = (size_t)1 << log_n, .g = m_root(log_n), .shift = m_to(shift)};
    u32 one[6], power[6], zeta[6], next[6];
    e_one(one);
    e_to(power, values + 12);
    e_to(zeta, values + 18);
    e_to(next, values + 24);
    memcpy(job.values, values, 48);
    rational_new(&job.first, zeta, one);
    rational_new(&job.second, next, power);
    job.step = m_pow(job.g, LANES);
    pool_run(deep_task, &job, (job.n + DEEP_TILE - 1) / DEEP_TILE);
}

#define FOLD_TILE ((size_t)1 << 12)
struct fold_job {
    const u32 *codeword;
    u32 *out;
    size_t n; /* of the folded codeword */
    unsigned log_arity;
    u64 weights[8 * 36]; /* matrices of beta^i / arity */
    u32 roots[4];        /* powers of the inverse root of order 8 */
    u32 shift, g, step;  /* inverses */
};

INLINE void fold_butterfly(vec *a, vec *b) {
    vec t = f_add(*a, *b);
    *b = f_sub(*a, *b);
    *a = t;
}
static void fri_fold_task(void *context, size_t task) {
    const struct fold_job *job = context;
    size_t n = job->n, start = task * FOLD_TILE, end = min_size(n, start + FOLD_TILE);
    size_t arity = (size_t)1 << job->log_arity;
    _Alignas(64) u32 terms[48 * LANES];
    vec step = v_set1(job->step), x = coset_start(job->shift, job->g, start);
    for (size_t i = start; i < end; i += LANES, x = f_mul(x, step)) {
        vec powers[8], out[6];
        powers[1] = x;
        for (size_t t = 2; t < arity; t++) powers[t] = f_mul(powers[t - 1], x);
        for (size_t k = 0; k < 6; k++) {
            const u32 *plane = job->codeword + k * n * arity + i;
            vec f[8];
            for (size_t t = 0; t < arity; t++) f[t] = v_load_part(plane + t * n, end - i);
            for (size_t h = arity / 2; h; h >>= 1) /* decimation in frequency: f[t] ends as coefficient bit-reverse(t) */
                for (size_t s = 0; s < arity; s += 2 * h)
                    for (size_t t = 0; t < h; t++) {
                        fold_butterfly(&f[s + t], &f[s + t + h]);
                        if (t) f[s + t + h] = f_mul(f[s + t + h], v_set1(job->roots[t * (4 / h)]));
                    }
            for (size_t t = 0; t < arity; t++) {
                size_t power = bit_reverse((u32)t, job->log_arity);
                v_store(terms + (6 * power + k) * LANES, power ? f_mul(f[t], powers[power]) : f[t]);
            }
        }
        dot6(out, terms, LANES, 6 * arity, job->weights);
        e_store(job->out, n, i, end - i, out);
    }
}
static void FN(fri_fold)(const u32 *codeword, unsigned log_n, unsigned log_arity, const u32 *beta, u32 shift, u32 *out) {
    size_t arity = (size_t)1 << log_arity;
    struct fold_job job = {.codeword = codeword, .out = out, .n = ((size_t)1 << log_n) / arity, .log_arity = log_arity};
    u32 power[6] = {0}, b[6], t[6], root = m_inv(m_root(3));
    e_to(b, beta);
    power[0] = m_inv(m_to((u32)arity));
    for (size_t i = 0; i < arity; i++) {
        e_matrix(job.weights + 36 * i, power);
        e_mul(t, power, b);
        memcpy(power, t, 24);
    }
    job.roots[0] = R1;
    for (int i = 1; i < 4; i++) job.roots[i] = m_mul(job.roots[i - 1], root);
    job.shift = m_inv(m_to(shift));
    job.g = m_inv(m_root(log_n));
    job.step = m_pow(job.g, LANES);
    pool_run(fri_fold_task, &job, (job.n + FOLD_TILE - 1) / FOLD_TILE);
}
