"""From recorded nodes to machine code: order of instructions, slots by last use.

Outputs are emitted a few terms at a time and columns are loaded anew in every batch of terms, so that the
working set stays in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from prover.air.recorder import MachineOp, Node, Recorder, Sum, Symbol
from prover.field import ZERO, Kb6, P, add, lift, scale

BATCH = 16
"""Terms of a sum that are emitted together."""


_NONE, _A, _A_B, _D_A = (), (2,), (2, 3), (1, 2)
_READS = {
    **dict.fromkeys(MachineOp, _A_B),
    **dict.fromkeys((MachineOp.LOAD, MachineOp.LOADE, MachineOp.BCONST, MachineOp.ECONST), _NONE),
    **dict.fromkeys((MachineOp.BADDC, MachineOp.BMULC, MachineOp.EMULC, MachineOp.STOREE), _A),
    MachineOp.EMAC: _D_A,
}
"""Places in a line of the registers that it reads."""
_EXT = frozenset((MachineOp.LOADE, MachineOp.EMUL, MachineOp.EBMUL, MachineOp.EMULC))
"""Operations of nodes that are extension values."""


# By name: Python 3.11 takes 0.2 us to find a member of an enumeration.
_LOAD, _BCONST, _ECONST, _EADD, _ESUB, _LOADE, _STOREE, _EMAC = (
    MachineOp.LOAD,
    MachineOp.BCONST,
    MachineOp.ECONST,
    MachineOp.EADD,
    MachineOp.ESUB,
    MachineOp.LOADE,
    MachineOp.STOREE,
    MachineOp.EMAC,
)


@dataclass(frozen=True, eq=False)
class MachineCode:
    """Code ready for the machine but for the symbols' values; made once a table, equal to itself alone.

    Attributes:
        code: four words an instruction.
        base_slots, ext_slots: working slots needed.
        base_constants: in [0, p).
        symbols: extension constants, to be bound.
        num_outputs: extension outputs.
    """

    code: list[int]
    base_slots: int
    ext_slots: int
    base_constants: list[int]
    symbols: list[Symbol]
    num_outputs: int

    def bind(self, values: dict[str, Sequence[Kb6]]) -> list[Kb6]:
        """The symbols' values."""
        out = []
        for symbol in self.symbols:
            value = ZERO if symbol.kind == "zero" else values[symbol.kind][symbol.number]
            if symbol.sign != 1:
                value = scale(value, symbol.sign % P)
            out.append(add(value, lift(symbol.offset)) if symbol.offset else value)
        return out


@dataclass
class Emission:
    """Linear code over virtual registers, then slots."""

    recorder: Recorder
    lines: list[tuple[MachineOp, int, int, int]] = field(default_factory=list)  # virtual registers
    place: dict[int, int] = field(default_factory=dict)  # node -> virtual register
    ext: list[bool] = field(default_factory=list)  # virtual register -> is it an extension value
    base_constants: dict[int, int] = field(default_factory=dict)
    symbols: dict[Symbol, int] = field(default_factory=dict)
    loaded: list[int] = field(default_factory=list)

    def _register(self, ext: bool) -> int:
        self.ext.append(ext)
        return len(self.ext) - 1

    def _symbol(self, symbol: Symbol) -> int:
        return self.symbols.setdefault(symbol, len(self.symbols))

    def _base_constant(self, value: int) -> int:
        return self.base_constants.setdefault(value, len(self.base_constants))

    def forget_loads(self) -> None:
        """Columns are loaded anew from here on."""
        for number in self.loaded:
            self.place.pop(number, None)
        self.loaded.clear()

    def emit(self, root: int) -> int:
        """Emits a node and what it needs; gives its register."""
        nodes, place, stack = self.recorder.nodes, self.place, [root]
        while stack:
            number = stack[-1]
            if number in place:
                stack.pop()
                continue
            node = nodes[number]
            if node.sum is not None:
                # Sums nest only a few deep (a fingerprint in a product): recursion is bounded.
                place[number] = self.emit_sum(node.sum)
                continue
            reads = _READS[node.op]
            if reads is _A_B and node.b not in place:
                stack.append(node.b)
            if reads and node.a not in place:
                stack.append(node.a)
            if stack[-1] == number:
                self._emit_node(number, node, len(reads))
        return place[root]

    def _emit_node(self, number: int, node: Node, operands: int) -> None:
        op, a, b = node.op, node.a, node.b
        if op in (_LOAD, _LOADE):
            self.loaded.append(number)
        elif op is _BCONST:
            a = self._base_constant(a)
        else:
            a = self.place[a]
            if operands == 2:
                b = self.place[b]
            elif node.symbol is not None:
                b = self._symbol(node.symbol)
            else:
                b = self._base_constant(b)
        register = self._register(op in _EXT)
        self.lines.append((op, register, a, b))
        self.place[number] = register

    def emit_sum(self, total: Sum, batched: bool = False) -> int:
        """A sum into a fresh register, BATCH terms at a time."""
        target = self._register(True)
        offset = total.offset or Symbol("zero")
        self.lines.append((_ECONST, target, self._symbol(offset), 0))
        for start in range(0, len(total.terms), BATCH):
            terms = total.terms[start : start + BATCH]
            registers = [self.emit(term.value) for term in terms]
            for term, register in zip(terms, registers, strict=True):
                if term.constant is None:
                    op = _EADD if term.sign == 1 else _ESUB
                    self.lines.append((op, target, target, register))
            for term, register in zip(terms, registers, strict=True):
                if term.constant is not None:
                    self.lines.append((_EMAC, target, register, self._symbol(term.constant)))
            if batched:
                self.forget_loads()
        return target

    def store(self, output: int, number: int) -> None:
        """Emits a node and stores it as an output."""
        self.lines.append((_STOREE, output, self.emit(number), 0))

    def store_sum(self, output: int, total: Sum) -> None:
        """Emits a long sum in batches and stores it as an output."""
        self.lines.append((_STOREE, output, self.emit_sum(total, batched=True), 0))

    def finish(self, num_outputs: int) -> MachineCode:
        """Registers to slots, by last use."""
        reads = [[line[i] for i in _READS[line[0]]] for line in self.lines]
        last = {register: at for at, read in enumerate(reads) for register in read}
        slots: dict[int, int] = {}
        free: tuple[list[int], list[int]] = ([], [])
        used = [0, 0]
        code: list[int] = []
        for at, ((op, d, a, b), read) in enumerate(zip(self.lines, reads, strict=True)):
            if read:
                a = slots[a]
                if _READS[op] is _A_B:
                    b = slots[b]
            # A result may take the slot of an operand that ends here: every kernel loads before it stores.
            for register in read:
                if last[register] == at and register in slots and (register != d or op is _STOREE):
                    free[self.ext[register]].append(slots.pop(register))
            if op is not _STOREE:
                if d not in slots:
                    kind = self.ext[d]
                    if free[kind]:
                        slots[d] = free[kind].pop()
                    else:
                        slots[d] = used[kind]
                        used[kind] += 1
                d = slots[d]
            code += (op, d, a, b)
        return MachineCode(
            code,
            max(used[0], 1),
            max(used[1], 1),
            list(self.base_constants) or [0],
            list(self.symbols) or [Symbol("zero")],
            num_outputs,
        )
