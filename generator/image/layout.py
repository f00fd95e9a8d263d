# SPDX-License-Identifier: Apache-2.0
"""An image into an OCI image layout, a folder of blobs with an index; Docker's own list stands beside that."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..base import files
from ..base.console import Say
from ..base.errors import GeneratorError, brief
from ..base.home import TEMPORARY
from ..base.reading import read_file
from ..imageread.documents import REF_NAME, ContentDescriptor
from ..imageread.references import maybe_reference
from .assemble import Image, blob_path, docker_entry
from .config import INDEX
from .workspace import remove_empty

LAYOUT_FILE, INDEX_FILE, DOCKER_FILE = "oci-layout", "index.json", "manifest.json"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_CONTAINERD_NAME = "io.containerd.image.name"  # github.com/containerd/containerd images/annotations.go
_OURS = {LAYOUT_FILE, INDEX_FILE, DOCKER_FILE, "blobs", "ingest"}  # ingest: containerd's
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")  # OCI image specification 1.1, descriptor.md
_MOST = 16 << 20  # bytes of an index; more is none

Json = dict[str, Any]
_T = TypeVar("_T")


def check(folder: Path) -> None:
    """Raise GeneratorError where an image cannot go to *folder*: it has something else in it, or a damaged index."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise GeneratorError(f"{folder}: not a folder; a layout is one")
    names = {path.name for path in folder.iterdir() if not path.name.endswith(TEMPORARY)}
    if LAYOUT_FILE not in names and names - _OURS:
        raise GeneratorError(f"{folder}: holds files, and is no OCI layout; name another folder")
    if LAYOUT_FILE in names:
        found = _decode(folder / LAYOUT_FILE, Json)
        if found.get("imageLayoutVersion") != "1.0.0":
            raise GeneratorError(f"{folder / LAYOUT_FILE}: not of version 1.0.0, the only one there is")
    for step in (folder / "blobs", folder / "blobs/sha256"):
        if step.is_symlink():
            raise GeneratorError(f"{step}: a link stands in the place of a folder; remove it")
    _read_index(folder)
    _read_docker_list(folder)


def add(folder: Path, image: Image, reference: str, work: Path, note: Say) -> None:
    """Put *image* into the layout *folder*, which is made if need be, in the place of the one called *reference*.

    *work* is a folder of this run's own on the same file system. Blobs come first and the index last, so that
    whoever reads the layout meanwhile finds it whole. Raises GeneratorError and OSError, with the layout as it was.
    """
    with files.lock(folder, note), contextlib.ExitStack() as opened, contextlib.ExitStack() as undo:
        files.sweep(folder, deep=False)
        check(folder)
        for digest in (*image.blobs, *(document.digest for document in image.documents)):
            path = folder / blob_path(digest)
            if path.is_dir() and not path.is_symlink():
                raise GeneratorError(f"{path}: a folder stands in the place of a blob; remove it")
        for parent in (folder / "blobs", folder / "blobs/sha256"):
            with contextlib.suppress(FileExistsError):
                parent.mkdir()
                undo.callback(remove_empty, parent)
        blobs = opened.enter_context(files.folder_below(folder / "blobs/sha256", folder))
        for digest, temporary in _ready(image, work, passing=_is_ours(folder)):
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
            if _is(folder / DOCKER_FILE, content[folder / DOCKER_FILE]):  # which points at the blobs already
                undo.pop_all()
            raise
        undo.pop_all()


def indexed(index: Json, image: Image, reference: str) -> Json:
    """Return *index* with *image* in it, which alone has the name *reference* from now on."""
    descriptor: Json = image.top.descriptor
    if reference:
        descriptor["annotations"] = {REF_NAME: reference}
        named = maybe_reference(reference)
        if named is not None:
            descriptor["annotations"] |= {_CONTAINERD_NAME: named.full}
    others = [each for each in index["manifests"] if not _gives_way(each, descriptor)]
    return index | {"manifests": [*others, descriptor]}


def docker_listed(listed: list[Json], image: Image, reference: str) -> list[Json]:
    """Return Docker's list with *image* in it, which alone has the tag *reference* from now on, if it can be one."""
    named = maybe_reference(reference)
    tags = [named.tagged] if named is not None else []
    ours = docker_entry(image, tags)
    others = []
    for each in listed:
        left = [tag for tag in each.get("RepoTags") or [] if tag not in tags]
        if left or (each.get("Config") != ours["Config"] and not each.get("RepoTags")):
            others.append(each | {"RepoTags": left or None})
    return [*others, ours]


def empty_index() -> Json:
    """Return the index of a layout without images."""
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def encode(content: object) -> bytes:
    """Return *content* as a file of a layout has it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _gives_way(other: Json, descriptor: Json) -> bool:
    """Tell whether *other* leaves the index for *descriptor*: by its name, or the same image where neither has one."""
    name = (other.get("annotations") or {}).get(REF_NAME)
    wanted = (descriptor.get("annotations") or {}).get(REF_NAME)
    return name == wanted if wanted else not name and other.get("digest") == descriptor["digest"]


def _ready(image: Image, work: Path, *, passing: bool) -> Iterator[tuple[str, Path]]:
    """Yield every blob's digest and a file in *work* that holds it and may be moved: layers, then documents.

    No file is in two places that last, since who changes one would change both; *passing* is for one that does not.
    """
    for number, (digest, blob) in enumerate(image.blobs.items()):
        temporary = work / f"blob-{number}"
        try:
            if not _is_ours(blob.path) or (blob.path.stat().st_nlink > 1 and not passing):
                raise OSError("is elsewhere, too")
            os.link(blob.path, temporary)
        except OSError:  # or that is another file system, or one without links
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
        raise GeneratorError(f"{path}: no index of images; name another folder")
    for at, each in enumerate(manifests):
        try:
            descriptor = msgspec.convert(each, ContentDescriptor)
        except msgspec.ValidationError as error:
            raise GeneratorError(f"{path}: manifests[{at}] is no descriptor: {error}; name another folder") from error
        if descriptor.size < 0 or not _DIGEST.fullmatch(descriptor.digest):
            told = f"{brief(descriptor.digest)} of {descriptor.size:,} bytes"
            raise GeneratorError(f"{path}: manifests[{at}] is no descriptor: {told}; name another folder")
    return found


def _read_docker_list(folder: Path) -> list[Json]:
    path = folder / DOCKER_FILE
    if not path.exists():
        return []
    found = _decode(path, list[Json])
    for each in found:
        tags = each.get("RepoTags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise GeneratorError(f"{path}: not as Docker writes it; remove it, or name another folder")
    return found


def _decode(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(read_file(path, str(path), _MOST, follow=False), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise GeneratorError(f"{path}: {error}; name another folder") from error


def _is_ours(path: Path) -> bool:
    """Tell whether *path* is in the folder of a run's own, which goes at its end."""
    return any(part.endswith(TEMPORARY) for part in path.parts)


def _is(path: Path, data: bytes) -> bool:
    with contextlib.suppress(GeneratorError):
        return read_file(path, str(path), follow=False) == data
    return False
