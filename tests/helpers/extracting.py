# SPDX-License-Identifier: Apache-2.0
"""Make images for `extract`, and run it."""

from pathlib import Path

from .layouts import Layout, Part, directory, tarred
from .random_images import on_disk
from .views import run

APP = (directory("Files/app"), Part("Files/app/a.txt", b"a"), Part("Files/app/b.txt", b"bb", time=1_700_000_000))


def image(folder: Path, *layers: "tuple[Part, ...] | list[Part]") -> str:
    """Return the name of an image of layers with the parts *layers*."""
    return Layout(folder / "image", [tarred(each) for each in layers]).write()


def extracted(folder: Path, name: str, *words: str, status: int = 0) -> "dict[str, bytes | None]":
    """Return what `extract` writes to a new folder; fail unless it exits with *status*."""
    assert run("extract", name, *words, "--to", folder / "out")[0] == status
    return on_disk(folder / "out")
