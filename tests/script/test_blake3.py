"""The compression gadget against vectors and the reference library, in the interpreter and in the kernel."""

import json
import random
from typing import Any

import blake3
import pytest

from tests.bitcoin.vectors import VECTORS
from tests.script.spends import judge, judge_tapscript, tapscript_spend
from verifier.script.blake3 import IV, compress, spread
from verifier.script.errors import STANDARD, ScriptError
from verifier.script.opcodes import Op
from verifier.script.script import encode_number, join, number, script
from verifier.script.spend import run_tapscript, verify_input
from verifier.script.tracker import Tracker
from verifier.script.winternitz import from_nibbles, nibbles, public_key, sign

CASES = json.loads((VECTORS.parent / "blake3" / "nodes_and_compress.json").read_text())
CHUNK_START, CHUNK_END, ROOT = 1, 2, 8
ONE_BLOCK = CHUNK_START | CHUNK_END | ROOT


def words(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def inputs(message: bytes, chaining: bytes) -> list[bytes]:
    return [encode_number(digit) for digit in nibbles(message) + nibbles(chaining)]


def expects(data: bytes) -> bytes:
    return join([script(number(digit), Op.NUMEQUALVERIFY) for digit in reversed(nibbles(data))]) + b"\x51"


@pytest.mark.parametrize("case", CASES["compress"][:40])
def test_compression_vectors(case: dict[str, Any]) -> None:
    code = compress(case["counter"], case["block_len"], case["flags"])
    outcome = run_tapscript(code, inputs(words(case["block_words"]), words(case["cv"])))
    assert outcome.verdict.accepted
    assert outcome.alt == ()
    found = from_nibbles(item[0] if item else 0 for item in outcome.stack)
    assert found == words(case["output_words"][:8])


CODE = compress(0, 64, ONE_BLOCK)
KEY = words(list(IV))
RNG = random.Random(3)
EDGES = [
    bytes(64),
    b"\xff" * 64,
    b"\x80" * 64,
    b"\1" + bytes(63),
    bytes(range(64)),
    *(RNG.randbytes(64) for _ in range(8)),
]


@pytest.mark.parametrize("message", EDGES, ids=lambda m: m.hex()[:8])
def test_both_judges_accept_the_hash_of_64_bytes_and_nothing_else(message: bytes) -> None:
    digest = blake3.blake3(message).digest()
    spending = tapscript_spend(CODE + expects(digest), inputs(message, KEY))
    assert judge(spending).accepted
    for bit in (0, 127, 255):
        wrong = (int.from_bytes(digest, "big") ^ 1 << bit).to_bytes(32, "big")
        verdict = judge_tapscript(CODE + expects(wrong), inputs(message, KEY))
        assert verdict is ScriptError.NUMEQUALVERIFY


def test_merkle_nodes_of_the_vectors() -> None:
    for case in CASES["merkle_nodes"][:10]:
        message, node = bytes.fromhex(case["left"] + case["right"]), bytes.fromhex(case["node"])
        assert judge_tapscript(CODE + expects(node), inputs(message, KEY)) is ScriptError.OK


def test_standard_flags_accept_it_too() -> None:
    spending = tapscript_spend(CODE + expects(blake3.blake3(bytes(64)).digest()), inputs(bytes(64), KEY))
    assert verify_input(spending, 0, STANDARD).accepted


def test_every_message_and_chaining_nibble_matters() -> None:
    message, chaining = RNG.randbytes(64), RNG.randbytes(32)
    items = inputs(message, chaining)
    right = run_tapscript(CODE, items).stack
    seen = {right}
    places = sorted({0, 127, 128, 191, *RNG.sample(range(192), 36)})
    for place in places:
        changed = list(items)
        changed[place] = encode_number((changed[place][0] if changed[place] else 0) ^ 1)
        seen.add(run_tapscript(CODE, changed).stack)
    assert len(seen) == 1 + len(places)


def test_size_and_peak() -> None:
    outcome = run_tapscript(CODE, inputs(bytes(64), KEY))
    assert (len(CODE), outcome.verdict.peak_stack) == (45_145, 826)
    assert len(CODE) <= 48_000


def test_a_signed_node_is_hashed_in_one_leaf() -> None:
    """Winternitz check of 64 bytes, then their compression, then the signed digest: a whole chunk's shape."""
    message, seed = RNG.randbytes(64), bytes(32)
    digest = blake3.blake3(message).digest()
    signed = sign(seed, b"out", nibbles(digest)) + sign(seed, b"in", nibbles(message))
    code = script(
        public_key(seed, b"in", 128).check(),
        join([number(digit) for digit in nibbles(KEY)]),
        CODE,
        bytes([Op.TOALTSTACK]) * 64,
        public_key(seed, b"out", 64).check(),
        script(Op.FROMALTSTACK),
    )
    compare = join([script(Op.FROMALTSTACK)] * 63)
    outcome = run_tapscript(code + compare, signed)
    assert outcome.verdict.accepted
    assert outcome.verdict.peak_stack <= 1_000
    assert outcome.stack[:64] == outcome.stack[64:]


def test_spread_sums_tell_xor_and_sum() -> None:
    for x in range(16):
        for y in range(16):
            digits = [(spread(x) + spread(y)) // 3**i % 3 for i in range(4)]
            assert sum((digit == 1) << i for i, digit in enumerate(digits)) == x ^ y
            assert sum(digit << i for i, digit in enumerate(digits)) == x + y


def test_a_tracker_follows_its_items() -> None:
    tracker = Tracker()
    names = [tracker.push(number(value)) for value in range(5)]
    for name in (names[4], names[3], names[2], names[0]):
        tracker.roll(name)
    tracker.pick(names[1])
    tracker.pick(names[0])
    outcome = run_tapscript(tracker.code, ())
    assert [item[0] if item else 0 for item in outcome.stack] == [1, 4, 3, 2, 0, 1, 0]
    assert len(tracker) == 7
    total = tracker.replace(2, Op.ADD)
    assert tracker.depth(total) == 0
