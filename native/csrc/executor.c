/* The machine's loop: the rules of circuits/machine/interpreter.py on arrays, step by step as in executor_jit.py, which is the same
 * in numba; tests hold all three against each other. The caller has checked that instructions are well formed (operations of the
 * list below, registers below 256) and that the arrays have the lengths that are given. */
#include "kernels.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "executor.h"

typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

void pp_poseidon2_compress(const uint32_t *in, uint32_t *out, unsigned width, unsigned out_len, size_t n);

#define P 2130706433u
#define LIMB 0x10000u
enum { CELL_WORDS = 5, CELL_DEPTH = 30, REGISTERS = 256, TRAP_PC = 1, FAULT_PC = 2, STEP_GAS = 10, MULDIV_GAS = 60 };

/* circuits/machine/isa.py: Opcode. */
enum opcode {
    PAD, LI, MOV, ADD, SUB, MULDIV, PACK, LO, HI, JMP, JEQ, JNE, JLT, JGE, HGETL, HGETH, SYS, ASSERT, HINT, HINTR, LOAD, STORE, HSET,
    HASH, SIG, LEAF, OUT, HALT, ENTRY, SRET, FRAME, UGET, UPUT, ENTER, TRAP, SPACE, GAS, GASSET, HWORD, OPCODES
};
/* circuits/machine/errors.py: MachineReason, after the end of a run. */
enum status {
    DONE, BAD_PC, BAD_OPCODE, NOT_U64, CARRY, BORROW, DIVISOR, QUOTIENT, NOT_U32, ASSERTION, TAPE, ELEMENT, ADDRESS, CELL_WORD, SIGNATURE,
    EXIT_LEAF, PUBLIC, TOO_LONG, MODE, CODE, SPACE_VALUE, GAS_RANGE,
    GROW_STEPS = -1, GROW_CELLS = -2, GROW_SHADOWS = -3
};
/* circuits/machine/executor_log.py: places in `counters`. */
enum counter { STEPS, PC, USER, SIGNED, SHADOWS, ENTERED };

/* What an operation does with registers, and where it is allowed. */
enum { READS_A = 1, READS_B = 2, READS_D = 4, WRITES_D = 8, USER_A = 16, USER_D = 32, IN_KERNEL = 64, IN_USER = 128, ANYWHERE = 192 };
static const unsigned char uses[OPCODES] = {
    [LI] = WRITES_D | ANYWHERE,
    [MOV] = READS_A | WRITES_D | ANYWHERE,
    [ADD] = READS_A | READS_B | WRITES_D | ANYWHERE,
    [SUB] = READS_A | READS_B | WRITES_D | ANYWHERE,
    [MULDIV] = READS_A | READS_B | READS_D | ANYWHERE,
    [PACK] = READS_A | READS_B | WRITES_D | ANYWHERE,
    [LO] = READS_A | WRITES_D | ANYWHERE,
    [HI] = READS_A | WRITES_D | ANYWHERE,
    [JMP] = ANYWHERE,
    [JEQ] = READS_A | READS_B | ANYWHERE,
    [JNE] = READS_A | READS_B | ANYWHERE,
    [JLT] = READS_A | READS_B | ANYWHERE,
    [JGE] = READS_A | READS_B | ANYWHERE,
    [HGETL] = WRITES_D | ANYWHERE,
    [HGETH] = WRITES_D | ANYWHERE,
    [SYS] = IN_USER,
    [ASSERT] = READS_A | READS_B | IN_KERNEL,
    [HINT] = WRITES_D | IN_KERNEL,
    [HINTR] = WRITES_D | IN_KERNEL,
    [LOAD] = READS_A | WRITES_D | IN_KERNEL,
    [STORE] = READS_A | READS_D | IN_KERNEL,
    [HSET] = READS_A | READS_B | IN_KERNEL,
    [HASH] = READS_A | READS_B | READS_D | IN_KERNEL,
    [SIG] = READS_A | READS_B | READS_D | IN_KERNEL,
    [LEAF] = READS_A | IN_KERNEL,
    [OUT] = READS_A | IN_KERNEL,
    [HALT] = IN_KERNEL,
    [ENTRY] = READS_A | WRITES_D | USER_A | IN_KERNEL,
    [SRET] = IN_KERNEL,
    [FRAME] = IN_KERNEL,
    [UGET] = READS_A | WRITES_D | USER_A | IN_KERNEL,
    [UPUT] = READS_A | WRITES_D | USER_D | IN_KERNEL,
    [ENTER] = IN_KERNEL,
    [TRAP] = IN_USER,
    [SPACE] = READS_A | IN_KERNEL,
    [GAS] = WRITES_D | IN_KERNEL,
    [GASSET] = READS_A | READS_B | IN_KERNEL,
    [HWORD] = WRITES_D | IN_KERNEL,
};

static int is_u64(const u32 *word) { return (word[0] | word[1] | word[2] | word[3]) < LIMB; }
static int is_u32(const u32 *word) { return is_u64(word) && !(word[2] | word[3]); }
static u64 value(const u32 *word) { return word[0] | (u64)word[1] << 16 | (u64)word[2] << 32 | (u64)word[3] << 48; }
static void put(u32 *word, u64 number) {
    for (int i = 0; i < 4; i++) word[i] = (u32)(number >> 16 * i) & (LIMB - 1);
}

/* a b = q c + r: 1 and q, r; or 0 and the product's low and high word where q does not fit. */
static int muldiv(u64 a, u64 b, u64 c, u64 *q, u64 *r) {
    u64 mask = 0xffffffffu, low_low = (a & mask) * (b & mask), low_high = (a & mask) * (b >> 32);
    u64 high_low = (a >> 32) * (b & mask), middle = (low_low >> 32) + (low_high & mask) + (high_low & mask);
    u64 low = (low_low & mask) | middle << 32, high = (a >> 32) * (b >> 32) + (low_high >> 32) + (high_low >> 32) + (middle >> 32);
    *q = low, *r = high;
    if (high >= c) return 0;
    *q = 0;
    for (int i = 63; i >= 0; i--) {
        u64 top = *r >> 63;
        *r = *r << 1 | (low >> i & 1);
        *q <<= 1;
        if (top || *r >= c) *r -= c, *q |= 1;
    }
    return 1;
}

/* Place of a cell in the open-addressed table: its own, or the free one where it belongs. */
static i64 slot(const struct execution *run, i64 index) {
    i64 mask = run->places - 1, place = (index * 0x9E3779B1 >> 7) & mask;
    while (run->keys[place] != -1 && run->keys[place] != index) place = (place + 1) & mask;
    return place;
}

static void first_touch(const struct execution *run, i64 index, i64 place) {
    i64 low = 0, high = run->cells;
    while (low < high) {
        i64 middle = (low + high) / 2;
        if (run->given[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    run->keys[place] = index;
    if (low < run->cells && run->given[low] == index) {
        const u32 *words = run->given_words + 4 * CELL_WORDS * low;
        memcpy(run->before + 4 * CELL_WORDS * place, words, 4 * CELL_WORDS * sizeof(u32));
        memcpy(run->after + 4 * CELL_WORDS * place, words, 4 * CELL_WORDS * sizeof(u32));
    }
}

/* The machine between two steps, and what the running step makes of it. */
struct machine {
    i64 pc, user, called, saved_pc, program, uframe, space;
    u64 gas;
    u32 h[8];
};
struct tallies {
    i64 hint, touched, signed_, shadowed, entered, running;
    u64 trap_gas;
    int traps;
};

/* LOAD or STORE of word `imm` of cell va. */
static int access_cell(const struct execution *run, struct tallies *tallies, i64 space, int store, i64 imm, const u32 *va, u32 *vc) {
    if (!is_u64(va)) return NOT_U64;
    if (value(va) >> CELL_DEPTH) return ADDRESS;
    if (imm >= CELL_WORDS) return CELL_WORD;
    i64 index = (i64)value(va), place = slot(run, index);
    if (run->keys[place] == -1) {
        if (2 * (tallies->touched + 1) > run->places) return GROW_CELLS;
        tallies->touched++;
        first_touch(run, index, place);
    }
    u32 *word = run->after + 4 * (CELL_WORDS * place + imm);
    if (space) {
        i64 *at = run->shadow_at + CELL_WORDS * place + imm;
        if (*at < 0 || run->shadow_keys[3 * *at] != space) {
            if (tallies->shadowed >= run->shadows) return GROW_SHADOWS;
            *at = tallies->shadowed++;
            i64 key[3] = {space, index, imm};
            memcpy(run->shadow_keys + 3 * *at, key, sizeof key);
            memcpy(run->shadow_seeds + 4 * *at, word, 4 * sizeof(u32));
            memcpy(run->shadow_last + 4 * *at, word, 4 * sizeof(u32));
        }
        word = run->shadow_last + 4 * *at;
    }
    if (store)
        memcpy(word, vc, 4 * sizeof(u32));
    else
        memcpy(vc, word, 4 * sizeof(u32));
    return DONE;
}

/* ENTER: the program whose hash is h runs. */
static int enter(const struct execution *run, struct tallies *tallies, const u32 *h, struct machine *next) {
    i64 found = 0;
    while (found < run->programs && memcmp(run->hashes + 8 * found, h, 8 * sizeof(u32))) found++;
    if (found == run->programs) return CODE;
    i64 number = 0;
    while (number < tallies->entered && run->entered[number] != found) number++;
    if (number == tallies->entered) run->entered[tallies->entered++] = found;
    tallies->running = found;
    next->program = number + 1;
    next->user = 1;
    next->pc = 0;
    memset(next->h, 0, sizeof next->h);
    return DONE;
}

/* One instruction on operands va, vb, vc: writes vc and the machine after it. `fault` is set by a user's overflow. */
static int step(const struct execution *run, struct tallies *tallies, i64 clock, const i64 *row, const struct machine *now,
                struct machine *next, const u32 *va, const u32 *vb, u32 *vc, u32 (*user_frame)[4], int *fault) {
    i64 op = row[0], imm = row[4];
    u64 x, y;
    int ok, equal;
    switch (op) {
    case LI:
        vc[0] = (u32)imm, vc[1] = (u32)row[5];
        return DONE;
    case MOV: case UGET: case UPUT:
        memcpy(vc, va, 4 * sizeof(u32));
        return DONE;
    case ADD: case SUB: case JLT: case JGE:
        if (!is_u64(va) || !is_u64(vb)) return NOT_U64;
        x = value(va), y = value(vb);
        if (op == ADD || op == SUB) {
            put(vc, op == ADD ? x + y : x - y);
            ok = op == ADD ? x + y >= x : x >= y;
            if (!ok && !now->user) return op == ADD ? CARRY : BORROW;
            *fault = !ok;
        } else if ((x < y) == (op == JLT))
            next->pc = imm;
        return DONE;
    case MULDIV:
        if (!is_u64(va) || !is_u64(vb) || !is_u64(vc)) return NOT_U64;
        ok = muldiv(value(va), value(vb), value(vc), &x, &y);
        put(next->h, x);
        put(next->h + 4, y);
        if (!ok && !now->user) return value(vc) ? QUOTIENT : DIVISOR;
        *fault = !ok;
        return DONE;
    case PACK:
        if (!is_u64(va)) return NOT_U64;
        if (!is_u32(va) && !now->user) return NOT_U32;
        if (!is_u64(vb)) return NOT_U64;
        if (!is_u32(vb) && !now->user) return NOT_U32;
        vc[0] = va[0], vc[1] = va[1], vc[2] = vb[0], vc[3] = vb[1];
        return DONE;
    case LO: case HI:
        vc[0] = va[op == LO ? 0 : 2], vc[1] = va[op == LO ? 1 : 3];
        return is_u64(va) ? DONE : NOT_U64;
    case JMP:
        next->pc = imm;
        return DONE;
    case JEQ: case JNE: case ASSERT:
        equal = memcmp(va, vb, 4 * sizeof(u32)) == 0;
        if (op == ASSERT) return equal ? DONE : ASSERTION;
        if (equal == (op == JEQ)) next->pc = imm;
        return DONE;
    case HINT: case HINTR:
        if (tallies->hint >= run->hints) return TAPE;
        ok = 1;
        for (int i = 0; i < 4; i++) {
            vc[i] = run->tape[i * run->hints + tallies->hint];
            ok &= vc[i] < (op == HINT ? LIMB : P);
        }
        tallies->hint++;
        return ok ? DONE : ELEMENT;
    case LOAD: case STORE:
        return access_cell(run, tallies, now->space, op == STORE, imm, va, vc);
    case HSET:
        memcpy(next->h, va, 4 * sizeof(u32));
        memcpy(next->h + 4, vb, 4 * sizeof(u32));
        return DONE;
    case HASH: {
        u32 block[24] = {(u32)imm};
        memcpy(block + 1, now->h, 8 * sizeof(u32));
        memcpy(block + 9, va, 4 * sizeof(u32));
        memcpy(block + 13, vb, 4 * sizeof(u32));
        memcpy(block + 17, vc, 4 * sizeof(u32));
        pp_poseidon2_compress(block, next->h, 24, 8, 1);
        return DONE;
    }
    case HGETL: case HGETH:
        memcpy(vc, now->h + (op == HGETL ? 0 : 4), 4 * sizeof(u32));
        return DONE;
    case SIG:
        run->requests[tallies->signed_++] = (u32)clock;
        return !is_u64(vc) ? NOT_U64 : !is_u32(vc) ? NOT_U32 : DONE;
    case LEAF:
        if (!is_u64(va)) return NOT_U64;
        x = value(va);
        if (x >= (u64)run->exits || run->leaf_set[x]) return EXIT_LEAF;
        run->leaf_set[x] = 1;
        memcpy(run->leaves + 8 * x, now->h, 8 * sizeof(u32));
        return DONE;
    case OUT:
        if (imm >= run->publics || run->public_set[imm]) return PUBLIC;
        run->public_set[imm] = 1;
        memcpy(run->public_words + 4 * imm, va, 4 * sizeof(u32));
        return DONE;
    case SYS:
        next->user = 0, next->called = 1, next->saved_pc = now->pc + 1, next->pc = imm;
        return DONE;
    case ENTRY:
        memcpy(vc, va, 4 * sizeof(u32));
        next->gas = now->gas + (u64)imm;
        next->pc = row[5];
        return DONE;
    case SRET:
        next->user = 1, next->pc = now->saved_pc;
        memset(next->h, 0, sizeof next->h);
        return DONE;
    case TRAP:
        next->user = 0, next->pc = TRAP_PC;
        return DONE;
    case FRAME:
        next->uframe++;
        memset(user_frame, 0, REGISTERS * sizeof *user_frame);
        return DONE;
    case ENTER:
        return enter(run, tallies, now->h, next);
    case SPACE:
        next->space = va[0] == 1 ? clock + 1 : 0;
        return va[0] > 1 || va[1] | va[2] | va[3] ? SPACE_VALUE : DONE;
    case GAS:
        put(vc, now->gas);
        return DONE;
    case GASSET:
        if (!is_u64(va)) return NOT_U64;
        if (!is_u32(va)) return NOT_U32;
        if (!is_u64(vb)) return NOT_U64;
        next->gas = value(va);
        tallies->trap_gas = value(vb), tallies->traps = 1;
        return DONE;
    case HWORD:
        put(vc, now->h[0] | (u64)now->h[1] << 32);
        return DONE;
    default:
        return op == HALT ? DONE : BAD_OPCODE;
    }
}

/* The instruction at pc; NULL past the program's end. */
static const i64 *fetch(const struct execution *run, const struct tallies *tallies, const struct machine *now) {
    static const i64 trap[6] = {TRAP};
    if (!now->user) return now->pc < run->rom_rows ? run->rom + 6 * now->pc : NULL;
    if (tallies->traps && now->gas + STEP_GAS > tallies->trap_gas) return trap;
    i64 at = run->starts[tallies->running] + now->pc;
    return at < run->starts[tallies->running + 1] ? run->code + 6 * at : NULL;
}

static void write_log(const struct execution *run, i64 clock, const i64 *row, const struct machine *now, int fault, const u32 *va,
                      const u32 *vb, const u32 *vc) {
    const i64 state[7] = {now->user, now->saved_pc, now->program, now->uframe, now->space, (i64)now->gas, fault};
    i64 room = run->steps;
    run->log_pc[clock] = (u32)now->pc;
    for (int i = 0; i < 6; i++) run->log_instruction[i * room + clock] = (u32)row[i];
    for (int i = 0; i < 7; i++) run->log_state[i * room + clock] = (u32)state[i];
    for (int i = 0; i < 8; i++) run->log_h[i * room + clock] = now->h[i];
    for (int i = 0; i < 4; i++) {
        run->log_words[i * room + clock] = va[i];
        run->log_words[(4 + i) * room + clock] = vb[i];
        run->log_words[(8 + i) * room + clock] = vc[i];
    }
}

/* Runs to HALT or to a step without a trace; the step of a refusal is in `counters`. */
int pp_execute(const struct execution *run) {
    u32 kernel_frame[REGISTERS][4] = {{0}}, user_frame[REGISTERS][4] = {{0}};
    struct machine now = {0};
    struct tallies tallies = {0};
    for (i64 clock = 0;;) {
        const i64 counters[] = {clock, now.pc, now.user, tallies.signed_, tallies.shadowed, tallies.entered};
        memcpy(run->counters, counters, sizeof counters);
        if (clock >= run->max_steps) return TOO_LONG;
        if (clock >= run->steps) return GROW_STEPS;
        const i64 *row = fetch(run, &tallies, &now);
        if (!row) return BAD_PC;
        i64 op = row[0];
        if (op == PAD) return BAD_OPCODE;
        unsigned use = uses[op];
        if (!(use & (now.user ? IN_USER : IN_KERNEL)) || (op == ENTRY) != (now.called == 1)) return MODE;
        u32(*frame)[4] = now.user ? user_frame : kernel_frame;
        u32 *target = (use & USER_D ? user_frame : frame)[row[1]];
        u32 va[4] = {0}, vb[4] = {0}, vc[4] = {0};
        if (use & READS_A) memcpy(va, (use & USER_A ? user_frame : frame)[row[2]], sizeof va);
        if (use & READS_B) memcpy(vb, frame[row[3]], sizeof vb);
        if (use & READS_D) memcpy(vc, target, sizeof vc);
        struct machine next = now;
        next.pc++;
        next.called = 0;
        if (now.user) next.gas += STEP_GAS + (op == MULDIV ? MULDIV_GAS : 0);
        int fault = 0, status = step(run, &tallies, clock, row, &now, &next, va, vb, vc, user_frame, &fault);
        if (status != DONE) return status;
        if (fault) next.user = 0, next.pc = FAULT_PC;
        if (next.gas >= P) return GAS_RANGE;
        write_log(run, clock, row, &now, fault, va, vb, vc);
        if (use & WRITES_D) memcpy(target, vc, sizeof vc);
        clock++;
        now = next;
        if (op == HALT) {
            run->counters[STEPS] = clock;
            run->counters[SIGNED] = tallies.signed_;
            run->counters[SHADOWS] = tallies.shadowed;
            run->counters[ENTERED] = tallies.entered;
            return DONE;
        }
    }
}

/* A chain of compressions from zero, one u64 word a step. */
void pp_hash_words(const uint64_t *words, size_t count, uint32_t tag, uint32_t *digest) {
    memset(digest, 0, 8 * sizeof(u32));
    for (size_t i = 0; i < count; i++) {
        u32 block[24] = {tag};
        memcpy(block + 1, digest, 8 * sizeof(u32));
        put(block + 9, words[i]);
        pp_poseidon2_compress(block, digest, 24, 8, 1);
    }
}
