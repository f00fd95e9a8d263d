# SPDX-License-Identifier: Apache-2.0
"""The hive builder makes the committed bytes on every Python and architecture that it supports."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.pythons import python
from helpers.random_hives import assert_seeds_laid_out_alike
from helpers.small_checkout import outputs
from helpers.support import lack, need

from generator.base.errors import GeneratorError
from generator.builder import choose, native, wire
from generator.builder.wire import ROOT
from generator.generation import pipeline
from generator.hives.model import Hive, Key
from generator.report.report import documents


@dataclass(frozen=True)
class Builder:
    """An engine that runs the hive builder by *command*."""

    command: tuple[str, ...]
    cwd: Path = ROOT / "generator"
    name = "builder"

    def build(self, hives: Mapping[str, Hive]) -> wire.Built:
        """Return *hives* as the builder makes them."""
        return wire.exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*."""
        done = subprocess.run(self.command, cwd=self.cwd, input=request, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout


def assert_makes_committed_bytes(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "select", lambda *_, **__: builder)
    made = pipeline.make(ROOT, pipeline.specified(ROOT), pipeline.build_by(builder, print), documents, note=print).files
    committed = outputs(ROOT)
    assert {path: committed[path] for path in made} == made


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_builder_on_any_python_makes_the_committed_bytes(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'tests/helpers/hivex_ctypes')!r}]; "
        f"assert sys.version_info[:2] == {tuple(map(int, version.split('.')))}; "
        "from hivebuilder.__main__ import main; sys.exit(main())"
    )
    try:
        ctypes.CDLL("libhivex.so.0")
    except OSError:
        lack("libhivex not found")
    assert_makes_committed_bytes(Builder((python(version), "-B", "-c", program)), monkeypatch)


# Each with Debian's own Python and binding: 3.9 and hivex 1.3.20, 3.11 and 1.3.23, 3.13 and 1.3.24.
MACHINES = {
    ("bullseye", "amd64"): ("x86_64", "little", 3, 9),
    ("bookworm", "i386"): ("x86_64", "little", 3, 11),  # 32 bits on a 64-bit kernel, which names itself
    ("bookworm", "s390x"): ("s390x", "big", 3, 11),
    ("trixie", "arm64"): ("aarch64", "little", 3, 13),
}


def archive() -> str:
    """Return the URL of this machine's Debian archive, without further archives, which may lack architectures."""
    command = [need("apt-get"), "indextargets", "--format", "$(REPO_URI)", "Label: Debian"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]


def debian(suite: str, architecture: str, folder: Path) -> tuple[str, ...]:
    """Unpack a Debian with hivex into *folder* and return the command prefix that runs a program in it."""
    if os.geteuid():
        lack("only root can enter another Debian")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "winscratch"
    kept = cache / f"{suite}-{architecture}.tar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fetched = folder.with_name("fetched.tar")
        # Unpacked, not configured, so that no program of another architecture runs.
        options = ("--variant=extract", "--mode=root", f"--architectures={architecture}", "--include=python3-hivex")
        done = subprocess.run(
            [need("mmdebstrap"), *options, suite, str(fetched), archive()], capture_output=True, text=True, check=False
        )
        if done.returncode:
            lack(f"Debian {suite} for {architecture} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
        shutil.copy(fetched, kept.with_name(f"{kept.name}.{os.getpid()}"))
        kept.with_name(f"{kept.name}.{os.getpid()}").replace(kept)
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(kept), "-C", str(folder), "--exclude=./dev"], check=True)
    (folder / "proc").mkdir(exist_ok=True)
    for name in ("bin", "lib", "lib64"):  # from trixie on, configuration makes these
        if not (folder / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    shutil.copytree(ROOT / wire.BUILDER, folder / "hivebuilder")
    emulator: tuple[str, ...] = ()
    if architecture in {"s390x", "arm64"}:
        shutil.copy(need(f"qemu-{'aarch64' if architecture == 'arm64' else architecture}-static"), folder / "emulator")
        emulator = ("/emulator",)
    # The builder opens its memory file through /proc.
    enter = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
    return (need("unshare"), "--mount", "sh", "-c", enter, str(folder), *emulator, native.DEBIAN_PYTHON)


@thorough("emulates machines")
@pytest.mark.parametrize(("suite", "architecture"), MACHINES)
def test_builder_on_any_architecture_makes_the_committed_bytes(
    suite: str, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = debian(suite, architecture, tmp_path / "root")
    ask = "import os, sys; print(os.uname().machine, sys.byteorder, *sys.version_info[:2], sys.maxsize)"
    answer = subprocess.run([*inside, "-c", ask], check=True, capture_output=True, text=True).stdout
    width = 2**31 - 1 if architecture == "i386" else 2**63 - 1
    assert answer.split() == [*map(str, MACHINES[suite, architecture]), str(width)]
    builder = Builder((*inside, "-s", "-E", "-B", "-m", "hivebuilder"))
    assert_makes_committed_bytes(builder, monkeypatch)
    if suite != "bullseye":
        assert_seeds_laid_out_alike(builder, range(50))
        return
    # hivex 1.3.20 sorts keys as in lower case, and so puts these two the wrong way round.
    what = r"from offset 0x20e8 on \(hash leaf at 0x20e0, subkey\), and the engine's hive is damaged: .*subkey-order; "
    with pytest.raises(GeneratorError, match=what):
        choose.build_hives(builder, {"odd": (Key(()), Key(("_",)), Key(("A",)))})
