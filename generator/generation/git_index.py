# SPDX-License-Identifier: Apache-2.0
"""Read git's index without running git, for the quick staleness check.

Format: git's Documentation/gitformat-index.txt, versions 2 to 4. Others, such as a split index or SHA-256, are left
to git.
"""

import hashlib
import os

from ..base.errors import GeneratorError
from ..base.reading import read_file

ATTRIBUTES = (".gitattributes", "docs/.gitattributes")  # elsewhere, such a file is a finding
_FILES = (b"\0\0\x81\xa4", b"\0\0\x81\xed")  # modes 100644 and 100755
_FOLDER = b"\0\0\x40\0"  # of a sparse index
_STAGE, _EXTENDED, _LENGTH, _INTENT = 0x3000, 0x4000, 0xFFF, 0x2000  # flags
# Attributes that change content on checkout, and harmless values.
REWRITING = ("text", "crlf", "eol", "ident", "filter", "working-tree-encoding")
_HARMLESS = frozenset(("binary", "-text", "text=auto", "eol=lf"))


def git_folder(root: str) -> str | None:
    """Return the git directory of the checkout *root*, which may be missing; None if *root* has no ``.git``."""
    path = f"{root}/.git"
    if not os.path.lexists(path) or os.path.isdir(path):
        return path if os.path.lexists(path) else None
    try:
        return os.path.join(root, os.fsdecode(read_file(path, ".git")).removeprefix("gitdir:").strip())
    except GeneratorError:
        return path


def blob_ids(data: bytes) -> tuple[bytes, ...]:
    """Return git's blob ids of a file's content: unchanged and, if it has CRLF, with LF line ends."""
    # A search for one byte takes a tenth of the time of two.
    texts = (data, data.replace(b"\r\n", b"\n")) if b"\r" in data else (data,)
    return tuple(map(_blob_id, texts))


def _blob_id(text: bytes) -> bytes:
    made = hashlib.sha1(b"blob %d\0" % len(text), usedforsecurity=False)
    made.update(text)
    return made.digest()


def read(folder: str, wanted: tuple[str, ...]) -> dict[str, bytes] | None:
    """Return the blob id of each tracked file whose path starts with one of *wanted*; None if only git can read it.

    The id is empty for symlinks and submodules, unmerged files, and files added by ``git add -N``.
    """
    try:
        data = read_file(f"{folder}/index", "index")
        return _parse(data, tuple(map(os.fsencode, wanted)))
    except (GeneratorError, IndexError, ValueError):
        return None


def _parse(data: bytes, wanted: tuple[bytes, ...]) -> dict[str, bytes]:
    """Parse an index; raises ValueError or IndexError if it is damaged or needs git."""
    version, count, end = data[7], int.from_bytes(data[8:12], "big"), len(data) - 20
    sums = (hashlib.sha1(data[:end], usedforsecurity=False).digest(), bytes(20))  # git may be set to write zeros
    if data[:7] != b"DIRC\0\0\0" or version not in {2, 3, 4} or data[end:] not in sums:
        raise ValueError
    entries: dict[str, bytes] = {}
    at, path = 12, b""
    for _ in range(count):
        flags, extended = int.from_bytes(data[at + 60 : at + 62], "big"), 0
        start = at + 62
        if flags & _EXTENDED:
            extended, start = int.from_bytes(data[start : start + 2], "big"), start + 2
        kept = b""
        if version == 4:
            removed, start = _number(data, start)
            kept = path[: len(path) - removed]
        stop = data.index(b"\0", start, end)
        path = kept + data[start:stop]
        mode = data[at + 24 : at + 28]
        if flags & _LENGTH != min(len(path), _LENGTH) or mode == _FOLDER:
            raise ValueError
        if path.startswith(wanted):
            plain = mode in _FILES and not flags & _STAGE and not extended & _INTENT
            entries[os.fsdecode(path)] = data[at + 40 : at + 60] if plain else b""
        at = stop + 1 if version == 4 else at + (stop - at + 8 & ~7)
    while at < end:  # extensions: lower case names change the meaning of entries
        if not data[at : at + 4].isupper():
            raise ValueError
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return entries


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Decode git's varint at *at*; return the number and the position after it."""
    number = data[at] & 127
    while data[at] & 128:
        at += 1
        number = (number + 1 << 7) + (data[at] & 127)
    return number, at + 1


def keeps_content(root: str, tracked: dict[str, bytes]) -> bool:
    """Return True if no attribute of a clone of *root* changes content; False if only git can decide."""
    for path in ATTRIBUTES:
        if path not in tracked:
            continue
        try:
            data = read_file(f"{root}/{path}", path)
        except GeneratorError:
            return False
        if tracked[path] not in blob_ids(data):
            return False
        for line in data.decode("utf-8", "replace").splitlines():
            words = [] if line.lstrip().startswith("#") else line.split()
            if words and (words[0].startswith(('"', "[attr]")) or not all(map(_is_harmless, words[1:]))):
                return False
    return True


def _is_harmless(word: str) -> bool:
    return word in _HARMLESS or word.lstrip("-!").partition("=")[0] not in REWRITING
