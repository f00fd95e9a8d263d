# SPDX-License-Identifier: Apache-2.0
"""Compare layers entry by entry, images by their settings and layers, and hives that are files by themselves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Final

from ..base.errors import GeneratorError, counted
from ..imageread.untar import FILE, TarEntry
from ..oci.tar import BLOCK
from . import display_text, document_differences
from .comparison import CHANGED, Comparison, Location
from .hive_comparison import compare_hives
from .regions import TAR_HEADER, field_parts
from .spool import Stored
from .unpacked_layers import Damage, HiveFile, UnpackedImage, UnpackedLayer, Viewable, is_hive

_KINDS: Final = {FILE: "file", "5": "directory", "1": "hard link", "2": "symbolic link"}
_OTHER_RECORDS: Final = frozenset(  # compared as time, path, target, size, attributes and descriptor
    {"mtime", "path", "linkpath", "size", "MSWINDOWS.fileattr", "MSWINDOWS.rawsd", "MSWINDOWS.sd"}
)
_PROPERTIES: Final[Mapping[str, Callable[[TarEntry], str]]] = {
    "type": lambda entry: repr(entry.kind),
    "mode": lambda entry: f"{entry.mode:07o}",
    "time": lambda entry: str(entry.records.get("mtime", entry.time)),
    "target": lambda entry: entry.target,
    "attributes": lambda entry: " ".join(display_text.entry_attributes(entry.records)),
    "descriptor": lambda entry: display_text.entry_descriptor(entry.records),
    "records": lambda entry: ", ".join(
        f"{key}={text}" for key, text in entry.records.items() if key not in _OTHER_RECORDS
    ),
}


def compare(old: Mapping[str, Callable[[], Viewable]], new: Mapping[str, Callable[[], Viewable]]) -> Comparison:
    """Return the differences between two sets of layers, images or hives, each opened by the callable of its name.

    Those of equal names are compared; if each set has one, these are, whatever their names. Raise GeneratorError if
    one is a layer and the other an image, for example.
    """
    found = Comparison()
    if len(old) == 1 == len(new):
        _compare(next(iter(old.values()))(), next(iter(new.values()))(), "", found)
        return found
    for name in dict.fromkeys([*old, *new]):
        before, after = (side[name]() if name in side else None for side in (old, new))
        if before is not None and after is not None:
            _compare(before, after, name, found)
        else:
            kind = "image" if isinstance(before or after, UnpackedImage) else "layer"
            found.changed(kind, Location(name), _summary(before), _summary(after))
    return found


def _summary(viewable: Viewable | None) -> str:
    if viewable is None:
        return ""
    if isinstance(viewable, UnpackedLayer):
        return f"{counted(len(viewable.tar), 'byte')}, {len(viewable.entries):,} entries"
    if isinstance(viewable, HiveFile):
        return counted(len(viewable.data), "byte")
    return ", ".join(filter(None, (platform(viewable), counted(len(viewable.layers), "layer"), viewable.digest)))


def platform(image: UnpackedImage) -> str:
    """Return an image's platform as text, from its index or else from its configuration."""
    made_for = image.platform or image.config
    return display_text.platform_text(made_for) if made_for else "unknown"


def _compare(old: Viewable, new: Viewable, name: str, found: Comparison) -> None:
    if isinstance(old, HiveFile) and isinstance(new, HiveFile):
        if old.data != new.data:
            compare_hives(old.data, new.data, Location(name), found)
    elif isinstance(old, UnpackedLayer) and isinstance(new, UnpackedLayer):
        _compare_layers(old, new, name, found)
    elif isinstance(old, UnpackedImage) and isinstance(new, UnpackedImage):
        _compare_images(old, new, name, found)
    else:
        raise GeneratorError(
            f"{old.name} and {new.name}: not of the same kind; hint: name two layers, two images or two hives"
        )


def _damage_text(damage: Sequence[Damage]) -> str:
    return "; ".join(map(str, damage))


def _compare_images(old: UnpackedImage, new: UnpackedImage, name: str, found: Comparison) -> None:
    where = Location(name)
    before, after = (dict(display_text.image_settings(image)) for image in (old, new))
    for setting in dict.fromkeys([*before, *after]):
        found.changed("image", where, before.get(setting, ""), after.get(setting, ""), setting)
    for mine, yours, path in document_differences.differences(old.documents, new.documents):
        found.changed("image", where, mine, yours, path)
    if old.documents != new.documents or not old.digest:
        found.changed("damage", where, _damage_text(old.damage), _damage_text(new.damage))
    for number, (one, other) in enumerate(zip_longest(old.layers, new.layers), 1):
        called = f"{name} layer {number}".strip()
        if one is None or other is None:
            found.changed("layer", Location(called), _summary(one), _summary(other))
        else:
            _compare_layers(one, other, called, found)
            if not (one.digest or other.digest or (old.digest and one.name == other.name)):
                text = _damage_text(one.damage)
                found.add(CHANGED, "damage", Location(called), text, text, "cannot be compared")


def _compare_layers(old: UnpackedLayer, new: UnpackedLayer, name: str, found: Comparison) -> None:
    if old.digest == new.digest and old.damage == new.damage:
        return
    where = Location(name)
    found.changed("damage", where, _damage_text(old.damage), _damage_text(new.damage))
    before = found.count
    mine, yours = ({entry.name: entry for entry in each.entries} for each in (old, new))
    for path in dict.fromkeys([*mine, *yours]):
        if path in mine and path in yours:
            _compare_entries((old, mine[path]), (new, yours[path]), Location(name, path), found)
        else:
            one, other = _entry_summary(old, mine.get(path)), _entry_summary(new, yours.get(path))
            found.changed("entry", Location(name, path), one, other)
    order = [[path for path in each if path in mine and path in yours] for each in (mine, yours)]
    if order[0] != order[1]:
        first = next(index for index, path in enumerate(order[0]) if order[1][index] != path)
        found.changed("order", where, order[0][first], order[1][first], "the first entry out of order")
    if found.count == before:
        what = "compression" if old.tar.same(new.tar) else "tar"
        sizes = [len(each.tar) if what == "tar" else each.compressed or len(each.tar) for each in (old, new)]
        texts = [f"{counted(size, 'byte')}, {each.digest}" for size, each in zip(sizes, (old, new), strict=True)]
        found.add(CHANGED, what, where, *texts)


def _entry_summary(layer: UnpackedLayer, entry: TarEntry | None) -> str:
    if entry is None:
        return ""
    kind = "hive" if layer.is_hive(entry) else _KINDS.get(entry.kind, f"entry of type {entry.kind!r}")
    size = f"{kind}, {counted(entry.size, 'byte')}" if entry.kind == FILE else kind
    return " ".join([size, entry.target, display_text.entry_descriptor(entry.records)]).strip()


def _compare_entries(
    old: tuple[UnpackedLayer, TarEntry], new: tuple[UnpackedLayer, TarEntry], where: Location, found: Comparison
) -> None:
    """Add the differences between two entries of the same path."""
    sides = old, new
    for what, get in _PROPERTIES.items():
        found.changed(what, where, get(old[1]), get(new[1]))
    headers = [layer.tar[entry.offset - BLOCK : entry.offset] for layer, entry in sides]
    if headers[0] != headers[1]:
        parts = [list(field_parts(TAR_HEADER.fields, header)) for header in headers]
        found.structure(where, TAR_HEADER.name, old[1].offset - BLOCK, parts, headers)
    before, after = (layer.content(entry) for layer, entry in sides)
    if before.same(after):
        return
    if all(layer.is_hive(entry) for layer, entry in sides):
        compare_hives(before[:], after[:], where, found)
    else:
        found.changed("content", where, _content_summary(before), _content_summary(after))


def _content_summary(data: Stored) -> str:
    if not data:
        return "nothing"
    kind = "hive, " if is_hive(data) else ""
    return f"{kind}{counted(len(data), 'byte')}, {data.digest()}"
