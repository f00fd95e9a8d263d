# SPDX-License-Identifier: Apache-2.0
"""Lay out a language's package as its registry takes it: python packages/build.py LANGUAGE FOLDER.

A package is the committed modules as they are, in the folder that package.toml names as `modules`, and what the
templates beside it make of the version and the layers' names. Nothing is published from here.
"""

import shutil
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).absolute().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # as a program this file is started from anywhere

from generator import VERSION
from generator.generation import manifest  # noqa: E402
from generator.languages import render, table  # noqa: E402


def build(language: str, folder: Path) -> None:
    """Write the package of *language* into *folder*, which is made."""
    source = HERE / language
    modules = folder / tomllib.loads((source / "package.toml").read_text("utf-8"))["modules"]
    modules.mkdir(parents=True, exist_ok=True)
    layers = manifest.layers(ROOT)
    for file in table.committed(layers):
        if file.language == language and file.kind:
            shutil.copy(ROOT / "output" / file.path, modules)
    for template in sorted(source.rglob("*.jinja")):
        name = template.relative_to(source).as_posix()
        made = folder / name.removesuffix(".jinja")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(render.render(source, name, {"version": VERSION, "layers": layers}), "utf-8", newline="\n")
    shutil.copy(ROOT / "LICENSES/0BSD.txt", folder / "LICENSE")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python packages/build.py LANGUAGE FOLDER")
    build(sys.argv[1], Path(sys.argv[2]))
