# SPDX-License-Identifier: Apache-2.0
"""Helpers for tests of the generated modules: the digests of their data, and a registry to push it to."""

import contextlib
import gzip
import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

if __name__ != "__main__":
    from .support import HANG, serve, wait_until

PROJECT = Path(__file__).absolute().parents[2]
OUTPUT = PROJECT / "output"
OPENED = ".opened"
BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
CATALOGUE = PROJECT / "tests/languages/go/catalogue/catalogue.go"
LAYERS = sorted(path.name.removesuffix(".tar.gz") for path in OUTPUT.glob("layers/*.tar.gz"))


def committed() -> dict[str, str]:
    """Return the digests of each layer's blob, tar and BCD store, as read from the committed blobs by Python alone."""
    files: dict[str, bytes] = {}
    for name in LAYERS:
        blob = (OUTPUT / f"layers/{name}.tar.gz").read_bytes()
        tar = gzip.decompress(blob)
        files |= {f"{name}.tar.gz": blob, f"{name}.tar": tar}
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            if BCD in archive.getnames():
                store = archive.extractfile(BCD)
                assert store is not None
                files[f"{name}.bcd"] = store.read()
    return _digests(files)


def dumped(folder: Path) -> dict[str, str]:
    """Return the digests of what a consumer wrote into *folder*, for comparison with committed().

    What it read from streams has the name of the same data with ``.opened``; it must be equal.
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    opened = {name.removesuffix(OPENED): files.pop(name) for name in [*files] if name.endswith(OPENED)}
    assert opened == {name: files[name] for name in opened}, "streams have other data"
    return _digests(files)


def write_layers_h(folder: Path) -> None:
    """Write layers.h, which lists the layers for tests/languages/c/dump.c."""
    layers = committed()
    lines = [f'#include "windows_{name}.h"' for name in LAYERS]
    listed = [f"LAYER({name}, {name.upper()})" for name in LAYERS]
    listed += [f"BCD({name.upper()})" for name in LAYERS if f"{name}.bcd" in layers]
    (folder / "layers.h").write_text("\n".join([*lines, f"#define LAYERS {' '.join(listed)}\n"]))


def go_catalogue() -> str:
    """Return catalogue.go, the list of layers for the Go tests. This file, run as a program, writes it."""
    layers = committed()
    rows = ""
    for name in LAYERS:
        fields = ["Name", "MediaType", "DiffID", "Digest", "LayerSize", "BlobSize", "Layer", "Blob"]
        values = [f"{name}.{field}" for field in fields]
        values += [f"{name}.BCD" if f"{name}.bcd" in layers else "nil"]
        values += [f"{name}.{function}" for function in ("Open", "OpenCompressed", "Verify")]
        rows += "\t{\n" + "".join(f"\t\t{value},\n" for value in values) + "\t},\n"
    imports = "".join(f'\t"winscratch.example/layers/{name}"\n' for name in LAYERS)
    text = CATALOGUE.read_text("utf-8")
    text = re.sub(r'(?<=\n)(\t"winscratch\.example/layers/\w+"\n)+', lambda _: imports, text)
    return re.sub(r"(?<=\[\]Layer\{\n).*?(?=^\}$)", lambda _: rows, text, flags=re.DOTALL | re.MULTILINE)


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def run(*command: str | Path, cwd: Path = PROJECT, **environment: str) -> str:
    """Run *command*, which must succeed; return its output, which a failing test shows."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry, its store below *folder*, and yield the address it listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/store}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://{address}/v2/", timeout=HANG).close()
            return True
        return False

    process = serve(config, folder / "log")
    try:
        wait_until(answers)
        yield address
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(f"{CATALOGUE} is out of date" if CATALOGUE.read_text("utf-8") != go_catalogue() else None)
    CATALOGUE.write_text(go_catalogue(), "utf-8")
