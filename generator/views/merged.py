# SPDX-License-Identifier: Apache-2.0
"""The layers of an image as one tree, which `inspect --merged` shows and `extract` writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..base.errors import GeneratorError, counted
from ..imageread.merged import MergedTree
from ..imageread.untar import FILE, HARD_LINK, TarEntry
from .spool import Spool, Stored
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable


@dataclass(frozen=True, slots=True)
class MergedLayer(UnpackedLayer):
    """The merged tree of *layers* layers in place of a layer; *tar* is empty.

    *contents* has the data of each file and hard link by its name. *left_out* has name and reason of each entry that
    Windows cannot store, *opaque* the names of opaque whiteouts, which hide nothing on Windows.
    """

    layers: int
    contents: Mapping[str, Stored]
    left_out: Sequence[tuple[str, str]]
    opaque: Sequence[str]

    def content(self, entry: TarEntry) -> Stored:
        """Return the content of a file or hard link."""
        return self.contents[entry.name] if entry.kind in {FILE, HARD_LINK} else self.tar

    def summary(self) -> str:
        """Return the number of layers and entries, and the size, as text."""
        size = counted(sum(entry.size for entry in self.entries), "byte")
        return f"merged from {counted(self.layers, 'layer')}, {len(self.entries):,} entries, {size} of files"

    def remarks(self) -> Iterator[str]:
        """Yield a line for each entry of the layers that is not in the tree."""
        for name, reason in self.left_out:
            yield f"left out: {name}: {reason}"
        for name in self.opaque:
            yield f"hides nothing: {name}: Windows has no opaque whiteouts"


def merged(viewable: Viewable) -> Viewable:
    """Return an image with its merged tree as its only layer, or the merged tree of a layer; raise GeneratorError."""
    layer = merged_layer(viewable)
    return replace(viewable, layers=(layer,)) if isinstance(viewable, UnpackedImage) else layer


def merged_layer(viewable: Viewable) -> MergedLayer:
    """Return the merged tree of an image or layer; raise GeneratorError for a hive."""
    if isinstance(viewable, HiveFile):
        raise GeneratorError(f"{viewable.name}: a registry hive, not a layer or an image; hint: winscratch inspect")
    layers = viewable.layers if isinstance(viewable, UnpackedImage) else (viewable,)
    tree = MergedTree()
    for layer in layers:
        tree.add(layer.entries)
    found = list(tree.entries())
    contents = {entry.name: layers[at[0]].content(at[1]) for entry, at in found if at is not None}
    damage = tuple(each for layer in layers for each in layer.damage)
    entries = tuple(entry for entry, _ in found)
    name = "merged" if isinstance(viewable, UnpackedImage) else viewable.name
    return MergedLayer(
        name, Stored(Spool(), 0, 0), None, "", "", entries, damage, len(layers), contents, tree.left_out, tree.opaque
    )
