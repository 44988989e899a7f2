"""Signatures end to end: what verifies, what is refused and why, and the byte encodings."""

from dataclasses import replace

import pytest

from circuits.xmss import scheme
from circuits.xmss.errors import XmssError, XmssReason
from prover.poseidon2 import P, compress
from tests.circuits.xmss.conftest import HEIGHT, SEEDS


def bumped(values, *places):
    """A copy of nested tuples with the element at `places` raised by one mod p."""
    if not places:
        return (values + 1) % P
    first, *rest = places
    return tuple(bumped(x, *rest) if i == first else x for i, x in enumerate(values))


def refusal(claim):
    with pytest.raises(XmssError) as error:
        scheme.verify(claim.owner, claim.public_key, claim.epoch, claim.message, claim.signature)
    return error.value.reason


def with_signature(claim, **changes):
    return replace(claim, signature=replace(claim.signature, **changes))


def test_signatures_verify(claims):
    for claim in claims:
        scheme.verify(claim.owner, claim.public_key, claim.epoch, claim.message, claim.signature)
        assert scheme.is_valid(claim.owner, claim.public_key, claim.epoch, claim.message, claim.signature)


@pytest.mark.parametrize("place", [0, 4, 7])
def test_another_message_is_refused(claims, place):
    changed = replace(claims[0], message=bumped(claims[0].message, place))
    assert refusal(changed) == XmssReason.TARGET_SUM
    assert not scheme.is_valid(changed.owner, changed.public_key, 0, changed.message, changed.signature)


@pytest.mark.parametrize("place", range(6))
def test_another_randomness_is_refused(claims, place):
    changed = with_signature(claims[0], rho=bumped(claims[0].signature.rho, place))
    assert refusal(changed) == XmssReason.TARGET_SUM


def test_another_epoch_is_refused(claims):
    assert refusal(replace(claims[0], epoch=1)) == XmssReason.TARGET_SUM


@pytest.mark.parametrize("places", [(0, 0), (31, 3), (63, 7)])
def test_another_chain_value_is_refused(claims, places):
    changed = with_signature(claims[0], values=bumped(claims[0].signature.values, *places))
    assert refusal(changed) == XmssReason.ROOT_MISMATCH


@pytest.mark.parametrize("places", [(0, 0), (4, 3), (7, 7)])
def test_another_path_is_refused(claims, places):
    changed = with_signature(claims[0], path=bumped(claims[0].signature.path, *places))
    assert refusal(changed) == XmssReason.ROOT_MISMATCH


@pytest.mark.parametrize("name", ["root", "parameter"])
def test_another_public_key_is_refused_by_the_owner(claims, name):
    key = claims[0].public_key
    changed = replace(claims[0], public_key=replace(key, **{name: bumped(getattr(key, name), 0)}))
    assert refusal(changed) == XmssReason.OWNER_MISMATCH


def test_another_height_is_refused_by_the_owner(claims):
    claim = claims[0]
    longer = with_signature(claim, path=(*claim.signature.path, (0,) * 8))
    changed = replace(longer, public_key=replace(claim.public_key, height=HEIGHT + 1))
    assert refusal(changed) == XmssReason.OWNER_MISMATCH


def test_one_owners_signature_is_refused_for_another(claims):
    assert refusal(replace(claims[0], owner=claims[1].owner)) == XmssReason.OWNER_MISMATCH
    stolen = replace(claims[0], owner=claims[1].owner, public_key=claims[1].public_key)
    assert refusal(stolen) == XmssReason.TARGET_SUM


@pytest.mark.parametrize("epoch", [-1, 2**HEIGHT])
def test_epochs_outside_the_tree_are_refused(claims, epoch):
    assert refusal(replace(claims[0], epoch=epoch)) == XmssReason.EPOCH


@pytest.mark.parametrize("height", [7, 19])
def test_heights_outside_the_range_are_refused(claims, height):
    changed = replace(claims[0], public_key=replace(claims[0].public_key, height=height))
    assert refusal(changed) == XmssReason.HEIGHT


def test_malformed_parts_are_refused(claims):
    claim, signature = claims[0], claims[0].signature
    malformed = [
        replace(claim, message=(*claim.message[:7], P)),
        replace(claim, message=claim.message[:7]),
        replace(claim, public_key=replace(claim.public_key, root=(P,) * 8)),
        replace(claim, public_key=replace(claim.public_key, parameter=(1,) * 6)),
        with_signature(claim, rho=(*signature.rho[:5], P)),
        with_signature(claim, rho=signature.rho[:5]),
        with_signature(claim, values=signature.values[:63]),
        with_signature(claim, values=((-1,) * 8, *signature.values[1:])),
        with_signature(claim, path=signature.path[:-1]),
        with_signature(claim, path=(*signature.path[:-1], (P,) * 8)),
    ]
    for changed in malformed:
        assert refusal(changed) == XmssReason.MALFORMED


def test_owner_layout(claims):
    key = claims[0].public_key
    assert key.owner() == compress(24, [2, *key.root, *key.parameter, 1, key.height], 8)


def test_public_key_encoding(claims):
    key = claims[0].public_key
    data = key.encode()
    assert len(data) == scheme.PUBLIC_KEY_BYTES == 53
    assert scheme.PublicKey.decode(data) == key
    for bad, reason in [
        (data[:-1], XmssReason.MALFORMED),
        (b"\xff" * 4 + data[4:], XmssReason.MALFORMED),
        (P.to_bytes(4, "little") + data[4:], XmssReason.MALFORMED),
        (data[:-1] + b"\x07", XmssReason.HEIGHT),
    ]:
        with pytest.raises(XmssError) as error:
            scheme.PublicKey.decode(bad)
        assert error.value.reason == reason


def test_signature_encoding(claims):
    signature = claims[0].signature
    data = signature.encode()
    assert len(data) == scheme.signature_bytes(HEIGHT) == 2072 + 32 * HEIGHT
    assert scheme.Signature.decode(data) == signature
    for bad in (data[:-1], data[:-32], data + b"\0" * 32 * 11, b"", P.to_bytes(4, "little") + data[4:]):
        with pytest.raises(XmssError) as error:
            scheme.Signature.decode(bad)
        assert error.value.reason == XmssReason.MALFORMED


def test_stored_tree_is_checked_against_the_seed(keys):
    key = keys[0]
    assert scheme.SecretKey.from_tree(SEEDS[0], HEIGHT, key.tree) == key
    tampered = (b"\0" * 32 + key.tree[0][32:], *key.tree[1:])
    for seed, height, tree, reason in [
        (SEEDS[1], HEIGHT, key.tree, XmssReason.TREE),
        (SEEDS[0], HEIGHT, tampered, XmssReason.TREE),
        (SEEDS[0], HEIGHT + 1, key.tree, XmssReason.MALFORMED),
        (SEEDS[0][:-1], HEIGHT, key.tree, XmssReason.SEED),
        (SEEDS[0], 7, key.tree, XmssReason.HEIGHT),
    ]:
        with pytest.raises(XmssError) as error:
            scheme.SecretKey.from_tree(seed, height, tree)
        assert error.value.reason == reason


def test_repr_hides_the_seed(keys):
    assert SEEDS[0].hex() not in repr(keys[0])
    assert repr(SEEDS[0]) not in repr(keys[0])


def test_signing_refuses_bad_epochs_and_messages(keys):
    for epoch, message, reason in [
        (2**HEIGHT, (0,) * 8, XmssReason.EPOCH),
        (0, (P,) * 8, XmssReason.MALFORMED),
    ]:
        with pytest.raises(XmssError) as error:
            scheme.sign(keys[0], epoch, message)
        assert error.value.reason == reason


@pytest.mark.parametrize(
    ("seed", "height", "reason"),
    [(b"short", 8, XmssReason.SEED), (bytes(32), 7, XmssReason.HEIGHT), (bytes(32), 19, XmssReason.HEIGHT)],
)
def test_keygen_refuses(seed, height, reason):
    with pytest.raises(XmssError) as error:
        scheme.keygen(seed, height)
    assert error.value.reason == reason
