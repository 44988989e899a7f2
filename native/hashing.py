"""BLAKE3 derive_key hashing of rows and tree nodes, and grinding.

Every digest equals `blake3.blake3(data, derive_key_context=context).digest()`, as eight little-endian words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from native import backend, checks
from native.backend import run
from native.checks import U32, Columns
from native.errors import KernelError

_MASK = 0xFFFFFFFF
_IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_CHUNK_START, _CHUNK_END, _ROOT, _DERIVE_KEY_CONTEXT = 1, 2, 8, 32
_MIXES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_BLOCK_COLUMNS, _CHUNK_COLUMNS = 16, 256
_MOST_COLUMNS = _CHUNK_COLUMNS << 15
MAX_GRINDING_BITS = 40


def _compress(cv: Sequence[int], block: bytes, flags: int) -> list[int]:
    """First eight words of the compression of one block, counter 0. Source: BLAKE3 paper, section 2.2."""
    words = [int.from_bytes(block.ljust(64, b"\0")[i : i + 4], "little") for i in range(0, 64, 4)]
    s = [*cv, *_IV[:4], 0, 0, len(block), flags]
    for _ in range(7):
        for k, (a, b, c, d) in enumerate(_MIXES):
            for word, first, second in ((words[2 * k], 16, 12), (words[2 * k + 1], 8, 7)):
                s[a] = (s[a] + s[b] + word) & _MASK
                s[d] = _rotate(s[d] ^ s[a], first)
                s[c] = (s[c] + s[d]) & _MASK
                s[b] = _rotate(s[b] ^ s[c], second)
        words = [words[i] for i in _PERMUTATION]
    return [s[i] ^ s[i + 8] for i in range(8)]


def _rotate(x: int, k: int) -> int:
    return (x >> k | x << (32 - k)) & _MASK


@lru_cache(maxsize=256)
def blake3_context_key(context: str) -> tuple[int, ...]:
    """The key that BLAKE3 derive_key makes of a context: the eight words every chunk starts from.

    Raises:
        KernelError: a context of more than 1024 bytes (one chunk is enough for a context).
    """
    data = context.encode()
    if len(data) > 1024:
        raise KernelError("blake3_context_key", "at most 1024 bytes", f"{len(data)} bytes")
    cv: Sequence[int] = _IV
    blocks = [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
    for i, block in enumerate(blocks):
        flags = _DERIVE_KEY_CONTEXT | (_CHUNK_START if i == 0 else 0)
        flags |= _CHUNK_END | _ROOT if i + 1 == len(blocks) else 0
        cv = _compress(cv, block, flags)
    return tuple(cv)


def _key(context: str) -> U32:
    return np.array(blake3_context_key(context), dtype=np.uint32)


def hash_rows(columns: U32 | Sequence[U32], context: str, out: U32 | None = None) -> U32:
    """The hash of every row: its elements as little-endian words, columns in order.

    Shapes: (c, n), or a list of (n) and (c, n) -> (8, n). Rows above 256 columns follow the chunk tree.

    Raises:
        KernelError: no columns at all (the number of rows is then unknown), unequal lengths.
    """
    source = Columns("hash_rows", columns)
    if not 0 < source.count <= _MOST_COLUMNS:
        raise KernelError("hash_rows", f"1..{_MOST_COLUMNS} columns", f"{source.count}")
    out = checks.output("hash_rows", out, 8, source.rows)
    run("hash_rows", source, source.count, source.rows, _key(context), out)
    return out


class RowHasher:
    """`hash_rows` of columns that arrive a few at a time, so that they need not be in memory together.

    Attributes:
        rows: of every column.
        total: columns in all.
    """

    def __init__(self, total: int, rows: int, context: str, out: U32 | None = None) -> None:
        """Starts hashes of rows of `total` columns; `out` (8, rows) takes them.

        Raises:
            KernelError: no columns, or too many.
        """
        if not 0 < total <= _MOST_COLUMNS:
            raise KernelError("RowHasher", f"1..{_MOST_COLUMNS} columns", f"{total}")
        self.rows, self.total = rows, total
        self._state = checks.output("RowHasher", out, 8, rows)
        self._key = _key(context)
        self._at = 0
        self._subtrees: list[U32] = []  # of finished chunks, by size: as many as their number has ones

    def update(self, columns: U32 | Sequence[U32]) -> None:
        """Takes the next columns: a multiple of 16 of them, unless they are the last.

        Raises:
            KernelError: another number of columns, or columns of another length.
        """
        source = Columns("RowHasher.update", columns, self.rows)
        at, end = self._at, self._at + source.count
        if end > self.total or (source.count % _BLOCK_COLUMNS and end < self.total):
            wanted = f"a multiple of 16, or the last {self.total - at}"
            raise KernelError("RowHasher.update", f"{wanted} columns", f"{source.count}")
        done = 0
        while at < end:
            chunk, first = divmod(at, _CHUNK_COLUMNS)
            size = min(_CHUNK_COLUMNS, self.total - chunk * _CHUNK_COLUMNS)
            count = min(size - first, end - at)
            only = int(self.total <= _CHUNK_COLUMNS)
            part = source.part(done, count)
            run("hash_update", part, count, self.rows, first, size, chunk, only, self._key, self._state)
            at, done = at + count, done + count
            if first + count == size and at < self.total:
                self._close_chunk(chunk)
        self._at = at

    def _close_chunk(self, chunk: int) -> None:
        node = self._state.copy()
        done = chunk + 1
        while done % 2 == 0:
            left = self._subtrees.pop()
            run("hash_merge", left, node, self.rows, 0, self._key, left)
            node = left
            done //= 2
        self._subtrees.append(node)

    def digests(self) -> U32:
        """The hashes, (8, rows), once every column is in.

        Raises:
            KernelError: columns are missing.
        """
        if self._at != self.total:
            raise KernelError("RowHasher.digests", f"{self.total} columns", f"{self._at}")
        while self._subtrees:
            left = self._subtrees.pop()
            root = int(not self._subtrees)
            run("hash_merge", left, self._state, self.rows, root, self._key, self._state)
        return self._state


def hash_nodes(level: U32, context: str, out: U32 | None = None) -> U32:
    """node_j = H(level_j || level_(j + M/2)). Shapes: (8, M) -> (8, M / 2).

    Raises:
        KernelError: M odd.
    """
    checks.array("hash_nodes", level, 8, None)
    width = level.shape[1]
    if width % 2:
        raise KernelError("hash_nodes", "an even number of nodes", str(width))
    half = width // 2
    out = checks.output("hash_nodes", out, 8, half)
    run("hash_pairs", level, width, level[:, half:], width, half, _key(context), out)
    return out


def hash_inject(nodes: U32, leaves: U32, context: str, out: U32 | None = None) -> U32:
    """node_j = H(nodes_j || leaves_j). Shapes: (8, M), (8, M) -> (8, M)."""
    checks.array("hash_inject", nodes, 8, None)
    checks.array("hash_inject", leaves, *nodes.shape)
    width = nodes.shape[1]
    out = checks.output("hash_inject", out, 8, width)
    run("hash_pairs", nodes, width, leaves, width, width, _key(context), out)
    return out


def grind(prefix: bytes, bits: int, context: str, threads: int | None = None) -> int:
    """The smallest 64-bit nonce such that H(prefix || nonce, 8 bytes little-endian) has `bits` low zero bits.

    The bits are those of the first eight bytes of the hash, little-endian. `threads`: for this call only.

    Raises:
        KernelError: a prefix that is not 32 bytes, or more bits than a machine finds.
    """
    if len(prefix) != 32:
        raise KernelError("grind", "a prefix of 32 bytes", f"{len(prefix)} bytes")
    if not 0 <= bits <= MAX_GRINDING_BITS:
        raise KernelError("grind", f"0..{MAX_GRINDING_BITS} bits", str(bits))
    with backend.using_threads(threads):
        return int(run("grind", np.frombuffer(prefix, dtype="<u4").copy(), bits, _key(context)))
