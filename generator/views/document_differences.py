# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of images document_differences, each value by its path, and how those of two images differ."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from ..base.errors import shorten
from ..oci.blob import sha256

_NAMES: Final = ("manifest", "configuration")
_MOST: Final = 200  # characters of a value that are told, and of a path
_TOLD: Final = re.compile(  # by the facts of an image and by its layers
    r"configuration (os|architecture|os\.version|config\.(User|Entrypoint|Cmd|WorkingDir|Env|Labels)\b.*"
    r"|rootfs\.diff_ids\[\d+\])|manifest (config|layers\[\d+\])\.(digest|size)",
    re.DOTALL,
)


def differences(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[str, str, str]]:
    """Yield how the manifests and configurations of two images differ: old and new value, and the path of each.

    A document whose bytes differ is first told as a whole, by its digest.
    """
    for name, before, after in zip(_NAMES, old, new, strict=True):
        if before == after:
            continue
        yield _digest(before), _digest(after), f"{name} digest"
        mine, yours = (dict(_values(name, document)) for document in (before, after))
        for path in dict.fromkeys([*mine, *yours]):
            if mine.get(path) != yours.get(path) and not _TOLD.fullmatch(path):
                yield mine.get(path, ""), yours.get(path, ""), path


def _digest(document: bytes) -> str:
    return sha256(document) if document else ""


def _values(name: str, document: bytes) -> Iterator[tuple[str, str]]:
    """Yield the path and the JSON of each value that holds no other; nothing of what is no JSON."""
    try:
        todo: list[tuple[str, Any]] = [(f"{name} ", msgspec.json.decode(document))]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict) and value:
            dot = "" if path.endswith(" ") else "."
            todo += [(_longer(path, f"{dot}{key}"), each) for key, each in reversed(value.items())]
        elif isinstance(value, list) and value:
            todo += [(_longer(path, f"[{at}]"), each) for at, each in reversed(list(enumerate(value)))]
        else:
            yield path, _text(value)


def _longer(path: str, more: str) -> str:
    return shorten(path + more[:_MOST], _MOST)


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _MOST:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{shorten(text, _MOST)} ({len(text):,} characters, sha256:{digest})"
