# SPDX-License-Identifier: Apache-2.0
"""Compare the JSON documents of two images value by value, each value identified by its path."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from ..base.errors import shorten
from ..oci.blob import sha256

_DOCUMENTS: Final = ("manifest", "configuration")
_MOST: Final = 200  # characters shown of a value, and of a path
_COMPARED_ELSEWHERE: Final = re.compile(  # as settings of the image, or layer by layer
    r"configuration (os|architecture|os\.version|config\.(User|Entrypoint|Cmd|WorkingDir|Env|Labels)\b.*"
    r"|rootfs\.diff_ids\[\d+\])|manifest (config|layers\[\d+\])\.(digest|size)",
    re.DOTALL,
)


def differences(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[str, str, str]]:
    """Yield old value, new value and path of each difference between two pairs of manifest and configuration.

    The digests of a document whose bytes differ come first, with the path ``manifest digest``, for example.
    """
    for name, before, after in zip(_DOCUMENTS, old, new, strict=True):
        if before == after:
            continue
        digests = [sha256(document) if document else "" for document in (before, after)]
        yield digests[0], digests[1], f"{name} digest"
        mine, yours = (dict(_values(name, document)) for document in (before, after))
        for path in dict.fromkeys([*mine, *yours]):
            if mine.get(path) != yours.get(path) and not _COMPARED_ELSEWHERE.fullmatch(path):
                yield mine.get(path, ""), yours.get(path, ""), path


def _values(name: str, document: bytes) -> Iterator[tuple[str, str]]:
    """Yield the path and the JSON text of each scalar and empty container; nothing for invalid JSON."""
    try:
        todo: list[tuple[str, Any]] = [(f"{name} ", msgspec.json.decode(document))]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict) and value:
            dot = "" if path.endswith(" ") else "."
            todo += [(_joined(path, f"{dot}{key}"), each) for key, each in reversed(value.items())]
        elif isinstance(value, list) and value:
            todo += [(_joined(path, f"[{at}]"), each) for at, each in reversed(list(enumerate(value)))]
        else:
            yield path, _text(value)


def _joined(path: str, name: str) -> str:
    return shorten(path + name[:_MOST], _MOST)


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _MOST:
        return text
    return f"{shorten(text, _MOST)} ({len(text):,} characters, {sha256(text.encode('utf-8', 'surrogatepass'))})"
