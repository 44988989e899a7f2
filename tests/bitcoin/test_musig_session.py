"""Sessions of a committee: many signatures in two messages, every deviation named."""

import pickle

import pytest

from verifier.bitcoin.keys import public_key, verify_schnorr
from verifier.bitcoin.musig import Aggregate, Contribution, InvalidContribution, MusigError, Tweak
from verifier.bitcoin.musig_session import (
    Batch,
    Job,
    Member,
    NoncesDiffer,
    OtherBatch,
    SessionSpent,
    WrongPartial,
    combine,
    digest_of,
)

SECRETS = [bytes([i]) * 32 for i in range(1, 6)]
KEYS = [public_key(secret) for secret in SECRETS]
JOBS = [
    Job(bytes([7]) * 32),
    Job(bytes([8]) * 32, (Tweak(b"\1" * 32),)),
    Job(bytes([9]) * 32, (Tweak(b"\1" * 32),)),
    Job(bytes([7]) * 32, (Tweak(b"\2" * 32), Tweak(b"\3" * 32, xonly=False))),
]
BATCH = Batch(KEYS, JOBS)


def begun() -> tuple[list[Member], list[bytes]]:
    members = [Member(BATCH, secret) for secret in SECRETS]
    return members, [member.nonces for member in members]


def signed() -> tuple[list[bytes], list[bytes]]:
    members, nonces = begun()
    return nonces, [member.sign(nonces) for member in members]


def test_five_members_sign_a_batch() -> None:
    nonces, partials = signed()
    assert {len(message) for message in nonces} == {32 + 66 * len(JOBS)}
    assert {len(message) for message in partials} == {32 + 32 * len(JOBS) + 32 * 5}
    for job, signature in zip(JOBS, combine(BATCH, nonces, partials), strict=True):
        assert verify_schnorr(Aggregate(KEYS, job.tweaks).key, job.message, signature)


def test_a_member_signs_once_whatever_it_is_given_then() -> None:
    members, nonces = begun()
    others = [Member(BATCH, secret).nonces for secret in SECRETS]
    members[2].sign(nonces)
    for given in (nonces, [*others[:2], nonces[2], *others[3:]]):
        with pytest.raises(SessionSpent):
            members[2].sign(given)


def test_a_refused_first_round_costs_nothing() -> None:
    members, nonces = begun()
    with pytest.raises(InvalidContribution):
        members[0].sign([*nonces[:4], nonces[4][:-1]])
    partials = [member.sign(nonces) for member in members]
    assert len(combine(BATCH, nonces, partials)) == len(JOBS)


def test_every_session_draws_nonces_of_its_own() -> None:
    nonces = [nonce for _ in range(3) for nonce in begun()[1]]
    drawn = [message[at : at + 66] for message in nonces for at in range(32, len(message), 66)]
    assert len(set(drawn)) == 3 * 5 * len(JOBS)


def test_secret_nonces_cannot_be_stored() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(begun()[0][0])


@pytest.mark.parametrize("member", range(5))
@pytest.mark.parametrize("job", (0, 1, 3))
def test_a_wrong_share_is_laid_to_its_member_and_job(member: int, job: int) -> None:
    nonces, partials = signed()
    at = 32 + 32 * job
    share = partials[member][at : at + 32]
    for wrong in (bytes(32), b"\xff" * 32, share[:-1] + bytes([share[-1] ^ 1])):
        given = list(partials)
        given[member] = partials[member][:at] + wrong + partials[member][at + 32 :]
        with pytest.raises(WrongPartial) as caught:
            combine(BATCH, nonces, given)
        assert (caught.value.member, caught.value.job) == (member, job)


def test_a_share_of_another_session_is_wrong() -> None:
    nonces, partials = signed()
    partials[3] = signed()[1][3]
    with pytest.raises(WrongPartial) as caught:
        combine(BATCH, nonces, partials)
    assert (caught.value.member, caught.value.job) == (3, 0)


def test_a_share_for_other_nonces_of_somebody_elses_is_told_from_a_wrong_one() -> None:
    members, nonces = begun()
    other = Member(BATCH, SECRETS[0]).nonces
    partials = [member.sign([other, *nonces[1:]] if member.index == 3 else nonces) for member in members]
    with pytest.raises(NoncesDiffer) as caught:
        combine(BATCH, nonces, partials)
    told = {**dict.fromkeys((0, 1, 2, 4, None), digest_of(nonces[0])), 3: digest_of(other)}
    assert caught.value.said == {0: told}


def test_what_a_member_says_of_nonces_matters_only_where_shares_do_not_fit() -> None:
    nonces, partials = signed()
    partials[1] = partials[1][: -32 * 5] + bytes(32 * 5)
    assert len(combine(BATCH, nonces, partials)) == len(JOBS)
    partials[2] = partials[2][:32] + bytes(31) + b"\1" + partials[2][64:]
    with pytest.raises(WrongPartial) as caught:
        combine(BATCH, nonces, partials)
    assert (caught.value.member, caught.value.job) == (2, 0)


def test_a_member_of_another_batch_is_named() -> None:
    members, nonces = begun()
    rest = [
        Batch(KEYS, JOBS[:3]),
        Batch(KEYS, JOBS[::-1]),
        Batch(KEYS, [*JOBS[:3], Job(JOBS[3].message, (Tweak(b"\2" * 32),))]),
        Batch([*KEYS[1:], KEYS[0]], JOBS),
    ]
    assert len({batch.id for batch in (BATCH, *rest)}) == 5
    for other in rest:
        nonces[3] = Member(other, SECRETS[3]).nonces
        with pytest.raises(OtherBatch) as caught:
            members[0].sign(nonces)
        assert caught.value.member == 3


def test_malformed_messages_are_laid_to_their_member() -> None:
    members, nonces = begun()
    broken = nonces[2][:98] + b"\5" + nonces[2][99:]
    for wrong in (nonces[2][:-1], nonces[2] + b"\0", broken):
        with pytest.raises(InvalidContribution) as caught:
            members[0].sign([*nonces[:2], wrong, *nonces[3:]])
        assert (caught.value.signer, caught.value.what) == (2, Contribution.PUBLIC_NONCE)
    partials = [member.sign(nonces) for member in members]
    with pytest.raises(InvalidContribution) as caught:
        combine(BATCH, nonces, [*partials[:4], partials[4][:-1]])
    assert (caught.value.signer, caught.value.what) == (4, Contribution.PARTIAL_SIGNATURE)


def test_a_nonce_put_into_our_place_is_not_signed_with() -> None:
    members, nonces = begun()
    with pytest.raises(InvalidContribution) as caught:
        members[0].sign([Member(BATCH, SECRETS[0]).nonces, *nonces[1:]])
    assert caught.value.signer == 0


def test_missing_members_strangers_and_empty_batches_are_refused() -> None:
    members, nonces = begun()
    with pytest.raises(MusigError, match="messages"):
        members[0].sign(nonces[:4])
    with pytest.raises(MusigError, match="not among"):
        Member(BATCH, b"\x09" * 32)
    with pytest.raises(MusigError, match="nothing"):
        Batch(KEYS, [])
    with pytest.raises(MusigError, match="twice"):
        Batch([*KEYS, KEYS[2]], JOBS)
    with pytest.raises(MusigError, match="32 bytes"):
        Batch(KEYS, [Job(b"short")])
    with pytest.raises(InvalidContribution):
        Batch([*KEYS[:4], bytes(33)], JOBS)
