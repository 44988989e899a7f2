"""Each lie breaks the rule that it claims to break, and no other."""

import pytest

from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from tests.whole import SHAPE, check_all
from verifier.bridge.simulate.lies import LIES

BROKEN = {
    "invalid transition": (set(), {"rom"}),
    "minted sats": (set(), {"rom"}),
    "wrong fee": (set(), {"rom"}),
    "forged signature": ({f"message_owner[{i}]" for i in range(8)} | {"target_sum"}, set()),
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_what_a_lie_breaks(lie) -> None:
    cells, batch = build_sample(2, 1)
    claim = lie.tell(Ledger.of_cells(cells), batch, SHAPE)
    found = check_all(claim.tables, claim.public_values)
    labels, relations = {v.label for v in found.constraints}, {t.relation for t in found.tuples}
    assert (labels, relations) == BROKEN[lie.name]
