# SPDX-License-Identifier: Apache-2.0
"""The report of layers, images and hives: one HTML file that shows every byte; and the byte map as a picture."""

import re
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from ..base import console, files
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError, visible
from ..base.git import git
from ..generation import manifest, unchanged
from ..hives.check import VERDICTS
from ..oci.blob import Blob
from ..views.display_text import image_facts
from ..views.regions import Regions
from ..views.resolve import open_all
from ..views.unpacked_layers import Budget, HiveFile, UnpackedImage, UnpackedLayer, Viewable, regular
from .byte_map import byte_map
from .page import Facts, Revision, SizeHistory, Subject, page

DEFAULT: Final = "winscratch-report.html"
TITLE: Final = "Windows base layers, byte by byte"
MAX_BYTES: Final = 16 << 20  # of all tars and hives; a page of more takes hundreds of MiB to make and to show
MAX_REVISIONS: Final = 200
SHOWN: Final = "scratch"  # the layer that a report begins with, and whose map stands in README
_HEAD: Final = 4096  # bytes that a report is told by
_OURS: Final = re.compile(  # how each report begins, up to its mark
    rb'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    rb'<meta http-equiv="Content-Security-Policy" content="[^"<>\n]*">\n'
    rb'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    rb'<meta name="generator" content="winscratch report">\n'
)


def report(
    root: Path,
    what: Sequence[str],
    *,
    to: str | None,
    show: bool,
    history: bool,
    say: Say = console.say,
    note: Say = console.note,
) -> int:
    """Write the report of what *what* names, or the committed layers, to the file *to*; return 0.

    *show* opens it in a browser, *history* adds the sizes of the committed layers by revision. Raises GeneratorError
    where something cannot be read or is too large, and where a file that is no report stands in the place.
    """
    target = Path(to or DEFAULT)
    if target.exists() and not _is_ours(target):
        raise GeneratorError(f"{target}: no report of winscratch, so it stays; name another file with --to")
    subjects = _subjects(root, what or _in_order(manifest.layers(root)))
    sizes = _history(root) if history else None
    title = TITLE if not what else f"Byte by byte: {', '.join(what)}"
    files.replace({target: page(root / "templates", title, subjects, sizes)})
    for subject in subjects:
        for line in subject.damage:
            note(f"{subject.name}: {visible(line)}")
    say(f"wrote {target}")
    if show and not webbrowser.open(target.absolute().as_uri()):
        note(f"there is no browser to open; open {target} in one")
    return EXIT_OK


def _is_ours(target: Path) -> bool:
    with regular(target, str(target)) as file:
        return _OURS.match(file.read(_HEAD)) is not None


def documents(templates: Path, blobs: Mapping[str, Blob]) -> dict[str, bytes]:
    """Return the committed documents that show the layers, by path: the report, and the map of one for README."""
    subjects = [_of_blob(name, blobs[name]) for name in _in_order(blobs)]
    made = {unchanged.REPORT: page(templates, TITLE, subjects)}
    for dark, path in enumerate(unchanged.MAPS if SHOWN in blobs else ()):
        made[path] = byte_map(templates, SHOWN, subjects[0].regions, dark=bool(dark))
    return made


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names of layers with the one first that is shown first, which has all that there is to see."""
    return sorted(names, key=lambda name: (name != SHOWN, name))


def _subjects(root: Path, what: Sequence[str]) -> list[Subject]:
    """Return what a report shows of all that *what* names."""
    budget = Budget(
        MAX_BYTES, "in all, which no browser shows well; name fewer or smaller, or use winscratch inspect", repeats=True
    )
    subjects = []
    for opened in open_all(root, what, budget):
        for part, facts in _parts(opened):
            data = part.data if isinstance(part, HiveFile) else part.tar[:]
            subjects.append(_subject(part, data, facts))
    return subjects


def _parts(opened: Viewable) -> Iterator[tuple[UnpackedLayer | HiveFile, Facts]]:
    """Yield the layers of an image, named after it, with its own facts and damage at the first; or what else it is."""
    if not isinstance(opened, UnpackedImage):
        yield opened, ()
        return
    facts: Facts = tuple(
        (label, text, False) for label, text in image_facts(opened.digest, opened.platform, opened.config)
    )
    damage = opened.damage
    for number, layer in enumerate(opened.layers, 1):
        yield replace(layer, name=f"{opened.name}, layer {number}", damage=(*damage, *layer.damage)), facts
        facts, damage = (), ()


def _subject(part: UnpackedLayer | HiveFile, data: bytes, more: Facts) -> Subject:
    regions = Regions(data)
    if isinstance(part, UnpackedLayer):
        facts = _facts(len(data), part.compressed, part.diff_id, part.digest)
        return Subject(part.name, regions, (*facts, *more), tuple(map(str, part.damage)))
    (entry,) = regions.entries
    facts = (("SHA-256", sha256(data).hexdigest(), True), ("size", f"{len(data):,} bytes", False))
    if entry.reading:
        held = f"{entry.reading.key_count:,} keys, {entry.reading.value_count:,} values"
        facts += (("holds", held, False), ("check-hive", VERDICTS[entry.reading.level], False))
    return Subject(part.name, regions, facts)


def _of_blob(name: str, blob: Blob) -> Subject:
    return Subject(name, Regions(blob.tar), _facts(len(blob.tar), len(blob.compressed), blob.diff_id, blob.digest))


def _facts(tar: int, compressed: int | None, diff_id: str, digest: str) -> Facts:
    """Return what a report says of a layer as a whole."""
    facts = []
    if diff_id:
        facts.append(("diff ID", diff_id, True))
    if compressed is not None:
        facts.append(("digest", digest, True))
    facts.append(("tar", f"{tar:,} bytes", False))
    if compressed:
        facts.append(("blob", f"{compressed:,} bytes, 1 to {tar / compressed:.1f}", False))
    return tuple(facts)


def _history(root: Path) -> SizeHistory:
    """Return the sizes of the committed layers by revision, the newest first."""
    log = git(root, "log", f"--max-count={MAX_REVISIONS}", "--format=%H %cs", "--", "output/layers")
    if not log:
        raise GeneratorError("--history: git has no revisions here; give it in a checkout of winscratch")
    names = tuple(manifest.layers(root))
    revisions = [line.split() for line in log.splitlines()]
    wanted = "".join(f"{revision}:{manifest.blob_path(name)}\n" for revision, _ in revisions for name in names)
    told = (git(root, "cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=wanted) or "").splitlines()
    if len(told) != len(revisions) * len(names):
        raise GeneratorError("--history: git cannot say how large the layers were")
    sizes = [int(line.split()[1]) if line.startswith("blob ") else None for line in told]
    return SizeHistory(
        names,
        tuple(
            Revision(revision, date, tuple(sizes[i * len(names) : (i + 1) * len(names)]))
            for i, (revision, date) in enumerate(revisions)
        ),
    )
