# SPDX-License-Identifier: Apache-2.0
"""Check a layer in one pass: hash the blob, decompress it, hash the tar, and check each entry."""

import contextlib
import io
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from ..base.errors import brief, counted
from ..imageread.bounded import CHUNK, MOST_UNPACKED, BombError, HashingReader, most_unpacked
from ..imageread.documents import DIGEST, LAYERS, OCI
from ..imageread.images import Layer, unpack
from ..imageread.merged import KINDS
from ..imageread.untar import DIRECTORY, HARD_LINK, SYMBOLIC_LINK, TarEntry, TarError, TarReader
from ..oci.files import facts
from .base_layer import BaseLayer, check_on_top
from .links import check_hard, check_symbolic
from .records import EntryFault
from .records import check as check_records
from .start import Programs
from .tree import FILES, HIVES, UTILITY_VM, Clone, TooManyError, Tree

LayerFault = Callable[[str, str, str], None]
"""Callback for a fault of a layer: the name of the entry, or nothing, the rule, and what was found."""


class CheckedLayer(NamedTuple):
    """Sizes of a layer's blob and of its tar, in bytes, and its paths; None if it cannot be read."""

    size: int
    unpacked: int
    tree: Tree | None
    programs: Programs


def check(layer: Layer, below: Sequence[Tree | None], fault: LayerFault) -> CheckedLayer | None:
    """Report each fault of a layer on the layers *below*, where None is one that could not be read.

    Returns None if the blob is missing.
    """
    if not layer.path:  # the reader has reported its digest
        return None
    try:
        blob = layer.open()
    except OSError as error:
        kind = (layer.descriptor.media_type if layer.descriptor else None) or ""
        absent = isinstance(error, FileNotFoundError) and ("foreign" in kind or "nondistributable" in kind)
        fault("", "blob-foreign" if absent else "blob", f"the blob cannot be read: {error.strerror}")
        return None
    with blob:
        return _check_open(layer, blob, below, fault)


def _check_open(layer: Layer, blob: io.BufferedReader, below: Sequence[Tree | None], fault: LayerFault) -> CheckedLayer:
    """Report each fault of a layer's open *blob*."""
    raw = HashingReader(blob, layer.name.partition(":")[0] if layer.descriptor else "sha256")
    if layer.descriptor is not None:
        raw.most = layer.descriptor.size
    stored: io.BufferedReader = io.BufferedReader(raw, CHUNK)
    tar: HashingReader | None = None
    tree: Tree | None = None
    programs = Programs()
    try:
        size = blob.seek(0, io.SEEK_END)
        blob.seek(0)
        compression, unpacked = unpack(stored)
        _check_compression(layer, compression, fault)
        tar = HashingReader(unpacked, layer.diff_id.partition(":")[0] if DIGEST.fullmatch(layer.diff_id) else "sha256")
        tar.most = most_unpacked(size)
        tree = _check_tar(layer, tar, below, fault, programs)
    except TarError as error:
        fault(error.entry, "layer", f"{error}, at byte {error.offset:,}")
    except BombError:
        if raw.size <= raw.most:  # else the blob is larger than its descriptor says, which _check_blob() reports
            fault("", "bomb", f"it unpacks to more than {tar.most if tar else MOST_UNPACKED:,} bytes")
            return CheckedLayer(raw.size, tar.size if tar else 0, None, programs)
    except (OSError, EOFError, zlib.error) as error:
        fault("", "layer", f"the blob is damaged: {error}")
    _check_blob(layer, raw, stored, fault)
    return CheckedLayer(raw.size, tar.size if tar else 0, tree, programs)


def _check_tar(
    layer: Layer, tar: HashingReader, below: Sequence[Tree | None], fault: LayerFault, programs: Programs
) -> Tree | None:
    """Report each fault of a layer's *tar*, read to its end; return its paths, or None if there are too many."""
    stream = io.BufferedReader(tar, CHUNK)
    tree = _walk(TarReader(stream, sparse=True), below, tar.most, fault, programs)
    rest = 0
    while part := stream.read(CHUNK):
        rest += len(part) if any(part) else 0
    if rest:
        fault("", "rest", f"{rest:,} bytes follow the end of the tar")
    if tar.digest != layer.diff_id and layer.diff_id:
        fault("", "diff-id", f"the tar has {tar.digest}, and the configuration says {brief(layer.diff_id)}")
    return tree


def _check_compression(layer: Layer, compression: str, fault: LayerFault) -> None:
    kind = layer.descriptor.media_type if layer.descriptor else None
    if kind in LAYERS and LAYERS[kind] != compression:
        rule = "compression" if kind.startswith(OCI) and not LAYERS[kind] else "compression-detected"
        fault("", rule, f"the media type is {kind}, and the blob is {compression or 'a plain tar'}")


def _check_blob(layer: Layer, raw: HashingReader, stored: io.BufferedReader, fault: LayerFault) -> None:
    """Read a blob to its end, and report a size or digest other than its descriptor's."""
    if layer.descriptor is None:
        return
    with contextlib.suppress(BombError):  # more than the descriptor says
        while stored.read(CHUNK):
            pass
    if raw.size != layer.descriptor.size:
        more = "more" if raw.size > layer.descriptor.size else f"{raw.size:,}"
        fault("", "size", f"the descriptor says {counted(layer.descriptor.size, 'byte')}, and there are {more}")
    elif raw.digest != layer.descriptor.digest:
        fault("", "digest", f"the content has the digest {raw.digest}")


def _walk(
    tar: TarReader, below: Sequence[Tree | None], most: int, layer_fault: LayerFault, programs: Programs
) -> Tree | None:
    """Check each entry, and add it to *programs*; return the layer's paths, or None if they are too many.

    Raises BombError if the sparse files have more than *most* bytes.
    """
    tree = Tree(base=not below)
    base, clone = (None, Clone(tree, below)) if below else (BaseLayer(), None)
    links: list[Callable[[], None]] = []  # their checks, which need the whole tree
    for entry in tar:
        most -= entry.size if tar.is_sparse else 0
        if most < 0:
            raise BombError

        def fault(rule: str, found: str, name: str = entry.name) -> None:
            layer_fault(name, rule, found)

        path = entry.name.rstrip("/")
        if not _check_kind(entry, path, fault):
            continue
        if clone is not None and f"{path}/".startswith(f"{UTILITY_VM}/"):
            clone.add(entry, path, fault)
        try:
            makes = tree.add(entry, path, fault)
        except TooManyError:
            layer_fault("", "entries", f"there are more than {len(tree):,}")
            return None
        if makes:
            links += _look(entry, path, tree, below, clone, fault)
        if base is not None:
            base.add(entry, path, tar.read, fault)
        elif makes:
            check_on_top(entry, path, tar.read, fault)
        if makes:
            programs.add(path, entry.kind, entry.target, tar.read)
    for check_link in links:
        check_link()
    _check_roots(tree, base, layer_fault)
    return tree


def _check_roots(tree: Tree, base: BaseLayer | None, fault: LayerFault) -> None:
    """Report what a whole base layer lacks, or which root a layer on top lacks."""
    if base is not None:
        base.end(lambda rule, found: fault("", rule, found))
    elif lacking := [root for root in (HIVES, FILES) if not tree.spelled(root)]:
        fault("", "root-missing", f"the layer has no {' and no '.join(lacking)}")


def _check_kind(entry: TarEntry, path: str, fault: EntryFault) -> bool:
    """Report a wrong type, or a slash after the name of a file; return False for a wrong type."""
    if path.rpartition("/")[2].startswith(facts().whiteout):  # hcsshim takes any type for a whiteout
        return True
    if entry.kind not in KINDS:
        fault("kind", f"tar's type is {entry.kind!r}")
        return False
    if entry.kind != DIRECTORY and path != entry.name:
        fault("name", "it ends in a slash, and the entry is not a directory")
    return True


def _look(
    entry: TarEntry, path: str, tree: Tree, below: Sequence[Tree | None], clone: Clone | None, fault: EntryFault
) -> list[Callable[[], None]]:
    """Check an entry other than a whiteout; return the check of a symbolic link, to be called after the last entry."""
    if entry.kind == HARD_LINK:
        check_hard(entry, tree, below, clone, fault)
        return []
    attributes = check_records(entry, bool(below) and path.startswith(f"{FILES}/"), fault)
    if entry.kind == SYMBOLIC_LINK:
        return [partial(check_symbolic, entry, path, attributes, tree, below, fault)]
    return []
