"""A tapscript as a spend that both judges can look at."""

from collections.abc import Sequence

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import NUMS_KEY, balanced_tree, leaf_hash, taproot_output
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from verifier.chain.kernel import kernel_accepts
from verifier.script.errors import ScriptError
from verifier.script.spend import Verdict, verify_input


def tapscript_spend(
    code: bytes, items: Sequence[bytes] = (), sequence: int = 1, locktime: int = 0
) -> Spending:
    """A transaction whose only input spends the only leaf of an output with the NUMS key."""
    output = taproot_output(NUMS_KEY, balanced_tree([leaf_hash(code)]))
    witness = (*items, code, output.control_block(0))
    txin = TxIn(OutPoint(b"\7" * 32, 3), sequence, witness=witness)
    tx = Transaction(2, (txin,), (TxOut(10_000, output.script),), locktime)
    return Spending(tx, (TxOut(20_000, output.script),))


class Disagreement(AssertionError):
    """The interpreter and the kernel give different verdicts."""


def judge(spending: Spending, index: int = 0) -> Verdict:
    """Our verdict under consensus rules; the kernel must say the same."""
    verdict = verify_input(spending, index)
    if verdict.accepted != kernel_accepts(spending, index):
        script = spending.tx.inputs[index].witness
        raise Disagreement(
            f"interpreter: {verdict}, kernel: the opposite, witness {[w.hex() for w in script]}"
        )
    return verdict


def judge_tapscript(code: bytes, items: Sequence[bytes] = (), locktime: int = 0) -> ScriptError:
    return judge(tapscript_spend(code, items, locktime=locktime)).error
