# SPDX-License-Identifier: Apache-2.0
"""The command `report`: write one HTML file that shows every byte of layers, images and hives; and the byte maps."""

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
from ..views.unpacked_layers import Budget, HiveFile, UnpackedImage, UnpackedLayer, Viewable, open_named
from .byte_map import byte_map
from .page import Facts, SizeHistory, Subject, page

DEFAULT: Final = "winscratch-report.html"
TITLE: Final = "Windows base layers, byte by byte"
MAX_BYTES: Final = 16 << 20  # of all tars and hives; a larger page needs hundreds of MiB of memory
MAX_REVISIONS: Final = 200
SHOWN: Final = "scratch"  # the first layer of a report, whose byte map is in README.md
_HEAD: Final = 4096  # bytes needed to recognize a report
_OURS: Final = re.compile(  # the beginning of each report, up to its generator tag
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
    """Write the report of the names *what*, by default of the committed layers, to the file *to*; return 0.

    *show* opens it in a browser, *history* adds the sizes of the committed layers by revision. Raise GeneratorError
    for unreadable or too large input, and if *to* is an existing file other than a report.
    """
    target = Path(to or DEFAULT)
    if target.exists() and not _is_ours(target):
        raise GeneratorError(f"{target}: exists and is not a report; hint: --to FILE")
    budget = Budget(MAX_BYTES, "in all; hint: name fewer or smaller ones, or use winscratch inspect", repeats=True)
    viewables = open_all(root, what or _in_order(manifest.layers(root)), budget)
    subjects = [_subject(part, facts) for viewable in viewables for part, facts in _parts(viewable)]
    sizes = _history(root) if history else None
    title = TITLE if not what else f"Byte by byte: {', '.join(what)}"
    files.replace({target: page(root / "templates", title, subjects, sizes)})
    for subject in subjects:
        for line in subject.damage:
            note(f"{subject.name}: {visible(line)}")
    say(f"wrote {target}")
    if show and not webbrowser.open(target.absolute().as_uri()):
        note(f"browser not found; open {target} yourself")
    return EXIT_OK


def _is_ours(target: Path) -> bool:
    with open_named(target, str(target)) as file:
        return _OURS.match(file.read(_HEAD)) is not None


def documents(templates: Path, blobs: Mapping[str, Blob]) -> dict[str, bytes]:
    """Return the committed documents of the layers, by path: the report, and the byte maps of README.md."""
    subjects = []
    for name, blob in ((name, blobs[name]) for name in _in_order(blobs)):
        facts = _facts(len(blob.tar), len(blob.compressed), blob.diff_id, blob.digest)
        subjects.append(Subject(name, Regions(blob.tar), facts))
    made = {unchanged.REPORT: page(templates, TITLE, subjects)}
    for dark, path in enumerate(unchanged.MAPS if SHOWN in blobs else ()):
        made[path] = byte_map(templates, SHOWN, subjects[0].regions, dark=bool(dark))
    return made


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names of layers sorted, but SHOWN first, which has every kind of structure."""
    return sorted(names, key=lambda name: (name != SHOWN, name))


def _parts(viewable: Viewable) -> Iterator[tuple[UnpackedLayer | HiveFile, Facts]]:
    """Yield a layer or hive, or the layers of an image; the image's facts and damage go with its first layer."""
    if not isinstance(viewable, UnpackedImage):
        yield viewable, ()
        return
    facts: Facts = tuple((label, text, False) for label, text in image_facts(viewable))
    damage = viewable.damage
    for number, layer in enumerate(viewable.layers, 1):
        yield replace(layer, name=f"{viewable.name}, layer {number}", damage=(*damage, *layer.damage)), facts
        facts, damage = (), ()


def _subject(part: UnpackedLayer | HiveFile, more: Facts) -> Subject:
    data = part.data if isinstance(part, HiveFile) else part.tar[:]
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


def _facts(tar: int, compressed: int | None, diff_id: str, digest: str) -> Facts:
    """Return the facts of a layer as a whole."""
    facts = []
    if diff_id:
        facts.append(("diff ID", diff_id, True))
    if compressed is not None:
        facts.append(("digest", digest, True))
    facts.append(("tar", f"{tar:,} bytes", False))
    if compressed:
        facts.append(("blob", f"{compressed:,} bytes, {100 * compressed / tar:.1f} % of the tar", False))
    return tuple(facts)


def _history(root: Path) -> SizeHistory:
    """Return the sizes of the committed layers by revision, the newest first."""
    log = git(root, "log", f"--max-count={MAX_REVISIONS}", "--format=%H %cs", "--", "output/layers")
    if not log:
        raise GeneratorError("--history: git has no revisions here; hint: run it in a checkout of winscratch")
    names = tuple(manifest.layers(root))
    revisions = [line.split() for line in log.splitlines()]
    wanted = "".join(f"{revision}:{manifest.blob_path(name)}\n" for revision, _ in revisions for name in names)
    sizes_text = (git(root, "cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=wanted) or "").splitlines()
    if len(sizes_text) != len(revisions) * len(names):
        raise GeneratorError("--history: git cannot read the sizes of the layers")
    sizes = iter([int(line.split()[1]) if line.startswith("blob ") else None for line in sizes_text])
    return SizeHistory(names, [(revision, date, [next(sizes) for _ in names]) for revision, date in revisions])
