"""Random transactions of one input, of every kind that the policy knows, at the edge of one rule or another."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from verifier.bitcoin.encoding import hash160, sha256
from verifier.bitcoin.keys import public_key, sign_ecdsa, sign_schnorr, xonly_key
from verifier.bitcoin.sighash import (
    Spending,
    TapLeafContext,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from verifier.bitcoin.taproot import NUMS_KEY, balanced_tree, leaf_hash, output_secret, taproot_output
from verifier.bitcoin.transaction import FINAL_SEQUENCE, OutPoint, Transaction, TxIn, TxOut
from verifier.script.script import P2A, number, push, push_raw

SECRET = b"\1" * 32
KEY = public_key(SECRET)
XONLY = xonly_key(SECRET)
PAY = taproot_output(XONLY).script
P2WPKH = b"\0\x14" + hash160(KEY)
P2PKH = b"\x76\xa9\x14" + hash160(KEY) + b"\x88\xac"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SPENDABLE_SUCCESS = (80, 98, 126, 137, 141, 149, 153, 187, 254)
NOPS = (0x61, 0xB0, 0xB1, 0xB2, 0xB3, 0xB9)
Witness = Callable[[Spending], tuple[bytes, tuple[bytes, ...]]]
"""Script and witness of the one input."""


@dataclass(frozen=True)
class Coin:
    """A script, and how it is spent."""

    script: bytes
    unlock: Witness


def key_path(rng: random.Random) -> Coin:
    hash_type = rng.choice((0, 0, 1, 2, 3, 0x81, 0x83, 4))
    annex = (b"\x50" + rng.randbytes(rng.randrange(3)),) if rng.random() < 0.2 else ()

    def unlock(spending: Spending) -> tuple[bytes, tuple[bytes, ...]]:
        known = hash_type if hash_type != 4 else 0
        signature = sign_schnorr(
            output_secret(SECRET), taproot_sighash(spending, 0, known, None, *annex), bytes(32)
        )
        return b"", (signature + (bytes([hash_type]) if hash_type else b""), *annex)

    return Coin(PAY, unlock)


def ecdsa(digest: bytes, rng: random.Random) -> bytes:
    """A signature, now and then with the other S."""
    signature = sign_ecdsa(SECRET, digest)
    if rng.random() < 0.75:
        return signature
    length = signature[3]
    s = ORDER - int.from_bytes(signature[6 + length :], "big")
    tail = s.to_bytes(33, "big")
    tail = tail if tail[1] & 0x80 else tail[1:]
    body = signature[2 : 4 + length] + b"\2" + bytes([len(tail)]) + tail
    return b"\x30" + bytes([len(body)]) + body


def witness_key_hash(rng: random.Random) -> Coin:
    hash_type = rng.choice((1, 1, 1, 2, 0x83, 0, 5))

    def unlock(spending: Spending) -> tuple[bytes, tuple[bytes, ...]]:
        digest = witness_v0_sighash(spending, 0, P2PKH, hash_type, spending.spent[0].value)
        return b"", (ecdsa(digest, rng) + bytes([hash_type]), KEY)

    return Coin(P2WPKH, unlock)


def key_hash(rng: random.Random) -> Coin:
    hash_type = rng.choice((1, 1, 1, 2, 0x83, 0, 5))
    shape = rng.choice((0, 0, 0, 1, 2, 3))

    def unlock(spending: Spending) -> tuple[bytes, tuple[bytes, ...]]:
        signature = ecdsa(legacy_sighash(spending.tx, 0, P2PKH, hash_type), rng) + bytes([hash_type])
        pushed = b"\x4c" + bytes([len(KEY)]) + KEY if shape == 1 else push(KEY)
        extra = push(b"\1" * 20) if shape == 2 else b""
        return extra + push(signature) + pushed, (b"\1",) if shape == 3 else ()

    return Coin(P2PKH, unlock)


def anchor(rng: random.Random) -> Coin:
    witness = rng.choice(((), (), (b"",), (b"\1",)))
    script_sig = rng.choice((b"", b"", b"\x51"))
    return Coin(P2A, lambda _: (script_sig, witness))


def leaf(rng: random.Random) -> Coin:
    """A tapscript made of a few pieces, each of which leaves the stack as it was, and then one that is true."""
    code, items = b"", list[bytes]()
    for _ in range(rng.randrange(1, 4)):
        more, read = rng.choice(PIECES)(rng)
        code, items = code + more, [*reversed(read), *items]
    code += rng.choice((b"\x51",) * 8 + (b"\x52", b"\x01\x80", b"\0", b"\x51\x51"))
    tapleaf = rng.choice((0xC0,) * 8 + (0xC2, 0xFE))
    output = taproot_output(NUMS_KEY, balanced_tree([leaf_hash(code, tapleaf)]))
    control = output.control_block(0)
    control = bytes([control[0] & 1 | tapleaf]) + control[1:]
    control = rng.choice((control,) * 20 + (b"", control[:-1], control + bytes(32)))
    annex = (b"\x50",) if rng.random() < 0.05 else ()

    def unlock(spending: Spending) -> tuple[bytes, tuple[bytes, ...]]:
        made = tuple(
            sign_schnorr(
                SECRET,
                taproot_sighash(spending, 0, 0, TapLeafContext(leaf_hash(code, tapleaf)), *annex),
                bytes(32),
            )
            if item == SIGN
            else item
            for item in items
        )
        return b"", (*made, code, control, *annex)

    return Coin(output.script, unlock)


SIGN = b"a signature of the transaction"
Piece = tuple[bytes, list[bytes]]
"""Code, and what it reads: the first item is on top."""


def item_size(rng: random.Random) -> Piece:
    return b"\x75", [rng.randbytes(rng.choice((0, 1, 79, 80, 80, 81, 520, 521)))]


def condition(rng: random.Random) -> Piece:
    return b"\x63\x61\x67\x61\x68", [rng.choice((b"", b"\1", b"\1", b"\2", b"\1\0", b"\0"))]


def arithmetic(rng: random.Random) -> Piece:
    first = rng.choice((b"\1", b"\x7f", b"\1\0", b"\xff\xff\xff\x7f", b"\0\0\0\0\1", b"\x80", b""))
    return rng.choice((b"\x93\x75", b"\x9c\x75", b"\xa4\x75")), [first, b"\2"]


def pushed(rng: random.Random) -> Piece:
    data = rng.choice((b"\5", b"\x81", b"", b"ab", bytes(75), bytes(76), bytes(256), bytes(520)))
    forms = [push(data), push_raw(data), b"\x4d" + len(data).to_bytes(2, "little") + data]
    return rng.choice(forms) + b"\x75", []


def nop(rng: random.Random) -> Piece:
    return b"\x51" + bytes([rng.choice(NOPS)]) + b"\x75", []


def success(rng: random.Random) -> Piece:
    return bytes([rng.choice(SPENDABLE_SUCCESS)]), []


def unexecuted(rng: random.Random) -> Piece:
    inner = rng.choice((b"\xb3", b"\x62", b"\x65", b"\xac", b"\x4c\1\5", b"\xff", b"\xae"))
    return b"\0\x63" + inner + b"\x68", []


def signature_check(rng: random.Random) -> Piece:
    key = rng.choice((XONLY, XONLY, KEY, b"\1", b"", bytes(32)))
    signature = rng.choice((SIGN, SIGN, b"", bytes(64), bytes(65), b"\1"))
    kind = rng.randrange(3)
    if kind == 0:
        return push(key) + b"\xac\x75", [signature]
    if kind == 1:
        return push(key) + b"\xad", [signature]
    return b"\x51" + push(key) + b"\xba\x75", [signature]


def many_checks(rng: random.Random) -> Piece:
    """Each costs 50 of the budget, which is 50 and the witness's size."""
    count = rng.choice((1, 2, 3, 4))
    return (b"\x76" + push(XONLY) + b"\xad") * count + b"\x75", [SIGN]


def hashes(rng: random.Random) -> Piece:
    item = rng.randbytes(20)
    return b"\xa8" + push(sha256(item)) + rng.choice((b"\x88", b"\x87\x69")), [item]


def deep(rng: random.Random) -> Piece:
    count = rng.choice((998, 999, 1_000))
    return b"\x51" * count + b"\x75" * count, []


def locked(rng: random.Random) -> Piece:
    return number(rng.choice((0, 1, 5, 1 << 31, -1))) + bytes([rng.choice((0xB1, 0xB2)), 0x75]), []


def multisig(rng: random.Random) -> Piece:
    return bytes([rng.choice((0xAE, 0xAF))]), [b""]


PIECES: Sequence[Callable[[random.Random], Piece]] = (
    *(item_size, condition, arithmetic, pushed, nop, success, unexecuted, signature_check, signature_check),
    *(many_checks, hashes, hashes, deep, locked, multisig),
)
KINDS: Sequence[Callable[[random.Random], Coin]] = (
    leaf,
    leaf,
    leaf,
    leaf,
    key_path,
    witness_key_hash,
    key_hash,
    anchor,
)


def odd_output(rng: random.Random) -> bytes:
    """A script at the edge of what is standard."""
    length = rng.choice((1, 2, 3, 19, 20, 21, 31, 32, 33, 40, 41))
    programs = bytes([rng.choice((0, 0, 0x51, 0x52, 0x60, 0x4F)), length]) + rng.randbytes(length)
    p2pk = bytes([33, rng.choice((1, 2, 3, 4, 5))]) + rng.randbytes(32) + b"\xac"
    long_p2pk = bytes([65, rng.choice((2, 4, 5, 6, 7))]) + rng.randbytes(64) + b"\xac"
    data = b"\x6a" + rng.choice(
        (b"", b"\x50", b"\x60", b"\x61", b"\5ab", push_raw(rng.randbytes(rng.choice((80, 300)))))
    )
    others = (
        PAY,
        P2PKH,
        P2WPKH,
        P2A,
        b"",
        b"\x51",
        b"\xa9\x14" + bytes(20) + b"\x87",
        P2PKH[:-1],
        P2A + b"\0",
    )
    return rng.choice(
        (programs, programs, p2pk, long_p2pk, data, data, rng.choice(others), rng.choice(others))
    )


def outputs(rng: random.Random, total: int, threshold: Callable[[TxOut], int]) -> list[TxOut]:
    """A change, and a few others about the threshold of dust."""
    others = []
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        script = odd_output(rng) if rng.random() < 0.6 else rng.choice((PAY, P2PKH, P2WPKH, P2A))
        least = threshold(TxOut(0, script))
        others.append(TxOut(max(0, rng.choice((0, least - 1, least, least, least, 5_000))), script))
    script = rng.choice((PAY, PAY, PAY, PAY, b"\x6a", P2A))
    return [*others, TxOut(max(0, total - sum(out.value for out in others)), script)]


def transaction(
    rng: random.Random, point: OutPoint, value: int, coin: Coin, rate: int, threshold: Callable[[TxOut], int]
) -> Spending:
    """Spends a coin, for a fee about the least; some are padded up to the limits of size."""
    version = rng.choice((1, 2, 3) * 6 + (0, 4, 0xFFFFFFFF))
    padding = rng.choice((0,) * 20 + (230, 231, 2_320, 2_325))
    spent = (TxOut(value, coin.script),)

    def made(fee: int) -> Spending:
        out = outputs(random.Random(seed), value - fee - 330 * padding, threshold)
        tx = Transaction(version, (TxIn(point, FINAL_SEQUENCE),), (*[TxOut(330, PAY)] * padding, *out))
        script_sig, witness = coin.unlock(Spending(tx, spent))
        return Spending(
            replace(tx, inputs=(replace(tx.inputs[0], script_sig=script_sig, witness=witness),)), spent
        )

    seed = rng.random()
    least = -(-rate * made(1_000).tx.vbytes // 1000)
    return made(max(0, rng.choice((0, least - 1, least, least, least, least + 1, 20_000))))
