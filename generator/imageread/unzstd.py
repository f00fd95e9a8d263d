# SPDX-License-Identifier: Apache-2.0
"""Zstandard reader (RFC 8878) with the limits of github.com/klauspost/compress, which containerd and Docker use."""

import io
import sys
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# zstd/framedec.go, MaxWindowSize: 512 MiB
_OPTIONS: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 29}


class ZstdReader(io.RawIOBase):
    """The data in all frames of the Zstandard file *blob*; reading a damaged one raises OSError or EOFError."""

    def __init__(self, blob: io.BufferedReader) -> None:
        """Start at *blob*'s current position."""
        super().__init__()
        self._file = zstd.ZstdFile(blob, options=_OPTIONS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            return self._file.readinto(buffer)
        except zstd.ZstdError as error:
            raise OSError(str(error)) from error
