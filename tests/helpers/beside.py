# SPDX-License-Identifier: Apache-2.0
"""What builders write for the same files on the same base, as rows of a table in docs/bases.md."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from generator.imageread import images
from generator.imageread.untar import DIRECTORY, SYMBOLIC_LINK, TarEntry, TarReader

from .bases import SIZE
from .committed_modules import PROJECT
from .programs import pe

DOCUMENT = PROJECT / "docs/bases.md"
FILES = {"hello.exe": pe(), "conf/deep/a.txt": b"a"}
LINK, TARGET = "conf/deep/link", "a.txt"
_ROW = re.compile(r"^\| (\S[^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


class Row(NamedTuple):
    """What a builder writes."""

    folders: str
    times: str
    link: str
    descriptors: str
    base: str


def context(folder: Path) -> Path:
    """Make the files in *folder*."""
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / LINK).symlink_to(TARGET)
    return folder


def _entries(name: str) -> Iterator[TarEntry]:
    """Yield the entries of the layers on top of the base's two."""
    with images.images(name) as (image,):
        for layer in image.layers[2:]:
            with layer.open() as blob:
                yield from TarReader(images.unpack(blob)[1])


def row(name: str, traffic: int) -> Row:
    """Return the row of the image *name*, which was made by *traffic* bytes to and from the registry."""
    found = {each.name.rstrip("/"): each for each in _entries(name)}
    folders = {path for path, each in found.items() if each.kind == DIRECTORY}
    needed = {posixpath.dirname(path) for path in found} - {""}
    files = [each for each in found.values() if each.kind != DIRECTORY]
    timed = all({"atime", "ctime"} <= {*each.records} for each in files)
    links = [each.target for each in files if each.kind == SYMBOLIC_LINK]
    own = [each for path, each in found.items() if path not in {"Files", "Hives"}]
    described = {"MSWINDOWS.rawsd" in each.records for each in own}
    outside = not all(path.startswith(("Files", "Hives")) for path in found)
    return Row(
        "outside Files" if outside else "all" if needed <= folders else "missing",
        "all" if timed else "modification",
        "left out" if not links else "right" if links == [TARGET] else f"to {links[0]}",
        {frozenset({True}): "all", frozenset({False}): "none"}.get(frozenset(described), "some"),
        "not moved" if traffic < SIZE else "downloaded" if traffic < 2 * SIZE else "moved twice",
    )


def documented() -> dict[str, Row]:
    """Return the rows of the document, by builder."""
    text = DOCUMENT.read_text("utf-8").partition("\n## Other builders on the same base\n")[2].partition("\n## ")[0]
    rows = [match.groups() for match in _ROW.finditer(text)]
    return {name.strip(): Row(*(each.strip().replace("`", "") for each in rest)) for name, *rest in rows[1:]}
