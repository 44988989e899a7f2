"""A real Bitcoin node for tests, where PEGPROOF_BITCOIND names one: the address of a regtest node, or a program.

`http://user:password@127.0.0.1:18443` is a node that runs and that the tests may mine on; docs/bridge.md says with
which options. A `bitcoind`, with options or without, is started in a directory of its own, and ended with the run.
"""

import atexit
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
from bitcoin_core_rpc import BitcoinCoreRpcClient

from verifier.bitcoin.transaction import TxOut
from verifier.bridge.simulate.setup import BankCoin, script_of, secret_of
from verifier.chain.bitcoind import Bitcoind, NodeUnreachable, RpcRefused
from verifier.chain.block import COINBASE_MATURITY
from verifier.chain.chain import Chain, TestChain
from verifier.chain.wallet import Wallet

NAMED = os.environ.get("PEGPROOF_BITCOIND", "")
IS_PROGRAM = bool(NAMED) and "://" not in NAMED
_WHY = "PEGPROOF_BITCOIND names no node" if not NAMED else "a real node serves one process: run with -n 0"
_HERE = bool(NAMED) and "PYTEST_XDIST_WORKER" not in os.environ
needs_node = pytest.mark.skipif(not _HERE, reason=_WHY)
needs_program = pytest.mark.skipif(
    not (_HERE and IS_PROGRAM), reason="PEGPROOF_BITCOIND names no program that could be started"
)
OPTIONS = (
    *("-regtest", "-server", "-listen=0", "-connect=0", "-printtoconsole=0", "-persistmempool=0"),
    *("-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1"),
    *("-blockmintxfee=0.00000001", "-checkblockindex=0", "-checkmempool=0"),
)
"""No rule of the mempool's is another than by default: the node mines what it relays, and does not check itself."""
TREASURY = 50
"""Blocks of a fresh chain that pay to the bank, 50 coins each: enough for some thirty runs of all tests."""
_START_SECONDS = 60


@contextmanager
def started(*options: str) -> Iterator[str]:
    """The address of a fresh node of the program, which is ended afterwards."""
    with TemporaryDirectory(prefix="pegproof-node-") as directory:
        port = _free_port()
        named = shlex.split(NAMED)
        command = [*named, f"-datadir={directory}", f"-rpcport={port}", *OPTIONS, *options]
        process = subprocess.Popen(command)
        try:
            yield _address(process, Path(directory) / "regtest" / ".cookie", port)
        finally:
            process.terminate()
            process.wait(_START_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _address(process: "subprocess.Popen[bytes]", cookie: Path, port: int) -> str:
    """Waits until the node answers."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            address = f"http://{cookie.read_text()}@127.0.0.1:{port}"
            Bitcoind(address)
            return address
        except (OSError, NodeUnreachable, RpcRefused):
            if process.poll() is not None or time.monotonic() > end:
                raise
        time.sleep(0.05)


@cache
def url() -> str:
    """The address of the one node that all tests share."""
    if not IS_PROGRAM:
        return NAMED
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(started())


@cache
def real_node() -> Bitcoind:
    """The node, and coins of the bank's on it."""
    node = Bitcoind(url())
    fill_treasury(node)
    return node


def bank(chain: Chain) -> Wallet:
    """Who has the coins."""
    return Wallet(secret_of("bank"), chain)


def fill_treasury(chain: TestChain) -> None:
    """The first blocks of a chain pay to the bank; on one that did so before, nothing happens."""
    if not chain.coins(script_of("bank")):
        chain.mine(TREASURY, script_of("bank"))
        chain.mine(COINBASE_MATURITY)


def bank_coin(chain: TestChain, sats: int) -> BankCoin:
    """A confirmed coin of the bank's."""
    tx = bank(chain).pay([TxOut(sats, script_of("bank"))], 1_000)
    chain.submit(tx)
    chain.mine()
    return tx.outpoint(0), tx.outputs[0]


def keep_time() -> None:
    """Moves the node's clock up to its last block: blocks come faster than seconds, and two hours are the limit."""
    last = real_node().block(real_node().tip.height).time
    rpc("setmocktime", max(last, int(time.time())))


def version() -> int:
    """Of the node: 310000 is Core 31.0."""
    return int(rpc("getnetworkinfo")["version"])


def rpc(method: str, *params: object) -> Any:
    """What `Bitcoind` has no use for."""
    parts = urlsplit(url())
    client = BitcoinCoreRpcClient(
        f"http://{parts.hostname}:{parts.port}", user=parts.username, password=parts.password
    )
    return client.call(method, params)
