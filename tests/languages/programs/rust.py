# SPDX-License-Identifier: Apache-2.0
"""Rust in the tests that all languages share."""

import shutil
import sys
from pathlib import Path
from typing import Any

from helpers import layer_vectors
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed, run
from helpers.support import need

from generator.languages.language import ModuleOptions

from . import Command, User, c

MODULES = OUTPUT / "rust"
STD = ("--cfg", 'feature="std"')


def compiled(compiler: str, folder: Path, *words: str | Path, layers: str | Path = "") -> Path:
    """Return the program that a source and flags give, a warning being an error; it may include *layers*."""
    program = folder / "program"
    run(need(compiler), "--edition", "2021", "-D", "warnings", *words, "-o", program, LAYERS_RS=str(layers))
    return program


def dump(compiler: str, folder: Path) -> Path:
    """Compile the program that writes the data of every layer's module to files."""
    layers = committed()
    lines = [f'#[path = "{MODULES}/windows_{name}.rs"]\nmod {name};' for name in LAYERS]
    lines.append("fn layers() -> Vec<Row> {\n    vec![")
    for name in LAYERS:
        bcd = f"Some({name}::bcd())" if f"{name}.bcd" in layers else "None"
        values = (f"{name}::{each}" for each in ("NAME", "MEDIA_TYPE", "LAYER", "BLOB", "verify()"))
        first, second, *data, verified = values
        sizes = f"[{name}::LAYER_SIZE, {name}::BLOB_SIZE]"
        verified += ".map_err(|error| error.to_string())"
        lines.append(f"        ({first}, {second}, {sizes}, {', '.join(data)}, {bcd}, {verified}),")
    lines.append("    ]\n}\n")
    table = folder / "layers.rs"
    table.write_text("\n".join(lines))
    return compiled(compiler, folder, PROJECT / "tests/languages/rust/dump.rs", layers=table)


def files(compiler: str, folder: Path) -> Path:
    """Compile the program that answers the cases of layer_vectors."""
    return compiled(compiler, folder, "-C", "opt-level=1", *STD, PROJECT / "tests/languages/rust/files.rs")


def built(folder: Path, package: str, program: str) -> Path:
    """Return a *program* of a *package* of this project, built with the crates that its lock names.

    What cargo builds stays beside Python's packages, so that each crate is built once.
    """
    command: Command = [need("cargo"), "build", "--locked", "--quiet"]
    command += ["--manifest-path", PROJECT / package / "Cargo.toml", "--target-dir", Path(sys.prefix, "cargo")]
    run(*command, CARGO_INCREMENTAL="0", CARGO_PROFILE_DEV_DEBUG="0")
    return Path(shutil.copy(Path(sys.prefix, "cargo/debug", program), folder))


def _image(folder: Path) -> Command:
    return [built(folder, "examples/rust", "image")]


def can_ask(case: dict[str, Any]) -> bool:
    """Return whether Rust can represent a case: its texts are Unicode, and its times nanoseconds in 64 bits."""
    for entry in layer_vectors.entries(case):
        for key in ("path", "target"):
            try:
                layer_vectors.text(entry.get(key, "")).decode("utf-8")
            except UnicodeDecodeError:
                return False
    return c.can_ask(case)


USER = User(
    options=(ModuleOptions("m"), ModuleOptions("m" * 48)),
    dump=lambda folder, into: print(run(dump("rustc", folder), into)),
    files=lambda folder: [files("rustc", folder)],
    image=_image,
    source="examples/rust/image.rs",
    can_ask=can_ask,
    consumes=True,
    formatter=("rustfmt", "--edition", "2021", "--check", "--quiet"),
)
