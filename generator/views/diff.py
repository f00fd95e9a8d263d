# SPDX-License-Identifier: Apache-2.0
"""The command `diff`: print the differences between two layers, images or hives as text or JSON."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..base import console
from ..base.console import json_document
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, counted
from ..generation import manifest
from . import resolve, tree_lines
from .comparison import ADDED, CHANGED, REMOVED, Comparison, ContentChange, StructureChange
from .layer_comparison import compare, platform
from .tree_lines import TreeLine
from .unpacked_layers import UnpackedImage, Viewable

FORMAT: Final = 1
_MARKS: Final = {ADDED: "+", REMOVED: "-", CHANGED: "~"}
_STYLES: Final = {ADDED: "new", REMOVED: "old", CHANGED: "key"}
_PLACED: Final = frozenset({"key", "value"})  # shown by their location
_MOST: Final = 50  # structures listed for one entry; JSON has more

Side = Mapping[str, Callable[[], Viewable]]


def diff(root: Path, what: Sequence[str], *, json: bool = False, stat: bool = False, plain: bool = False) -> int:
    """Print the differences between two names; return 0 if there are none, else 1.

    One name is a git revision, or a layer in one, and is compared with the working tree. Raise GeneratorError for
    unknown names and for two of different kinds.
    """
    if not 1 <= len(what) <= 2:
        raise GeneratorError("diff: takes OLD and NEW, or a git revision alone; hint: diff main")
    old, new = _alike(*_sides(root, what))
    found = compare(old, new)
    if json:
        console.say(json_document(_document(what, found)))
    else:
        with tree_lines.screen(plain=plain) as put:
            for line in _stat(found) if stat else _lines(found):
                put(line)
    if found.equal:
        console.note("equal")
    return EXIT_OK if found.equal else EXIT_STALE


def _sides(root: Path, what: Sequence[str]) -> tuple[Side, Side]:
    old = _side(root, what[0])
    if len(what) == 2:
        return old, _side(root, what[1])
    revision, colon, path = what[0].partition(":")
    if colon and resolve.commit_of(root, revision):
        return old, _side(root, path if path in manifest.layers(root) else str(root / path))
    if resolve.is_there(root, what[0]) or resolve.layers_in(root, what[0]) is None:
        raise GeneratorError(f"diff: NEW is missing; hint: diff {what[0]} NEW")
    return old, {name: partial(_only, root, name) for name in manifest.layers(root)}


def _side(root: Path, what: str) -> Side:
    """Return the layers, images or hives that *what* names; for a git revision, its committed layers."""
    if not resolve.is_there(root, what) and (found := resolve.layers_in(root, what)) is not None:
        commit, names = found
        return {name: partial(_only, root, f"{commit}:{name}") for name in names}
    side: dict[str, Callable[[], Viewable]] = {}
    for viewable in resolve.open_one(root, what):
        name = platform(viewable) if isinstance(viewable, UnpackedImage) else viewable.name
        again = sum(each.partition(" (")[0] == name for each in side)
        side[f"{name} ({again + 1})" if again else name] = partial(_itself, viewable)
    return side


def _itself(viewable: Viewable) -> Viewable:
    return viewable


def _alike(old: Side, new: Side) -> tuple[Side, Side]:
    """Return two sides without Windows versions in the names, unless two platforms differ only in these."""
    before, after = ({name.partition(":")[0]: opened for name, opened in side.items()} for side in (old, new))
    return (before, after) if len(before) == len(old) and len(after) == len(new) else (old, new)


def _only(root: Path, what: str) -> Viewable:
    return resolve.open_one(root, what)[0]


def _lines(found: Comparison) -> Iterator[TreeLine]:
    """Yield the lines of all differences: content first, then bytes, each below its entry."""
    if found.changes:
        yield TreeLine(0, (("title", "in meaning"),))
    above: tuple[str, str] | None = None
    for change in found.changes:
        here = change.layer, change.entry
        if here != above and any(here):
            yield TreeLine(1, (("name", _place(*here)),), remark=True)
        above = here
        yield TreeLine(2, tuple(_parts(change)), remark=True)
    if found.structures or found.more:
        yield TreeLine(0, (("title", "in bytes"),))
    for place, some in _by_entry(found.structures).items():
        total = sum(each.differing for each in some)
        more = found.more.get(place, 0)
        words = f"{counted(total, 'byte')} in {counted(len(some) + more, 'structure')}"
        yield TreeLine(1, (("name", place), ("", words)), remark=True)
        for each in some[:_MOST]:
            head = f"{each.structure} at 0x{each.offset:x}"
            size = "" if each.kind == CHANGED else counted(each.size, "byte")
            yield TreeLine(2, ((_STYLES[each.kind], f"{_MARKS[each.kind]} {head}"), ("", size)), remark=True)
            for name, old, new in each.fields:
                yield TreeLine(3, (("name", name), ("old", old), ("", "→"), ("new", new)), remark=True)
        if len(some) + more > _MOST:
            yield TreeLine(2, (("", f"and {len(some) + more - min(len(some), _MOST):,} more structures"),), remark=True)


def _parts(change: ContentChange) -> Iterator[tuple[str, str]]:
    """Yield the parts of a change's line: mark, location, old and new state."""
    yield _STYLES[change.kind], f"{_MARKS[change.kind]} {'' if change.what in _PLACED else change.what}".rstrip()
    if change.key is not None:
        yield "key", "\\" + "\\".join(change.key)
    if change.value is not None:
        yield "name", change.value or "(default)"
    yield "word", change.words
    yield "old", change.old
    if change.old and change.new:
        yield "", "→"
    yield "new", change.new


def _place(layer: str, entry: str) -> str:
    return f"{layer}: {entry}" if layer and entry else layer or entry


def _by_entry(some: Sequence[StructureChange]) -> dict[str, list[StructureChange]]:
    found: dict[str, list[StructureChange]] = {}
    for each in some:
        found.setdefault(_place(each.layer, each.entry), []).append(each)
    return found


def _stat(found: Comparison) -> Iterator[TreeLine]:
    """Yield a line per entry: the numbers of additions, removals and changes, and of bytes that differ."""
    counts: dict[str, Counter[str]] = {}
    for change in found.changes:
        counts.setdefault(_place(change.layer, change.entry), Counter())[change.kind] += 1
    by_entry = _by_entry(found.structures)
    for place in dict.fromkeys([*counts, *by_entry]):
        kinds = counts.get(place, Counter())
        marks = " ".join(f"{mark}{kinds[kind]}" for kind, mark in _MARKS.items())
        size = sum(each.differing for each in by_entry.get(place, ()))
        structures = Counter(each.structure for each in by_entry.get(place, ()))
        counts_text = ", ".join(f"{name} {number}" for name, number in structures.most_common())
        words = f"{counted(size, 'byte')} ({counts_text})" if counts_text else ""
        yield TreeLine(0, (("name", place or "all"), ("", marks), ("", words)))


def _document(what: Sequence[str], found: Comparison) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "compared": list(what),
        "equal": found.equal,
        "changes": [each._asdict() | {"key": each.key and list(each.key)} for each in found.changes],
        "bytes": [
            each._asdict() | {"fields": [dict(zip(("name", "old", "new"), one, strict=True)) for one in each.fields]}
            for each in found.structures
        ],
        "more": found.more,
    }
