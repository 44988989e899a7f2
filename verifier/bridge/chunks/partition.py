"""From steps to chunks, nodes and wires, once for the main program and once for the query.

A scope of the Program is a node; one with too many values is cut into parts. Within a part, steps gather into
chunks as long as the limits allow. A word that leaves its chunk is committed, at the deepest node above all
who make or read it, so that chunks read wires of their node and its ancestors only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from native.hashing import blake3_context_key
from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS, Context
from verifier.bridge.chunks.order import by_demand
from verifier.bridge.chunks.pieces import GROUP, QUERY, Chunk, Partition, Path, Wire, links_of, needed
from verifier.bridge.chunks.relations import items as items_of
from verifier.bridge.chunks.relations import relations
from verifier.bridge.chunks.steps import (
    BLOCK_WORDS,
    CHECKS,
    DERIVE,
    END,
    HASHING,
    ROOT,
    START,
    Kind,
    Lowered,
    Step,
    Words,
    compressions,
    domain,
)
from verifier.bridge.chunks.untangle import untangled
from verifier.stark.steps import Scope

MAX_LINKS = 490
"""Links (digits and checksums) that a leaf checks: two items each, at most 999 at start, hints besides."""
MAX_COMPRESSIONS = 2
HASH_WORDS, WIDE_WORDS = 58, 34
"""Words, read and written, that lie as nibbles beside the tables of a compression, or of one with a wide result."""
MAX_ITEMS = 998
CHECK_ITEMS = 11
"""What a Winternitz check has above the signatures."""
MAX_BYTES = 330_000
PART_LINKS = (1_800, 2_400)
"""Links that a part's own wires should not exceed, in the main program and in a query."""
STEPS_A_WIRE = (6, 4)
"""Arithmetic steps for each result that leaves its chunk, about."""
ROW_LINKS = 1_700
"""The same of a row's part, which has all of a query above it."""
MAX_PARTS = 24
"""Parts that share a node for what passes between them."""

BYTES = {
    Kind.COMPRESS: 45_400, Kind.WIDE: 46_400, Kind.CHALLENGE: 1_000, Kind.MUL: 500, Kind.SUM: 1_000,
    Kind.PRODUCT: 6_200, Kind.SCALE: 2_000, Kind.INVERSE: 6_200, Kind.HORNER: 10_000,
    Kind.EQUAL: 500, Kind.ZERO: 500, Kind.NOT_ALL_ZERO: 200, Kind.CANONICAL: 1_200,
}  # fmt: skip
"""Script of a step, roughly: what gathering goes by."""


def partition(lowered: Lowered) -> Partition:
    """Cuts both blocks; deterministic."""
    result = _Partitioner(lowered).run()
    return result


class _Partitioner:
    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.out = Partition(lowered)
        self._needs: dict[int, tuple[Step, frozenset[int]]] = {}
        self.made_again: set[int] = set()
        self.outer: set[Path] = set()  # scopes with scopes inside
        self.readers: dict[int, int] = defaultdict(int)  # word -> steps that read it
        self.unit: dict[int, Words] = {}  # word -> the run that would be committed with it
        self.copies: list[list[Words]] = [[], []]  # by block
        self.sealed = {word: i for i, seal in enumerate(lowered.seals) for word in seal.words}
        for block in lowered.data:
            for words, _ in block:
                self.unit.update(dict.fromkeys(words, words))
        for steps in lowered.blocks:
            for step in steps:
                self.unit.update(dict.fromkeys(step.out, step.out))

    def needs(self, step: Step) -> frozenset[int]:
        """`needed`, remembered."""
        known = self._needs.get(id(step))
        if known is None or known[0] is not step:
            known = self._needs[id(step)] = (step, frozenset(needed(step, self.lowered)))
        return known[1]

    def run(self) -> Partition:
        self.shown = {*self.lowered.items, *self.lowered.claim}
        for steps in self.lowered.blocks:
            for step in steps:
                for word in self.needs(step):
                    self.readers[word] += 1
        for number, steps in enumerate(self.lowered.blocks):
            by_scope: dict[int, list[Step]] = defaultdict(list)
            for step in steps:
                if step.out not in self.lowered.powers:
                    by_scope[step.scope].append(step)
            chunks = []
            paths = [self.scope_path(number, scope) for scope in by_scope]
            self.outer = {path[:size] for path in paths for size in range(len(path))}
            for scope, group in by_scope.items():
                path = self.scope_path(number, scope)
                if path == (Scope.INDICES,):
                    for i, step in enumerate(group):  # a hash for each group of queries
                        chunks += self.gather_at([step], (GROUP, str(i)))
                    continue
                chunks += self.cut_scope(number, path, by_demand(group))
            self.out.chunks.append(untangled(chunks, self.originals, self.gather_at))
        self.place_wires()
        return self.out

    def scope_path(self, block: int, scope: int) -> Path:
        name = self.lowered.program.scopes[scope]
        path = tuple(name.split("/")) if name else ()
        return (QUERY, *path) if block else path

    # Parts

    def cut_scope(self, block: int, path: Path, steps: list[Step]) -> list[Chunk]:
        rows = [w for w, s in self.lowered.data[block] if s == steps[0].scope and len(w) == BLOCK_WORDS]
        parts = self.parts_by_row(rows, steps) if rows and block else self.parts_in_order(steps, block)
        chunks = []
        for i, part in enumerate(parts):
            if len(parts) > 1 or (not block and path in self.outer):
                where = (*path[:-1], f"{path[-1]} part {i}") if block else (*path, *_places(i, len(parts)))
            else:
                where = path
            part = self.with_seals(part, block)
            part = part if block else self.with_openings(part)
            part = self.with_powers(part)
            chunks += self.gather_at(part, where)
        return chunks

    def parts_by_row(self, rows: list[Words], steps: list[Step]) -> list[list[Step]]:
        """A part for every so many blocks of a row; a step goes with the block that it reads."""
        each = max(ROW_LINKS // (links_of(BLOCK_WORDS) + links_of(DIGEST_WORDS) // 2), 1)
        count = -(-len(rows) // each)
        each = -(-len(rows) // count)
        number = {words[0]: i // each for i, words in enumerate(rows)}
        parts: list[list[Step]] = [[] for _ in range(count)]
        part = 0
        for step in steps:
            firsts = [self.unit[word][0] for word in step.reads if word in self.unit]
            part = next((number[first] for first in firsts if first in number), part)
            parts[part].append(step)
        return parts

    def parts_in_order(self, steps: list[Step], block: int) -> list[list[Step]]:
        """Parts whose own wires come to about `PART_LINKS`."""
        limit, inside = PART_LINKS[block], STEPS_A_WIRE[block]
        parts: list[list[Step]] = [[]]
        cost, seen = 0, set[Words]()
        for step in steps:
            price, new = self.price(step, seen, inside)
            if cost + price > limit and parts[-1]:
                parts.append([])
                cost, seen = 0, set()
                price, new = self.price(step, seen, inside)
            cost += price
            seen |= new
            parts[-1].append(step)
        return parts

    def price(self, step: Step, seen: set[Words], inside: int) -> tuple[int, set[Words]]:
        """Links that a step adds to a part which has `seen` already: data, and nodes of the tree of openings."""
        opening = self.lowered.opening
        price = links_of(len(step.out)) // (MAX_COMPRESSIONS if step.kind in HASHING else inside)
        new: set[Words] = set()
        for word in self.needs(step):
            if word in opening.leaf:
                leaf = opening.leaf[word]
                if opening.digests[leaf] not in seen | new:
                    nodes = {opening.digests[leaf], *(parent for _, _, parent in opening.paths[leaf])}
                    price += links_of(DEGREE) * len(opening.leaves[leaf]) // DEGREE
                    price += links_of(DIGEST_WORDS) * len(nodes - seen - new) * 3 // 2
                    new |= nodes
            elif word in self.unit and word not in self.produced and self.unit[word] not in seen | new:
                price += links_of(len(self.unit[word]))
                new.add(self.unit[word])
        return price, new

    @cached_property
    def produced(self) -> set[int]:
        """Words that a step makes."""
        return {word for steps in self.lowered.blocks for step in steps for word in step.out}

    @cached_property
    def interned(self) -> dict[int, int]:
        """Value -> a constant word with it."""
        return {value: word for word, value in self.lowered.constants.items()}

    # Out-of-domain values: a node's own copies

    def with_openings(self, steps: list[Step]) -> list[Step]:
        """The steps on copies of the out-of-domain values that they read, each opened from the root."""
        opening = self.lowered.opening
        read = {word for step in steps for word in self.needs(step) if word in opening.leaf}
        if not read:
            return steps
        names: dict[int, int] = {}
        leaves = sorted({opening.leaf[word] for word in read})
        opened = self.open_leaves(leaves, names, steps[0].scope)
        opened += [_renamed(step, names) for step in steps]
        for step in opened:
            for word in self.needs(step):
                self.readers[word] += word in self.out.copy_of or step.kind is Kind.COMPRESS
        return opened

    def copy(self, words: Words, block: int) -> Words:
        """New data words of a node, a unit, equal to others in an honest execution."""
        lowered = self.lowered
        copies = tuple(range(lowered.words, lowered.words + len(words)))
        lowered.words += len(words)
        self.out.copy_of.update(zip(copies, words, strict=True))
        self.unit.update(dict.fromkeys(copies, copies))
        self.copies[block].append(copies)
        return copies

    def constant(self, values: Iterable[int]) -> Words:
        out = []
        for value in values:
            if value not in self.interned:
                self.interned[value] = self.lowered.words
                self.lowered.constants[self.lowered.words] = value
                self.lowered.words += 1
            out.append(self.interned[value])
        return tuple(out)

    def zero(self, count: int) -> Words:
        """Padding."""
        return self.constant([0] * count)

    def fresh(self, like: Words) -> Words:
        """Words of a step that a node makes again."""
        out = tuple(range(self.lowered.words, self.lowered.words + len(like)))
        self.lowered.words += len(like)
        self.unit.update(dict.fromkeys(out, out))
        self.out.copy_of.update(zip(out, like, strict=True))
        self.made_again.update(out)
        return out

    def inner(self) -> Words:
        """Words of a chaining value inside a leaf's hash, which the Program does not have."""
        out = tuple(range(self.lowered.words, self.lowered.words + DIGEST_WORDS))
        self.out.inner.update(out)
        self.lowered.words += DIGEST_WORDS
        self.unit.update(dict.fromkeys(out, out))
        return out

    def open_leaves(self, leaves: list[int], names: dict[int, int], scope: int) -> list[Step]:
        """Copies of the leaves' values, their digests from them, all that lies above, and the root compared."""
        opening = self.lowered.opening
        below: dict[
            Words, tuple[Words, Words, int]
        ] = {}  # a node above some leaf -> its children, its source
        hashed = {opening.digests[leaf]: leaf for leaf in leaves}
        for leaf in leaves:
            node = opening.digests[leaf]
            for (sibling, side, parent), source in zip(
                opening.paths[leaf], opening.sources[leaf][1:], strict=True
            ):
                below[parent] = (sibling, node, source) if side else (node, sibling, source)
                node = parent
        steps: list[Step] = []
        key = self.constant(blake3_context_key(Context.NODE))
        number = domain(0, 64, START | END | ROOT | DERIVE)

        def made(node: Words) -> Words:
            if node in hashed:
                return self.hash_leaf(hashed[node], names, scope, steps)
            if node not in below:
                constant = all(word in self.lowered.constants for word in node)
                return node if constant else self.copy(node, 0)
            left, right, source = below[node]
            both = made(left) + made(right)
            result = self.fresh(node)
            steps.append(Step(Kind.COMPRESS, result, (key, both), number, scope, source))
            return result

        root = made(opening.root)
        steps.append(Step(Kind.EQUAL, (), (root, opening.root), 0, scope, opening.sources[leaves[0]][-1]))
        return steps

    def hash_leaf(self, leaf: int, names: dict[int, int], scope: int, steps: list[Step]) -> Words:
        """Copies of a leaf's values, and its digest from them."""
        opening = self.lowered.opening
        words, source = opening.leaves[leaf], opening.sources[leaf][0]
        units = [self.copy(words[at : at + DEGREE], 0) for at in range(0, len(words), DEGREE)]
        copies = tuple(word for unit in units for word in unit)
        names.update(zip(words, copies, strict=True))
        steps += [Step(Kind.CANONICAL, (), (unit,), 0, scope, source) for unit in units]
        key = self.constant(blake3_context_key(Context.OOD_LEAF))
        node = self.fresh(opening.digests[leaf])
        for chaining, block, number, result in compressions(key, copies, node, self.inner, self.zero):
            steps.append(Step(Kind.COMPRESS, result, (chaining, block), number, scope, source))
        return node

    # Sealed words: a node's own copies, where a hash is shorter than they are

    def with_seals(self, steps: list[Step], block: int) -> list[Step]:
        """The steps on copies of the sealed words that they read from elsewhere, each seal hashed again."""
        seals, scope = self.lowered.seals, steps[0].scope
        todo = [word for step in steps for word in self.needs(step)]
        read: set[int] = set()
        while todo:
            seal = self.sealed.get(todo.pop())
            if seal is not None and seal not in read and (block or seals[seal].scope != scope):
                read.add(seal)
                todo.append(seals[seal].digest[0])  # which may be sealed too
        names: dict[int, int] = {}
        opened: list[Step] = []
        for seal in sorted(read):  # a digest is sealed after what it is made of
            opened += self.open_seal(seal, names, steps[0], block)
            digest = seals[seal].digest
            if self.sealed.get(digest[0]) in read:
                names.update(zip(digest, opened[-1].out, strict=True))
            else:
                equal = Step(Kind.EQUAL, (), (opened[-1].out, digest), 0, scope, steps[0].source)
                opened.append(equal)
        if not opened:
            return steps
        opened += [_renamed(step, names) for step in steps]
        for step in opened:
            for word in self.needs(step):
                self.readers[word] += word in self.out.copy_of or word in self.out.inner
        return opened

    def open_seal(self, seal: int, names: dict[int, int], like: Step, block: int) -> list[Step]:
        """Copies of the words that `names` does not have yet, and the hash of all."""
        words = self.lowered.seals[seal].words
        own = [word for word in words if word not in names]
        for at in range(0, len(own), BLOCK_WORDS):
            unit = tuple(own[at : at + BLOCK_WORDS])
            names.update(zip(unit, self.copy(unit, block), strict=True))
        result = self.fresh(self.lowered.seals[seal].digest)
        key = self.constant(blake3_context_key(Context.SEAL))
        copies = tuple(names[word] for word in words)
        return [
            Step(Kind.COMPRESS, out, (chaining, words), number, like.scope, like.source)
            for chaining, words, number, out in compressions(key, copies, result, self.inner, self.zero)
        ]

    # Small powers: made in every node that reads them, as few nodes on a path to a leaf do

    def with_powers(self, steps: list[Step]) -> list[Step]:
        """The steps on the node's own powers."""
        powers = self.lowered.powers
        read = {arg for step in steps for arg in step.args if arg in powers}
        for words in reversed(powers):
            if words in read:
                read.update(arg for arg in powers[words].args if arg in powers)
        names: dict[int, int] = {}
        made: list[Step] = []
        for words, step in powers.items():
            if words in read:
                copies = self.fresh(words)
                made.append(replace(_renamed(step, names), out=copies, scope=steps[0].scope))
                names.update(zip(words, copies, strict=True))
        if not made:
            return steps
        made += [_renamed(step, names) for step in steps]
        own = set(names.values())
        for step in made:
            for word in self.needs(step):
                self.readers[word] += word in own
        return made

    # Chunks

    def gather(self, steps: list[Step]) -> list[Chunk]:
        """Hashing, arithmetic and plain checks apart: their tables do not share a stack."""
        chunks: list[Chunk] = []
        followers: dict[str, Chunk] = {}
        hashed: set[int] = set()
        for step in steps:
            if step.kind in HASHING:
                sort = "hash"
                hashed.update(step.out)
            elif step.kind in CHECKS:
                sort = "hash" if hashed & self.needs(step) else "check"
            else:
                sort = "field"
            open_chunk = followers.get(sort)
            if open_chunk is None or not self.fits([*open_chunk.steps, step]):
                open_chunk = followers[sort] = Chunk([])
                chunks.append(open_chunk)
            open_chunk.steps.append(step)
        return chunks

    def gather_at(self, steps: list[Step], path: Path) -> list[Chunk]:
        """`gather`, at a node."""
        return [replace_path(chunk, path) for chunk in self.gather(steps)]

    def fits(self, steps: list[Step]) -> bool:
        compressions = sum(step.kind in HASHING for step in steps)
        if compressions > MAX_COMPRESSIONS:
            return False
        made = {word for step in steps for word in step.out}
        if any(step.kind is Kind.INVERSE and made & set(step.args[0]) for step in steps):
            return False  # made as 0, it would fail the script that has to convict its maker
        inside: dict[int, int] = defaultdict(int)
        for step in steps:
            for word in self.needs(step):
                inside[word] += 1
        read = inside.keys() - made
        units = {self.unit[word] for word in read if word in self.unit}
        links = sum(links_of(len(unit)) for unit in units)
        links += sum(links_of(1) for word in read if word not in self.unit)  # the query's index
        for step in steps:
            outside = sum(word in self.shown or self.readers[word] > inside[word] for word in step.out)
            links += links_of(outside) if outside else 0
        words = sum(len(unit) for unit in units) + sum(len(step.out) for step in steps)
        most = WIDE_WORDS if any(step.kind is Kind.WIDE for step in steps) else HASH_WORDS
        if compressions and words > most:
            return False
        if steps[0].kind not in HASHING | CHECKS:
            found = relations(steps, self.lowered)
            hints = sum(relation.num_hints for relation in found if relation)
            written = sum(len(s.out) for s in steps if self.readers[s.out[0]] > inside[s.out[0]])
            wires = {self.unit.get(word, (word,)) for word in read}
            if (
                hints + 2 * links + CHECK_ITEMS > MAX_ITEMS
                or items_of(found, wires, written, self.lowered) > MAX_ITEMS
            ):
                return False
        size = sum(BYTES[step.kind] for step in steps) + 64 * links
        return links <= MAX_LINKS and size <= MAX_BYTES

    def originals(self, step: Step) -> frozenset[int]:
        """Words that a step reads, and what they are copies of."""
        needs = self.needs(step)
        return needs | {self.out.copy_of[word] for word in needs if word in self.out.copy_of}

    # Wires

    def place_wires(self) -> None:
        lowered, out = self.lowered, self.out
        makers: dict[int, Chunk] = {}
        readers: dict[int, list[Chunk]] = defaultdict(list)
        for chunks in out.chunks:
            for chunk in chunks:
                for step in chunk.steps:
                    makers.update(dict.fromkeys(step.out, chunk))
        for chunks in out.chunks:
            for chunk in chunks:
                for word in {w for step in chunk.steps for w in self.needs(step)}:
                    if makers.get(word) is not chunk:
                        readers[word].append(chunk)
        owner: dict[int, Wire] = {}
        items = set(lowered.items)
        for number, chunks in enumerate(out.chunks):
            wires = []
            runs: list[Words] = [words for words, _ in lowered.data[number]]
            runs += self.copies[number]
            for chunk in chunks:
                for step in chunk.steps:
                    outside = [word for word in step.out if readers[word] or word in self.shown]
                    runs += _runs([word for word in outside if word not in items])
                    runs += [(word,) for word in outside if word in items]
            for run in runs:
                paths = [c.path for w in run for c in readers[w]]
                paths += [makers[w].path for w in run if w in makers]
                if number == 0 and not paths:
                    paths.append(())
                if not paths:
                    continue  # read by nobody
                wire = Wire(run, () if run == lowered.claim else _common(paths))
                wires.append(wire)
                owner.update(dict.fromkeys(run, wire))
            out.wires.append(wires)
        if lowered.item >= 0:
            owner[lowered.item] = Wire((lowered.item,), ())
        for chunks in out.chunks:
            for chunk in chunks:
                made = {word for step in chunk.steps for word in step.out}
                reads = {w for step in chunk.steps for w in self.needs(step)} - made
                chunk.reads = _unique(owner[word] for word in sorted(reads))
                chunk.writes = _unique(owner[word] for word in sorted(made) if word in owner)
                paths = [wire.path for wire in (*chunk.reads, *chunk.writes)]
                chunk.path = max(paths, key=len) if paths else ()


def replace_path(chunk: Chunk, path: Path) -> Chunk:
    """The chunk at a node."""
    chunk.path = path
    return chunk


def _places(i: int, count: int) -> Path:
    """Where part i of `count` stands: under groups where there are many."""
    if count <= MAX_PARTS:
        return (f"part {i}",)
    return (f"group {i // MAX_PARTS}", f"part {i}")


def _renamed(step: Step, names: dict[int, int]) -> Step:
    args = tuple(tuple(names.get(word, word) for word in arg) for arg in step.args)
    return replace(step, args=args)


def _runs(words: list[int]) -> list[Words]:
    runs: list[list[int]] = []
    for word in words:
        if runs and runs[-1][-1] + 1 == word:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [tuple(run) for run in runs]


def _common(paths: list[Path]) -> Path:
    low, high = min(paths), max(paths)
    size = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:size]


def _unique(wires: Iterable[Wire]) -> list[Wire]:
    return list(dict.fromkeys(wires))
