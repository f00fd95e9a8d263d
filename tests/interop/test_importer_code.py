# SPDX-License-Identifier: Apache-2.0
"""The table of import rules against hcsshim's own code, built for Windows and run by wine up to vmcompute's part."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from helpers.counts import thorough
from helpers.import_rules import ROWS, folder_of
from helpers.import_sources import HCSSHIM, WINIO
from helpers.import_table import Row
from helpers.support import lack, need
from helpers.wine import on_windows

from generator.hives.rules import Level
from generator.imagecheck.rules import RULES

pytestmark = thorough("builds hcsshim from source")
PROBE = Path(__file__).with_name("hcsshim")
# What the code takes, and why it is refused nevertheless; "wine" is refused if wine lacks what Windows has.
MISREAD = "Windows makes another thing of it than was meant"
LATER = "Windows refuses it later, or the files that its images need are not there"
CIM = "the other importer, internal/wclayer/cim, refuses it"
WINE = "wine has no such call, or no such long path"
EXCEPTIONS = {
    "a sparse file of an unknown format": MISREAD,
    "an old sparse file, type S": MISREAD,
    "a prefix without a magic": MISREAD,
    "a prefix in GNU's format that is a time": MISREAD,
    "a global PAX header": MISREAD,
    "a file of type 7": MISREAD,
    "a character device": MISREAD,
    "a block device": MISREAD,
    "a pipe": MISREAD,
    "a type that nothing knows": MISREAD,
    "a whiteout that is a directory with a slash": MISREAD,
    "a directory that hides the layers below": MISREAD,
    "a whiteout of the directory itself": MISREAD,
    "a mount point that is a file": MISREAD,
    "a symbolic link to a directory without its attribute": MISREAD,
    "bytes that are not UTF-8": MISREAD,
    "something beside Files": MISREAD,
    "a file with a directory's attribute": MISREAD,
    "a directory without its attribute": MISREAD,
    "a time that nanoseconds of 64 bits do not hold": MISREAD,
    "UtilityVM/Files with a slash in a base layer": MISREAD,
    "a stream without a name": LATER,
    "a stream with a slash in its name": LATER,
    "Files is a file": LATER,
    "Hives is a file": LATER,
    "no Hives": LATER,
    "a hive of changes that is empty": LATER,
    "a hive of changes that is damaged": LATER,
    "an empty hive in a base layer": LATER,
    "an empty BCD store": LATER,
    "a hive is missing in a base layer": LATER,
    "five hives of type 7": LATER,
    "no BCD store in a base layer's UtilityVM": LATER,
    "a hard link to a hive in a base layer": LATER,
    "a hard link to the BCD store in a base layer": LATER,
    "a hard link in the place of a hive": CIM,
    "a target with a dot in it": CIM,
    "a dot before Files": CIM,
    "a hard link to a symbolic link": WINE,
    "a whiteout in UtilityVM of a file below": WINE,
    "a mount point": WINE,
    "a path of 32,766 units": WINE,
    "a file in the place of one below": WINE,
    "two layers with UtilityVM": WINE,
    "a hard link named by one UTF-16 unit": "unusual: seen to be refused by wine, and not yet by Windows",
    "a hard link named by one unit in a base layer": "unusual: seen to be refused by wine, and not yet by Windows",
}
# wine has none of the calls that read and write backup streams, so their content goes nowhere.
STREAMS = {
    "(r *BackupFileReader) Read": "var _ = runtime.KeepAlive\n\treturn 0, io.EOF",
    "(w *BackupFileWriter) Write": "var _ = errors.New\n\treturn len(b), nil",
    "(r *BackupFileReader) Close": "return nil",
    "(w *BackupFileWriter) Close": "return nil",
}


def build(folder: Path) -> Path:
    """Build the program of tests/interop/hcsshim in a copy of hcsshim."""
    winio, hcsshim, program = folder / "winio", folder / "hcsshim", folder / "probe.exe"
    for module, copy in ((WINIO, winio), (HCSSHIM, hcsshim)):
        shutil.copytree(folder_of(module), copy, copy_function=shutil.copyfile)
        for path in (copy, *copy.rglob("*/")):
            path.chmod(0o755)
    backup = (winio / "backup.go").read_text("utf-8")
    for function, body in STREAMS.items():
        backup, count = re.subn(rf"(?ms)^(func {re.escape(function)}\(.*?\{{\n).*?^\}}", rf"\1\t{body}\n}}", backup)
        assert count == 1, function
    (winio / "backup.go").write_text(backup, "utf-8")
    for package in ("wclayer", "ociwclayer", "main"):
        target = {"wclayer": "internal/wclayer", "ociwclayer": "pkg/ociwclayer", "main": "internal/probe"}[package]
        (hcsshim / target).mkdir(exist_ok=True)
        shutil.copyfile(PROBE / f"{package}.go", hcsshim / target / "probe.go")
    replace = f"-replace={WINIO.partition('@')[0]}={winio}"
    subprocess.run([need("go"), "mod", "edit", replace], cwd=hcsshim, check=True, timeout=60)
    command = [need("go"), "build", "-mod=mod", "-o", str(program), "./internal/probe"]
    environment = os.environ | {"GOOS": "windows", "GOARCH": "amd64"}
    done = subprocess.run(
        command, cwd=hcsshim, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    if "dial tcp" in done.stderr:
        lack(f"what hcsshim needs cannot be had: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    return program


def is_refused(row: Row) -> bool:
    return any(RULES[rule].level == Level.REFUSED for rule in row.rules)


def test_hcsshims_own_code_agrees_with_the_table(tmp_path: Path) -> None:
    program = build(tmp_path)
    for at, row in enumerate(ROWS):
        folder = tmp_path / f"rows/{at:03}"
        folder.mkdir(parents=True)
        for layer, tar in enumerate(row.layers()):
            (folder / f"{layer}.tar").write_bytes(tar)
    done = on_windows(program, f"Z:{tmp_path}/rows", f"Z:{tmp_path}/made", folder=tmp_path)
    said = dict(line.split("\t", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if "\t" in line)
    assert len(said) == len(ROWS), done.stderr[-1000:]
    differing = {
        row.oddity: said[f"{at:03}"] for at, row in enumerate(ROWS) if is_refused(row) != (said[f"{at:03}"] != "<nil>")
    }
    assert differing.keys() == EXCEPTIONS.keys()
