# SPDX-License-Identifier: Apache-2.0
"""The check of a layer: one pass over its blob that hashes it, unpacks it, hashes that, and looks at each entry."""

import contextlib
import io
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from ..base.errors import brief
from ..imageread.bounded import CHUNK, MOST_UNPACKED, BombError, Hashed, most_unpacked
from ..imageread.documents import DIGEST, LAYERS
from ..imageread.images import Layer, unpack
from ..imageread.untar import DIRECTORY, HARD_LINK, SYMBOLIC_LINK, TarEntry, TarError, Untar
from ..oci.files import facts
from .base_layer import Base, check_on_top
from .links import check_hard, check_symbolic
from .records import Tell
from .records import check as check_records
from .tree import FILES, HIVES, KINDS, UTILITY_VM, TooManyError, Tree
from .utility import Clone

Told = Callable[[str, str, str], None]
"""What is told of a layer's fault: the entry's name, if one has it, the rule and what was found."""


class Seen(NamedTuple):
    """What a layer was found to be: bytes of the blob and of its tar, and its paths as far as it can be read."""

    size: int
    unpacked: int
    tree: Tree | None


def check(layer: Layer, below: Sequence[Tree | None], tell: Told) -> Seen | None:
    """Tell of each fault of a layer that lies on the layers *below*, of which None is one that is not known.

    Returns None where the blob is not there. Raises GeneratorError where this Python cannot read the compression.
    """
    if not layer.path:  # its digest is none, as was told
        return None
    try:
        blob = layer.open()
    except OSError as error:
        absent = isinstance(error, FileNotFoundError) and _is_foreign(layer)
        tell("", "blob-foreign" if absent else "blob", f"the blob cannot be read: {error.strerror}")
        return None
    with blob:
        algorithm = layer.name.partition(":")[0] if layer.descriptor else "sha256"
        raw = Hashed(blob, algorithm)
        if layer.descriptor is not None:
            raw.most = layer.descriptor.size
        stored: io.BufferedReader = io.BufferedReader(raw, CHUNK)
        tar: Hashed | None = None
        tree: Tree | None = Tree(base=not below)
        try:
            size = blob.seek(0, io.SEEK_END)
            blob.seek(0)
            compression, unpacked = unpack(stored, layer.name)
            _check_compression(layer, compression, tell)
            tar = Hashed(unpacked, layer.diff_id.partition(":")[0] if DIGEST.fullmatch(layer.diff_id) else "sha256")
            tar.most = most_unpacked(size)
            stream = io.BufferedReader(tar, CHUNK)
            tree = _walk(Untar(stream, sparse=True), below, tar.most, tell)
            rest = 0
            while part := stream.read(CHUNK):
                rest += len(part) if any(part) else 0
            if rest:
                tell("", "rest", f"{rest:,} bytes follow the end of the tar")
            if tar.digest != layer.diff_id and layer.diff_id:
                tell("", "diff-id", f"the tar has {tar.digest}, and the configuration says {brief(layer.diff_id)}")
        except TarError as error:
            tell(error.entry, "layer", f"{error}, at byte {error.offset:,}")
            tree = None
        except BombError:
            if raw.size > raw.most:  # it is not even read whole
                _check_blob(layer, raw, stored, tell)
                return Seen(raw.size, tar.size if tar else 0, None)
            tell("", "bomb", f"it unpacks to more than {tar.most if tar else MOST_UNPACKED:,} bytes")
            return Seen(raw.size, tar.size if tar else 0, None)
        except (OSError, EOFError, zlib.error) as error:
            tell("", "layer", f"the blob is damaged: {error}")
            tree = None
        _check_blob(layer, raw, stored, tell)
        return Seen(raw.size, tar.size if tar else 0, tree)


def _is_foreign(layer: Layer) -> bool:
    kind = (layer.descriptor.media_type if layer.descriptor else None) or ""
    return "foreign" in kind or "nondistributable" in kind


def _check_compression(layer: Layer, compression: str, tell: Told) -> None:
    kind = layer.descriptor.media_type if layer.descriptor else None
    if kind in LAYERS and LAYERS[kind] != compression:
        tell("", "compression", f"the media type is {kind}, and the blob is {compression or 'a plain tar'}")


def _check_blob(layer: Layer, raw: Hashed, stored: io.BufferedReader, tell: Told) -> None:
    """Read a blob to its end, and tell where it is not what its descriptor says."""
    if layer.descriptor is None:
        return
    with contextlib.suppress(BombError):  # more than the descriptor says, whatever follows
        while stored.read(CHUNK):
            pass
    if raw.size != layer.descriptor.size:
        more = "more" if raw.size > layer.descriptor.size else f"{raw.size:,}"
        tell("", "size", f"the descriptor says {layer.descriptor.size:,} bytes, and there are {more}")
    elif raw.digest != layer.descriptor.digest:
        tell("", "digest", f"the content has the digest {raw.digest}")


def _walk(tar: Untar, below: Sequence[Tree | None], most: int, told: Told) -> Tree | None:
    """Look at each entry; return the layer's paths, or None if they are too many.

    Raises BombError if the sparse files have more than *most* bytes.
    """
    tree = Tree(base=not below)
    base, clone = (None, Clone(tree, below)) if below else (Base(), None)
    links: list[Callable[[], None]] = []  # their checks, which need the whole tree
    for entry in tar:
        most -= entry.size if tar.is_sparse else 0
        if most < 0:
            raise BombError

        def tell(rule: str, found: str, name: str = entry.name) -> None:
            told(name, rule, found)

        path = entry.name.rstrip("/")
        removes = path.rpartition("/")[2].startswith(facts().whiteout)
        if entry.kind not in KINDS and not removes:  # hcsshim asks for the name of a whiteout alone
            tell("kind", f"tar's type is {entry.kind!r}")
            continue
        if entry.kind != DIRECTORY and not removes and path != entry.name:
            tell("name", "it ends in a slash, and is no directory's")
        if clone is not None and f"{path}/".startswith(f"{UTILITY_VM}/"):
            clone.add(entry, path, tell)
        try:
            makes = tree.add(entry, path, tell)
        except TooManyError:
            told("", "entries", f"there are more behind {len(tree):,}")
            return None
        if makes:
            links += _look(entry, path, tree, below, clone, tell)
        if base is not None:
            base.add(entry, path, tar.read, tell)
        elif makes:
            check_on_top(entry, path, tar.read, tell)
    for check_link in links:
        check_link()
    if base is not None:
        base.end(lambda rule, found: told("", rule, found))
    elif lacking := [root for root in (HIVES, FILES) if not tree.spelled(root)]:
        told("", "root-missing", f"the layer has no {' and no '.join(lacking)}")
    return tree


def _look(
    entry: TarEntry, path: str, tree: Tree, below: Sequence[Tree | None], clone: Clone | None, tell: Tell
) -> list[Callable[[], None]]:
    """Check an entry that is no whiteout; return the check of a symbolic link, to be called after the last entry."""
    if entry.kind == HARD_LINK:
        check_hard(entry, tree, below, clone, tell)
        return []
    attributes = check_records(entry, bool(below) and path.startswith(f"{FILES}/"), tell)
    if entry.kind == SYMBOLIC_LINK:
        return [partial(check_symbolic, entry, path, attributes, tree, below, tell)]
    return []
