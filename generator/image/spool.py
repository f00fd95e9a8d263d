# SPDX-License-Identifier: Apache-2.0
"""Write the data of sources given as bytes or open files to private files, so that all sources are read by path."""

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import GeneratorError
from .model import Source

_PART = 1 << 20  # bytes in memory at a time


def spooled(source: Source, path: Path) -> Source:
    """Return *source* with its data, if any, in a new file at *path*; raises GeneratorError if it cannot be read."""
    if source.data is None:
        return source
    with path.open("xb") as file:
        for part in _parts(source):
            file.write(part)
    return source._replace(path=path, data=None)


def _parts(source: Source) -> Iterator[bytes | bytearray | memoryview]:
    data = source.data
    if data is None or isinstance(data, (bytes, bytearray, memoryview)):
        yield data or b""
        return
    while True:
        try:
            part = data.read(_PART)
        except (OSError, ValueError) as error:  # ValueError: the file is closed, or not open for reading
            raise GeneratorError(f"{source.shown}: data cannot be read: {error}") from error
        if not isinstance(part, bytes):  # text, or None from a non-blocking file
            kind = type(part).__name__
            raise GeneratorError(f"{source.shown}: read() of data returned {kind}; hint: a file opened in mode rb")
        if not part:
            return
        yield part
