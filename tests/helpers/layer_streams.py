# SPDX-License-Identifier: Apache-2.0
"""Streams for the Python writer of layers on top, good and bad, and what it makes of them."""

import io
import sys
import tarfile
from typing import Any

from generator.builder.wire import ROOT

sys.path.insert(0, str(ROOT / "output/python"))
import windows_files as files


class Unseekable(io.RawIOBase):
    """A stream of unknown size that returns a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = min(size, 7) if size >= 0 else 7
        data, self._data = self._data[:size], self._data[size:]
        return data


class Failing(io.BytesIO):
    """A file on a full disk: it takes *room* bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._room:
            raise OSError(28, "No space left on device")
        return super().write(data)


class Sparing(io.RawIOBase):
    """A raw file that takes a part of what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data[:100]
        return len(data[:100])


def layer_of(data: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with files.Writer(out) as layer:
        layer.add("f", data, **options)
    return out.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


class Odd:
    """A stream that answers every call with the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, _: int) -> Any:
        return self.answer

    write = read
