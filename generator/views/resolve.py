# SPDX-License-Identifier: Apache-2.0
"""Resolve a name that the user gives: a committed layer, an image, a file or directory, or one in a git revision."""

import io
import posixpath
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ..base import home
from ..base.errors import GeneratorError, brief
from ..base.git import git
from ..generation import manifest
from ..imageread.images import TRANSPORTS, split
from ..imageread.references import reference
from .unpacked_layers import (
    MAX_UNPACKED,
    Budget,
    UnpackedLayer,
    Viewable,
    names,
    open_data,
    open_image,
    open_named,
)

# The file that makes a tar or directory an image.
_LAYOUT: Final = "oci-layout"
_DOCKER: Final = "manifest.json"
_LAYERS: Final = "output/layers/"


def open_all(root: Path, what: Sequence[str], budget: Budget | None = None) -> list[Viewable]:
    """Return the layers, images and hives with the names *what*, by default the layers committed below *root*.

    Raise GeneratorError for any other file, or one that is unreadable.
    """
    budget = budget or Budget()
    return [viewable for each in (what or manifest.layers(root)) for viewable in open_one(root, each, budget)]


def open_paths(what: Sequence[str]) -> list[Viewable]:
    """Return the layers, images and hives in the files at the paths *what*, even if these look like other names."""
    budget = Budget()
    return [viewable for each in what for viewable in _at_path(each, budget)]


def open_one(root: Path, what: str, budget: Budget | None = None) -> list[Viewable]:
    """Return the layer or hive with the name *what*, or each image of a layout or archive."""
    budget = budget or Budget()
    if what in manifest.layers(root):
        with open_named(Path(root, manifest.blob_path(what)), what) as file:
            return [open_data(what, file, budget)]
    if what.partition(":")[0] in TRANSPORTS:
        return list(open_image(what, budget))
    if not what:
        raise GeneratorError("'': an empty name; hint: name a layer, an image or a hive")
    path = Path(what)
    if "\0" not in what and path.is_dir():
        if not (path / _LAYOUT).exists():
            hint = "name a layer, an image or a hive"
            raise GeneratorError(f"{what}: a directory without the file {_LAYOUT}; hint: {hint}")
        return list(open_image(f"oci:{what}", budget))
    if "\0" in what or not path.exists():
        revision, colon, rest = what.partition(":")
        if colon and (found := in_revision(root, revision, rest, budget)) is not None:
            return [found]
        if _is_reference(what):
            return list(open_image(what, budget))
        known = ", ".join(manifest.layers(root))
        kinds = "file, layer or git revision" if home.CHECKOUT else "file or layer"
        raise GeneratorError(
            f"{what}: {kinds} not found; hint: name a file, an image as oci:DIR or docker://REF, or one of {known}"
        )
    return _at_path(what, budget)


def is_there(root: Path, what: str) -> bool:
    """Return whether *what* is a layer, an image or a path, which take precedence over git revisions."""
    known = what in manifest.layers(root) or what.partition(":")[0] in TRANSPORTS
    return known or ("\0" not in what and Path(what).exists())


def _is_reference(what: str) -> bool:
    """Return whether *what* is an image reference with a registry's host or a digest, as `image` prints them."""
    try:
        found = reference(what, what)
    except GeneratorError:
        return False
    return bool(found.host or found.digest)


def _at_path(what: str, budget: Budget) -> list[Viewable]:
    """Return the images in the file if it is an archive of images, else the layer or hive that it is."""
    with open_named(Path(what), what) as file:
        if images := list(_archived(what, names(file), budget)):
            return images
        file.seek(0)
        viewable: Viewable = open_data(what, file, budget)
    if isinstance(viewable, UnpackedLayer) and viewable.compressed is not None:
        images = list(_archived(what, (entry.name for entry in viewable.entries), budget))  # which is refused
    return images or [viewable]


def _archived(what: str, names: Iterable[str], budget: Budget) -> Iterator[Viewable]:
    """Yield the images of a tar if the *names* of its entries are those of an archive of images."""
    if split(f"oci-archive:{what}")[1:] != (what, ""):
        return  # the path would be split at a colon into path and tag
    found = {_LAYOUT, _DOCKER}.intersection(map(posixpath.normpath, names))
    if _LAYOUT in found:
        yield from open_image(f"oci-archive:{what}", budget)
    elif _DOCKER in found:
        yield from open_image(f"docker-archive:{what}", budget)


def in_revision(root: Path, revision: str, path: str, budget: Budget) -> Viewable | None:
    """Return the layer or hive at *path* in a git *revision* of the checkout *root*; None if it is unknown."""
    commit = commit_of(root, revision)
    if commit is None:
        return None
    spelled = path if "/" in path or path.endswith(".gz") else manifest.blob_path(path)
    blob = (git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{spelled}") or "").strip()
    size = (git(root, "cat-file", "-s", blob) or "").strip() if blob else ""
    if not size.isdigit():
        raise GeneratorError(f"{revision}:{path}: not found in the revision: {brief(spelled)}")
    if int(size) > min(MAX_UNPACKED, 1 << 31):
        raise GeneratorError(f"{revision}:{path}: {int(size):,} bytes are too many to read from git")
    with tempfile.TemporaryFile() as file:
        if git(root, "cat-file", "blob", blob, to=file) is None:
            raise GeneratorError(f"{revision}:{path}: git cannot read it")
        file.seek(0)
        return open_data(f"{revision}:{path}", io.BufferedReader(io.FileIO(file.fileno(), closefd=False)), budget)


def layers_in(root: Path, revision: str) -> tuple[str, list[str]] | None:
    """Return the commit of a git *revision* and the names of its layers, None if the revision is unknown."""
    commit = commit_of(root, revision)
    if commit is None:
        return None
    listed = git(root, "ls-tree", "-z", "--name-only", "--full-tree", commit, _LAYERS) or ""
    paths = [path.removeprefix(_LAYERS) for path in listed.split("\0")]
    return commit, [path.removesuffix(".tar.gz") for path in paths if path.endswith(".tar.gz")]


def commit_of(root: Path, revision: str) -> str | None:
    """Return the hash of the commit of a git *revision*, None if it is unknown."""
    if not home.CHECKOUT or not revision or revision.startswith("-") or "\0" in revision:
        return None
    found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return (found or "").strip() or None
