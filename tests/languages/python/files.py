# SPDX-License-Identifier: Apache-2.0
"""Makes layers on top of what it reads, and answers with their bytes: tests/helpers/layer_vectors.py has the words.

Runs on Python 3.8, with the folder of windows_files.py as its argument.
"""

from __future__ import annotations

import io
import sys
from typing import Any

sys.path.insert(0, sys.argv[1])

import windows_files as files


def text(word: str) -> str:
    return bytes.fromhex(word[1:]).decode("utf-8", "surrogateescape")


def common(descriptor: str, times: list[str]) -> dict[str, Any]:
    """Return the options that an entry and a layer share."""
    options: dict[str, Any] = {}
    if descriptor != "=":
        options["descriptor"] = bytes.fromhex(descriptor[1:]) if descriptor.startswith(":") else descriptor
    if times[0] != "=":
        options["time"] = files.Times(*map(int, times)) if len(set(times)) > 1 else int(times[0])
    return options


def header(words: list[str]) -> bytes:
    kind, path, target, size, attributes, descriptor = words[:6]
    options: dict[str, Any] = {"target": text(target), "size": int(size), "attributes": int(attributes)}
    made: bytes = files.header(kind, text(path), **options, **common(descriptor, words[6:]))
    return made


def add(layer: files.Writer, words: list[str]) -> None:
    kind, path, target, size, attributes, descriptor = words[:6]
    options = common(descriptor, words[6:])
    if kind in {files.HARD_LINK, files.WHITEOUT}:
        options.pop("descriptor", None)
    else:
        options["attributes"] = int(attributes)
    if kind == files.FILE:
        layer.add(text(path), b"x" * int(size), **options)
    elif kind == files.DIRECTORY:
        layer.add_directory(text(path), **options)
    elif kind == files.HARD_LINK:
        layer.add_hardlink(text(path), text(target), **options)
    elif kind == files.WHITEOUT:
        layer.add_whiteout(text(path), **options)
    else:
        layer.add_symlink(text(path), text(target), directory=kind == files.DIRECTORY_LINK, **options)


def answer(first: list[str], entries: list[list[str]]) -> bytes | tuple[str, int]:
    """Return the bytes, or the code of an error and the number of the entry that it is about."""
    done = 0
    out = io.BytesIO()
    try:
        if first[0] == "header":
            return header(entries[0])
        with files.Writer(out, **common(first[1], first[2:])) as layer:
            for words in entries:
                add(layer, words)
                done += 1
    except files.FilesError as error:
        return error.code, done
    return out.getvalue()


def calls(first: list[str], entries: list[list[str]]) -> None:
    """Answer with the result of each call, and what is written then."""
    out = io.BytesIO()
    layer = files.Writer(out, **common(first[1], first[2:]))
    results = []
    for words in entries:
        try:
            layer.close() if words == ["close"] else add(layer, words)
            results.append("-")
        except files.FilesError as error:
            results.append(error.code)
        except Exception:
            results.append("other")
    data = out.getvalue()
    sys.stdout.buffer.write(f"calls {' '.join(results)} {len(data)}\n".encode() + data)


def main() -> None:
    asked: list[list[str]] = []
    for line in sys.stdin:
        asked.append(line.split())
        if asked[-1] == ["end"] and asked[0][0] == "calls":
            calls(asked[0], asked[1:-1])
            asked = []
        elif asked[-1] == ["end"]:
            made = answer(asked[0], asked[1:-1])
            if isinstance(made, bytes):
                sys.stdout.buffer.write(b"ok %d\n" % len(made) + made)
            else:
                sys.stdout.buffer.write(b"error %s %d\n" % (made[0].encode(), made[1]))
            asked = []


if __name__ == "__main__":
    main()
