"""Games over the verifier's own tree and a STARK proof: a small system with four queries, far below 128 bits.

What it shows is that tree, accuser and game fit together on Bitcoin Core's code; the shape is that of the tests.
"""

import pytest

from tests.bridge.chunks import PARAMS, other, tree
from tests.proofs import decoded
from verifier.bridge.simulate.cases import ProofCase
from verifier.bridge.simulate.engine import SCENARIOS, run
from verifier.bridge.simulate.setup import SetUp, make_setup
from verifier.bridge.simulate.stage import Case
from verifier.bridge.simulate.worlds import World

pytestmark = pytest.mark.slow
NAMES = [
    "02-unchallenged",
    "06d-no-reveal-level-3",
    "07-false-proof",
    "08b-other-statement",
    "17-lost-state",
    "18-redirected-penalty",
]


@pytest.fixture(scope="module")
def case() -> Case:
    proof = decoded(PARAMS)
    return ProofCase(tree(), proof.words, proof.public_values, None, other())


@pytest.fixture(scope="module")
def setup(case: Case, tmp_path_factory: pytest.TempPathFactory) -> SetUp:
    return make_setup(tmp_path_factory.mktemp("setup"), case.tree, size=2)


@pytest.mark.parametrize("name", NAMES)
def test_scenario(name: str, setup: SetUp, case: Case) -> None:
    result = run(name, World("small system", case, setup))
    assert result.passed, result.detail
    assert result.outcome == SCENARIOS[name][1]
    assert result.max_stack <= 1_000
    assert result.max_leaf_bytes <= 390_000
    assert result.dispute_vbytes <= 200_000
    assert all(record.spending.tx.weight <= 400_000 for record in result.records)
