"""The order of steps in a scope: what is asked for late is made late, so that little passes between parts."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.bridge.chunks.steps import Kind, Step


def by_demand(steps: list[Step]) -> list[Step]:
    """The steps in the order in which the last ones ask for them, so that little waits for long.

    Checks and results that no step of these reads are asked for in order; each asks for its operands first.
    """
    makers = {word: step for step in steps for word in step.out}
    read = {word for step in steps for word in step.reads}
    done: set[int] = set()
    out: list[Step] = []
    for last in steps:
        if read & set(last.out):
            continue
        stack = [(last, _asking(last))]
        while stack:
            step, operands = stack[-1]
            asked = next((makers[word] for word in operands if word in makers), None)
            if asked is None:
                stack.pop()
                if id(step) not in done:
                    done.add(id(step))
                    out.append(step)
            elif id(asked) not in done:
                stack.append((asked, _asking(asked)))
    return out


def _asking(step: Step) -> Iterator[int]:
    """A step's operands in the order in which they are asked for: what a product is added to comes first."""
    args = (step.args[-1], *step.args[:-1]) if step.kind is Kind.HORNER else step.args
    return (word for arg in args for word in arg)
