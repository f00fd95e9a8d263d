# SPDX-License-Identifier: Apache-2.0
"""C and C++ in the tests that all languages share."""

from pathlib import Path
from typing import Any

from helpers import layer_vectors
from helpers.committed_modules import OUTPUT, PROJECT, run, write_layers_h
from helpers.support import lack, need

from generator.languages.language import ModuleOptions

from . import Command, User

MODULES = OUTPUT / "c"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PREFIX = "p" + "_2345678" * 5 + "_234567"  # 48 characters


def compiled(compiler: str, folder: Path, *words: str | Path) -> Path:
    """Compile the flags and sources *words*; return the program, which may be one for Windows."""
    run(need(compiler), *WARNINGS, "-I", MODULES, *words, "-o", folder / "program.exe")
    return folder / "program.exe"


def files(compiler: str, folder: Path, *flags: str) -> Path:
    """Compile the program that answers the cases of layer_vectors."""
    return compiled(compiler, folder, *flags, PROJECT / "tests/languages/c/files.c", MODULES / "windows_files.c")


def dump(compiler: str, folder: Path, *flags: str) -> Path:
    """Compile the program that writes the data of every layer's module to files."""
    write_layers_h(folder)
    return compiled(
        compiler, folder, "-I", folder, *flags, PROJECT / "tests/languages/c/dump.c", *sorted(MODULES.glob("*.c"))
    )


def _dump(folder: Path, into: Path) -> None:
    run(dump("gcc", folder, "-std=c99"), into)


def _image(folder: Path) -> Command:
    if not Path("/usr/include/sha2.h").exists():
        lack("libmd-dev not found")
    sources = [PROJECT / USER.source, MODULES / "windows_files.c", MODULES / "windows_hostprocess.c"]
    return [compiled("gcc", folder, "-std=c99", "-D_DEFAULT_SOURCE", *sources, "-lmd")]


def can_ask(case: dict[str, Any]) -> bool:
    """Return whether C can represent a case: its times are nanoseconds in 64 bits."""
    times = [case.get("time", "0"), *(entry.get("time", "0") for entry in layer_vectors.entries(case))]
    return all(abs(time) < 1 << 63 for each in times for time in layer_vectors.times(each))


USER = User(
    options=(
        ModuleOptions("f", "x"),
        ModuleOptions("a" * 40, PREFIX),
        *(ModuleOptions("f", "x" * n) for n in (10, 20, 29, 30, 31, 38, 40, 41)),
    ),
    dump=_dump,
    files=lambda folder: [files("gcc", folder, "-std=c99", "-O2")],
    image=_image,
    trees=False,
    source="examples/c/image.c",
    lines=120,
    can_ask=can_ask,
    formatter=("clang-format", "--style=LLVM", "--dry-run", "--Werror"),
)
