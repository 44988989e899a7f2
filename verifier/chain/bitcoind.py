"""The same interface over the RPC of a `bitcoind` on regtest or signet: Bitcoin Core 28 or newer.

The node keeps no index of spent outputs, so blocks from a first height on are read once and indexed here;
what the chain did before is unknown to `transaction` and `spender`, but not to `utxo`. A package is no longer
all or nothing here: Core keeps a parent that stands alone when its child is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from bitcoin_core_rpc import BitcoinCoreRpcClient
from bitcoin_core_rpc.errors import FetchError, RpcError

from verifier.bitcoin.transaction import OutPoint, Transaction, TxOut
from verifier.chain.block import Block
from verifier.chain.chain import ChainError, Refused, Seen, Tip, Utxo
from verifier.chain.index import Index
from verifier.chain.mempool import Refusal
from verifier.chain.policy import Reason
from verifier.script.script import push

_NOT_FOUND: Final = -5
_VERIFY_ERROR: Final = -25
_VERIFY_REJECTED: Final = -26
_ALREADY_CONFIRMED: Final = -27
_REFUSED: Final = frozenset({_VERIFY_ERROR, _VERIFY_REJECTED})
_COIN: Final = 100_000_000
_ANY_BURN: Final = 21_000_000
_BLOCKS_A_CALL: Final = 500
"""To be mined within the client's time limit."""
_WORDS: Final = (
    ("min relay fee not met", Reason.FEE),
    ("mempool min fee not met", Reason.FEE),
    ("too-long-mempool-chain", Reason.CLUSTER_COUNT),
    ("mandatory-script-verify-flag-failed", Reason.SCRIPT),
    ("non-mandatory-script-verify-flag", Reason.SCRIPT),
    ("mempool-script-verify-flag-failed", Reason.SCRIPT),
    ("replacement-adds-unconfirmed", Refusal.NEW_UNCONFIRMED),
    ("missing-ephemeral-spends", Reason.DUST_UNSPENT),
    ("unspent-dust", Reason.DUST_UNSPENT),
    ("Array must contain between 1 and 25", Reason.PACKAGE_COUNT),
    ("dust, tx with dust output must be 0-fee", Reason.DUST_FEE),
    ("version=3 child tx", Reason.TRUC_CHILD_SIZE),
    ("cannot spend from version=3", Reason.TRUC_MIX),
    ("cannot spend from non-version=3", Reason.TRUC_MIX),
    ("would have too many ancestors", Reason.TRUC_ANCESTORS),
    ("would exceed descendant count limit", Reason.TRUC_DESCENDANTS),
    ("version=3 tx", Reason.TRUC_SIZE),
    ("too-large-cluster", Reason.CLUSTER_COUNT),
    ("conflict-in-package", Reason.CONFLICT),
    ("package topology disallowed", Reason.SHAPE),
    ("bad-txns-in-belowout", Reason.NEGATIVE_FEE),
    ("package RBF failed: insufficient", Refusal.REPLACEMENT_FEE),
    ("package RBF failed: package feerate", Refusal.REPLACEMENT_FEE),
    ("package RBF failed", Refusal.PACKAGE_REPLACEMENT),
    ("replacement-failed", Refusal.REPLACEMENT_FEE),
)
"""Core's words that are not ours; all others are handed on up to the first comma."""
OP_TRUE: Final = b"\x51"


class NodeUnreachable(ChainError):
    """The node does not answer, or answers with something else."""


class RpcRefused(ChainError):
    """The node refuses a call.

    Attributes:
        code: Core's.
        message: Core's.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class WrongNetwork(ChainError):
    """The node is of another network."""


def reason_of(message: str) -> str:
    """The rule's name in a message of Core's, in our words where we have one."""
    for word, reason in _WORDS:
        if word in message:
            return reason
    return message.split(",")[0].split(" (")[0].strip()


class Bitcoind:
    """A node over RPC; see `Chain` and, on regtest, `TestChain`.

    Args:
        url: `http://user:password@host:port`.
        network: what the node must be: "regtest" or "signet".
        start: the first block of interest; its transactions, spends and coins are known.

    Raises:
        NodeUnreachable: no such node.
        WrongNetwork: it is of another network.
        ChainError: it has no block at `start`.
    """

    def __init__(self, url: str, network: str = "regtest", start: int = 0) -> None:
        parts = urlsplit(url)
        if not (parts.username and parts.password and parts.hostname and parts.port):
            raise NodeUnreachable("the address is not of the form http://user:password@host:port")
        self._client = BitcoinCoreRpcClient(
            f"{parts.scheme}://{parts.hostname}:{parts.port}",
            user=unquote(parts.username),
            password=unquote(parts.password),
        )
        found = self._call("getblockchaininfo")["chain"]
        if found != network:
            raise WrongNetwork(f"the node is of {found}, not of {network}")
        try:
            self._index = Index(self._read_block(start), start)
        except RpcRefused as error:
            raise ChainError(f"the node has no block {start}") from error

    def _call(self, method: str, *params: Any) -> Any:
        try:
            return self._client.call(method, params)
        except RpcError as error:
            text = str(error.args[0]).removeprefix(f"{method} at {self._client.url}: ")
            raise RpcRefused(error.code, text) from error
        except FetchError as error:
            raise NodeUnreachable(str(error)) from error

    def _read_block(self, height: int) -> Block:
        return Block.parse(bytes.fromhex(self._call("getblock", self._call("getblockhash", height), 0)))

    def _synced(self) -> Index:
        """The index, brought to the node's tip: blocks that the node left are taken back first."""
        best = self._call("getbestblockhash")
        while best != self._index.tip.hash[::-1].hex():
            count = self._call("getblockcount")
            while not self._is_best(self._index.tip, count):
                if self._index.tip.height == self._index.start:
                    raise ChainError(f"the chain left block {self._index.start}, where we began")
                self._index.disconnect()
            for height in range(self._index.tip.height + 1, count + 1):
                block = self._read_block(height)
                if block.previous != self._index.tip.hash:
                    break  # the chain moved while we read: look again
                self._index.connect(block)
            best = self._call("getbestblockhash")
        return self._index

    def _is_best(self, tip: Tip, count: int) -> bool:
        return tip.height <= count and self._call("getblockhash", tip.height) == tip.hash[::-1].hex()

    def submit(self, *transactions: Transaction) -> None:
        """See `Chain.submit`."""
        index = self._synced()
        fresh = [tx for tx in transactions if not index.transaction(tx.txid)]
        if len(fresh) == 1:
            self._send(fresh[0])
        elif fresh:
            self._send_package(fresh)

    def _send(self, tx: Transaction) -> None:
        try:
            self._call("sendrawtransaction", tx.serialize().hex(), 0, _ANY_BURN)
        except RpcRefused as error:
            if error.code == _ALREADY_CONFIRMED:
                return
            message = error.message
            if error.code not in _REFUSED:
                raise
            raise Refused(reason_of(message), tx.txid_hex, message) from error

    def _send_package(self, transactions: Sequence[Transaction]) -> None:
        raw = [tx.serialize().hex() for tx in transactions]
        child = transactions[-1].txid_hex
        try:
            result = self._call("submitpackage", raw, 0, _ANY_BURN)
        except RpcRefused as error:
            message = error.message
            raise Refused(reason_of(message), child, message) from error
        if result["package_msg"] == "success":
            return
        errors = [(each["txid"], each["error"]) for each in result["tx-results"].values() if "error" in each]
        word = str(result["package_msg"])
        if word != "transaction failed" or not errors:
            raise Refused(reason_of(word), child, word)
        txid, message = errors[-1]
        raise Refused(reason_of(message), txid, message)

    def mempool(self) -> tuple[Transaction, ...]:
        """See `Chain.mempool`."""
        entries = self._call("getrawmempool", True)
        names = sorted(
            entries, key=lambda txid: (entries[txid]["ancestorcount"], entries[txid]["time"], txid)
        )
        found = (self._waiting(bytes.fromhex(name)[::-1]) for name in names)
        return tuple(tx for tx in found if tx is not None)

    def _waiting(self, txid: bytes) -> Transaction | None:
        try:
            found = self._call("getrawtransaction", txid[::-1].hex(), 0)
        except RpcRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise
        return Transaction.parse(bytes.fromhex(found))

    @property
    def tip(self) -> Tip:
        """See `Chain.tip`."""
        return self._synced().tip

    def block(self, height: int) -> Block:
        """See `Chain.block`."""
        index = self._synced()
        if height < 0:
            raise IndexError(f"no block {height}")
        return index.block(height) if height >= index.start else self._read_block(height)

    def utxo(self, point: OutPoint) -> Utxo | None:
        """See `Chain.utxo`."""
        found = self._synced().utxo(point)
        if found is not None or self._index.spender(point) is not None:
            return found
        result = self._call("gettxout", point.txid[::-1].hex(), point.index, False)
        if result is None:
            return None
        output = TxOut(round(result["value"] * _COIN), bytes.fromhex(result["scriptPubKey"]["hex"]))
        best = self._call("getblockheader", result["bestblock"])["height"]
        return Utxo(output, best - result["confirmations"] + 1, result["coinbase"])

    def coins(self, script: bytes) -> tuple[tuple[OutPoint, Utxo], ...]:
        """See `Chain.coins`; those made before the first block of interest are unknown."""
        return self._synced().utxos(script)

    def transaction(self, txid: bytes) -> Seen | None:
        """See `Chain.transaction`."""
        seen = self._synced().transaction(txid)
        if seen is not None:
            return seen
        waiting = self._waiting(txid)
        return None if waiting is None else Seen(waiting, None)

    def confirmations(self, txid: bytes) -> int | None:
        """See `Chain.confirmations`."""
        seen = self.transaction(txid)
        if seen is None:
            return None
        return 0 if seen.height is None else self._index.tip.height - seen.height + 1

    def spender(self, point: OutPoint) -> Seen | None:
        """See `Chain.spender`."""
        tx = self._synced().spender(point)
        if tx is not None:
            return self._index.transaction(tx.txid)
        asked = {"txid": point.txid[::-1].hex(), "vout": point.index}
        name = self._call("gettxspendingprevout", [asked])[0].get("spendingtxid")
        waiting = None if name is None else self._waiting(bytes.fromhex(name)[::-1])
        return None if waiting is None else Seen(waiting, None)

    def mine(self, count: int = 1, script: bytes | None = None) -> tuple[Block, ...]:
        """See `TestChain.mine`."""
        before = self.tip.height
        descriptor = _descriptor(OP_TRUE if script is None else script)
        for done in range(0, count, _BLOCKS_A_CALL):
            self._call("generatetodescriptor", min(_BLOCKS_A_CALL, count - done), descriptor)
        index = self._synced()
        return tuple(index.block(height) for height in range(before + 1, index.tip.height + 1))

    def mine_these(self, transactions: Sequence[Transaction], script: bytes | None = None) -> Block:
        """See `TestChain.mine_these`."""
        self._generate(transactions, OP_TRUE if script is None else script)
        return self.block(self.tip.height)

    def _generate(self, transactions: Sequence[Transaction], script: bytes) -> None:
        raw = [tx.serialize().hex() for tx in transactions]
        try:
            self._call("generateblock", _descriptor(script), raw)
        except RpcRefused as error:
            message = error.message
            raise Refused(reason_of(message.split("failed: ")[-1]), "block", message) from error

    def reorg(self, depth: int, transactions: Sequence[Transaction] = ()) -> None:
        """See `TestChain.reorg`."""
        tip = self.tip
        if not 0 < depth <= tip.height - self._index.start:
            raise IndexError(f"{depth} blocks of {tip.height}")
        lost = self._index.block(tip.height - depth + 1).hash
        script = push(tip.hash)  # unlike the lost blocks' coinbases, whatever the clock says
        self._call("invalidateblock", lost[::-1].hex())
        try:
            for i in range(depth + 1):
                self._generate(() if i else transactions, script)
        except Refused:
            self._call("reconsiderblock", lost[::-1].hex())
            raise


def _descriptor(script: bytes) -> str:
    return f"raw({script.hex()})"
