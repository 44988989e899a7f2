from collections.abc import Sequence
from typing import Any

import pytest
from btclib_secp256k1 import ffi, keys, lib
from btclib_secp256k1 import musig as binding

from tests.bitcoin.vectors import load
from verifier.bitcoin.keys import public_key, verify_schnorr
from verifier.bitcoin.musig import (
    Aggregate,
    Contribution,
    InvalidContribution,
    MusigError,
    SecretNonce,
    Session,
    Tweak,
    aggregate_nonces,
    aggregate_xpub,
    sort_keys,
)


def _pick(texts: Sequence[str], indices: Sequence[int]) -> list[bytes]:
    return [bytes.fromhex(texts[i]) for i in indices]


def _aggregate(vectors: dict[str, Any], case: dict[str, Any]) -> Aggregate:
    tweaks = zip(case.get("tweak_indices", ()), case.get("is_xonly", ()), strict=True)
    return Aggregate(
        _pick(vectors["pubkeys"], case["key_indices"]),
        [Tweak(bytes.fromhex(vectors["tweaks"][i]), xonly) for i, xonly in tweaks],
    )


def _secret_nonce(raw: bytes) -> SecretNonce:
    """A nonce of the vectors; libsecp256k1 has no parser, and its own tests write its memory as we do."""
    pubkey = keys.parse(raw[64:])
    nonce, pubnonce = ffi.new("secp256k1_musig_secnonce *"), ffi.new("secp256k1_musig_pubnonce *")
    ffi.buffer(nonce)[:] = b"\x22\x0e\xdc\xf1" + raw[:64] + bytes(ffi.buffer(pubkey))
    halves = b"".join(keys.pubkey_from_prvkey(raw[i : i + 32]) for i in (0, 32)) if any(raw[:64]) else None
    if halves is not None:
        pubnonce = binding.pubnonce_parse(halves)
    else:
        generator = keys.pubkey_from_prvkey(1)
        pubnonce = binding.pubnonce_parse(generator * 2)
    return SecretNonce(binding.SecretNonce(nonce, pubnonce, pubkey))


def _refused(error: dict[str, Any]) -> Any:
    if error["type"] == "invalid_contribution":
        return pytest.raises(InvalidContribution, match=error["contrib"])
    return pytest.raises(MusigError)


def _check_blame(caught: BaseException, error: dict[str, Any]) -> None:
    if error["type"] == "invalid_contribution":
        assert isinstance(caught, InvalidContribution)
        assert caught.signer == error["signer"]
        assert caught.what == error["contrib"]


AGG = load("bip327/key_agg_vectors.json")
SIGN = load("bip327/sign_verify_vectors.json")
NONCES = load("bip327/nonce_agg_vectors.json")
TWEAK = load("bip327/tweak_vectors.json")
COMBINE = load("bip327/sig_agg_vectors.json")


def test_keys_sort_as_in_bip327() -> None:
    vectors = load("bip327/key_sort_vectors.json")
    found = sort_keys([bytes.fromhex(key) for key in vectors["pubkeys"]])
    assert found == tuple(bytes.fromhex(key) for key in vectors["sorted_pubkeys"])


@pytest.mark.parametrize("case", AGG["valid_test_cases"])
def test_key_aggregation(case: dict[str, Any]) -> None:
    assert _aggregate(AGG, case).key.hex().upper() == case["expected"]


@pytest.mark.parametrize("case", AGG["error_test_cases"], ids=lambda c: c["comment"])
def test_key_aggregation_errors(case: dict[str, Any]) -> None:
    with _refused(case["error"]) as caught:
        _aggregate(AGG, case)
    _check_blame(caught.value, case["error"])


@pytest.mark.parametrize("case", NONCES["valid_test_cases"])
def test_nonce_aggregation(case: dict[str, Any]) -> None:
    found = aggregate_nonces(_pick(NONCES["pnonces"], case["pnonce_indices"]))
    assert found.hex().upper() == case["expected"]


@pytest.mark.parametrize("case", NONCES["error_test_cases"], ids=lambda c: c["comment"])
def test_nonce_aggregation_errors(case: dict[str, Any]) -> None:
    with _refused(case["error"]) as caught:
        aggregate_nonces(_pick(NONCES["pnonces"], case["pnonce_indices"]))
    _check_blame(caught.value, case["error"])


def _message(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(SIGN["msgs"][case["msg_index"]])


def _sign(case: dict[str, Any], aggregate: Aggregate) -> tuple[Session, bytes]:
    session = aggregate.session(bytes.fromhex(SIGN["aggnonces"][case["aggnonce_index"]]), _message(case))
    nonce = _secret_nonce(bytes.fromhex(SIGN["secnonces"][case.get("secnonce_index", 0)]))
    return session, session.sign(nonce, bytes.fromhex(SIGN["sk"]))


@pytest.mark.parametrize("case", SIGN["valid_test_cases"])
def test_partial_signatures(case: dict[str, Any]) -> None:
    aggregate = _aggregate(SIGN, case)
    if len(_message(case)) != 32:
        # libsecp256k1 signs 32-byte messages only, and sighashes are no other.
        with pytest.raises(MusigError):
            _sign(case, aggregate)
        return
    session, partial = _sign(case, aggregate)
    assert partial.hex().upper() == case["expected"]
    nonces = _pick(SIGN["pnonces"], case["nonce_indices"])
    assert session.check(case["signer_index"], nonces[case["signer_index"]], partial)


@pytest.mark.parametrize("case", SIGN["sign_error_test_cases"], ids=lambda c: c["comment"][:60])
def test_signing_errors(case: dict[str, Any]) -> None:
    if "optional" in case["comment"]:
        own = bytes.fromhex(SIGN["sk"])
        with pytest.raises(MusigError, match="not among"):
            _aggregate(SIGN, case).nonce(own)
        return
    with _refused(case["error"]) as caught:
        _sign(case, _aggregate(SIGN, case))
    _check_blame(caught.value, case["error"])


@pytest.mark.parametrize("case", SIGN["verify_fail_test_cases"], ids=lambda c: c["comment"])
def test_wrong_partial_signatures_are_found(case: dict[str, Any]) -> None:
    nonces = _pick(SIGN["pnonces"], case["nonce_indices"])
    session = _aggregate(SIGN, case).session(aggregate_nonces(nonces), _message(case))
    signer = case["signer_index"]
    assert not session.check(signer, nonces[signer], bytes.fromhex(case["sig"]))


@pytest.mark.parametrize("case", SIGN["verify_error_test_cases"], ids=lambda c: c["comment"])
def test_verification_errors(case: dict[str, Any]) -> None:
    nonces, signer = _pick(SIGN["pnonces"], case["nonce_indices"]), case["signer_index"]
    with _refused(case["error"]) as caught:
        session = _aggregate(SIGN, case).session(bytes.fromhex(SIGN["aggnonces"][0]), _message(case))
        session.check(signer, nonces[signer], bytes.fromhex(case["sig"]))
    _check_blame(caught.value, case["error"])


@pytest.mark.parametrize("case", TWEAK["valid_test_cases"], ids=lambda c: c["comment"])
def test_tweaked_partial_signatures(case: dict[str, Any]) -> None:
    session = _aggregate(TWEAK, case).session(bytes.fromhex(TWEAK["aggnonce"]), bytes.fromhex(TWEAK["msg"]))
    partial = session.sign(_secret_nonce(bytes.fromhex(TWEAK["secnonce"])), bytes.fromhex(TWEAK["sk"]))
    assert partial.hex().upper() == case["expected"]
    nonces = _pick(TWEAK["pnonces"], case["nonce_indices"])
    assert session.check(case["signer_index"], nonces[case["signer_index"]], partial)


@pytest.mark.parametrize("case", TWEAK["error_test_cases"], ids=lambda c: c["comment"])
def test_tweak_errors(case: dict[str, Any]) -> None:
    with _refused(case["error"]):
        _aggregate(TWEAK, case)


@pytest.mark.parametrize("case", COMBINE["valid_test_cases"])
def test_signature_aggregation(case: dict[str, Any]) -> None:
    aggregate, message = _aggregate(COMBINE, case), bytes.fromhex(COMBINE["msg"])
    assert (
        aggregate_nonces(_pick(COMBINE["pnonces"], case["nonce_indices"])).hex().upper() == case["aggnonce"]
    )
    session = aggregate.session(bytes.fromhex(case["aggnonce"]), message)
    signature = session.combine(_pick(COMBINE["psigs"], case["psig_indices"]))
    assert signature.hex().upper() == case["expected"]


@pytest.mark.parametrize("case", COMBINE["error_test_cases"], ids=lambda c: c["comment"])
def test_signature_aggregation_errors(case: dict[str, Any]) -> None:
    session = _aggregate(COMBINE, case).session(
        bytes.fromhex(case["aggnonce"]), bytes.fromhex(COMBINE["msg"])
    )
    with _refused(case["error"]) as caught:
        session.combine(_pick(COMBINE["psigs"], case["psig_indices"]))
    _check_blame(caught.value, case["error"])


@pytest.mark.parametrize("case", load("bip327/nonce_gen_vectors.json")["test_cases"])
def test_nonce_generation_of_the_library(case: dict[str, Any]) -> None:
    """Our wrapper draws fresh randomness, so the library's function is asked directly."""
    if case["aggpk"] is not None or (case["msg"] is not None and len(case["msg"]) != 64):
        pytest.skip("libsecp256k1 takes an aggregation, not a bare aggregate key, and 32-byte messages")
    given = {
        k: None if case[k] is None else bytes.fromhex(case[k])
        for k in ("rand_", "sk", "pk", "msg", "extra_in")
    }
    nonce, public = ffi.new("secp256k1_musig_secnonce *"), ffi.new("secp256k1_musig_pubnonce *")
    optional = [ffi.NULL if given[k] is None else given[k] for k in ("sk", "msg", "extra_in")]
    random = ffi.new("unsigned char[32]", given["rand_"])
    from btclib_secp256k1.context import ctx

    assert lib.secp256k1_musig_nonce_gen(
        ctx, nonce, public, random, optional[0], keys.parse(given["pk"]), optional[1], ffi.NULL, optional[2]
    )
    assert binding.pubnonce_serialize(public).hex().upper() == case["expected_pubnonce"]


@pytest.mark.parametrize("case", load("bip328_vectors.json"))
def test_synthetic_xpubs(case: dict[str, Any]) -> None:
    public_keys = [bytes.fromhex(key) for key in case["keys"]]
    assert Aggregate(public_keys).point.hex() == case["aggregate_pubkey"]
    assert aggregate_xpub(public_keys) == case["xpub"]


SECRETS = [bytes([i]) * 32 for i in range(1, 6)]


def test_five_members_sign_under_a_taproot_tweak() -> None:
    aggregate = Aggregate([public_key(s) for s in SECRETS], [Tweak(b"\7" * 32)])
    message = b"\x2a" * 32
    nonces = [aggregate.nonce(s, message) for s in SECRETS]
    session = aggregate.session(aggregate_nonces([n.public for n in nonces]), message)
    partials = [session.sign(n, s) for n, s in zip(nonces, SECRETS, strict=True)]
    assert all(session.check(i, nonces[i].public, partial) for i, partial in enumerate(partials))
    assert verify_schnorr(aggregate.key, message, session.combine(partials))
    with pytest.raises(MusigError, match="wrong"):
        session.combine([*partials[:4], partials[0]])
    with pytest.raises(MusigError, match="signers"):
        session.combine(partials[:4])


def test_a_nonce_signs_once() -> None:
    aggregate = Aggregate([public_key(s) for s in SECRETS[:2]])
    nonces = [aggregate.nonce(s) for s in SECRETS[:2]]
    session = aggregate.session(aggregate_nonces([n.public for n in nonces]), bytes(32))
    session.sign(nonces[0], SECRETS[0])
    with pytest.raises(MusigError):
        session.sign(nonces[0], SECRETS[0])


def test_a_nonce_refuses_anothers_key_and_is_spent() -> None:
    aggregate = Aggregate([public_key(s) for s in SECRETS[:2]])
    nonces = [aggregate.nonce(s) for s in SECRETS[:2]]
    session = aggregate.session(aggregate_nonces([n.public for n in nonces]), bytes(32))
    with pytest.raises(MusigError):
        session.sign(nonces[0], SECRETS[1])
    with pytest.raises(MusigError):
        session.sign(nonces[0], SECRETS[0])


def test_contributions_have_the_names_of_bip327() -> None:
    assert [str(c) for c in Contribution] == ["pubkey", "pubnonce", "aggnonce", "psig"]


@pytest.mark.parametrize("public_keys", ([], [b""], [b"\4" + bytes(64)]))
def test_no_key_or_no_compressed_key_is_refused(public_keys: list[bytes]) -> None:
    with pytest.raises(MusigError):
        Aggregate(public_keys)
