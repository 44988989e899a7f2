"""Each attack is as consistent as its author could make it, and names the one rule that refuses it."""

from __future__ import annotations

import numpy as np
import pytest

from circuits.machine.isa import Opcode as O
from circuits.tables.add import AddColumns
from circuits.tables.cpu import CpuColumns
from circuits.tables.memory import MemoryColumns
from circuits.tables.muldiv import MulDivColumns, carry_checks
from circuits.trace import machine
from prover.field import P
from tests.circuits.tables import mini
from tests.circuits.tables.mini import u64
from tests.circuits.tables.programs import HEIGHTS, Case, airs, case, op, verdict

HALT = op("HALT")
HINT1, HINT2, HINT3 = (op("HINT", d=k) for k in (1, 2, 3))


def view(layout, table):
    return layout(list(table))


def test_honest_small_program_is_accepted():
    assert verdict([HINT1, HINT2, op("ADD", d=3, a=1, b=2), HALT], [u64(5), u64(6)]) == (set(), set())


def test_sum_that_overflows_has_no_trace():
    tape = [u64(2**64 - 1), u64(1)]
    assert verdict([HINT1, HINT2, op("ADD", d=3, a=1, b=2), HALT], tape) == (set(), {"add"})


def test_overflow_with_the_carry_denied_breaks_the_sum():
    def deny(tables):
        view(AddColumns, tables["add"]).carry[0] = 0

    tape = [u64(2**64 - 1), u64(1)]
    program = [HINT1, HINT2, op("ADD", d=3, a=1, b=2), HALT]
    assert verdict(program, tape, tamper=deny) == ({"add.sum[3]"}, set())


def test_wrong_inner_carry_breaks_the_sum():
    def deny(tables):
        row = view(AddColumns, tables["add"])
        row.c0[0] = 1 - row.c0[0]

    program = [HINT1, HINT2, op("ADD", d=3, a=1, b=2), HALT]
    assert verdict(program, [u64(65535), u64(1)], tamper=deny)[0] == {"add.sum[0]", "add.sum[1]"}


def test_difference_below_zero_has_no_trace():
    program = [HINT1, HINT2, op("SUB", d=3, a=1, b=2), HALT]
    assert verdict(program, [u64(5), u64(6)]) == (set(), {"add"})


def test_sum_with_a_limb_of_65536_is_out_of_range():
    """z = (65536, 0, ..) instead of (0, 1, ..): the sum is right, the spelling is not."""

    def respell(tables):
        row, cpu = view(AddColumns, tables["add"]), view(CpuColumns, tables["cpu"])
        row.z[0][0], row.z[1][0], row.c0[0] = 65536, 0, 0
        cpu.vc[0][2], cpu.vc[1][2] = 65536, 0
        memory = view(MemoryColumns, tables["memory"])
        at = np.flatnonzero((memory.lo == 3) & (memory.real == 1))
        memory.value[0][at], memory.value[1][at] = 65536, 0

    program = [HINT1, HINT2, op("ADD", d=3, a=1, b=2), HALT]
    assert verdict(program, [u64(65535), u64(1)], tamper=respell) == (set(), {"limbs"})


def test_hint_with_a_limb_of_65536_is_out_of_range():
    assert verdict([HINT1, HALT], [[65536, 0, 0, 0]]) == (set(), {"limbs"})


@pytest.mark.parametrize("name", ["ADD", "SUB"])
@pytest.mark.parametrize("raw", [1, 2])
def test_raw_operands_have_no_sum(name, raw, monkeypatch):
    """(65536, 0, 0, 0) is 65536 in another spelling: the limbs add up, the range of the operand fails."""
    monkeypatch.setattr(mini, "number", lambda word: sum(limb << 16 * i for i, limb in enumerate(word)))
    program = [op("HINTR", d=1), op("HINTR", d=2), op(name, d=3, a=1, b=2), HALT]
    tape = [u64(65536), u64(65536)]
    assert verdict(program, tape) == (set(), set())
    tape[raw - 1] = [65536, 0, 0, 0]
    labels, relations = verdict(program, tape)
    assert "limbs" in relations or "add" in relations

    def respell(tables):  # the add row with exactly the words that cpu claims
        row, cpu = view(AddColumns, tables["add"]), view(CpuColumns, tables["cpu"])
        words = (cpu.vb, cpu.va, cpu.vc) if name == "ADD" else (cpu.vb, cpu.vc, cpu.va)
        for target, source in zip((row.x, row.y, row.z), words, strict=True):
            for i in range(4):
                target[i][0] = source[i][2]
        row.c0[0] = ((int(row.x[0][0]) + int(row.y[0][0]) - int(row.z[0][0])) >> 16) % P
        row.c1[0] = row.c2[0] = row.carry[0] = 0

    labels, relations = verdict(program, tape, tamper=respell)
    assert labels <= {"add.carry_bool[0]"}  # SUB of a raw a: the carry would be -1 as well
    assert relations == {"limbs"}


def test_negative_raw_operand_cannot_raise_a_balance():
    """5 - (-1, 0, 0, 0) = 6 holds limb by limb; p - 1 is no limb."""
    program = [HINT1, op("HINTR", d=2), op("LI", d=3, imm0=6), op("SUB", d=3, a=1, b=2), HALT]

    def claim(tables):
        row, cpu = view(AddColumns, tables["add"]), view(CpuColumns, tables["cpu"])
        memory = view(MemoryColumns, tables["memory"])
        for words in (row.x, row.y, row.z):
            for limb in words:
                limb[0] = 0
        row.x[0][0], row.y[0][0], row.z[0][0] = P - 1, 6, 5
        for flag in (row.c0, row.c1, row.c2, row.carry):
            flag[0] = 0
        r2 = (memory.segment == 0) & (memory.lo == 2) & (memory.real == 1)
        for i, limb in enumerate((P - 1, 0, 0, 0)):
            cpu.vc[i][1] = cpu.vb[i][3] = limb
            memory.value[i][r2] = limb
        r3 = np.flatnonzero((memory.segment == 0) & (memory.lo == 3) & (memory.real == 1))
        for i, limb in enumerate((6, 0, 0, 0)):
            cpu.vc[i][3] = limb
            memory.value[i][r3[1]] = limb

    assert verdict(program, [u64(5), u64(1)], tamper=claim) == (set(), {"limbs"})


ORDER = [(5, 6), (6, 5), (5, 5), (2**64 - 1, 0), (1 << 48, 65535)]


@pytest.mark.parametrize("name", ["JLT", "JGE"])
@pytest.mark.parametrize(("a", "b"), ORDER)
def test_comparison_cannot_lie(name, a, b):
    program = [HINT1, HINT2, op(name, a=1, b=2, imm0=4), HALT, HALT]
    truth = (a < b) == (name == "JLT")
    assert verdict(program, [u64(a), u64(b)]) == (set(), set())

    def lie(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.e[2], cpu.vc[0][2] = 1 - cpu.e[2], 1 - cpu.vc[0][2]

    assert verdict(program, [u64(a), u64(b)], lies={2: not truth}, tamper=lie) == (set(), {"less"})

    def lie_twice(tables):
        lie(tables)
        row = view(AddColumns, tables["add"])
        row.carry[0] = 1 - row.carry[0]

    assert verdict(program, [u64(a), u64(b)], lies={2: not truth}, tamper=lie_twice) == (
        {"add.sum[3]"},
        set(),
    )

    def only_the_jump(tables):
        view(CpuColumns, tables["cpu"]).e[2] ^= 1

    expected = {f"cpu.{name.lower()}_bit"}
    assert verdict(program, [u64(a), u64(b)], lies={2: not truth}, tamper=only_the_jump) == (expected, set())


RAW = [P - 1, 3, 0, 9]


@pytest.mark.parametrize("name", ["JEQ", "JNE"])
@pytest.mark.parametrize("other", [RAW, [P - 1, 3, 0, 8], [0, 0, 0, 0]])
def test_equality_cannot_lie(name, other):
    program = [op("HINTR", d=1), op("HINTR", d=2), op(name, a=1, b=2, imm0=4), HALT, HALT]
    truth = (other == RAW) == (name == "JEQ")
    assert verdict(program, [RAW, other]) == (set(), set())

    def lie(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.e[2] ^= 1
        for limb in cpu.vc:
            limb[2] = 0

    labels, relations = verdict(program, [RAW, other], lies={2: not truth}, tamper=lie)
    assert not relations
    if other == RAW:
        assert labels == {f"cpu.{name.lower()}_unequal"}
    else:
        assert labels == {f"cpu.equal[{i}]" for i in range(4) if RAW[i] != other[i]}


def test_assert_of_different_words_has_no_trace():
    labels, _ = verdict([HINT1, HINT2, op("JMP", imm0=3), HALT], [u64(1), u64(2)])
    assert not labels

    def claim(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.flag[O.JEQ - 1][2], cpu.flag[O.ASSERT - 1][2] = 0, 1

    program = [HINT1, HINT2, op("JEQ", a=1, b=2, imm0=9), HALT]
    assert "cpu.equal[0]" in verdict(program, [u64(1), u64(2)], tamper=claim)[0]


DIVIDE = [HINT1, HINT2, HINT3, op("MULDIV", d=3, a=1, b=2), HALT]


def divide(a, b, c, q, r, carry=None):
    """MULDIV with a claimed quotient and remainder, consistently everywhere."""

    def claim(tables):
        cpu, row = view(CpuColumns, tables["cpu"]), view(MulDivColumns, tables["muldiv"])
        for name, value in (("q", q), ("r", r)):
            for i in range(8):
                getattr(row, name)[i][0] = value >> 8 * i & 255
        for i, limb in enumerate(u64(q) + u64(r)):
            cpu.h[i][4:] = limb
        words = [np.array([[x >> 8 * i & 255] for i in range(8)], dtype=np.int64) for x in (a, b, c, q, r)]
        from circuits.trace.muldiv import carries

        honest = carries(*words, np.zeros(1, dtype=np.int64))[:, 0]
        for j in range(7):
            row.carry[j][0] = int(honest[j] if carry is None else carry[j]) % P

    return verdict(DIVIDE, [u64(a), u64(b), u64(c)], tamper=claim)


def test_quotient_one_less_leaves_a_remainder_that_is_too_large():
    """13 * 11 = 19 * 7 + 10, and 10 >= 7: the product is right; LESS(10, 7, 1) is not to be had."""
    labels, relations = divide(13, 11, 7, 19, 10)
    assert not labels
    assert "less" in relations


def test_quotient_one_more_breaks_the_product():
    labels, _ = divide(13, 11, 7, 21, 2**64 - 4)
    assert "muldiv.product[7]" in labels or "muldiv.product[4]" in labels


def test_quotient_of_65_bits_has_no_trace():
    q, r = divmod((2**64 - 1) * (2**64 - 3), 5)
    labels, _ = divide(2**64 - 1, 2**64 - 3, 5, q % 2**64, r)
    assert any(label.startswith("muldiv.product") for label in labels)


def test_division_by_zero_has_no_trace():
    labels, relations = divide(0, 5, 0, 0, 0)
    assert not labels
    assert "less" in relations


def test_product_off_by_p_passes_single_carry_ranges_but_not_the_grouped_one():
    """p * 1 = 0 * 1 + 0 mod p: carry 0 = -32512 is within 16 bits, twice it is not (MulDivAir, step 3)."""
    carry = [-32512, 0, 0, 0, 0, 0, 0]
    checks = carry_checks(carry)
    assert all(0 <= check < 1 << 16 for check in checks[:7])
    assert not 0 <= checks[7] < 1 << 16
    labels, relations = divide(P, 1, 1, 0, 0, carry)
    assert not labels  # every equation holds mod p
    assert "limbs" in relations


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_of_wraps_fits_the_carry_ranges(seed):
    """MulDivAir, step 3, for every pattern of wraps k and random honest parts."""
    rng = np.random.default_rng(seed)
    for pattern in np.ndindex(3, 3, 3):
        k = np.array(pattern) - 1
        if k.any():
            noise = rng.integers(-2042, 2043, size=3)
            carry = -32512 * k + noise
            assert not 0 <= 2 * carry[0] + 4 * carry[1] + 8 * carry[2] + 2**15 < 2**16


def test_extreme_products_divide():
    for a, b, c in [(2**64 - 1, 2**64 - 1, 2**64 - 1), (2**64 - 1, 1, 1), (0, 0, 1), (2**63, 2, 2**64 - 1)]:
        assert divide(a, b, c, *divmod(a * b, c)) == (set(), set())


CELL = {7: [u64(k) for k in range(5)], 9: [u64(100 + k) for k in range(5)]}
CELLS = [
    op("LI", d=1, imm0=7),
    HINT2,
    op("LOAD", d=3, a=1, imm0=2),
    op("STORE", d=2, a=1, imm0=2),
    op("LOAD", d=4, a=1, imm0=2),
    op("OUT", a=4),
    HALT,
]


def cell_rows(memory, index=7, word=2):
    return np.flatnonzero(
        (memory.hi == index) & (memory.lo == word) & (memory.real == 1) & (memory.segment == 1)
    )


def test_stale_cell_read_is_refused():
    def stale(tables):
        memory, cpu = view(MemoryColumns, tables["memory"]), view(CpuColumns, tables["cpu"])
        memory.value[0][cell_rows(memory)[3]] = 2
        cpu.vc[0][4] = 2
        r4 = (memory.segment == 0) & (memory.lo == 4) & (memory.real == 1)
        memory.value[0][r4] = 2
        cpu.va[0][5] = 2

    labels, relations = verdict(CELLS, [u64(55)], CELL, tamper=stale)
    assert labels == {"memory.read_returns_value[0]"}
    assert relations == {"public"}


def test_stale_register_read_is_refused():
    """r1 = 1, r1 = 2, r2 = r1 claims 1."""
    program = [op("LI", d=1, imm0=1), op("LI", d=1, imm0=2), op("MOV", d=2, a=1), HALT]
    assert verdict(program, lies={2: [1, 0, 0, 0]}) == ({"memory.read_returns_value[0]"}, set())


def swap_rows(memory, i, j):
    for column in memory.values:
        column[i], column[j] = column[j], column[i]


def redo_distances(memory):
    """Distances as the constraints want them mod p, all in diff_low."""
    m = int(memory.real.sum())
    for i in range(m - 1):
        a, b = i, i + 1
        if memory.first_register[b]:
            diff = (
                int(memory.hi[b]) * 256 + int(memory.lo[b]) - int(memory.hi[a]) * 256 - int(memory.lo[a]) - 1
            )
        elif memory.is_seed[b]:
            diff = 0
        else:
            diff = int(memory.ts[b]) - int(memory.ts[a]) - 1
        memory.diff_low[a] = diff % P
        memory.diff_high[0][a] = memory.diff_high[1][a] = 0


def test_write_moved_after_a_read_is_refused():
    """The read at a later time is placed before the write, and returns the old value."""

    def reorder(tables):
        memory, cpu = view(MemoryColumns, tables["memory"]), view(CpuColumns, tables["cpu"])
        rows = cell_rows(memory)
        swap_rows(memory, rows[2], rows[3])
        memory.value[0][rows[2]] = 2
        cpu.vc[0][4] = 2
        memory.value[0][(memory.segment == 0) & (memory.lo == 4)] = 2
        cpu.va[0][5] = 2
        redo_distances(memory)

    labels, relations = verdict(CELLS, [u64(55)], CELL, tamper=reorder)
    assert not labels
    assert relations >= {"range16"}


def test_second_run_of_a_cell_word_is_refused_without_a_seed():
    def split(tables):
        memory = view(MemoryColumns, tables["memory"])
        rows = cell_rows(memory)
        last = int(memory.real.sum())
        # the last two accesses (read, drain) go behind the last run
        order = np.r_[0 : rows[3], rows[4] + 1 : last, rows[3] : rows[4] + 1]
        for column in memory.values:
            column[:last] = column[order]
        redo_distances(memory)

    labels, _ = verdict(CELLS, [u64(55)], CELL, tamper=split)
    assert {"memory.same_hi", "memory.same_lo"} & labels


def test_second_run_of_a_cell_word_needs_a_second_seed():
    def split(tables):
        memory = view(MemoryColumns, tables["memory"])
        rows = cell_rows(memory)
        last = int(memory.real.sum())
        order = np.r_[0 : rows[3], rows[4] + 1 : last, rows[3] : rows[4] + 1]
        for column in memory.values:
            column[:last] = column[order]
        memory.is_seed[last - 2] = 1
        redo_distances(memory)

    labels, relations = verdict(CELLS, [u64(55)], CELL, tamper=split)
    assert not labels
    assert "memory" in relations


def test_second_run_of_a_register_is_refused():
    """r1 = 5, r2 = 9, r3 = r1 reads 0 in a run of its own behind r2's."""
    program = [op("LI", d=1, imm0=5), op("LI", d=2, imm0=9), op("MOV", d=3, a=1), HALT]

    def split(tables):
        memory = view(MemoryColumns, tables["memory"])
        # rows: r1 write, r1 read, r2 write, r3 write
        swap_rows(memory, 1, 2)
        memory.first_register[2] = 1
        redo_distances(memory)

    labels, relations = verdict(program, lies={2: [0, 0, 0, 0]}, tamper=split)
    assert not labels
    assert "range16" in relations


def test_register_is_zero_before_its_first_write():
    program = [op("MOV", d=2, a=1), HALT]
    assert verdict(program) == (set(), set())
    assert verdict(program, lies={0: [7, 0, 0, 0]}) == ({"memory.register_starts_zero[0]"}, set())


def test_untouched_cell_cannot_be_read():
    program = [op("LI", d=1, imm0=8), op("LOAD", d=2, a=1), HALT]
    run = mini.run([op("LI", d=1, imm0=8), op("LOAD", d=2, a=1), HALT], (), {8: [[0] * 4] * 5})
    run.cell_indices, run.outside = run.cell_indices[:0], []
    run.cells_before, run.cells_after = run.cells_before[:0], run.cells_after[:0]
    traces = machine.generate(run, mini.columns(program), HEIGHTS)

    done = Case(run, airs(program), traces.tables, traces)
    assert done.violations()  # a cell run without a seed
    memory = view(MemoryColumns, traces.tables["memory"])
    at = cell_rows(memory, 8, 0)
    memory.is_seed[at] = 1
    done = Case(run, airs(program), traces.tables, traces)
    assert {relation for relation, _ in done.unbalanced()} == {"memory"}


def test_drain_must_be_the_last_value():
    def other(tables):
        tables["cells"][6:10, 2] = u64(1)
        memory = view(MemoryColumns, tables["memory"])
        memory.value[0][cell_rows(memory)[4]] = 1

    labels, relations = verdict(CELLS, [u64(55)], CELL, tamper=other)
    assert labels == {"memory.read_returns_value[0]"}
    assert "cell_word" in relations


LOOP = [op("LI", d=1, imm0=1), op("JMP", imm0=3), HALT, op("LI", d=1, imm0=2), HALT]


def test_jump_not_taken_is_refused():
    def stay(tables):
        view(CpuColumns, tables["cpu"]).e[1] = 0

    assert verdict(LOOP, lies={1: False}) == ({"cpu.pc_step"}, set())
    assert verdict(LOOP, lies={1: False}, tamper=stay) == ({"cpu.jmp_jumps"}, set())


def test_jump_out_of_nothing_is_refused():
    program = [op("LI", d=1, imm0=2), HALT, HALT]

    def jump(tables):
        view(CpuColumns, tables["cpu"]).e[0] = 1

    assert verdict(program, lies={0: True}, tamper=jump) == ({"cpu.e_unused"}, set())


def test_program_counter_outside_the_program_has_nothing_to_fetch():
    """Row 0 jumps to 40, beyond the program; the row there claims to be a HALT."""
    program = [op("JMP", imm0=40), *[HALT] * 40]
    done = case(program, (), {})
    assert not done.violations()
    done.airs = {**done.airs, "rom": type(done.airs["rom"])(mini.columns(program[:1]))}
    done.__post_init__()
    assert {relation for relation, _ in done.unbalanced()} == {"rom"}


def test_padding_of_the_rom_cannot_be_executed():
    """PAD is fetched with multiplicity 0; a row that runs it is a PAD row: only HALT is followed by one."""

    def pad(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.flag[O.HALT - 1][1], cpu.pad[1], cpu.op[1] = 0, 1, 0

    labels, _ = verdict([op("LI", d=1, imm0=2), HALT], tamper=pad)
    assert labels == {"cpu.pad_after_halt"}


def test_two_selectors_at_once_are_refused():
    def both(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.flag[O.MOV - 1][0], cpu.op[0] = 1, O.LI + O.MOV

    labels, _ = verdict([op("LI", d=1), HALT], tamper=both)
    assert labels == {"cpu.one_selector"}


def test_run_that_does_not_halt_is_refused():
    program = [op("LI", d=1, imm0=2), HALT]
    heights = {"cpu": 4}

    def forever(tables):
        cpu = view(CpuColumns, tables["cpu"])
        cpu.flag[O.HALT - 1][2:] = 1
        cpu.pad[2:], cpu.op[2:] = 0, O.HALT
        cpu.pc[2:] = 1

    labels, _ = verdict(program, heights=heights, tamper=forever)
    assert labels == {"cpu.last_is_pad", "cpu.pad_after_halt", "cpu.pc_step"}


def test_run_that_starts_with_padding_is_refused():
    def empty(tables):
        for name, column in zip(CpuColumns.names, view(CpuColumns, tables["cpu"]).values, strict=True):
            if name not in ("clk", "pc", "uframe"):
                column[:] = name == "pad"

    labels, _ = verdict([op("LI", d=1, imm0=2), HALT], tamper=empty)
    assert labels == {"cpu.first_not_pad"}


def test_missing_public_word_is_noticed():
    done = case([op("OUT", a=1, imm0=3), HALT], (), {})
    assert not done.unbalanced()
    done = case([op("OUT", a=1, imm0=3), HALT], (), {})
    silent = case([HALT], (), {})
    silent.parts["outside"] = done.parts["outside"]
    assert {relation for relation, _ in silent.unbalanced()} == {"public"}


def test_public_word_given_twice_is_noticed():
    done = case([op("OUT", a=1, imm0=3), op("OUT", a=1, imm0=3), HALT], (), {})
    once = case([op("OUT", a=1, imm0=3), HALT], (), {})
    done.parts["outside"] = once.parts["outside"]
    assert {relation for relation, _ in done.unbalanced()} == {"public"}


def test_hash_state_cannot_be_changed_on_the_way():
    program = [op("HSET", a=1, b=2), op("LI", d=3), op("HGETL", d=4), HALT]

    def change(tables):
        view(CpuColumns, tables["cpu"]).h[7][2:] = 5

    assert verdict(program, tamper=change) == ({"cpu.h_kept[7]"}, set())


def test_leaf_or_signature_number_above_u32_is_refused():
    big = u64(1 << 32)
    assert verdict([HINT1, op("LEAF", a=1), HALT], [big])[0] == {"cpu.leaf_u32[0]"}
    assert verdict([HINT1, op("SIG", d=1, a=2, b=2), HALT], [big])[0] == {"cpu.sig_u32[0]"}
    assert verdict([HINT1, op("PACK", d=2, a=1, b=3), HALT], [big])[0] == {"cpu.pack_u32[0]"}
