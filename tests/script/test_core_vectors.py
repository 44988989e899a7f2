"""The interpreter against Core's vectors, error names included; survivors are printed all together."""

import random

import pytest

from tests.script.assembler import flags_of
from tests.script.core_cases import script_cases, taproot_cases, transaction_cases
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.transaction import check_transaction
from verifier.script.errors import CONSENSUS, Flag
from verifier.script.spend import verify_input

ALL = Flag((1 << 21) - 1)


def trimmed(flags: Flag) -> Flag:
    """Removes flags until the rest may be combined."""
    if not flags & Flag.P2SH:
        flags &= ~Flag.WITNESS
    return flags if flags & Flag.WITNESS else flags & ~Flag.CLEANSTACK


def filled(flags: Flag) -> Flag:
    """Adds flags until all may be combined."""
    if flags & Flag.CLEANSTACK:
        flags |= Flag.WITNESS
    return flags | Flag.P2SH if flags & Flag.WITNESS else flags


def test_script_tests_end_with_cores_error() -> None:
    wrong = [
        (case.name, case.expected, found)
        for case in script_cases()
        if (found := verify_input(case.spending, case.index, case.flags).error) != case.expected
    ]
    assert not wrong


def test_taproot_assets() -> None:
    cases = list(taproot_cases())
    assert len(cases) > 1_900
    wrong = [
        case.name
        for case in cases
        if verify_input(case.spending, case.index, case.flags).accepted != (case.expected == "OK")
    ]
    assert not wrong


def _accepted(tx, spent, flags: Flag) -> bool:
    spending = Spending(tx, spent)
    return all(verify_input(spending, i, flags).accepted for i in range(len(tx.inputs)))


@pytest.mark.parametrize("name, tx, spent, excluded", list(transaction_cases("tx_valid.json")))
def test_valid_transactions(name: str, tx, spent, excluded: str) -> None:
    flags, rng = ALL & ~flags_of(excluded), random.Random(name)
    assert check_transaction(tx) is None
    assert _accepted(tx, spent, flags), "with all the flags that the vector allows"
    for flag in Flag:
        assert _accepted(tx, spent, trimmed(flags & ~flag)), f"without {flag.name}"
        fewer = trimmed(flags & ~flag & Flag(rng.getrandbits(21)))
        assert _accepted(tx, spent, fewer), f"with {fewer}"
    for flag in Flag:
        if flag & flags_of(excluded):
            more = ~trimmed(flags_of(excluded) & ~flag) & ALL
            if more != flags:
                assert not _accepted(tx, spent, more), f"{flag.name} is excluded without need"


@pytest.mark.parametrize("name, tx, spent, included", list(transaction_cases("tx_invalid.json")))
def test_invalid_transactions(name: str, tx, spent, included: str) -> None:
    rng = random.Random(name)
    if included == "BADTX":
        assert check_transaction(tx) is not None
        return
    assert check_transaction(tx) is None
    flags = flags_of(included)
    assert not _accepted(tx, spent, flags)
    for flag in Flag:
        assert not _accepted(tx, spent, filled(flags | flag)), f"with {flag.name}"
        assert not _accepted(tx, spent, filled(flags | flag | Flag(rng.getrandbits(21))))
        if flag & flags and trimmed(flags & ~flag) != flags:
            assert _accepted(tx, spent, trimmed(flags & ~flag)), f"{flag.name} is set without need"


def test_flags_that_core_refuses_and_a_wrong_index_are_refused() -> None:
    spending = next(script_cases()).spending
    for flags in (Flag.WITNESS, Flag.CLEANSTACK | Flag.P2SH):
        with pytest.raises(ValueError, match="flags"):
            verify_input(spending, 0, flags)
    for index in (-1, 1):
        with pytest.raises(ValueError, match="input"):
            verify_input(spending, index, CONSENSUS)
