# SPDX-License-Identifier: Apache-2.0
"""Is everything as the manifest says? The quick half of the staleness check.

The manifest holds the hash of every file that takes part and of every output. Where all of them are as it says,
nothing has changed since and nothing needs to be made to know it. This runs on every commit, so it imports next
to nothing: typing, re and json would take as long as the rest. Hashes of text are taken with LF line ends, so
that a checkout with CRLF is as fresh as any other.
"""

import hashlib
import os
import sys
from collections.abc import Sequence

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
_DOCUMENTS = (REPORT, *MAPS)  # outputs that stand among documents
TRACKED = (*(f"{folder}/" for folder in (*_INPUT_FOLDERS, "output")), *_INPUT_FILES, *_DOCUMENTS, *git_index.ATTRIBUTES)
_HALF = "left half written by a run that was killed"
_LINK = "a symbolic link; put the file itself here"

Ids = dict[str, tuple[bytes, ...]]  # by path, the digests that git may have of a file
Strange = list[tuple[str, str]]  # paths of files that should not be there, each with the reason


def is_fresh(root: str) -> bool:
    """Tell whether all of the checkout *root* is as its manifest says; False also where that is not told at once."""
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
    """Tell whether the bare staleness check ends here: *root* is fresh, and no CI asks for more than that."""
    return os.environ.get("CI") != "true" and is_fresh(root)


def _is_tracked(root: str, ids: Ids) -> bool:
    """Return True if a clone of *root* surely has all files as they are here, or *root* has no ``.git``."""
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
    root: str, inputs: dict[str, str], outputs: dict[str, str], strange: Sequence[tuple[str, str]]
) -> bool:
    """Tell whether the manifest of *root* says what look() found, and what would render now rendered then."""
    if strange or not os.path.lexists(f"{root}/{MANIFEST}"):
        return False
    recorded = read_file(f"{root}/{MANIFEST}", MANIFEST).replace(b"\r\n", b"\n")
    jinja2 = jinja2_version() or recorded.partition(b'\n "jinja2": "')[2].partition(b'"')[0].decode("utf-8", "replace")
    return recorded == document(inputs, outputs, jinja2)


def document(inputs: dict[str, str], outputs: dict[str, str], jinja2: str) -> bytes:
    """Return the manifest as the bytes of its file, which is JSON: sorted, with a line for each file."""
    told = f'{{\n "format": {FORMAT},\n "inputs": {_table(inputs)},\n "jinja2": {_quoted(jinja2)},\n'
    return f'{told} "outputs": {_table(outputs)}\n}}\n'.encode()


def _table(texts: dict[str, str]) -> str:
    lines = ",\n".join(f"  {_quoted(name)}: {_quoted(text)}" for name, text in sorted(texts.items()))
    return f"{{\n{lines}\n }}" if lines else "{}"


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json

    return json.dumps(text)


def jinja2_version() -> str:
    """Return the version of jinja2 that would render, or nothing where this Python has not all that making needs."""
    names: list[str] = []
    for folder in sys.path:
        try:
            names += os.listdir(folder or ".")
        except OSError:
            continue
    if not {"jinja2", "msgspec", "zopfli"} <= {*names}:
        return ""
    for name in names:
        # Wheels spell the name as they like: Jinja2-3.1.2.dist-info, jinja2-3.1.6.dist-info, Jinja2-3.1.2-py3.egg-info.
        stem, _, kind = name.lower().rpartition(".")
        if stem.startswith("jinja2-") and kind in {"dist-info", "egg-info"}:
            return stem[7:].partition("-py")[0]
    return "unknown"


def look(root: str, ids: Ids | None = None) -> tuple[dict[str, str], dict[str, str], Strange]:
    """Return what is below *root*: the content hash of each input and output by path, and what should not be there.

    *ids* is given the digests that git may have of each, and of the manifest. Raises GeneratorError for what cannot be
    read, or is no file to be read at all.
    """
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    strange: Strange = []
    ids = {} if ids is None else ids
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
        left = (name for name in os.listdir(f"{root}/docs") if name[0] == "." and name.endswith(TEMPORARY))
        strange += [(f"docs/{name}", _HALF) for name in sorted(left)]
    outputs.pop(MANIFEST, None)
    return inputs, outputs, strange


def _take(path: str, file: str, hashes: dict[str, str], ids: Ids) -> None:
    data = read_file(file, path)
    hashes[path], ids[path] = content_hash(path, data), git_index.blob_ids(data)


def _walk(root: str, folder: str, hashes: dict[str, str], strange: Strange, ids: Ids) -> None:
    """Hash the files of *folder* and below; folders that are links are not entered."""
    try:
        with os.scandir(f"{root}/{folder}") as scan:
            entries = list(scan)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise GeneratorError(f"{folder}: cannot be read: {error.strerror}") from error
    top = folder.partition("/")[0]
    for entry in entries:
        path = f"{folder}/{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.is_symlink():
            strange.append((path, _LINK))
        elif entry.name == "__pycache__" and is_folder and top != "templates" and folder != LAYERS:
            if top == "output":
                _check_bytecode(root, path, {name.name for name in entries}, strange)
        elif top == "output" and entry.name[0] == "." and entry.name.endswith(TEMPORARY) and not is_folder:
            strange.append((path, _HALF))
        elif entry.name[0] == "." or entry.name == "__pycache__":
            strange.append((path, "a hidden file or folder; remove it, or take the dot from its name"))
        elif folder == LAYERS and (is_folder or not entry.name.endswith(".toml")):
            strange.append((path, f"not a specification; {LAYERS} holds files NAME.toml alone"))
        elif is_folder:
            _walk(root, path, hashes, strange, ids)
        else:
            _take(path, entry.path, hashes, ids)


def _check_bytecode(root: str, folder: str, sources: set[str], strange: Strange) -> None:
    """Find what is in a ``__pycache__`` beside the bytecode of *sources*, which importing a module leaves there."""
    for name in sorted(os.listdir(f"{root}/{folder}")):
        path = f"{folder}/{name}"
        if os.path.islink(f"{root}/{path}"):
            strange.append((path, _LINK))
        elif not (name.endswith(".pyc") and name.partition(".")[0] + ".py" in sources):
            strange.append((path, "bytecode without a source; remove it"))
        elif read_file(f"{root}/{path}", path)[4:8] != bytes(4):  # its flags: imports leave what goes by time and size
            strange.append((path, "bytecode that Python would run whatever its source holds; remove it"))


def content_hash(path: str, data: bytes) -> str:
    """Return ``sha256:…`` of a file's content, with LF line ends unless it is a blob."""
    if not path.endswith(".gz") and b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return "sha256:" + hashlib.sha256(data).hexdigest()
