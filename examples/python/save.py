# SPDX-License-Identifier: Apache-2.0
"""Save the vendored layer in both its forms, and the BCD store by itself: python save.py FOLDER."""

import sys
from pathlib import Path

import windows_scratch

if len(sys.argv) != 2:
    sys.exit("usage: python save.py FOLDER")
windows_scratch.verify()
folder = Path(sys.argv[1])
folder.joinpath("layer.tar.gz").write_bytes(windows_scratch.blob())
folder.joinpath("BCD").write_bytes(windows_scratch.bcd())
with windows_scratch.open() as layer:
    folder.joinpath("layer.tar").write_bytes(layer.read())
print(windows_scratch.NAME, windows_scratch.DIFF_ID, windows_scratch.DIGEST, windows_scratch.MEDIA_TYPE)
