"""The fee money of a role: coins of one taproot key, and whatever must be paid from them.

Only confirmed coins are spent: a version 3 child may have one unconfirmed parent, a replacement no new one.
Signatures are deterministic, so that a step done again after a restart makes the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from verifier.bitcoin.keys import sign_schnorr, xonly_key
from verifier.bitcoin.sighash import Spending, taproot_sighash
from verifier.bitcoin.taproot import output_secret, taproot_output
from verifier.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut, serialize_stack
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.chain import Chain, ChainError
from verifier.chain.fees import (
    KEY_PATH_WITNESS,
    child_fee,
    estimated_vbytes,
    fee_at,
    replacement_fee,
    spending_of,
)
from verifier.chain.policy import DEFAULT_RULES, TRUC, Rules, dust_threshold, fee_of
from verifier.chain.rivals import Rival, fee_over

SEQUENCE: Final = 0xFFFFFFFD
"""Signals replacement, which nodes before Core 28 ask for."""
Fee = Callable[[int], int]
"""The fee of a transaction of so many vbytes."""


class InsufficientFunds(ChainError):
    """The wallet cannot pay.

    Attributes:
        needed: satoshis from the purse, fee included, that of one more coin as well.
        available: satoshis in ripe confirmed coins that nothing spends.
    """

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(
            f"insufficient fee funds: {needed} satoshis needed, {available} available in confirmed coins; "
            "pay more to the purse, then try again"
        )
        self.needed = needed
        self.available = available


class Wallet:
    """Coins of one secret.

    Args:
        secret: of the internal key; the output has no scripts.
        chain: where the coins are.
        anchors: further secrets, of keyed anchors that this wallet may spend.
        rules: of the node's mempool.
    """

    def __init__(
        self, secret: bytes, chain: Chain, anchors: Sequence[bytes] = (), rules: Rules = DEFAULT_RULES
    ) -> None:
        self._chain = chain
        self._rules = rules
        self._keys = {key_script(each): output_secret(each) for each in (*anchors, secret)}
        self.script = key_script(secret)

    def coins(self, freed: Collection[bytes] = ()) -> tuple[tuple[OutPoint, TxOut], ...]:
        """Ripe confirmed coins, largest first, that nothing in the mempool spends but `freed` txids."""
        height = self._chain.tip.height
        found = [
            (point, coin.output)
            for point, coin in self._chain.coins(self.script)
            if not (coin.is_coinbase and height + 1 - coin.height < COINBASE_MATURITY)
            and self._is_free(point, freed)
        ]
        return tuple(sorted(found, key=lambda coin: (-coin[1].value, coin[0])))

    def _is_free(self, point: OutPoint, freed: Collection[bytes]) -> bool:
        spender = self._chain.spender(point)
        return spender is None or spender.tx.txid in freed

    @property
    def balance(self) -> int:
        """Satoshis that `coins` hold."""
        return sum(output.value for _, output in self.coins())

    def pay(self, outputs: Sequence[TxOut], rate: int, version: int = 2) -> Transaction:
        """A transaction with these outputs, and change behind them.

        Raises:
            InsufficientFunds: the coins do not suffice.
        """
        return self.fund(Spending(Transaction(version, (), tuple(outputs)), ()), rate)

    def fund(self, base: Spending, rate: int, over: Sequence[Rival] = ()) -> Transaction:
        """Adds coins and change to a transaction until it pays the rate, and signs what is ours.

        Args:
            base: inputs of others carry their witness (or one of its size, to be replaced), and must sign
                ANYONECANPAY if they are signed already; a wallet's or anchor's own input carries none.
            rate: satoshis per 1,000 vbytes.
            over: what waits in its place, and is to be replaced.

        Raises:
            InsufficientFunds: the coins do not suffice.
        """
        return self._complete(
            base, lambda vbytes: max(fee_at(rate, vbytes), fee_over(over, vbytes, self._rules)), self.coins()
        )

    def bump(self, parent: Transaction, anchor: int, rate: int) -> Transaction:
        """A child that spends a parent's anchor and lifts both to a rate; hand both over as a package.

        A child made earlier, which waits in the mempool, is replaced; of a version 3 parent also another's
        child, whichever output it spends (a pin).

        Args:
            parent: version 3 makes a child of version 3.
            anchor: index of the output: one that anybody may spend, or of a key of ours.
            rate: satoshis per 1,000 vbytes, of both together.

        Raises:
            ChainError: the parent is confirmed.
            InsufficientFunds: the coins do not suffice.
        """
        point = parent.outpoint(anchor)
        paid = (fee_of(spending_of(self._chain, parent)), parent.vbytes)
        watched = range(len(parent.outputs)) if parent.version == TRUC else [anchor]
        rivals = [seen for i in watched if (seen := self._chain.spender(parent.outpoint(i))) is not None]
        if any(seen.height is not None for seen in rivals):
            raise ChainError(f"{parent.txid_hex} is confirmed: there is nothing to bump")

        def fee(vbytes: int) -> int:
            above = [self._above(seen.tx, vbytes) for seen in rivals]
            return max(child_fee([paid], vbytes, rate, self._rules), *above, 0)

        tx = Transaction(parent.version, (TxIn(point, SEQUENCE),), ())
        base = Spending(tx, (parent.outputs[anchor],))
        return self._complete(base, fee, self.coins([seen.tx.txid for seen in rivals]))

    def _above(self, old: Transaction, vbytes: int) -> int:
        held = fee_of(spending_of(self._chain, old))
        return replacement_fee(held, old.vbytes, vbytes, 0, self._rules)

    def replace(self, old: Transaction, rate: int) -> Transaction:
        """A transaction of ours that waits, once more at a higher rate: less change, more coins if need be.

        The last output of our script is the change. Inputs of others keep their witness, see `fund`.

        Raises:
            InsufficientFunds: the coins do not suffice.
        """
        spending = spending_of(self._chain, old)
        outputs = list(old.outputs)
        if outputs[-1].script == self.script:
            outputs.pop()
        inputs = tuple(
            replace(txin, witness=()) if output.script in self._keys else txin
            for txin, output in zip(old.inputs, spending.spent, strict=True)
        )
        base = Spending(replace(old, inputs=inputs, outputs=tuple(outputs)), spending.spent)
        return self._complete(
            base, lambda vbytes: max(fee_at(rate, vbytes), self._above(old, vbytes)), self.coins()
        )

    def _complete(self, base: Spending, fee: Fee, coins: Sequence[tuple[OutPoint, TxOut]]) -> Transaction:
        """Adds the fewest coins that suffice: the smallest one that does alone, else the largest first."""
        taken = {txin.previous for txin in base.tx.inputs}
        free = [coin for coin in coins if coin[0] not in taken]
        attempts = [[], *([coin] for coin in reversed(free)), *(free[: i + 1] for i in range(1, len(free)))]
        for chosen in attempts:
            candidate, _ = self._candidate(base, chosen, fee)
            if candidate is not None:
                return self._sign(candidate)
        another = (
            OutPoint(bytes(32), 0),
            TxOut(0, self.script),
        )  # what is missing comes in a coin, which costs too
        _, needed = self._candidate(base, [*free, another], fee)
        needed -= sum(output.value for output in base.spent)
        raise InsufficientFunds(needed, sum(output.value for _, output in free))

    def _candidate(
        self, base: Spending, chosen: Sequence[tuple[OutPoint, TxOut]], fee: Fee
    ) -> tuple[Spending | None, int]:
        """The transaction with these coins, with change if it is worth an output; and what is needed."""
        inputs = (*base.tx.inputs, *(TxIn(point, SEQUENCE) for point, _ in chosen))
        spent = (*base.spent, *(output for _, output in chosen))
        if not inputs:
            return None, sum(output.value for output in base.tx.outputs)
        surplus = sum(output.value for output in spent) - sum(output.value for output in base.tx.outputs)
        change = TxOut(0, self.script)
        full = replace(base.tx, inputs=inputs, outputs=(*base.tx.outputs, change))
        sizes = [self._witness_size(txin, output) for txin, output in zip(inputs, spent, strict=True)]
        least = fee(estimated_vbytes(full, sizes))
        value = surplus - least
        if value >= dust_threshold(change, self._rules.dust_relay_fee):
            outputs = (*base.tx.outputs, TxOut(value, self.script))
            return Spending(replace(full, outputs=outputs), spent), 0
        bare = replace(base.tx, inputs=inputs)
        needed = sum(output.value for output in base.tx.outputs)
        if not base.tx.outputs:
            return None, needed + least + dust_threshold(change, self._rules.dust_relay_fee)
        least = fee(estimated_vbytes(bare, sizes))
        return (Spending(bare, spent) if surplus >= least else None), needed + least

    def _witness_size(self, txin: TxIn, output: TxOut) -> int:
        return KEY_PATH_WITNESS if output.script in self._keys else len(serialize_stack(txin.witness))

    def _sign(self, spending: Spending) -> Transaction:
        tx = spending.tx
        for i, output in enumerate(spending.spent):
            secret = self._keys.get(output.script)
            if secret is not None:
                tx = tx.with_witness(i, (sign_schnorr(secret, taproot_sighash(spending, i), bytes(32)),))
        return tx


def key_script(secret: bytes) -> bytes:
    """The script of the taproot output that this secret's key alone can spend."""
    return taproot_output(xonly_key(secret)).script
