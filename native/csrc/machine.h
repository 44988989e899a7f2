/* The constraint machine: straight-line code over vectors of rows, interpreted block by block. Slots hold Montgomery form. */
#define MACHINE_BLOCK 256
#define BLOCKS_PER_TASK 16

enum { /* the numbers are public: native.Op */
    OP_LOAD = 0, OP_BCONST = 1, OP_BADD = 2, OP_BSUB = 3, OP_BMUL = 4, OP_ECONST = 5, OP_EADD = 6, OP_ESUB = 7, OP_EMUL = 8,
    OP_EBMUL = 9, OP_EFROMB = 10, OP_LOADE = 11, OP_STOREB = 12, OP_STOREE = 13, OP_EMAC = 14, OP_BADDC = 15, OP_BMULC = 16,
    OP_EMULC = 17, OP_EADDB = 18
};

struct machine_job {
    const u32 *code, *chains; /* chains: by instruction, the length of the chain that begins there */
    size_t length, base_slots, ext_slots;
    const u32 *base_constants; /* Montgomery form */
    const u64 *ext_constants;  /* six Montgomery words each */
    const u64 *ext_matrices;   /* 36 each */
    const u32 *const *columns;
    const size_t *column_rows;
    size_t rows, stride, step;
    u32 *const *base_out;
    u32 *const *ext_out; /* six planes each */
    int failed;
};

/* Column values at (row * stride + offset * step) mod column height for a block of rows, in Montgomery form. */
static void machine_load(const struct machine_job *job, u32 *to, size_t column, size_t offset, size_t row, size_t rows) {
    const u32 *data = job->columns[column];
    size_t height = job->column_rows[column], stride = job->stride;
    size_t at = (row * stride + offset * job->step) % height, done = 0;
    if (stride >= height) { /* a period shorter than a step */
        for (size_t i = 0; i < rows; i++, at = (at + stride) % height) to[i] = m_to(data[at]);
        return;
    }
    while (done < rows) {
        size_t left = (height - at + stride - 1) / stride, count = min_size(left, rows - done), i = 0;
        const u32 *from = data + at;
        if (stride == 1) {
            for (; i < count; i += LANES) v_store_part(to + done + i, f_to(v_load_part(from + i, count - i)), count - i);
            for (size_t k = 0; k < count; k += 16) __builtin_prefetch(from + rows + k, 0, 2); /* what the next block reads */
        } else {
            for (; i + LANES <= count; i += LANES) v_store(to + done + i, f_to(v_load_strided(from + i * stride, stride)));
            for (; i < count; i++) to[done + i] = m_to(from[i * stride]);
        }
        done += count;
        at = (at + count * stride) % height;
    }
}

/* dst += sum of constant_j * base_j over a run of EMAC instructions with one destination: one reduction for all. */
static void machine_mac(const struct machine_job *job, const u32 *code, size_t count, u32 *dst, const u32 *base, size_t rows) {
    for (size_t i = 0; i < rows; i += LANES) {
        wide acc[6];
        size_t j = 0;
        for (int k = 0; k < 6; k++) acc[k] = w_zero();
        for (; j + 2 <= count; j += 2) {
            const u32 *first = code + 4 * j, *second = first + 4;
            vec x = v_load(base + (size_t)first[2] * MACHINE_BLOCK + i), xo = v_odd(x);
            vec y = v_load(base + (size_t)second[2] * MACHINE_BLOCK + i), yo = v_odd(y);
            const u64 *v = job->ext_constants + 6 * (size_t)first[3], *w = job->ext_constants + 6 * (size_t)second[3];
#pragma GCC unroll 6
            for (int k = 0; k < 6; k++)
                acc[k] = w_fold(w_mac_splat(w_mac_splat(acc[k], x, xo, s_load(v + k)), y, yo, s_load(w + k)));
        }
        if (j < count) {
            vec x = v_load(base + (size_t)code[4 * j + 2] * MACHINE_BLOCK + i), xo = v_odd(x);
            const u64 *v = job->ext_constants + 6 * (size_t)code[4 * j + 3];
            for (int k = 0; k < 6; k++) acc[k] = w_fold(w_mac_splat(acc[k], x, xo, s_load(v + k)));
        }
        for (int k = 0; k < 6; k++) {
            u32 *at = dst + k * MACHINE_BLOCK + i;
            v_store(at, f_add(v_load(at), w_reduce(acc[k])));
        }
    }
}

INLINE struct factor machine_factor(const struct machine_job *job, size_t constant) {
    u32 c = job->base_constants[constant];
    return factor_new(m_from(c), factor_ratio(c));
}

static int is_binary(u32 op) { return op == OP_BADD || op == OP_BSUB || op == OP_BMUL; }
static int is_arithmetic(u32 op) { return is_binary(op) || op == OP_BADDC || op == OP_BMULC; }

/* Whether the second of two instructions changes the first's result in place: between them it need not be stored. */
static int machine_continues(const u32 *first, const u32 *second) {
    u32 slot = first[1];
    if (!is_arithmetic(first[0]) || !is_arithmetic(second[0]) || second[1] != slot) return 0;
    return (second[2] == slot) != (is_binary(second[0]) && second[3] == slot);
}

/* A chain of such instructions on CHAIN vectors side by side, the changing value in registers. */
#define CHAIN (LANES == 16 ? 16 : 8) /* half of the registers */
#define CHANGE(change) _Pragma("GCC unroll 16") for (int i = 0; i < CHAIN; i++) x[i] = change
static void machine_chain(const struct machine_job *job, const u32 *code, size_t count, u32 *base, size_t rows) {
    u32 *to = base + (size_t)code[1] * MACHINE_BLOCK;
    const u32 *from = base + (size_t)code[2] * MACHINE_BLOCK;
    for (size_t row = 0; row < rows; row += CHAIN * LANES) { /* past the rows there is room for a block */
        const u32 *step = code;
        vec x[CHAIN];
        CHANGE(v_load(from + row + i * LANES));
        for (size_t k = 0; k < count; k++, step += 4) {
            int left = k == 0 || step[2] == step[1]; /* is it the left operand */
            const u32 *other = base + (size_t)step[left ? 3 : 2] * MACHINE_BLOCK + row;
            switch (step[0]) {
            case OP_BADD: CHANGE(f_add(x[i], v_load(other + i * LANES))); break;
            case OP_BMUL: CHANGE(f_mul(x[i], v_load(other + i * LANES))); break;
            case OP_BSUB:
                if (left)
                    CHANGE(f_sub(x[i], v_load(other + i * LANES)));
                else
                    CHANGE(f_sub(v_load(other + i * LANES), x[i]));
                break;
            case OP_BADDC: {
                vec c = v_set1(job->base_constants[step[3]]);
                CHANGE(f_add(x[i], c));
                break;
            }
            case OP_BMULC: {
                struct factor f = machine_factor(job, step[3]);
                CHANGE(f_scale(x[i], f));
                break;
            }
            default: break;
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < CHAIN; i++) v_store(to + row + i * LANES, x[i]);
    }
}

#define EACH(i) for (size_t i = 0; i < rows; i += LANES)
#define EACH6(i) for (size_t plane = 0; plane < 6 * MACHINE_BLOCK; plane += MACHINE_BLOCK) EACH(i)

static void machine_block(const struct machine_job *job, u32 *base, u32 *ext, size_t row, size_t block_rows) {
    size_t rows = (block_rows + LANES - 1) / LANES * LANES;
    const u32 *end = job->code + 4 * job->length;
    for (const u32 *code = job->code; code < end; code += 4) {
        size_t chain = job->chains[(size_t)(code - job->code) / 4];
        if (chain > 1) {
            machine_chain(job, code, chain, base, rows);
            code += 4 * (chain - 1);
            continue;
        }
        size_t d = code[1], a = code[2], b = code[3];
        u32 *bd = base + d * MACHINE_BLOCK, *ed = ext + d * 6 * MACHINE_BLOCK;
        const u32 *ba = base + a * MACHINE_BLOCK, *bb = base + b * MACHINE_BLOCK;
        const u32 *ea = ext + a * 6 * MACHINE_BLOCK, *eb = ext + b * 6 * MACHINE_BLOCK;
        switch (code[0]) {
        case OP_LOAD: machine_load(job, bd, a, b, row, block_rows); break;
        case OP_BCONST: EACH(i) v_store(bd + i, v_set1(job->base_constants[a])); break;
        case OP_BADD: EACH(i) v_store(bd + i, f_add(v_load(ba + i), v_load(bb + i))); break;
        case OP_BSUB: EACH(i) v_store(bd + i, f_sub(v_load(ba + i), v_load(bb + i))); break;
        case OP_BMUL: EACH(i) v_store(bd + i, f_mul(v_load(ba + i), v_load(bb + i))); break;
        case OP_BADDC: {
            vec c = v_set1(job->base_constants[b]);
            EACH(i) v_store(bd + i, f_add(v_load(ba + i), c));
            break;
        }
        case OP_BMULC: {
            struct factor c = machine_factor(job, b);
            EACH(i) v_store(bd + i, f_scale(v_load(ba + i), c));
            break;
        }
        case OP_ECONST:
            for (size_t k = 0; k < 6; k++)
                EACH(i) v_store(ed + k * MACHINE_BLOCK + i, v_set1((u32)job->ext_constants[6 * a + k]));
            break;
        case OP_EADD: EACH6(i) v_store(ed + plane + i, f_add(v_load(ea + plane + i), v_load(eb + plane + i))); break;
        case OP_ESUB: EACH6(i) v_store(ed + plane + i, f_sub(v_load(ea + plane + i), v_load(eb + plane + i))); break;
        case OP_EMUL:
            EACH(i) {
                vec x[6], y[6], z[6];
                e_load(x, ea, MACHINE_BLOCK, i, LANES);
                e_load(y, eb, MACHINE_BLOCK, i, LANES);
                e_mul_vec(z, x, y);
                e_store(ed, MACHINE_BLOCK, i, LANES, z);
            }
            break;
        case OP_EBMUL:
            EACH(i) {
                vec y = v_load(bb + i);
                for (size_t k = 0; k < 6; k++)
                    v_store(ed + k * MACHINE_BLOCK + i, f_mul(v_load(ea + k * MACHINE_BLOCK + i), y));
            }
            break;
        case OP_EMULC:
            EACH(i) {
                vec z[6];
                dot6(z, ea + i, MACHINE_BLOCK, 6, job->ext_matrices + 36 * b);
                e_store(ed, MACHINE_BLOCK, i, LANES, z);
            }
            break;
        case OP_EADDB:
            EACH(i) v_store(ed + i, f_add(v_load(ea + i), v_load(bb + i)));
            if (ed != ea) memcpy(ed + MACHINE_BLOCK, ea + MACHINE_BLOCK, 5 * MACHINE_BLOCK * sizeof(u32));
            break;
        case OP_EFROMB:
            memcpy(ed, ba, MACHINE_BLOCK * sizeof(u32));
            memset(ed + MACHINE_BLOCK, 0, 5 * MACHINE_BLOCK * sizeof(u32));
            break;
        case OP_LOADE:
            for (size_t k = 0; k < 6; k++) machine_load(job, ed + k * MACHINE_BLOCK, a + k, b, row, block_rows);
            break;
        case OP_STOREB:
            EACH(i) v_store_part(job->base_out[d] + row + i, f_from(v_load(ba + i)), block_rows - i);
            break;
        case OP_STOREE:
            for (size_t k = 0; k < 6; k++)
                EACH(i) v_store_part(job->ext_out[6 * d + k] + row + i, f_from(v_load(ea + k * MACHINE_BLOCK + i)),
                                     block_rows - i);
            break;
        case OP_EMAC: {
            size_t count = 1;
            while (code + 4 * count < end && code[4 * count] == OP_EMAC && code[4 * count + 1] == d) count++;
            machine_mac(job, code, count, ed, base, rows);
            code += 4 * (count - 1);
            break;
        }
        default: break; /* refused by the caller */
        }
    }
}

static void machine_task(void *context, size_t task) {
    struct machine_job *job = context;
    size_t words = (job->base_slots + 6 * job->ext_slots + 1) * MACHINE_BLOCK;
    u32 *base = aligned_new(words * sizeof(u32));
    if (!base) {
        __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    memset(base, 0, words * sizeof(u32));
    u32 *ext = base + job->base_slots * MACHINE_BLOCK;
    for (size_t block = task * BLOCKS_PER_TASK; block < (task + 1) * BLOCKS_PER_TASK; block++) {
        size_t row = block * MACHINE_BLOCK;
        if (row >= job->rows) break;
        machine_block(job, base, ext, row, min_size(MACHINE_BLOCK, job->rows - row));
    }
    aligned_free(base);
}
static int FN(machine_run)(const u32 *code, size_t length, size_t base_slots, size_t ext_slots, const u32 *base_constants,
                           size_t base_constant_count, const u32 *ext_constants, size_t ext_constant_count,
                           const u32 *const *columns, const size_t *column_rows, size_t rows, size_t row_stride, size_t row_step,
                           u32 *const *base_out, u32 *const *ext_out) {
    u64 *ext = aligned_new((base_constant_count + 42 * ext_constant_count + length) * sizeof(u64));
    if (!ext) return 0;
    u64 *matrices = ext + 6 * ext_constant_count;
    u32 *base = (u32 *)(matrices + 36 * ext_constant_count), *chains = base + base_constant_count;
    for (size_t i = length; i-- > 0;) {
        /* one lane: the compiler makes vectors of the loops of single instructions, not of a chain's */
        int continued = LANES > 1 && i + 1 < length && machine_continues(code + 4 * i, code + 4 * i + 4);
        chains[i] = continued ? chains[i + 1] + 1 : 1;
    }
    for (size_t i = 0; i < base_constant_count; i++) base[i] = m_to(base_constants[i]);
    for (size_t i = 0; i < ext_constant_count; i++) {
        u32 c[6];
        for (size_t k = 0; k < 6; k++) ext[6 * i + k] = c[k] = m_to(ext_constants[k * ext_constant_count + i]);
        e_matrix(matrices + 36 * i, c);
    }
    struct machine_job job = {.code = code, .chains = chains, .length = length, .base_slots = base_slots, .ext_slots = ext_slots,
                              .base_constants = base, .ext_constants = ext, .ext_matrices = matrices, .columns = columns,
                              .column_rows = column_rows, .rows = rows, .stride = row_stride, .step = row_step,
                              .base_out = base_out, .ext_out = ext_out};
    size_t blocks = (rows + MACHINE_BLOCK - 1) / MACHINE_BLOCK;
    pool_run(machine_task, &job, (blocks + BLOCKS_PER_TASK - 1) / BLOCKS_PER_TASK);
    aligned_free(ext);
    return !job.failed;
}
