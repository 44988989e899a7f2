"""The small tree's claim: a leaf of the root for every two digests, at the largest tree too."""

import pytest

from tests.bridge.slot import SEED, one_time_keys
from tests.script.spends import tapscript_spend
from verifier.bridge.game.moves import wire_label
from verifier.bridge.toy import DIGEST, MAX_QUERIES, ToyAccuser, ToyExecution, ToyTree
from verifier.chain.kernel import kernel_accepts
from verifier.script.winternitz import sign


@pytest.mark.parametrize("queries", [2, MAX_QUERIES])
def test_every_digit_of_the_claim_is_bound(queries: int) -> None:
    tree = ToyTree(queries)
    keys = one_time_keys("slot", tree)
    (*digests, (claim,)) = ToyExecution.make(tree).values(0)
    values = dict(
        zip((f"query {i} digest" for i in range(queries)), [v for g in digests for v in g], strict=True)
    )
    signed = {name: sign(SEED, wire_label("slot", name), value) for name, value in values.items()}
    label = wire_label("slot", tree.claim.name)
    accuser = ToyAccuser(tree, keys)
    assert accuser.disprove(0, {**signed, "claim": sign(SEED, label, claim)}) is None
    for place in (0, 1, DIGEST - 1, len(claim) - DIGEST, len(claim) - 1):
        wrong = list(claim)
        wrong[place] ^= 5
        spend = accuser.disprove(0, {**signed, "claim": sign(SEED, label, tuple(wrong))})
        assert spend is not None and spend.leaf == place // DIGEST
        assert len(spend.items) < 1_000
        assert kernel_accepts(tapscript_spend(tree.leaf(0, spend.leaf, keys), spend.items))
