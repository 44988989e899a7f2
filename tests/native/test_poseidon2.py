from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import native
from native import P
from prover import poseidon2_constants
from tests.native import reference as ref

PARTIAL = {16: 20, 24: 23}


def constants(width: int) -> dict[str, list]:  # type: ignore[type-arg]
    return ref.vectors("poseidon2/constants_leansig_2025.json")[f"w{width}"]  # type: ignore[no-any-return]


def external(s: list[int]) -> list[int]:
    m4 = poseidon2_constants.M4
    blocks = [
        [sum(m * x for m, x in zip(row, s[i : i + 4], strict=True)) for row in m4]
        for i in range(0, len(s), 4)
    ]
    sums = [sum(block[k] for block in blocks) for k in range(4)]
    return [(x + sums[k]) % P for block in blocks for k, x in enumerate(block)]


def plain_trace(state: list[int]) -> list[int]:
    c = constants(len(state))
    columns, s = list(state), external(state)

    def full(rounds: list[list[int]]) -> None:
        nonlocal s
        for row in rounds:
            s = external([pow(x + k, 3, P) for x, k in zip(s, row, strict=True)])
            columns.extend(s)

    full(c["external_initial"])
    for k in c["internal"]:
        s[0] = pow(s[0] + k, 3, P)
        columns.append(s[0])
        total = sum(s)
        s = [(total + v * x) % P for v, x in zip(c["internal_diag_V"], s, strict=True)]
    full(c["external_final"])
    return columns


@pytest.mark.parametrize("width", [16, 24])
def test_header_and_python_constants_are_the_vectors(width: int) -> None:
    c = constants(width)
    flat = [x for row in c["external_initial"] for x in row] + c["internal"]
    flat += [x for row in c["external_final"] for x in row]
    header = (Path(native.__file__).parent / "csrc" / "poseidon2_constants.h").read_text()
    section = header.split(f"POSEIDON2_{width}_ROUNDS(F)")[1].split("#")[0]
    assert [int(x) for x in re.findall(r"F\((\d+)u\)", section)] == flat
    module = getattr(poseidon2_constants, f"WIDTH_{width}")
    assert module.width == width
    assert [list(row) for row in module.initial] == c["external_initial"]
    assert list(module.internal) == c["internal"]
    assert [list(row) for row in module.final] == c["external_final"]
    assert list(module.diagonal) == c["internal_diag_V"]


@pytest.mark.parametrize("width", [16, 24])
def test_permutation_agrees_with_vectors(tier: str, width: int) -> None:
    pairs = ref.vectors("poseidon2/leansig_2025_permutation.json")[f"w{width}"]
    states, outputs = (ref.words([pair[key] for pair in pairs]).T.copy() for key in ("input", "output"))
    np.testing.assert_array_equal(native.poseidon2_permute(states), outputs)
    known = [
        case for case in ref.vectors("poseidon2/published_kat.json")["leansig_2025"] if case["width"] == width
    ]
    assert known
    for case in known:
        got = native.poseidon2_permute(ref.words(case["input"]).reshape(width, 1))
        assert got[:, 0].tolist() == case["output"]


@pytest.mark.parametrize("n", [*ref.LENGTHS, 1000])
@pytest.mark.parametrize("width", [16, 24])
def test_trace_is_the_plain_computation(tier: str, threads: int, width: int, n: int) -> None:
    states = ref.random(n, width, n)
    trace = native.poseidon2_trace(states)
    assert trace.shape == (native.trace_columns(width), n)
    for i in {0, 1, 16, n // 2, n - 1}:
        if 0 <= i < n:
            assert trace[:, i].tolist() == plain_trace(states[:, i].tolist())
    np.testing.assert_array_equal(trace[-width:], native.poseidon2_permute(states))


def test_trace_goes_into_part_of_a_table(tier: str) -> None:
    states = ref.random(1, 16, 50)
    table = np.zeros((170, 64), dtype=np.uint32)
    native.poseidon2_trace(states, out=table[3:167, 10:60])
    np.testing.assert_array_equal(table[3:167, 10:60], native.poseidon2_trace(states))
    assert (
        not table[:, :10].any() and not table[:, 60:].any() and not table[:3].any() and not table[167:].any()
    )


def test_compress_feeds_forward_as_leanspec_does(tier: str) -> None:
    for case in ref.vectors("xmss/leansig_2025_parts.json")["compress"]:
        width, length = case["width"], case["output_len"]
        padded = case["input"] + [0] * (width - len(case["input"]))
        got = native.poseidon2_compress(ref.words(padded).reshape(width, 1), length)
        assert got[:, 0].tolist() == case["output"]


def test_chains_agree_with_leanspec(tier: str) -> None:
    parts = ref.vectors("xmss/leansig_2025_parts.json")
    cases = parts["chain"]
    n = len(cases)
    parameter = ref.words([parts["parameter"]] * n).T.copy()
    tweaks = [chain_tweak(c["epoch"], c["chain_index"], c["start_step"] + 1) for c in cases]
    t0, t1 = (ref.words([tweak[k] for tweak in tweaks]) for k in (0, 1))
    starts = ref.words([c["start"] for c in cases]).T.copy()
    steps = ref.words([c["num_steps"] for c in cases])
    got = native.xmss_chains(parameter, t0, t1, starts, steps)
    np.testing.assert_array_equal(got, ref.words([c["output"] for c in cases]).T)


def chain_tweak(epoch: int, chain: int, step: int) -> tuple[int, int]:
    """Two base-p digits of (epoch << 24 | chain << 16 | step << 8)."""
    value = epoch << 24 | chain << 16 | step << 8
    return value % P, value // P


def test_chain_tweaks_are_encoded_as_leanspec_does() -> None:
    for case in ref.vectors("xmss/leansig_2025_parts.json")["tweak_chain"]:
        assert list(chain_tweak(case["epoch"], case["chain_index"], case["step"])) == case["encoded"]


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 300])
def test_chains_of_mixed_lengths_are_repeated_compressions(tier: str, threads: int, n: int) -> None:
    parameter, t0, t1, starts = ref.random(1, 5, n), ref.random(2, n), ref.random(3, n), ref.random(4, 8, n)
    steps = np.random.default_rng(5).integers(0, 8, n).astype(np.uint32)
    value = starts.copy()
    for step in range(8):
        t = ((t0.astype(np.int64) + 256 * step) % P).astype(np.uint32)
        block = np.vstack([parameter, t[None], t1[None], value, np.zeros((1, n), dtype=np.uint32)])
        following = native.poseidon2_compress(block, 8)
        value = np.where(step < steps, following, value)
    np.testing.assert_array_equal(native.xmss_chains(parameter, t0, t1, starts, steps), value)


def test_wrong_shapes_are_refused() -> None:
    z = lambda *shape: np.zeros(shape, dtype=np.uint32)  # noqa: E731
    for bad in (
        lambda: native.poseidon2_permute(z(15, 4)),
        lambda: native.poseidon2_compress(z(16, 4), 17),
        lambda: native.poseidon2_trace(z(16, 4), out=z(163, 4)),
        lambda: native.xmss_chains(z(5, 2), z(2), z(2), z(8, 2), z(3)),
        lambda: native.xmss_chains(z(5, 2), z(2), z(2), z(8, 2), z(2) + np.uint32(1 << 17)),
    ):
        with pytest.raises(native.KernelError):
            bad()
