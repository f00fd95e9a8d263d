# SPDX-License-Identifier: Apache-2.0
"""Write an image to an OCI image layout: a directory of blobs with an index, and with Docker's manifest.json."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..base import files
from ..base.console import Say
from ..base.errors import GeneratorError, brief, counted
from ..base.home import TEMPORARY
from ..base.reading import read_file
from ..base.workspace import remove_empty
from ..imageread.documents import REF_NAME, ContentDescriptor
from ..imageread.references import maybe_reference
from .assemble import BuiltImage, blob_path, docker_entry
from .config import INDEX

LAYOUT_FILE, INDEX_FILE, DOCKER_FILE = "oci-layout", "index.json", "manifest.json"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_CONTAINERD_NAME = "io.containerd.image.name"  # github.com/containerd/containerd images/annotations.go
_OURS = {LAYOUT_FILE, INDEX_FILE, DOCKER_FILE, "blobs", "ingest"}  # ingest: containerd's
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")  # OCI image specification 1.1, descriptor.md
_MOST = 16 << 20  # bytes of an index

Json = dict[str, Any]
_T = TypeVar("_T")


def check(folder: Path) -> None:
    """Raise GeneratorError if *folder* holds something other than a layout, or a damaged index."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise GeneratorError(f"{folder}: not a directory; hint: name another, or use oci-archive: for a file")
    names = {path.name for path in folder.iterdir() if not path.name.endswith(TEMPORARY)}
    if LAYOUT_FILE not in names and names - _OURS:
        raise GeneratorError(f"{folder}: not an OCI layout, and not empty; hint: name another directory")
    if LAYOUT_FILE in names:
        found = _decode(folder / LAYOUT_FILE, Json)
        if found.get("imageLayoutVersion") != "1.0.0":
            raise GeneratorError(f"{folder / LAYOUT_FILE}: unknown version, not 1.0.0")
    for step in (folder / "blobs", folder / "blobs/sha256"):
        if step.is_symlink():
            raise GeneratorError(f"{step}: a link in place of a directory; hint: remove it")
    _read_index(folder)
    _read_docker_list(folder)


def add(
    folder: Path, image: BuiltImage, reference: str, work: Path, note: Say, *, without: Collection[str] = ()
) -> None:
    """Add *image* to the layout *folder*, made if needed, replacing the image called *reference*.

    *work* is a private directory on the same file system, *without* has the digests of layers to leave out. Blobs are
    written first and the index last, so the layout is complete at any time. Raises GeneratorError and OSError; the
    layout is then unchanged.
    """
    with files.lock(folder, note), contextlib.ExitStack() as opened, contextlib.ExitStack() as undo:
        files.sweep(folder, deep=False)
        check(folder)
        for digest in (*image.blobs, *(document.digest for document in image.documents)):
            path = folder / blob_path(digest)
            if path.is_dir() and not path.is_symlink():
                raise GeneratorError(f"{path}: a directory in place of a blob; hint: remove it")
        for parent in (folder / "blobs", folder / "blobs/sha256"):
            with contextlib.suppress(FileExistsError):
                parent.mkdir()
                undo.callback(remove_empty, parent)
        blobs = opened.enter_context(files.folder_below(folder / "blobs/sha256", folder))
        for digest, temporary in _ready(image, work, without, passing=_is_ours(folder)):
            name = digest.partition(":")[2]
            if not blobs.has(name):
                undo.callback(blobs.remove, name)
            blobs.take(temporary, name)
        index = indexed(_read_index(folder), image, reference)
        listed = docker_listed(_read_docker_list(folder), image, reference)
        last = folder / INDEX_FILE
        content = {folder / DOCKER_FILE: encode(listed), last: encode(index)}
        if not (folder / LAYOUT_FILE).exists():
            content = {folder / LAYOUT_FILE: LAYOUT} | content
        try:
            files.replace(content, last=last)
        except BaseException:
            if _is(folder / DOCKER_FILE, content[folder / DOCKER_FILE]):  # it refers to the blobs already
                undo.pop_all()
            raise
        undo.pop_all()


def indexed(index: Json, image: BuiltImage, reference: str) -> Json:
    """Return *index* with *image* added as the only one called *reference*."""
    descriptor: Json = image.top.descriptor
    if reference:
        descriptor["annotations"] = {REF_NAME: reference}
        named = maybe_reference(reference)
        if named is not None:
            descriptor["annotations"] |= {_CONTAINERD_NAME: named.full}
    others = [each for each in index["manifests"] if not _gives_way(each, descriptor)]
    return index | {"manifests": [*others, descriptor]}


def docker_listed(listed: list[Json], image: BuiltImage, reference: str) -> list[Json]:
    """Return Docker's list with *image* added as the only one with the tag *reference*, if that is valid as a tag.

    An image with foreign layers is left out, since Docker would look for their files.
    """
    named = maybe_reference(reference)
    tags = [named.tagged] if named is not None else []
    ours = None if image.variants[0].foreign else docker_entry(image, tags)
    others = []
    for each in listed:
        left = [tag for tag in each.get("RepoTags") or [] if tag not in tags]
        if left or ((ours is None or each.get("Config") != ours["Config"]) and not each.get("RepoTags")):
            others.append(each | {"RepoTags": left or None})
    return others if ours is None else [*others, ours]


def empty_index() -> Json:
    """Return the index of an empty layout."""
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def encode(content: object) -> bytes:
    """Return *content* as compact JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _gives_way(other: Json, descriptor: Json) -> bool:
    """Return whether *descriptor* replaces *other*: both have its name, or are the same image without a name."""
    name = (other.get("annotations") or {}).get(REF_NAME)
    wanted = (descriptor.get("annotations") or {}).get(REF_NAME)
    return name == wanted if wanted else not name and other.get("digest") == descriptor["digest"]


def _ready(image: BuiltImage, work: Path, without: Collection[str], *, passing: bool) -> Iterator[tuple[str, Path]]:
    """Yield each blob's digest and a file in *work* that holds it, ready to be moved: layers, then documents.

    Two destinations never share a file by hard links, since a change of one would change both; *passing* allows a hard
    link, for a destination that is only temporary.
    """
    for number, (digest, blob) in enumerate(image.blobs.items()):
        if digest in without:
            continue
        temporary = work / f"blob-{number}"
        try:
            if not _is_ours(blob.path) or (blob.path.stat().st_nlink > 1 and not passing):
                raise OSError("is elsewhere, too")
            os.link(blob.path, temporary)
        except OSError:  # or another file system, or one without hard links
            shutil.copyfile(blob.path, temporary)
        yield digest, temporary
    for number, document in enumerate(image.documents):
        temporary = work / f"document-{number}"
        temporary.write_bytes(document.data)
        yield document.digest, temporary


def _read_index(folder: Path) -> Json:
    path = folder / INDEX_FILE
    if not path.exists():
        return empty_index()
    found = _decode(path, Json)
    manifests = found.get("manifests")
    if found.get("schemaVersion") != 2 or not isinstance(manifests, list):
        raise GeneratorError(f"{path}: invalid index; hint: name another directory")
    for at, each in enumerate(manifests):
        try:
            descriptor = msgspec.convert(each, ContentDescriptor)
        except msgspec.ValidationError as error:
            raise GeneratorError(
                f"{path}: manifests[{at}] is invalid: {error}; hint: name another directory"
            ) from error
        if descriptor.size < 0 or not _DIGEST.fullmatch(descriptor.digest):
            found_there = f"{brief(descriptor.digest)} of {counted(descriptor.size, 'byte')}"
            raise GeneratorError(f"{path}: manifests[{at}] is invalid: {found_there}; hint: name another directory")
    return found


def _read_docker_list(folder: Path) -> list[Json]:
    path = folder / DOCKER_FILE
    if not path.exists():
        return []
    found = _decode(path, list[Json])
    for each in found:
        tags = each.get("RepoTags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise GeneratorError(f"{path}: not as Docker writes it; hint: remove it, or name another directory")
    return found


def _decode(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(read_file(path, str(path), _MOST, follow=False), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise GeneratorError(f"{path}: {error}; hint: name another directory") from error


def _is_ours(path: Path) -> bool:
    """Return whether *path* is in a private temporary directory."""
    return any(part.endswith(TEMPORARY) for part in path.parts)


def _is(path: Path, data: bytes) -> bool:
    with contextlib.suppress(GeneratorError):
        return read_file(path, str(path), follow=False) == data
    return False
