"""Compositions at an out-of-domain point on plain integers: what the constraint machine's are held against."""

from prover import field
from prover.field import lift


class Kb6Algebra:
    """`composition.Algebra` where base values too are KB6 elements."""

    add = ext_add = staticmethod(field.add)
    sub = ext_sub = staticmethod(field.sub)
    mul = ext_mul = ext_scale = staticmethod(field.mul)
    scale = staticmethod(field.scale)
    constant = staticmethod(field.lift)

    def embed(self, a):
        """Already in KB6."""
        return a

    def ext_offset(self, a, value):
        """Plus a base constant."""
        return field.add(a, lift(value))
