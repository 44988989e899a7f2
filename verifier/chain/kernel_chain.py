"""A regtest chain inside Bitcoin Core's kernel: takes blocks, tells the tip and why a block fails.

Everything is in memory but the kernel's own block files, which lie in a directory of its own and are thrown
away; what must last is logged by the caller (the binding cannot flush). `process_block` says yes to blocks
that fail when they are connected, and never says why: success is "the tip is this block", and the reason is
read from the kernel's log.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any, Final

from pbk.block import Block as KernelBlock
from pbk.chain import ChainParameters, ChainstateManager, ChainstateManagerOptions, ChainType
from pbk.context import Context, ContextOptions
from pbk.log import LoggingConnection
from pbk.util.exc import ProcessBlockException

from verifier.chain.block import Block
from verifier.chain.chain import ChainError
from verifier.chain.kernel import buffer

NOT_BEST: Final = "not the best chain"
_UNWRITTEN: Final = " to disk"
"""In what the kernel says of a block that it could not store, which says nothing about the block."""
_lines: Final = deque[str](maxlen=16)


def _remember(line: str) -> None:
    _lines.append(line)


@cache
def _connect_log() -> Any:
    """One connection a process; the kernel's log is global."""
    return LoggingConnection(_remember)


def _reason() -> str:
    """What the kernel last complained of, e.g. `bad-txns-inputs-missingorspent`."""
    for line in reversed(_lines):
        if "AcceptBlock FAILED (" in line:
            return line.split("FAILED (", 1)[1].rstrip().removesuffix(")")
        if "ConnectBlock" in line and " failed, " in line:
            return line.split(" failed, ", 1)[1].rstrip()
    return "unknown"


class KernelChain:
    """The chain; close it, or its block files stay.

    Args:
        directory: for the block files; what is in it is thrown away. None for a temporary one.

    Raises:
        ChainError: the kernel does not start; it wants some 70 MB of disk, as any node does.
    """

    def __init__(self, directory: Path | None = None) -> None:
        _connect_log()
        self._files = Path(tempfile.mkdtemp(prefix="pegproof-kernel-")) if directory is None else directory
        shutil.rmtree(self._files, ignore_errors=True)
        self._files.mkdir()
        options = ContextOptions()
        options.set_chainparams(ChainParameters(ChainType.REGTEST))
        settings = ChainstateManagerOptions(Context(options), str(self._files), str(self._files / "blocks"))
        settings.update_block_tree_db_in_memory(True)
        settings.update_chainstate_db_in_memory(True)
        _lines.clear()
        try:
            self._manager: Any = ChainstateManager(settings)
        except RuntimeError as error:
            shutil.rmtree(self._files, ignore_errors=True)
            errors = [line.partition("[error] ")[2].strip() for line in _lines if "[error] " in line]
            said = "; ".join(errors) or "unknown"
            hint = "is the disk full?"
            raise ChainError(f"the kernel does not start in {self._files}: {said}: {hint}") from error
        self._manager.import_blocks([])
        self._chain = self._manager.get_active_chain()

    @property
    def height(self) -> int:
        """Of the best chain; 0 is the genesis block."""
        return int(self._chain.height)

    def hash(self, height: int) -> bytes:
        """The block of the best chain at a height."""
        return bytes(self._chain.block_tree_entries[height].block_hash)

    def genesis(self) -> bytes:
        """The first block, serialised."""
        return bytes(self._manager.blocks[self._chain.block_tree_entries[0]])

    def process(self, block: Block, raw: bytes) -> str | None:
        """Gives a block to the kernel.

        Returns:
            None if it is the tip now; else why not: Core's reason, or "not the best chain".

        Raises:
            ChainError: the kernel cannot store it.
        """
        _lines.clear()
        try:
            self._manager.process_block(buffer(KernelBlock, raw))
            if self.hash(self.height) == block.hash:
                return None
            reason = _reason()
            reason = NOT_BEST if reason == "unknown" else reason
        except ProcessBlockException:
            reason = _reason()
        if _UNWRITTEN in reason:
            raise ChainError(f"the kernel stores no block: {reason}: is the disk full?")
        return reason

    def close(self) -> None:
        """Ends the kernel and removes its files."""
        self._chain = self._manager = None
        shutil.rmtree(self._files, ignore_errors=True)
