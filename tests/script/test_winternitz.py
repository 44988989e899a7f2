import random
from collections.abc import Sequence

import pytest

from tests.script.spends import judge, judge_tapscript, tapscript_spend
from verifier.bitcoin.encoding import hash160
from verifier.script.errors import STANDARD, ScriptError
from verifier.script.opcodes import Op
from verifier.script.script import encode_number, join, number, script
from verifier.script.spend import run_tapscript, verify_input
from verifier.script.winternitz import (
    LAST,
    LINK_BYTES,
    WinternitzError,
    WinternitzKey,
    checksum_digits,
    from_nibbles,
    nibbles,
    plain,
    public_key,
    public_keys,
    read,
    sign,
)

SEED = bytes(range(32))
RNG = random.Random(5)
VALUES = [
    bytes(32),
    b"\xff" * 32,
    bytes(range(32)),
    RNG.randbytes(32),
    b"\0",
    b"\xff",
    b"\x5a",
    RNG.randbytes(4),
]


def expects(value: tuple[int, ...]) -> bytes:
    """[value] -> [1]; fails unless the stack holds the value."""
    return join([script(number(digit), Op.NUMEQUALVERIFY) for digit in reversed(value)]) + b"\x51"


def bound(key: WinternitzKey, items: Sequence[bytes], locktime: int = LINK_BYTES) -> ScriptError:
    """What both judges say of a signature in a transaction that binds."""
    return judge_tapscript(key.bind() + b"\x51", items, locktime)


@pytest.mark.parametrize("data", VALUES, ids=lambda v: v.hex()[:8])
def test_the_signed_value_is_left_on_the_stack(data: bytes) -> None:
    value = nibbles(data)
    key = public_key(SEED, b"wire", len(value))
    spending = tapscript_spend(key.check() + expects(value), sign(SEED, b"wire", value))
    assert judge(spending).accepted
    assert verify_input(spending, 0, STANDARD).accepted
    assert from_nibbles(read(key, sign(SEED, b"wire", value)) or ()) == data
    assert bound(key, sign(SEED, b"wire", value)) is ScriptError.OK


@pytest.mark.parametrize("digit", range(16))
def test_every_digit_of_a_short_wire(digit: int) -> None:
    key = public_key(SEED, b"d", 1)
    items = sign(SEED, b"d", [digit])
    assert judge_tapscript(key.check() + expects((digit,)), items) is ScriptError.OK
    for claimed in range(-2, 16):
        if claimed != digit:
            wrong = (items[0], encode_number(claimed), *items[2:])
            assert judge_tapscript(key.check() + script(Op.DROP, Op.OP_1), wrong) is not ScriptError.OK
            assert bound(key, wrong) is not ScriptError.OK
            assert read(key, wrong) is None


def test_a_link_hashed_forward_raises_a_digit_but_not_the_checksum() -> None:
    value = nibbles(b"\x12\x34")
    key, items = public_key(SEED, b"w", 4), list(sign(SEED, b"w", value))
    items[2], items[3] = hash160(items[2]), encode_number(value[1] + 1)
    drop = bytes([Op.OP_2DROP, Op.OP_2DROP, Op.OP_1])
    assert judge_tapscript(key.check() + drop, items) is ScriptError.NUMEQUALVERIFY
    assert bound(key, items) is ScriptError.NUMEQUALVERIFY
    assert read(key, items) is None


def with_start(start: bytes, digit: int) -> tuple[WinternitzKey, tuple[bytes, ...]]:
    """A key of one digit whose first chain begins at `start`, on the place of `digit`, and the digit's signature."""
    key, items = public_key(SEED, b"d", 1), sign(SEED, b"d", [digit])
    end = start
    for _ in range(LAST - digit):
        end = hash160(end)
    return WinternitzKey((end, *key.links[1:]), 1), (start, *items[1:])


@pytest.mark.parametrize("digit", (0, 7, 8, 14))
@pytest.mark.parametrize("length", (0, 1, 19, 20, 21, 80, 81, 520))
def test_a_link_that_a_disproof_could_not_repeat_does_not_bind(digit: int, length: int) -> None:
    """A signer may begin a chain with whatever it likes, in the half that is hashed first and in the other."""
    key, items = with_start(bytes(length), digit)
    short = length <= LINK_BYTES
    assert bound(key, items) is (ScriptError.OK if short else ScriptError.UNSATISFIED_LOCKTIME)
    assert read(key, items) == ((digit,) if short else None)


def test_what_binds_is_locked_to_the_length_of_a_link() -> None:
    """Links are held against nLockTime: a lower one refuses every signature, by time or on a final input too."""
    key, items = public_key(SEED, b"d", 1), sign(SEED, b"d", [3])
    assert bound(key, items, LINK_BYTES - 1) is ScriptError.UNSATISFIED_LOCKTIME
    assert bound(key, items, 500_000_000) is ScriptError.UNSATISFIED_LOCKTIME
    final = tapscript_spend(key.bind() + b"\x51", items, 0xFFFFFFFF, LINK_BYTES)
    assert judge(final).error is ScriptError.UNSATISFIED_LOCKTIME


ODD = [
    b"\x10",
    b"\x7f",
    b"\xff\xff\xff\x7f",
    b"\x0f\0",
    b"\x0f\0\0\0",
    b"\x0f\0\0\0\0",
    b"\0",
    b"\x80",
    b"\0\x80",
    b"\x81",
    b"",
]


@pytest.mark.parametrize("digit", (0, 15))
@pytest.mark.parametrize("encoded", ODD, ids=bytes.hex)
def test_odd_encodings_are_read_off_chain_as_the_script_reads_them(digit: int, encoded: bytes) -> None:
    """A digit beyond 15 counts as 15, zero may be padded or signed; five bytes are no number."""
    key, items = public_key(SEED, b"d", 1), sign(SEED, b"d", [digit])
    claimed = (items[0], encoded, *items[2:])
    accepted = judge_tapscript(key.check() + expects((digit,)), claimed) is ScriptError.OK
    assert (bound(key, claimed) is ScriptError.OK) == accepted
    assert read(key, claimed) == ((digit,) if accepted else None)


def test_a_plain_signature_is_what_the_signer_wrote() -> None:
    signed = sign(SEED, b"wire", (0, 7, LAST, 3))
    odd = [item + b"\0" if place % 2 and item else item for place, item in enumerate(signed)]
    odd[odd.index(encode_number(LAST) + b"\0")] = encode_number(LAST + 1)
    odd[1] = b"\x80"
    assert plain(signed) == plain(odd) == signed != tuple(odd)
    key = public_key(SEED, b"wire", 4)
    assert read(key, odd) == read(key, signed) == (0, 7, LAST, 3)


def test_a_public_key_placed_deeper_in_the_witness_cannot_be_picked() -> None:
    key = public_key(SEED, b"d", 1)
    items = sign(SEED, b"d", [3])
    for depth in range(1, 12):
        planted = (*[key.links[0]] * depth, b"\1" * 20, encode_number(15 + depth), *items[2:])
        assert judge_tapscript(key.check() + b"\x51", planted) is not ScriptError.OK
        assert bound(key, planted) is not ScriptError.OK


@pytest.mark.parametrize("place", range(0, 12))
def test_any_changed_witness_item_is_refused(place: int) -> None:
    value = nibbles(b"\xa7\x3c")
    key, items = public_key(SEED, b"w", 4), list(sign(SEED, b"w", value))
    items[place] = items[place] + b"\1" if place % 2 else bytes([items[place][0] ^ 1]) + items[place][1:]
    assert judge_tapscript(key.check() + expects(value), items) is not ScriptError.OK


def test_signing_again_gives_the_same_bytes_and_other_labels_or_seeds_do_not() -> None:
    value = nibbles(b"\x42")
    assert sign(SEED, b"a", value) == sign(SEED, b"a", value)
    assert sign(SEED, b"b", value)[0] != sign(SEED, b"a", value)[0]
    assert sign(bytes(32), b"a", value)[0] != sign(SEED, b"a", value)[0]
    assert len({link for label in (b"a", b"b") for link in public_key(SEED, label, 9).links}) == 2 * 11


@pytest.mark.parametrize("value", ([], [16], [-1], [0, 1, 99]))
def test_values_that_are_no_nibbles_are_refused(value: list[int]) -> None:
    with pytest.raises(WinternitzError):
        sign(SEED, b"w", value)


def test_keys_of_no_digits_or_a_short_seed_are_refused() -> None:
    with pytest.raises(WinternitzError):
        public_key(SEED, b"w", 0)
    with pytest.raises(WinternitzError):
        public_key(b"short", b"w", 1)
    with pytest.raises(WinternitzError):
        from_nibbles([1, 2, 3])


def test_the_checksum_has_room_for_the_largest_sum() -> None:
    for digits in range(1, 600):
        assert 15 * digits < 16 ** checksum_digits(digits)


GOLDEN = {8: (678, 710, 230), 64: (4505, 4709, 1540), 128: (8793, 9189, 3012)}
"""Nibbles -> bytes of the script that checks, of the one that binds, and of the heaviest witness."""


@pytest.mark.parametrize("digits", GOLDEN)
def test_sizes(digits: int) -> None:
    key = public_key(SEED, b"size", digits)
    heaviest = max(
        sum(len(item) + 1 for item in sign(SEED, b"size", [digit] * digits)) for digit in range(16)
    )
    assert (len(key.check()), len(key.bind()), heaviest) == GOLDEN[digits]
    if digits >= 64:
        assert (len(key.check()) + heaviest) / (4 * digits) <= 24


def test_peak_stack_is_the_signature_and_eleven_items() -> None:
    value = nibbles(bytes(32))
    items = sign(SEED, b"w", value)
    key = public_key(SEED, b"w", 64)
    outcome = run_tapscript(key.check(), items)
    assert outcome.verdict.accepted
    binding = verify_input(tapscript_spend(key.bind() + b"\x51", items, locktime=LINK_BYTES), 0)
    assert binding.accepted
    assert max(outcome.verdict.peak_stack, binding.peak_stack) <= len(items) + 11


def test_keys_of_many_wires_are_the_ends_of_their_chains():
    """By the kernel side by side, and one by one in plain Python."""
    wires = [(b"a", 1), (b"b", 4), (b"a longer label", 33)]
    keys = public_keys(SEED, wires)
    assert keys == [public_key(SEED, label, digits) for label, digits in wires]
    for (label, digits), key in zip(wires, keys, strict=True):
        value = [15] * digits
        signed = sign(SEED, label, value)
        assert key.links[:digits] == signed[: 2 * digits : 2], "the last link is its own signature"
        assert read(key, signed) == tuple(value)
