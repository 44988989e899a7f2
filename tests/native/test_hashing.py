from __future__ import annotations

import blake3
import numpy as np
import pytest

import native
from native import U32
from tests.native import reference as ref

LEAF = "pegproof 2026 leaf"


def digest(data: bytes, context: str) -> U32:
    return np.frombuffer(blake3.blake3(data, derive_key_context=context).digest(), dtype="<u4").astype(
        np.uint32
    )


def test_context_key_derives_the_official_vectors(tier: str) -> None:
    data = ref.vectors("blake3/test_vectors.json")
    checked = 0
    for case in data["cases"]:
        length = case["input_len"]
        if length == 0 or length % 4:
            continue
        message = (np.arange(length) % 251).astype(np.uint8).view("<u4").astype(np.uint32)
        got = native.hash_rows(message.reshape(-1, 1).copy(), data["context_string"])
        assert got[:, 0].astype("<u4").tobytes().hex() == case["derive_key"][:64]
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize("context", ["", "a", "x" * 64, "y" * 65, "z" * 1024])
def test_contexts_of_any_length(context: str) -> None:
    x = ref.random(1, 16, 3)
    got = native.hash_rows(x, context)
    np.testing.assert_array_equal(got[:, 1], digest(x[:, 1].copy().tobytes(), context))


@pytest.mark.parametrize(
    "columns", [1, 15, 16, 17, 32, 33, 255, 256, 257, 272, 511, 512, 513, 769, 1024, 1025, 1793]
)
def test_rows_of_any_width_follow_the_chunk_tree(tier: str, columns: int) -> None:
    x = ref.random(columns, columns, 19)
    got = native.hash_rows(x, LEAF)
    for i in (0, 15, 16, 18):
        np.testing.assert_array_equal(got[:, i], digest(x[:, i].copy().tobytes(), LEAF))


@pytest.mark.parametrize("columns", [1, 16, 17, 255, 256, 257, 272, 513, 769, 1024, 1025, 1793])
@pytest.mark.parametrize("step", [16, 48, 272])
def test_columns_that_arrive_in_parts_hash_alike(tier: str, columns: int, step: int) -> None:
    x = ref.random(columns, columns, 19)
    hasher = native.RowHasher(columns, 19, LEAF)
    for first in range(0, columns, step):
        part = x[first : first + step]
        hasher.update(part if first else list(part))
    np.testing.assert_array_equal(hasher.digests(), native.hash_rows(x, LEAF))


@pytest.mark.parametrize("rows", [*ref.LENGTHS, 255, 256, 258, 1000, 3000])
def test_parts_of_any_number_of_rows(tier: str, threads: int, rows: int) -> None:
    x = ref.random(rows, 277, rows)
    hasher = native.RowHasher(277, rows, LEAF)
    for part in (x[:32], x[32:272], x[272:]):
        hasher.update(part)
    np.testing.assert_array_equal(hasher.digests(), native.hash_rows(x, LEAF))


def test_parts_of_wrong_numbers_are_refused() -> None:
    x = np.zeros((40, 3), dtype=np.uint32)
    hasher = native.RowHasher(40, 3, LEAF)
    for bad in (
        lambda: native.RowHasher(0, 3, LEAF),
        lambda: hasher.update(x[:15]),
        lambda: hasher.update(np.zeros((48, 3), np.uint32)),
        lambda: hasher.update(x[:16, :2].copy()),
        lambda: hasher.digests(),
    ):
        with pytest.raises(native.KernelError):
            bad()


@pytest.mark.parametrize("rows", [*ref.LENGTHS, 255, 256, 258, 1000])
def test_any_number_of_rows(tier: str, threads: int, rows: int) -> None:
    x = ref.random(rows, 21, rows)
    got = native.hash_rows([x[:4], x[4], x[5:]], LEAF)
    want = [digest(x[:, i].copy().tobytes(), LEAF) for i in range(rows)]
    np.testing.assert_array_equal(got, ref.words(want).reshape(rows, 8).T)


@pytest.mark.parametrize("pairs", [0, 1, 7, 8, 9, 15, 16, 17, 3000])
def test_nodes_join_halves_and_inject_joins_leaves(tier: str, pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    level = rng.integers(0, 2**32, (8, 2 * pairs), dtype=np.uint32)
    nodes = native.hash_nodes(level, "pegproof 2026 node")
    left, right = level[:, :pairs].copy(), level[:, pairs:].copy()
    injected = native.hash_inject(left, right, "pegproof 2026 inject")
    for i in {0, pairs // 2, pairs - 1} if pairs else set():
        data = left[:, i].tobytes() + right[:, i].tobytes()
        np.testing.assert_array_equal(nodes[:, i], digest(data, "pegproof 2026 node"))
        np.testing.assert_array_equal(injected[:, i], digest(data, "pegproof 2026 inject"))


def low_bits(prefix: bytes, nonce: int) -> int:
    hashed = blake3.blake3(
        prefix + nonce.to_bytes(8, "little"), derive_key_context="pegproof 2026 grind"
    ).digest()
    return int.from_bytes(hashed[:8], "little")


@pytest.mark.parametrize("bits", [0, 1, 5, 11])
def test_grinding_finds_the_smallest_nonce(tier: str, threads: int, bits: int) -> None:
    prefix = bytes(range(bits, bits + 32))
    nonce = native.grind(prefix, bits, "pegproof 2026 grind")
    smallest = next(n for n in range(1 << 20) if low_bits(prefix, n) % (1 << bits) == 0)
    assert nonce == smallest


def test_grinding_beyond_one_round_of_tasks() -> None:
    prefix = b"\x05" * 32
    nonce = native.grind(prefix, 20, "pegproof 2026 grind", threads=2)
    assert low_bits(prefix, nonce) % (1 << 20) == 0
    assert nonce == native.grind(prefix, 20, "pegproof 2026 grind", threads=1)


def test_wrong_requests_are_refused() -> None:
    x = np.zeros((8, 3), dtype=np.uint32)
    for bad in (
        lambda: native.hash_rows([], LEAF),
        lambda: native.hash_rows([x, x[:, :2]], LEAF),
        lambda: native.hash_rows(x[:, ::2], LEAF),
        lambda: native.hash_rows(x.astype(np.int32), LEAF),  # type: ignore[arg-type]
        lambda: native.hash_nodes(x, LEAF),
        lambda: native.hash_nodes(x[:7], LEAF),
        lambda: native.hash_inject(x, x[:, :2].copy(), LEAF),
        lambda: native.grind(b"short", 4, LEAF),
        lambda: native.grind(bytes(32), 64, LEAF),
        lambda: native.hash_rows(x, "x" * 1025),
    ):
        with pytest.raises(native.KernelError):
            bad()
