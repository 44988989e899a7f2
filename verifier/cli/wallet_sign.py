"""`pegproof wallet sign | deploy | call | cosign | rotate`: what a wallet signs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from circuits.rollup.errors import CodecError
from circuits.rollup.files import read_file, write_atomic
from circuits.rollup.types import Call, Cosignature
from circuits.xmss.scheme import MAX_HEIGHT, MIN_HEIGHT
from circuits.xmss.wallet import Wallet
from verifier.bitcoin.address import AddressError, script_of
from verifier.cli.output import console, emit, json_option, reports_errors
from verifier.cli.program import const_option
from verifier.orders import CallList, Deployment, Payment
from verifier.programs import Value, load_code
from verifier.signing import Appended, cosign, rotate_and_append, sign_and_append

DIRECTORY = click.Path(path_type=Path)
U32, U64 = click.IntRange(0, 2**32 - 1), click.IntRange(0, 2**64 - 1)
Command = Callable[..., None]


class CallText(click.ParamType[Call]):
    """PROGRAM:SELECTOR[:ARGUMENT..], or move:FROM:TO:AMOUNT."""

    name = "call"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Call:
        """The call."""
        head, *rest = str(value).split(":")
        try:
            numbers = [_argument(part) for part in rest]
            if head == "move":
                source, target, amount = numbers
                return Call.bank_move(source, target, amount)
            selector, *arguments = numbers
            a, b, c, d = (*arguments, 0, 0, 0, 0)[: max(4, len(arguments))]
            return Call(_argument(head), selector, (a, b, c, d))
        except CodecError as error:
            self.fail(f"{value}: {error}", param, ctx)
        except ValueError:
            self.fail(f"{value}: PROGRAM:SELECTOR:ARGUMENT.. (at most 4) or move:FROM:TO:AMOUNT", param, ctx)


def _argument(text: str) -> int:
    """A number, decimal or 0x; LOW/HIGH: two halves of 32 bits in one."""
    low, slash, high = text.partition("/")
    if not slash:
        return int(text, 0)
    if int(low, 0) >> 32:
        raise ValueError("the lower half has 32 bits")
    return int(low, 0) | int(high, 0) << 32


def _order_options(command: Command) -> Command:
    """What every signed transaction has."""
    for option in (
        click.option(
            "--batch",
            type=DIRECTORY,
            required=True,
            help="Batch directory; its batch file gets the transaction.",
        ),
        click.option("--tip", type=U32, default=0, show_default=True, help="Msat per gas."),
        click.option("--max-fee-msat", "max_fee", type=U64, help="Default: twice today's fee."),
        click.option(
            "--cell", type=click.IntRange(min=0), help="The paying purse, where the wallet owns several."
        ),
    ):
        command = option(command)
    return command


fail_option = click.option(
    "--even-if-it-fails", "anyway", is_flag=True, help="Also sign what would fail and cost its fee."
)


def _figures(done: Appended, batch: Path, kind: str, **more: object) -> dict[str, Any]:
    """What every signing command reports."""
    tx, receipt = done.transaction, done.receipt
    return {
        "batch": str(batch),
        "position": done.position,
        "kind": kind,
        "signer": tx.signer,
        "nonce": tx.nonce,
        "leaf": tx.leaf,
        "fee_msat": receipt.fee,
        "max_fee_msat": tx.max_fee,
        "tip_msat_per_gas": tx.tip,
        "gas": receipt.gas,
        "balance_before_msat": done.balance,
        "failure": None if receipt.failure is None else receipt.failure.value,
        **more,
    }


def _report(figures: dict[str, Any], text: str, as_json: bool) -> None:
    """JSON, or one line for a person."""

    def render() -> None:
        console.print(
            f"transaction {figures['position']} of {figures['batch']}: cell {figures['signer']} {text}, "
            f"fee {figures['fee_msat']:,} msat; signed with leaf {figures['leaf']}, nonce {figures['nonce']}",
            markup=False,
        )
        if figures["failure"] is not None:
            console.print(f"it will fail: {figures['failure']}", markup=False)

    emit(figures, as_json, render)


@click.command("sign", short_help="sign a transfer or withdrawal into a batch")
@click.argument("directory", type=DIRECTORY)
@click.option("--to", type=U32, help="Cell of the purse to pay.")
@click.option("--withdraw-to", help="Segwit address, or scriptPubKey in hexadecimal, to withdraw to.")
@click.option("--amount-msat", type=U64, required=True, help="1 sat is 1000 msat.")
@_order_options
@fail_option
@json_option
@reports_errors
def sign(
    directory: Path,
    batch: Path,
    to: int | None,
    withdraw_to: str | None,
    amount_msat: int,
    tip: int,
    max_fee: int | None,
    cell: int | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Sign a transfer (--to) or a withdrawal (--withdraw-to) and append it to a batch."""
    if (to is None) == (withdraw_to is None):
        raise click.UsageError("give either --to CELL or --withdraw-to ADDRESS_OR_SCRIPT")
    try:
        script = script_of(withdraw_to) if withdraw_to is not None else b""
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="--withdraw-to") from error
    if withdraw_to is not None and (amount_msat == 0 or amount_msat % 1000):
        raise click.BadParameter(
            "a withdrawal is of whole sats: a multiple of 1000 msat", param_hint="--amount-msat"
        )
    order = Payment(tip=tip, max_fee=max_fee, amount=amount_msat, to=to, script=script)
    done = sign_and_append(Wallet(directory), batch, order, cell, anyway)
    if to is not None:
        target = f"to cell {to}"
        figures = _figures(done, batch, "transfer", amount_msat=amount_msat, to=to)
    else:
        target = f"to script {script.hex()}"
        figures = _figures(done, batch, "withdraw", amount_msat=amount_msat, script=script.hex())
    _report(figures, f"sends {amount_msat:,} msat {target}", as_json)


@click.command("deploy", short_help="sign the deployment of a program into a batch")
@click.argument("directory", type=DIRECTORY)
@click.argument("program", type=DIRECTORY)
@const_option
@_order_options
@json_option
@reports_errors
def deploy(
    directory: Path,
    program: Path,
    constants: dict[str, Value],
    batch: Path,
    tip: int,
    max_fee: int | None,
    cell: int | None,
    as_json: bool,
) -> None:
    """Sign the deployment of the program file PROGRAM (see `pegproof program`) and append it to a batch.

    Shows the cell that the program gets in the batch as it stands; calls name it, in this batch or later ones.
    """
    code = load_code(program, constants)
    order = Deployment(tip=tip, max_fee=max_fee, code=code)
    done = sign_and_append(Wallet(directory), batch, order, cell)
    figures = _figures(done, batch, "deploy", instructions=len(code), program=done.receipt.program)
    _report(figures, f"deploys {len(code)} instructions in cell {done.receipt.program}", as_json)


@click.command("call", short_help="sign a list of calls into a batch")
@click.argument("directory", type=DIRECTORY)
@click.argument("calls", type=CallText(), nargs=-1, required=True, metavar="CALL...")
@click.option("--gas-limit", type=U32, help="Default: a quarter above what the calls use in the batch now.")
@click.option(
    "--cosignature",
    "answers",
    type=DIRECTORY,
    multiple=True,
    help="A file of `wallet cosign`; several in the order in which the calls ask.",
)
@_order_options
@fail_option
@json_option
@reports_errors
def call(
    directory: Path,
    calls: tuple[Call, ...],
    gas_limit: int | None,
    answers: tuple[Path, ...],
    batch: Path,
    tip: int,
    max_fee: int | None,
    cell: int | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Sign a list of CALLs, which happen all or not at all, and append it to a batch.

    A CALL is PROGRAM:SELECTOR:ARGUMENT.. (a program's cell, up to four arguments), or move:FROM:TO:AMOUNT, which
    moves from a purse of the signer. Numbers are decimal or 0x..; LOW/HIGH packs two of 32 bits.
    The calls are tried first, and what would fail is not signed.
    """
    signatures = tuple(Cosignature.decode(read_file(path)) for path in answers)
    order = CallList(tip=tip, max_fee=max_fee, calls=calls, gas_limit=gas_limit, cosignatures=signatures)
    done = sign_and_append(Wallet(directory), batch, order, cell, anyway)
    events = [{"program": event.program, "values": list(event.values)} for event in done.receipt.events]
    figures = _figures(done, batch, "calls", calls=len(calls), gas_limit=done.transaction.gas, events=events)
    said = "".join(f"; event of program {e['program']}: {e['values']}" for e in events)
    _report(figures, f"makes {len(calls)} calls with {done.receipt.gas:,} gas{said}", as_json)


@click.command("cosign", short_help="sign what a program asks of a purse's owner")
@click.argument("directory", type=DIRECTORY)
@click.option("--batch", type=DIRECTORY, required=True, help="Batch directory; it is not changed.")
@click.option("--program", type=U32, required=True, help="Cell of the program that asks (CHECKSIG).")
@click.option("--words", type=U64, nargs=2, required=True, help="The two words that it wants signed.")
@click.option("--cell", type=click.IntRange(min=0), help="The purse, where the wallet owns several.")
@click.option("-o", "--output", type=DIRECTORY, required=True, help="For `wallet call --cosignature`.")
@json_option
@reports_errors
def cosign_(
    directory: Path,
    batch: Path,
    program: int,
    words: tuple[int, int],
    cell: int | None,
    output: Path,
    as_json: bool,
) -> None:
    """Sign (program, purse, two words) for a CHECKSIG; the leaf that is shown goes into the call's arguments."""
    done = cosign(Wallet(directory), batch, program, *words, cell)
    write_atomic(output, done.cosignature.encode())
    figures = {"purse": done.purse, "leaf": done.leaf, "output": str(output)}
    text = f"the owner of purse {done.purse} agrees with leaf {done.leaf}; co-signature in {output}"
    emit(figures, as_json, lambda: console.print(text))


@click.command("rotate", short_help="sign a purse over to a new key")
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--height",
    type=click.IntRange(MIN_HEIGHT, MAX_HEIGHT),
    default=10,
    show_default=True,
    help="Of the new key.",
)
@_order_options
@json_option
@reports_errors
def rotate(
    directory: Path, height: int, batch: Path, tip: int, max_fee: int | None, cell: int | None, as_json: bool
) -> None:
    """Give a purse to the wallet's newest key and append that to a batch; the key is made if need be.

    It comes from the same seed. Do it before the leaves run out; some are kept for it. The old key
    signs nothing any more once the batch is committed.
    """
    done, key = rotate_and_append(Wallet(directory), batch, height, cell, tip, max_fee)
    owner = key.public_key.encode().hex()
    figures = _figures(done, batch, "rotate", key=key.number, height=key.public_key.height, public_key=owner)
    _report(figures, f"goes to key {key.number} (2^{key.public_key.height} leaves)", as_json)


COMMANDS = (sign, deploy, call, cosign_, rotate)
