import csv

import pytest

from tests.bitcoin.vectors import VECTORS
from verifier.bitcoin.encoding import hash160
from verifier.bitcoin.keys import (
    ORDER,
    KeyFault,
    is_public_key,
    is_xonly_key,
    public_key,
    sign_ecdsa,
    sign_schnorr,
    tweak_secret,
    tweak_xonly,
    verify_schnorr,
    xonly_key,
)
from verifier.bitcoin.ripemd160 import ripemd160, ripemd160_plain

ROWS = list(csv.DictReader((VECTORS / "bip340_test_vectors.csv").open()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["index"])
def test_bip340_vectors(row: dict[str, str]) -> None:
    key, message, signature = (bytes.fromhex(row[k]) for k in ("public key", "message", "signature"))
    assert verify_schnorr(key, message, signature) is (row["verification result"] == "TRUE")
    if row["secret key"] and len(message) == 32:
        secret = bytes.fromhex(row["secret key"])
        assert xonly_key(secret) == key
        assert sign_schnorr(secret, message, bytes.fromhex(row["aux_rand"])) == signature


def test_signing_twice_with_the_same_aux_gives_the_same_bytes() -> None:
    first, again = (sign_schnorr(b"\1" * 32, b"\2" * 32, bytes(32)) for _ in range(2))
    assert first == again
    assert sign_schnorr(b"\1" * 32, b"\2" * 32) != first


@pytest.mark.parametrize(
    "secret", (bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\1" * 31, b"\1" * 33, b"")
)
def test_a_secret_out_of_range_is_refused(secret: bytes) -> None:
    for use in (public_key, lambda s: sign_schnorr(s, bytes(32)), lambda s: sign_ecdsa(s, bytes(32))):
        with pytest.raises(KeyFault):
            use(secret)
    with pytest.raises(KeyFault):
        tweak_secret(secret, bytes(32))


def test_tweaks_of_key_and_secret_agree() -> None:
    for n in range(1, 20):
        secret, tweak = n.to_bytes(32, "big"), hash160(bytes([n])) + bytes(12)
        assert tweak_xonly(xonly_key(secret), tweak)[0] == xonly_key(tweak_secret(secret, tweak))


def test_a_tweak_not_below_the_order_is_refused() -> None:
    with pytest.raises(KeyFault):
        tweak_xonly(xonly_key(b"\1" * 32), ORDER.to_bytes(32, "big"))


def test_points_and_others() -> None:
    key = public_key(b"\1" * 32)
    assert is_public_key(key)
    assert is_xonly_key(key[1:])
    assert not is_public_key(b"\2" + b"\xff" * 32)
    assert not is_public_key(key[1:])
    assert not is_xonly_key(b"\xff" * 32)
    assert not is_xonly_key(key)


@pytest.mark.parametrize("length", (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 300))
def test_plain_ripemd160_agrees_with_the_library(length: int) -> None:
    data = bytes(i * 7 & 255 for i in range(length))
    assert ripemd160_plain(data) == ripemd160(data)


def test_ripemd160_of_the_designers() -> None:
    assert ripemd160_plain(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"
    assert ripemd160_plain(b"").hex() == "9c1185a5c5e9fc54612808977ee8f548b2258d31"
