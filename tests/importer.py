# SPDX-License-Identifier: Apache-2.0
"""Layers as Windows' own importers read them: their parser, github.com/Microsoft/go-winio, run by wine."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support import lack, need

from generator.builder.wire import ROOT

WINE = Path("/usr/lib/wine/wine64")
# Go asks Windows for one function that Debian's wine does not have.
RANDOM = """#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size) {
  return SystemFunction036(data, (ULONG)size);
}
"""


def read_by_windows(data: bytes, folder: Path) -> list[dict[str, Any]]:
    """Return what each entry of a layer's tar is to Windows, in the words of tests/go/backuptar; uses *folder*."""
    if not WINE.exists():
        lack(f"there is no {WINE} on this machine")
    program = folder / "backuptar.exe"
    command = [need("go"), "build", "-o", str(program), "./backuptar"]
    windows = os.environ | {"GOOS": "windows", "GOARCH": "amd64"}
    subprocess.run(command, cwd=ROOT / "tests/go", env=windows, check=True, timeout=900)
    environment = os.environ | {"WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
    subprocess.run([WINE, "cmd", "/c", "exit"], env=environment, capture_output=True, check=True, timeout=300)
    source = folder / "random.c"
    source.write_text(RANDOM)
    library = folder / "wine/drive_c/windows/system32/bcryptprimitives.dll"
    compiler = need("x86_64-w64-mingw32-gcc")
    subprocess.run([compiler, "-shared", "-o", library, source, "-ladvapi32"], check=True, timeout=300)
    done = subprocess.run([WINE, program], env=environment, input=data, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
