# SPDX-License-Identifier: Apache-2.0
"""The quick half of the staleness check: compare every file with the manifest without building anything.

The manifest holds the hash of every input and of every output. If all match, the outputs are fresh. This runs on
every commit, so it imports no heavy module, pathlib included. Text is hashed with LF line ends, so that a checkout
with CRLF is fresh too.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence

from ..base.errors import GeneratorError
from ..base.home import LAYERS, TEMPORARY
from ..base.locking import close_lock, open_lock, try_lock
from ..base.reading import read_file
from . import git_index

MANIFEST = "output/manifest.json"
REPORT = "docs/report.html"
MAPS = ("docs/byte-map-light.svg", "docs/byte-map-dark.svg")
FORMAT = 2
FRESH = "fresh: every output is what its inputs make"

_INPUT_FOLDERS = ("generator", "templates")
_INPUT_FILES = (".gitignore", "Dockerfile.hivex", "requirements.lock")
_DOCUMENTS = (REPORT, *MAPS)  # outputs outside output/
TRACKED = (*(f"{folder}/" for folder in (*_INPUT_FOLDERS, "output")), *_INPUT_FILES, *_DOCUMENTS, *git_index.ATTRIBUTES)
_HALF_WRITTEN = "left half written by a killed run"
_LINK = "a symlink; hint: replace it with the file itself"

Ids = dict[str, tuple[bytes, ...]]  # by path, the digests that git may store for a file
Strange = list[tuple[str, str]]  # paths of unexpected files, each with the reason


def is_fresh(root: str) -> bool:
    """Return True if the checkout *root* matches its manifest and git's index; False also if that takes more to know.

    Raises GeneratorError for files that cannot be read.
    """
    try:
        descriptor = open_lock(root)
    except OSError:
        return False
    try:
        ids: Ids = {}
        return try_lock(descriptor, shared=True) and is_as_recorded(root, *look(root, ids)) and _is_tracked(root, ids)
    finally:
        close_lock(descriptor)


def settles(root: str) -> bool:
    """Return True if the quick check is enough: *root* is fresh, and this is not CI, which rebuilds everything."""
    return os.environ.get("CI") != "true" and is_fresh(root)


def _is_tracked(root: str, ids: Ids) -> bool:
    """Return True if a clone of *root* is known to have the same files, or *root* has no ``.git``."""
    folder = git_index.git_folder(root)
    if folder is None:
        return True
    tracked = git_index.read(folder, TRACKED)
    if tracked is None or not git_index.keeps_content(root, tracked):
        return False
    for path in git_index.ATTRIBUTES:
        tracked.pop(path, None)
    return tracked.keys() == ids.keys() and all(tracked[path] in ids[path] for path in ids)


def is_as_recorded(
    root: str, inputs: Mapping[str, str], outputs: Mapping[str, str], strange: Sequence[tuple[str, str]]
) -> bool:
    """Return True if the manifest of *root* records what look() found, rendered by the installed version of jinja2."""
    if strange or not os.path.lexists(f"{root}/{MANIFEST}"):
        return False
    try:
        recorded = json.loads(read_file(f"{root}/{MANIFEST}", MANIFEST))
    except (ValueError, RecursionError):
        return False
    return isinstance(recorded, dict) and recorded == document(
        inputs, outputs, jinja2_version() or recorded.get("jinja2", "")
    )


def document(inputs: Mapping[str, str], outputs: Mapping[str, str], jinja2: str) -> dict[str, object]:
    """Return the content of the manifest."""
    return {"format": FORMAT, "inputs": inputs, "jinja2": jinja2, "outputs": outputs}


def jinja2_version() -> str:
    """Return the version of jinja2 that would render, or "" if this Python lacks a package for rendering."""
    names: list[str] = []
    for folder in sys.path:
        try:
            names += os.listdir(folder or ".")
        except OSError:
            continue
    if not {"jinja2", "msgspec", "zopfli"} <= {*names}:
        return ""
    for name in names:
        # Spellings differ: Jinja2-3.1.2.dist-info, jinja2-3.1.6.dist-info, Jinja2-3.1.2-py3.egg-info.
        stem, _, kind = name.lower().rpartition(".")
        if stem.startswith("jinja2-") and kind in {"dist-info", "egg-info"}:
            return stem[7:].partition("-py")[0]
    return "unknown"


def look(root: str, ids: Ids) -> tuple[dict[str, str], dict[str, str], Strange]:
    """Return the content hash of each input and of each output below *root* by path, and unexpected files.

    Fills *ids* with the digests that git may store for each file, the manifest included. Raises GeneratorError for
    files that cannot be read and for pipes and devices.
    """
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    strange: Strange = []
    for path in (*_INPUT_FOLDERS, *_INPUT_FILES, "output", *_DOCUMENTS):
        if os.path.islink(f"{root}/{path}"):
            strange.append((path, _LINK))
        elif path in _INPUT_FILES or path in _DOCUMENTS:
            if os.path.lexists(f"{root}/{path}"):
                hashes = inputs if path in _INPUT_FILES else outputs
                _take(path, f"{root}/{path}", hashes, ids)
        else:
            _walk(root, path, outputs if path == "output" else inputs, strange, ids)
    if os.path.isdir(f"{root}/docs"):
        names = (name for name in os.listdir(f"{root}/docs") if name[0] == "." and name.endswith(TEMPORARY))
        strange += [(f"docs/{name}", _HALF_WRITTEN) for name in sorted(names)]
    outputs.pop(MANIFEST, None)
    return inputs, outputs, strange


def _take(path: str, file: str, hashes: dict[str, str], ids: Ids) -> None:
    data = read_file(file, path)
    hashes[path], ids[path] = content_hash(path, data), git_index.blob_ids(data)


def _walk(root: str, folder: str, hashes: dict[str, str], strange: Strange, ids: Ids) -> None:
    """Hash the files in *folder* and below; do not enter symlinks."""
    try:
        with os.scandir(f"{root}/{folder}") as scan:
            entries = list(scan)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise GeneratorError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        path = f"{folder}/{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == "__pycache__" and is_folder and folder != LAYERS and not folder.startswith("templates"):
            continue
        if reason := _strange(entry, folder, is_folder):
            strange.append((path, reason))
        elif is_folder:
            _walk(root, path, hashes, strange, ids)
        else:
            _take(path, entry.path, hashes, ids)


def _strange(entry: "os.DirEntry[str]", folder: str, is_folder: bool) -> str:
    """Return the reason if *entry* does not belong in *folder*, else ""."""
    if entry.is_symlink():
        return _LINK
    is_output = folder.partition("/")[0] == "output"
    if is_output and not is_folder and entry.name[0] == "." and entry.name.endswith(TEMPORARY):
        return _HALF_WRITTEN
    if entry.name[0] == "." or entry.name == "__pycache__":
        return "a hidden file or folder; hint: remove it, or remove the dot from its name"
    if folder == LAYERS and (is_folder or not entry.name.endswith(".toml")):
        return f"not a specification; hint: keep only NAME.toml files in {LAYERS}"
    return ""


def content_hash(path: str, data: bytes) -> str:
    """Return ``sha256:…`` of a file's content, with LF line ends unless it is a blob."""
    if not path.endswith(".gz") and b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return "sha256:" + hashlib.sha256(data).hexdigest()
