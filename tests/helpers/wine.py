# SPDX-License-Identifier: Apache-2.0
"""Windows programs, run by Debian's wine."""

import os
import subprocess
from pathlib import Path

from .support import lack, need

WINE = Path("/usr/lib/wine/wine64")
# Go asks Windows for one function that Debian's wine does not have.
_RANDOM = """#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size) {
  return SystemFunction036(data, (ULONG)size);
}
"""


def on_windows(
    program: Path, *words: str, folder: Path, data: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a Windows program on *data*, with a Windows of its own below *folder*, and return how it ended."""
    if not WINE.exists():
        lack(f"{WINE} not found")
    environment = os.environ | {"WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""} | variables
    library = folder / "wine/drive_c/windows/system32/bcryptprimitives.dll"
    if not library.exists():
        subprocess.run([WINE, "cmd", "/c", "exit"], env=environment, capture_output=True, check=True)
        source = folder / "random.c"
        source.write_text(_RANDOM)
        compiler = need("x86_64-w64-mingw32-gcc")
        subprocess.run([compiler, "-shared", "-o", library, source, "-ladvapi32"], check=True)
    command: list[str | Path] = [WINE, program, *words]
    return subprocess.run(command, env=environment, input=data, capture_output=True, check=False)
