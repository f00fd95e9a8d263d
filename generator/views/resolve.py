# SPDX-License-Identifier: Apache-2.0
"""What a user's word stands for: a committed layer, an image, a file or folder, or one of these in a git revision."""

import io
import posixpath
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ..base import home
from ..base.errors import GeneratorError, brief
from ..base.git import git, git_bytes
from ..generation import manifest
from ..imageread.images import TRANSPORTS, split
from ..imageread.references import reference
from .unpacked_layers import (
    MAX_UNPACKED,
    Budget,
    HiveFile,
    UnpackedImage,
    UnpackedLayer,
    Viewable,
    everything,
    names,
    open_data,
    open_file,
    open_image,
    regular,
)

# What makes a tar or folder an image, and the transport that opens it.
_LAYOUT: Final = "oci-layout"
_DOCKER: Final = "manifest.json"
_LAYERS: Final = "output/layers/"


def open_all(root: Path, what: Sequence[str], budget: Budget | None = None) -> list[Viewable]:
    """Return all that *what* names, or without it the layers that are committed below *root*.

    Raises GeneratorError for what is none of a layer, an image and a hive, or cannot be read.
    """
    budget = budget or everything()
    return [opened for each in (what or manifest.layers(root)) for opened in open_one(root, each, budget)]


def open_paths(what: Sequence[str]) -> list[Viewable]:
    """Return what the files at the paths *what* are, whatever else these could be taken for."""
    budget = everything()
    return [opened for each in what for opened in _at_path(each, budget)]


def open_one(root: Path, what: str, budget: Budget | None = None) -> list[Viewable]:
    """Return what *what* names: one layer or hive, or each image of a layout or archive."""
    budget = budget or everything()
    if what in manifest.layers(root):
        return [open_file(Path(root, manifest.blob_path(what)), what, budget)]
    if what.partition(":")[0] in TRANSPORTS:
        return list(open_image(what, budget))
    path = Path(what)
    if "\0" not in what and path.is_dir():
        if not (path / _LAYOUT).exists():
            raise GeneratorError(f"{what}: a folder, but no OCI layout; name a layer, an image or a hive")
        return list(open_image(f"oci:{what}", budget))
    if "\0" in what or not path.exists():
        revision, colon, rest = what.partition(":")
        if colon and (found := in_revision(root, revision, rest, budget)) is not None:
            return [found]
        if _is_reference(what):
            return list(open_image(what, budget))
        known = ", ".join(manifest.layers(root))
        nothing = "neither a file, a layer nor a git revision" if home.CHECKOUT else "neither a file nor a layer"
        raise GeneratorError(
            f"{what}: {nothing} has that name; name a file, an image as oci:DIR or docker://REF, or one of {known}"
        )
    return _at_path(what, budget)


def is_there(root: Path, what: str) -> bool:
    """Tell whether *what* is a layer, an image or a path, and so no git revision, whatever git says."""
    return (
        what in manifest.layers(root)
        or what.partition(":")[0] in TRANSPORTS
        or ("\0" not in what and Path(what).exists())
    )


def _is_reference(what: str) -> bool:
    """Tell whether a word is an image in a registry, with its host or a digest, as the command `image` prints it."""
    try:
        found = reference(what, what)
    except GeneratorError:
        return False
    return bool(found.host or found.digest)


def _at_path(what: str, budget: Budget) -> list[Viewable]:
    """Return the images of a tar that is an archive of some, or else what the file by itself is."""
    with regular(Path(what), what) as file:
        images: list[Viewable] = list(_archived(what, names(file), budget))
        if images:
            return images
        file.seek(0)
        opened = open_data(what, file, budget)
    if isinstance(opened, UnpackedLayer) and opened.compressed is not None:  # an archive, which is refused
        images = list(_archived(what, (entry.name for entry in opened.entries), budget))
    return images or [opened]


def _archived(what: str, names: Iterable[str], budget: Budget) -> Iterator[UnpackedImage]:
    """Yield the images of a tar that is an archive of some, by the *names* in it."""
    if split(f"oci-archive:{what}")[1:] != (what, ""):
        return  # its path would be taken for one with a tag behind it
    found = {_LAYOUT, _DOCKER}.intersection(map(posixpath.normpath, names))
    if _LAYOUT in found:
        yield from open_image(f"oci-archive:{what}", budget)
    elif _DOCKER in found:
        yield from open_image(f"docker-archive:{what}", budget)


def in_revision(root: Path, revision: str, path: str, budget: Budget) -> UnpackedLayer | HiveFile | None:
    """Return the layer or file at *path* in a git *revision* of the checkout *root*, or None where it has none."""
    commit = commit_of(root, revision)
    if commit is None:
        return None
    spelled = path if "/" in path or path.endswith(".gz") else manifest.blob_path(path)
    number = (git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{spelled}") or "").strip()
    size = (git(root, "cat-file", "-s", number) or "").strip() if number else ""
    if not size.isdigit():
        raise GeneratorError(f"{revision}:{path}: the revision has no {brief(spelled)}")
    if int(size) > min(MAX_UNPACKED, 1 << 31):
        raise GeneratorError(f"{revision}:{path}: {int(size):,} bytes are too many to be taken from git")
    with tempfile.TemporaryFile() as file:
        if git_bytes(root, "cat-file", "blob", number, to=file) is None:
            raise GeneratorError(f"{revision}:{path}: git cannot say what it holds")
        file.seek(0)
        written: io.BufferedReader = io.BufferedReader(io.FileIO(file.fileno(), closefd=False))
        return open_data(f"{revision}:{path}", written, budget)


def layers_in(root: Path, revision: str) -> tuple[str, list[str]] | None:
    """Return the commit that *revision* stands for and the names of its layers, or None if it is no revision."""
    commit = commit_of(root, revision)
    if commit is None:
        return None
    listed = git(root, "ls-tree", "-z", "--name-only", "--full-tree", commit, _LAYERS) or ""
    paths = [path.removeprefix(_LAYERS) for path in listed.split("\0")]
    return commit, [path.removesuffix(".tar.gz") for path in paths if path.endswith(".tar.gz")]


def commit_of(root: Path, revision: str) -> str | None:
    """Return the number of the commit that *revision* stands for, or None where git knows no such."""
    if not home.CHECKOUT or not revision or revision.startswith("-") or "\0" in revision:
        return None
    found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return (found or "").strip() or None
