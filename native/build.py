"""Compiles the C kernels in place: `python -m native.build` makes `native/_kernels*.so`.

The C declarations for cffi are read from `csrc/kernel_list.h` and `csrc/executor.h`, so that each stands in one place.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from cffi import FFI

CSRC = Path(__file__).parent / "csrc"
ROOT = Path(__file__).parent.parent
COMPILE_ARGS = ("-O3", "-fno-strict-aliasing", "-fvisibility=hidden", "-pthread", "-std=gnu11")
X86 = platform.machine().lower() in ("x86_64", "amd64", "i686", "i386")

_ENTRY = re.compile(r"^KERNEL\((\w+), (\w+), (\(.*?\)), \(.*?\)\)$", re.MULTILINE)

_OWN = """
int pp_tier_available(int tier);
int pp_set_tier(int tier);
int pp_tier(void);
void pool_set_threads(int count);
int pool_threads(void);
int pp_program_run(const uint32_t *const *blocks, const size_t *lengths, const uint32_t *reads, const uint32_t *items,
                   const uint32_t *keys, const uint32_t *body, uint32_t *memory, uint32_t *failure);
int64_t pp_first_non_canonical(const uint32_t *body, const uint32_t *spans, size_t count);
"""


def declarations() -> str:
    """C prototypes of everything Python calls, one a line."""
    text = (CSRC / "kernel_list.h").read_text()
    kernels = [f"{result} pp_{name}{parameters};" for result, name, parameters in _ENTRY.findall(text)]
    return _OWN + (CSRC / "executor.h").read_text() + "\n".join(kernels) + "\n"


def sources() -> list[str]:
    """The C sources of this machine."""
    names = ["dispatch.c", "pool.c", "tables.c", "program.c", "executor.c", "kernels_portable.c"]
    if X86:
        names += ["kernels_avx2.c", "kernels_avx512.c"]
    return [str(CSRC / name) for name in names]


def make_builder() -> FFI:
    """The cffi builder, also used by `setup.py` style builds (`native/build.py:ffibuilder`)."""
    builder = FFI()
    builder.cdef(declarations())
    builder.set_source(
        "native._kernels",
        "#include <stddef.h>\n#include <stdint.h>\n" + declarations(),
        sources=sources(),
        include_dirs=[str(CSRC)],
        depends=[str(path) for path in sorted(CSRC.glob("*.h"))],
        extra_compile_args=list(COMPILE_ARGS),
        extra_link_args=["-pthread"],
    )
    return builder


ffibuilder = make_builder()


def main() -> None:
    """Compiles in `build/native`, puts the module beside this file, and prints where it is."""
    scratch = ROOT / "build" / "native"
    scratch.mkdir(parents=True, exist_ok=True)
    made = Path(ffibuilder.compile(tmpdir=str(scratch)))
    print(made.replace(Path(__file__).parent / made.name))


if __name__ == "__main__":
    main()
