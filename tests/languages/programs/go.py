# SPDX-License-Identifier: Apache-2.0
"""Go in the tests that all languages share."""

from pathlib import Path

from helpers.committed_modules import PROJECT, run
from helpers.support import need

from generator.languages.language import ModuleOptions

from . import Command, User

# Go's sizes have 63 bits and a sign, so it cannot be asked for more.
BEYOND = {"a size of 64 bits"}


def built(folder: Path, module: str, package: str) -> Command:
    """Return the program that a *package* of one of the project's Go modules gives."""
    run(need("go"), "build", "-o", folder / "program", package, cwd=PROJECT / module)
    return [folder / "program"]


def _dump(folder: Path, into: Path) -> None:
    run(*built(folder, "tests/languages/go", "./dump"), into)


USER = User(
    options=(
        ModuleOptions("p"),
        ModuleOptions("layers", "X"),
        ModuleOptions("layers", "WindowsBaseLayer"),
        ModuleOptions("layers", "P" + "_2345678" * 5 + "_234567"),
        ModuleOptions("layer", "", "imgutil"),
        ModuleOptions("layer", "Windows", "imgutil"),
    ),
    dump=_dump,
    files=lambda folder: built(folder, "tests/languages/go", "./files"),
    image=lambda folder: built(folder, "examples/go", "./image"),
    source="examples/go/image/main.go",
    can_ask=lambda case: case.get("name") not in BEYOND,
    formatter=("gofmt", "-l", "-s"),
)
