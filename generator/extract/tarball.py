# SPDX-License-Identifier: Apache-2.0
"""Write selected entries as a tar, with the PAX records that Windows needs."""

import tarfile
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK
from .selection import Item

_MODES: Final = {DIRECTORY: 0o755, FILE: 0o644, HARD_LINK: 0o644, SYMBOLIC_LINK: 0o777}  # layers of Windows have 0
_KEPT: Final = ("MSWINDOWS.", "LIBARCHIVE.creationtime")
_TIMES: Final = ("mtime", "atime", "ctime")


class _Header(tarfile.TarInfo):
    """A header without the slash behind a directory's name, which Windows' importer does not expect."""

    def get_info(self) -> "Mapping[str, str | int | bytes | Mapping[str, str]]":
        """Return the fields of the header."""
        return {**super().get_info(), "name": self.name}


def write(items: Iterable[Item], put: Callable[[bytes], None]) -> None:
    """Pass the tar of *items* to *put* piece by piece."""
    for entry, content, target in items:
        header = _Header(entry.name)
        header.type, header.linkname, header.mode = entry.kind.encode(), target, _MODES[entry.kind]
        header.size = len(content) if content is not None and entry.kind == FILE else 0
        header.mtime = entry.modified // 10**9
        header.pax_headers = {
            key: value
            for key, value in entry.records.items()
            if (key.startswith(_KEPT) and key.isascii()) or (key in _TIMES and entry.kind != HARD_LINK)
        }
        put(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if header.size and content is not None:
            for chunk in content.chunks():
                put(chunk)
            put(bytes(-header.size % tarfile.BLOCKSIZE))
    put(bytes(2 * tarfile.BLOCKSIZE))
