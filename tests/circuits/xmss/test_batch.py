"""Batch results equal the plain specification's, and batches fail as documented."""

from dataclasses import replace

import pytest

from circuits.xmss import batch, derive, encoding, scheme
from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.hashing import tree_node
from tests.circuits.xmss import numpy_kernels
from tests.circuits.xmss.conftest import EPOCHS, HEIGHT, MESSAGES, SEEDS
from tests.circuits.xmss.test_scheme import bumped, with_signature


def reason_of(call, *arguments):
    with pytest.raises(XmssError) as error:
        call(*arguments)
    return error.value.reason


@pytest.mark.parametrize("which", [0, 1])
def test_leaves_and_nodes_are_the_plain_ones(keys, which):
    key = keys[which]
    for epoch in (0, 130, 255):
        assert key.node(0, epoch) == scheme.build_leaf(SEEDS[which], HEIGHT, key.parameter, epoch)
    for level in range(1, HEIGHT + 1):
        for index in {0, (1 << (HEIGHT - level)) - 1}:
            children = key.node(level - 1, 2 * index), key.node(level - 1, 2 * index + 1)
            assert key.node(level, index) == tree_node(key.parameter, level, index, *children)


@pytest.mark.parametrize("which", [0, 1])
def test_signature_is_the_plain_one(keys, claims, which):
    key, claim = keys[which], claims[which]
    base = derive.base_randomness(key.seed, HEIGHT, EPOCHS[which], MESSAGES[which])
    rho = claim.signature.rho
    assert rho[1:] == base[1:]
    digits = encoding.codeword(claim.owner, claim.epoch, rho, claim.message)
    assert scheme.reveal(key, claim.epoch, rho, digits) == claim.signature


def test_the_search_finds_the_first_counter(keys, monkeypatch):
    """With a target that half a dozen tries meet, so that the plain search can be run beside it."""
    monkeypatch.setattr(encoding, "TARGET_SUM", 224)
    for epoch in range(8):
        request = batch.SignRequest(keys[0], epoch, (epoch,) * 8)
        base = derive.base_randomness(SEEDS[0], HEIGHT, epoch, request.message)
        plain = encoding.search(keys[0].public_key.owner(), epoch, base, request.message)
        assert batch._search(request, numpy_kernels) == plain


def test_the_search_skips_aborted_elements_and_spans_blocks(keys, monkeypatch):
    monkeypatch.setattr(batch, "TRIES_PER_BLOCK", 8)
    monkeypatch.setattr(encoding, "TARGET_SUM", 265)
    request = batch.SignRequest(keys[0], 3, (5,) * 8)
    base = derive.base_randomness(SEEDS[0], HEIGHT, 3, request.message)
    rho, _ = encoding.search(keys[0].public_key.owner(), 3, base, request.message)
    assert rho[0] - base[0] >= 16
    assert batch._search(request, numpy_kernels)[0] == rho
    first = encoding.split_digits
    refused = []

    def abort_once(digest):
        if not refused:
            refused.append(digest)
            return None
        return first(digest)

    monkeypatch.setattr(encoding, "split_digits", abort_once)
    assert batch._search(request, numpy_kernels)[0] != rho


def test_signing_again_gives_the_same_signature(keys, claims):
    again = batch.sign([batch.SignRequest(keys[0], EPOCHS[0], MESSAGES[0])], numpy_kernels)
    assert again == [claims[0].signature]


def test_two_messages_for_one_leaf_are_refused(keys):
    first = batch.SignRequest(keys[0], 7, (1,) * 8)
    requests = [first, replace(first, message=(2,) * 8)]
    assert reason_of(batch.sign, requests, numpy_kernels) == XmssReason.LEAF_REUSED
    other_key = replace(first, key=keys[1], message=(2,) * 8)
    batch._check_requests([first, first, other_key])


def test_bad_requests_are_refused(keys):
    good = batch.SignRequest(keys[0], 7, (1,) * 8)
    assert reason_of(batch.sign, [good, replace(good, epoch=256)], numpy_kernels) == XmssReason.EPOCH
    assert reason_of(batch.sign, [replace(good, message=(1,))], numpy_kernels) == XmssReason.MALFORMED
    assert reason_of(batch.keygen, [b"x"], 8, numpy_kernels) == XmssReason.SEED
    assert reason_of(batch.keygen, [bytes(32)], 20, numpy_kernels) == XmssReason.HEIGHT
    assert batch.sign([], numpy_kernels) == []
    assert batch.keygen([], 8, numpy_kernels) == []
    assert batch.verify([], numpy_kernels) == []


def test_verify_gives_each_claim_its_reason(claims):
    good, other = claims
    expected = [
        (good, None),
        (replace(good, epoch=256), XmssReason.EPOCH),
        (replace(good, owner=other.owner), XmssReason.OWNER_MISMATCH),
        (replace(good, message=other.message), XmssReason.TARGET_SUM),
        (with_signature(good, values=bumped(good.signature.values, 63, 7)), XmssReason.ROOT_MISMATCH),
        (with_signature(good, path=bumped(good.signature.path, 7, 0)), XmssReason.ROOT_MISMATCH),
        (with_signature(good, path=good.signature.path[1:]), XmssReason.MALFORMED),
        (other, None),
    ]
    assert batch.verify([claim for claim, _ in expected], numpy_kernels) == [reason for _, reason in expected]


def test_keys_of_two_heights_verify_side_by_side(claims):
    [tall] = batch.keygen([SEEDS[0]], 9, numpy_kernels)
    [signature] = batch.sign([batch.SignRequest(tall, 300, MESSAGES[0])], numpy_kernels)
    public = tall.public_key
    claim = batch.Claim(public.owner(), public, 300, MESSAGES[0], signature)
    scheme.verify(claim.owner, public, 300, MESSAGES[0], signature)
    broken = with_signature(claim, path=bumped(signature.path, 8, 0))
    assert batch.verify([claims[0], claim, broken], numpy_kernels) == [None, None, XmssReason.ROOT_MISMATCH]


@pytest.mark.slow
def test_plain_keygen_and_sign_in_full(keys, claims):
    key = scheme.keygen(SEEDS[0], HEIGHT)
    assert key == keys[0]
    assert scheme.sign(key, EPOCHS[0], MESSAGES[0]) == claims[0].signature
