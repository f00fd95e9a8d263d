# SPDX-License-Identifier: Apache-2.0
"""What builders write for the same files on the same base: the table of docs/builders.md.

``PYTHONPATH=.. python -m helpers.builder_comparison`` in tests/ builds each image, counts what its builder and the
registry exchange, and writes the table anew; with ``--check`` it fails if the table would change. ko and buildah are
built from source unless their builds are cached.
"""

import contextlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from generator.image import Options, make
from generator.imageread import images
from generator.imageread.untar import DIRECTORY, TarEntry, TarReader

from . import image_runs
from .committed_modules import PROJECT, registry, run
from .maven import jars
from .programs import pe
from .registry_proxy import Traffic
from .support import need

DOCUMENT = PROJECT / "docs/builders.md"
MARK = "<!-- made by helpers.builder_comparison -->\n"
TIMES = {"mtime": "modification", "atime": "access", "ctime": "change", "LIBARCHIVE.creationtime": "creation"}


MEGABYTE, BASE = 10**6, 100  # bytes, and the base's megabytes
BASE_LAYERS = 2
BOUNDS = (1, 10)  # megabytes; what is above is rounded to tens


class Place(NamedTuple):
    """Where a builder builds: a registry with the base, a folder of files, and a folder of its own."""

    address: str
    files: Path
    work: Path

    @property
    def base(self) -> str:
        return f"{self.address}/base:1"


def entries(name: str) -> list[TarEntry]:
    """Return the entries of the layers above the base of an image in a registry."""
    found: list[TarEntry] = []
    with images.images(name) as (image,):
        for layer in image.layers[BASE_LAYERS:]:
            with layer.open() as blob:
                tar = TarReader(images.unpack(blob)[1])
                for entry in tar:
                    found.append(entry)
                    while tar.read(1 << 20):
                        pass
    return found


def row(found: list[TarEntry]) -> list[str]:
    """Return the cells of a builder: parents, times, links and descriptors of the entries that it wrote."""
    names = [entry.name.strip("/").removeprefix("./") for entry in found]
    below = [(entry, name) for entry, name in zip(found, names, strict=True) if name.startswith("Files/")]
    parents = all(name.rpartition("/")[0] in names[: names.index(name)] for _, name in below)
    times = {TIMES[key] for entry, _ in below for key in TIMES if key in entry.records} | {"modification"}
    links = [entry for entry, _ in below if entry.target]
    ours = [(entry.kind == DIRECTORY, entry.records.get("MSWINDOWS.rawsd")) for entry, _ in below]
    with_one = [both for both in ours if both[1]]
    kinds = len({descriptor for _, descriptor in with_one})
    missing = len(with_one) < len(ours)
    some = "none" if not kinds else "one for all" if kinds == 1 else "of folders and of files"
    return [
        "all" if parents else "missing",
        ", ".join(time for time in TIMES.values() if time in times),
        f"`{links[0].target}`" if links else "none: a copy" if "Files/app/link" in names else "none: left out",
        some + ", missing for some" * (bool(kinds) and missing),
    ]


def amount(size: int) -> str:
    """Return the cell of *size* bytes of traffic, rounded so that the table stays the same from run to run."""
    megabytes = size / MEGABYTE
    bound = next((each for each in BOUNDS if megabytes < each), 0)
    return f"under {bound} MB" if bound else f"{round(megabytes, -1):.0f} MB"


def winscratch(place: Place) -> str:
    to = f"{place.address}/winscratch:1"
    base = f"docker://{place.base}"
    make(Options(source=(f"{place.files}:/",), base=base, to=(f"docker://{to}",)), note=lambda _: None)
    return to


def crane(place: Place) -> str:
    """Append what GNU tar makes of the files without their folders, as many build tools do."""
    tar, to = place.work / "layer.tar", f"{place.address}/crane:1"
    run(need("tar"), "-C", place.files, "-cf", tar, "app/hello.exe", "app/link")
    words = ("append", "--insecure", "--base", place.base, "--new_layer", tar, "--new_tag", to)
    run(image_runs.go_tool(image_runs.CRANE), *words)
    return to


def buildah(place: Place) -> str:
    program = image_runs.buildah(place.work)
    words = ("from", "--tls-verify=false", "--os=windows", "--arch=amd64", place.base)
    container = image_runs.run(*program, *words).stdout.strip()
    image_runs.run(*program, "copy", container, place.files, "/")
    to = f"{place.address}/buildah:1"
    image_runs.run(*program, "commit", "--tls-verify=false", container, f"docker://{to}")
    return to


def ko(place: Place) -> str:
    """Build a program with the files beside it, in kodata."""
    program = image_runs.go_tool("github.com/google/ko", folder=PROJECT / "tests/interop/ko")
    shutil.copytree(PROJECT / "examples/hostprocess", place.work / "main")
    shutil.copytree(place.files, place.work / "main/kodata", symlinks=True)
    words = ("build", "--bare", "--platform=windows/amd64", "--insecure-registry", "--sbom=none", ".")
    settings = {
        "KO_DEFAULTBASEIMAGE": place.base,
        "KO_DOCKER_REPO": f"{place.address}/ko",
        "GOFLAGS": "-buildvcs=false",
    }
    done = image_runs.run(program, *words, cwd=place.work / "main", env=os.environ | settings)
    return done.stdout.strip()


def jib(place: Place) -> str:
    """Build with files below /Files, without which Windows ignores them."""
    words: list[str | Path] = [f"-D{name}={place.work}" for name in ("user.home", "java.io.tmpdir")]
    words += ["-DsendCredentialsOverHttp=true", "-cp", jars(), PROJECT / "tests/interop/jib/Jibbed.java", place.base]
    words += [place.files / "app/link", "/Files/app/link", f"{place.address}/jib:1", "/Hives"]
    said = run(need("java"), *words, XDG_CACHE_HOME=str(place.work))
    return f"{place.address}/jib:1@{said.splitlines()[-1]}"


BUILDERS: dict[str, Callable[[Place], str]] = {
    "`winscratch image`": winscratch,
    "`crane append`, of a tar of the files": crane,
    "`buildah copy`": buildah,
    "`ko build`, files in `kodata`": ko,
    "jib, files below `/Files`": jib,
}


@contextlib.contextmanager
def workplace() -> Iterator[Place]:
    """Yield a registry with a base of 100 MB, and files with a link."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "registry").mkdir()
        (top / "files/app").mkdir(parents=True)
        (top / "files/app/hello.exe").write_bytes(pe())
        (top / "files/app/link").symlink_to("hello.exe")
        (top / "base.bin").write_bytes(random.Random(1).randbytes(BASE * MEGABYTE))  # noqa: S311
        with registry(top / "registry") as address:
            place = Place(address, top / "files", top)
            options = Options(source=(f"{top}/base.bin",), to=(f"docker://{place.base}",), compression="fast")
            make(options, note=lambda _: None)
            yield place


def built(number: int, build: Callable[[Place], str], place: Place) -> list[str]:
    """Build with the builder of a *number*, and return its cells."""
    work = place.work / str(number)
    work.mkdir()
    traffic = Traffic(place.address)
    try:
        name = build(place._replace(address=traffic.host, work=work))
        taken = traffic.bytes  # before the image is read
        return [*row(entries(name)), amount(taken)]
    finally:
        traffic.close()


def table() -> str:
    """Return the table."""
    rows = [["builder", "folders above a file", "times", "link to `hello.exe`", "descriptors", "traffic"]]
    with workplace() as place:
        rows += [[name, *built(number, build, place)] for number, (name, build) in enumerate(BUILDERS.items())]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def document() -> str:
    """Return the document with a new table."""
    new = table()
    start, _, rest = DOCUMENT.read_text("utf-8").partition(MARK)
    while rest.startswith("|"):
        rest = rest.partition("\n")[2]
    return start + MARK + new + rest


if __name__ == "__main__":
    made = document()
    if sys.argv[1:] == ["--check"]:
        sys.exit(f"{DOCUMENT} is out of date, and would have\n{made}" if DOCUMENT.read_text("utf-8") != made else None)
    DOCUMENT.write_text(made, "utf-8")
