"""What a node relays: the standardness rules of Bitcoin Core for one transaction and for packages.

Every transaction of the bridge passes here first. The bridge spends taproot, P2WPKH, P2PKH and anchor outputs;
inputs of any other kind are refused rather than half understood, and so are bare multisig outputs. Where
versions of Core differ, the default suits each from 28 on. Operations on signatures are not counted: inputs and
outputs of these kinds are too large to have too many, or to count for more than their weight.
Source: Core's policy/policy.cpp, truc_policy.cpp, ephemeral_policy.cpp, packages.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import TAPSCRIPT
from verifier.bitcoin.transaction import TxOut, check_transaction
from verifier.script.errors import STANDARD
from verifier.script.opcodes import Op
from verifier.script.script import P2A, is_p2sh, is_push_only, witness_program
from verifier.script.spend import ANNEX_TAG, verify_input


class Reason(StrEnum):
    """The rule that a transaction or package breaks."""

    DEFECT = "invalid-transaction"
    COINBASE = "coinbase"
    VERSION = "version"
    WEIGHT = "tx-size"
    TOO_SMALL = "tx-size-small"
    SCRIPT_SIG_SIZE = "scriptsig-size"
    SCRIPT_SIG_PUSHES = "scriptsig-not-pushonly"
    OUTPUT_KIND = "scriptpubkey"
    DATA_CARRIER = "datacarrier"
    DATA_COUNT = "multi-op-return"
    DUST_COUNT = "dust"
    DUST_FEE = "dust-must-be-zero-fee"
    INPUT_KIND = "input-kind"
    ANCHOR_WITNESS = "anchor-witness"
    ANNEX = "annex"
    WITNESS_ITEM = "witness-item-size"
    CONTROL_BLOCK = "empty-control-block"
    NEGATIVE_FEE = "in-below-out"
    SCRIPT = "script"
    FEE = "min-relay-fee-not-met"
    PACKAGE_COUNT = "package-too-many-transactions"
    PACKAGE_WEIGHT = "package-too-large"
    DUPLICATE = "package-contains-duplicates"
    ORDER = "package-not-sorted"
    CONFLICT = "conflict"
    SHAPE = "package-not-child-with-parents"
    CLUSTER_COUNT = "too-large-cluster-count"
    CLUSTER_SIZE = "too-large-cluster-size"
    DUST_UNSPENT = "missing-ephemeral-spends"
    TRUC_MIX = "truc-and-other-version"
    TRUC_SIZE = "truc-too-big"
    TRUC_CHILD_SIZE = "truc-child-too-big"
    TRUC_ANCESTORS = "truc-too-many-ancestors"
    TRUC_DESCENDANTS = "truc-too-many-descendants"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, the transaction that breaks it, and the figures."""

    reason: Reason
    txid: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits; fees in satoshis per 1,000 vbytes. The defaults are the strictest of Core 28 to 31.

    Attributes:
        min_relay_fee: 100 from Core 28.3, 29.1 and 30 on, 1,000 before.
        max_data_bytes: of all data outputs together; 100,000 from Core 30 on.
        max_data_outputs: any number from Core 30 on.
        max_dust_outputs: of a transaction without fee, whose child spends them; 1 from Core 29 on.
        parents_may_pay_nothing: whether a parent that is not version 3 may rely on its child (Core 31).
    """

    min_relay_fee: int = 1_000
    dust_relay_fee: int = 3_000
    max_weight: int = 400_000
    max_data_bytes: int = 83
    max_data_outputs: int = 1
    max_dust_outputs: int = 0
    parents_may_pay_nothing: bool = False


DEFAULT_RULES: Final = Rules()
CORE_31: Final = Rules(
    min_relay_fee=100,
    max_data_bytes=100_000,
    max_data_outputs=400_000,
    max_dust_outputs=1,
    parents_may_pay_nothing=True,
)
"""Core 31.0 as it comes."""
TRUC: Final = 3
TRUC_MAX_VBYTES: Final = 10_000
TRUC_MAX_CHILD_VBYTES: Final = 1_000
MAX_WITNESS_ITEM: Final = 80
MAX_SCRIPT_SIG: Final = 1_650
MIN_SIZE: Final = 65


def fee_of(spending: Spending) -> int:
    """What the transaction pays to the miner."""
    return sum(out.value for out in spending.spent) - sum(out.value for out in spending.tx.outputs)


def dust_threshold(output: TxOut, relay_fee: int = DEFAULT_RULES.dust_relay_fee) -> int:
    """The least value that an output of this script may have."""
    if output.script[:1] == bytes([Op.RETURN]) or len(output.script) > 10_000:
        return 0
    spending = 67 if witness_program(output.script) else 148
    return -(-relay_fee * (len(output.serialize()) + spending) // 1000)


def check_transaction_policy(spending: Spending, rules: Rules = DEFAULT_RULES) -> Violation | None:
    """The first rule that a transaction breaks on its own, whatever it pays; None if it is standard.

    Scripts are run under all of Core's standard flags.
    """
    found = (
        _check_form(spending, rules)
        or _check_outputs(spending, rules)
        or _check_inputs(spending)
        or _check_scripts(spending)
    )
    return None if found is None else Violation(found[0], spending.tx.txid_hex, found[1])


Finding = tuple[Reason, str]


def _check_form(spending: Spending, rules: Rules) -> Finding | None:
    tx = spending.tx
    defect = check_transaction(tx)
    if defect is not None:
        return Reason.DEFECT, defect.value
    if tx.is_coinbase:
        return Reason.COINBASE, "made by miners only"
    if not 1 <= tx.version <= TRUC:
        return Reason.VERSION, f"version {tx.version}"
    if tx.weight > rules.max_weight:
        return Reason.WEIGHT, f"{tx.weight} weight units"
    if len(tx.serialize(witness=False)) < MIN_SIZE:
        return Reason.TOO_SMALL, f"{len(tx.serialize(witness=False))} bytes without witness"
    if tx.version == TRUC and tx.vbytes > TRUC_MAX_VBYTES:
        return Reason.TRUC_SIZE, f"{tx.vbytes} vbytes"
    for i, txin in enumerate(tx.inputs):
        if len(txin.script_sig) > MAX_SCRIPT_SIG:
            return Reason.SCRIPT_SIG_SIZE, f"input {i}: {len(txin.script_sig)} bytes"
        if not is_push_only(txin.script_sig):
            return Reason.SCRIPT_SIG_PUSHES, f"input {i}"
    return None


def _check_outputs(spending: Spending, rules: Rules) -> Finding | None:
    data_bytes = data_outputs = 0
    for i, output in enumerate(spending.tx.outputs):
        script = output.script
        if script[:1] == bytes([Op.RETURN]) and is_push_only(script[1:]):
            data_bytes += len(script)
            data_outputs += 1
        elif not _is_payment(script):
            return Reason.OUTPUT_KIND, f"output {i}: {script[:40].hex()}"
    if data_bytes > rules.max_data_bytes:
        return Reason.DATA_CARRIER, f"{data_bytes} bytes"
    if data_outputs > rules.max_data_outputs:
        return Reason.DATA_COUNT, f"{data_outputs} outputs"
    dust = dust_outputs(spending, rules)
    if len(dust) > rules.max_dust_outputs:
        return Reason.DUST_COUNT, f"outputs {sorted(dust)}"
    if dust and fee_of(spending) != 0:
        return Reason.DUST_FEE, f"output {min(dust)} is dust and the fee {fee_of(spending)}"
    return None


def dust_outputs(spending: Spending, rules: Rules = DEFAULT_RULES) -> frozenset[int]:
    """The outputs whose value is below their script's threshold."""
    return frozenset(
        i
        for i, output in enumerate(spending.tx.outputs)
        if output.value < dust_threshold(output, rules.dust_relay_fee)
    )


def _is_payment(script: bytes) -> bool:
    """Whether it is P2WPKH, P2WSH, a witness program of a later version, P2SH, P2PKH or P2PK."""
    program = witness_program(script)
    if program is not None:
        return program[0] != 0 or len(program[1]) in (20, 32)
    return is_p2sh(script) or _is_p2pkh(script) or _is_p2pk(script)


def _is_p2pk(script: bytes) -> bool:
    """A key's first byte says how long it is."""
    kinds = {35: (b"\x21\2", b"\x21\3"), 67: (b"\x41\4", b"\x41\6", b"\x41\7")}
    return script[-1:] == bytes([Op.CHECKSIG]) and script[:2] in kinds.get(len(script), ())


def _is_p2pkh(script: bytes) -> bool:
    return len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac"


def _check_inputs(spending: Spending) -> Finding | None:
    for i, (txin, output) in enumerate(zip(spending.tx.inputs, spending.spent, strict=True)):
        if output.script == P2A:
            if txin.witness:
                return Reason.ANCHOR_WITNESS, f"input {i}"
            continue
        program = witness_program(output.script)
        if program is not None and program[0] == 1 and len(program[1]) == 32:
            found = _check_taproot_witness(txin.witness)
            if found is not None:
                return found[0], f"input {i}: {found[1]}"
        elif not _is_p2pkh(output.script) and (program is None or (program[0], len(program[1])) != (0, 20)):
            return Reason.INPUT_KIND, f"input {i} spends {output.script[:40].hex()}"
    return None


def _check_taproot_witness(witness: tuple[bytes, ...]) -> Finding | None:
    if len(witness) < 2:
        return None
    if witness[-1][:1] == bytes([ANNEX_TAG]):
        return Reason.ANNEX, "annexes have no meaning yet"
    *items, _, control = witness
    if not control:
        return Reason.CONTROL_BLOCK, "it is empty"
    if control[0] & 0xFE == TAPSCRIPT:
        for i, item in enumerate(items):
            if len(item) > MAX_WITNESS_ITEM:
                return Reason.WITNESS_ITEM, f"item {i} has {len(item)} bytes"
    return None


def _check_scripts(spending: Spending) -> Finding | None:
    if fee_of(spending) < 0:
        return Reason.NEGATIVE_FEE, f"{-fee_of(spending)} satoshis too many are paid out"
    for i in range(len(spending.tx.inputs)):
        verdict = verify_input(spending, i, STANDARD)
        if not verdict.accepted:
            return Reason.SCRIPT, f"input {i}: {verdict.error} at opcode {verdict.position}"
    return None
