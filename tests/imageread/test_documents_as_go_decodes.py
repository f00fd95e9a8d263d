# SPDX-License-Identifier: Apache-2.0
"""Mutated documents are decoded as Go decodes them.

For more of them: PYTHONPATH=.:tests python tests/imageread/test_documents_as_go_decodes.py COUNT [SEED]
"""

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.counts import count
from helpers.document_mutations import WHOLE, mutated
from helpers.image_runs import go_tool

from generator.imageread.documents import Config, ContentDescriptor, Index, Layout, Manifest, read, read_saved

COUNT = count(300, 1500)


def go(program: Path, documents: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return Go's result for each document: the decoded values, or the reason of a refusal."""
    lines = b"".join(b"%s %s\n" % (kind.encode(), base64.b64encode(data)) for kind, data in documents)
    done = subprocess.run([str(program)], input=lines, stdout=subprocess.PIPE, check=True, timeout=600)
    return done.stdout.decode().splitlines()


def ours(kind: str, data: bytes) -> str:
    """Return the result of our own reader."""
    try:
        return f"ok {json.dumps(_decoded(kind, data))}"
    except ValueError as error:
        return f"refused {error}"


def _decoded(kind: str, data: bytes) -> Any:
    match kind:
        case "layout":
            return {"imageLayoutVersion": read(data, Layout)[0].version}
        case "index":
            index, _ = read(data, Index)
            return [index.schema_version or 0, index.media_type or "", _descriptors(index.manifests)]
        case "manifest":
            manifest, _ = read(data, Manifest)
            config = manifest.config
            return [manifest.media_type or "", config.digest, config.size, _descriptors(manifest.layers)]
        case "config":
            image, _ = read(data, Config)
            named = [each or "" for each in (image.os, image.architecture, image.os_version, image.rootfs.type)]
            return [*named, image.rootfs.diff_ids]
    return [[each.config, each.layers] for each, _ in read_saved(data)[0]]


def _descriptors(found: Sequence[ContentDescriptor]) -> list[Any]:
    return [[each.digest, each.size, each.media_type or ""] for each in found]


def differences(program: Path, documents: list[tuple[str, bytes]]) -> list[str]:
    """Return each document that the two decode differently, with both results."""
    told = go(program, documents)
    assert len(told) == len(documents)
    found = []
    for (kind, data), theirs in zip(documents, told, strict=True):
        own = ours(kind, data)
        if not _same(own, theirs):
            found.append(f"{kind} {data[:2000]!r}\n  ours: {own[:300]}\n  Go's: {theirs[:300]}")
    return found


def _same(own: str, theirs: str) -> bool:
    if own.startswith("refused") or theirs.startswith("refused"):
        return own.partition(" ")[0] == theirs.partition(" ")[0]
    return bool(_plain(json.loads(own[3:])) == _plain(json.loads(theirs[3:])))


def _plain(value: Any) -> Any:
    """Return *value* with nil as an empty list, which clients treat alike."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return [] if value is None else value


@pytest.fixture(scope="module")
def program() -> Path:
    return go_tool("./documents")


def test_complete_documents_are_accepted_by_both(program: Path) -> None:
    documents = [(kind, json.dumps(document).encode()) for kind, document in WHOLE.items()]
    assert {each[:2] for each in go(program, documents)} == {"ok"}
    assert differences(program, documents) == []


def test_every_field_of_another_type_is_refused_by_both(program: Path) -> None:
    documents = []
    for kind, whole in WHOLE.items():
        for way in _ways(whole):
            for value in (5, "x", [1], {"a": 1}, True, 1.5):
                documents.append((kind, json.dumps(_with(whole, way, value)).encode()))
    assert len(documents) > 1000
    assert differences(program, documents) == []


def test_mutated_documents_are_decoded_as_go_decodes_them(program: Path) -> None:
    documents = list(mutated(20260101, COUNT))
    refused = sum(ours(*each).startswith("refused") for each in documents)
    assert COUNT / 5 < refused < COUNT * 4 / 5  # there are enough of both
    assert differences(program, documents) == []


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*way, key)
        if isinstance(each, dict | list):
            yield from _ways(each, (*way, key))


def _with(whole: Any, way: tuple[Any, ...], value: Any) -> Any:
    document = json.loads(json.dumps(whole))
    here = document
    for key in way[:-1]:
        here = here[key]
    here[way[-1]] = value
    return document


if __name__ == "__main__":
    made = list(mutated(int(sys.argv[2]) if len(sys.argv) > 2 else 1, int(sys.argv[1])))
    different = differences(go_tool("./documents"), made)
    print(*different[:20], sep="\n")
    print(f"{len(made):,} documents, {len(different):,} differences")
