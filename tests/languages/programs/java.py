# SPDX-License-Identifier: Apache-2.0
"""Java in the tests that all languages share."""

from pathlib import Path

from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, run
from helpers.maven import jars
from helpers.support import need

from generator.languages.language import ModuleOptions

from . import Command, User

MODULES = sorted(OUTPUT.glob("java/winscratch/*.java"))
# As a project would be that lets no warning pass, and still is to run on the oldest Java; and quick to start.
STRICT = (
    "-J-XX:TieredStopAtLevel=1",
    "--release",
    "11",
    "-Xlint:all",
    "-Xdoclint:all/protected",
    "-Werror",
    "-encoding",
    "US-ASCII",
)
# Quick to start. Names of files are in UTF-8 whatever the test's locale.
JAVA: Command = ["env", "LC_ALL=C.UTF-8", "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1"]
PACKAGES = ("api", "code", "file", "parser", "tree", "util")
LONG = "L" + "ong45678" * 5 + "Name789"  # 48 characters


def compiled(folder: Path, *sources: Path, path: str = "") -> Path:
    """Return the folder of the classes of the modules and of *sources*, compiled with the classes of *path*."""
    classes = folder / "classes"
    classes.mkdir(exist_ok=True)
    run(need("javac"), *STRICT, "-cp", path, "-d", classes, *MODULES, *sources)
    return classes


def _dump(folder: Path, into: Path) -> None:
    classes = compiled(folder, PROJECT / "tests/languages/java/Dump.java")
    for name in LAYERS:
        run(*JAVA, "-cp", classes, "Dump", f"winscratch.Windows{name.capitalize()}", into)


def _files(folder: Path) -> Command:
    return [*JAVA, "-cp", compiled(folder, PROJECT / "tests/languages/java/Layers.java"), "Layers"]


def _image(folder: Path) -> Command:
    return [*JAVA, "-cp", compiled(folder, PROJECT / USER.source), "Image"]


def _formatter(name: str) -> Command:
    assert name == "google-java-format"
    exports = [f"--add-exports=jdk.compiler/com.sun.tools.javac.{package}=ALL-UNNAMED" for package in PACKAGES]
    return [need("java"), *exports, "-cp", jars(), "com.google.googlejavaformat.java.Main"]


USER = User(
    options=(ModuleOptions("", "A"), ModuleOptions("p", "X" * 48), ModuleOptions(".".join([LONG] * 4), LONG)),
    dump=_dump,
    files=_files,
    image=_image,
    source="examples/java/Image.java",
    lines=75,
    program=_formatter,
    can_ask=lambda case: case.get("name") != "a size of 64 bits",
    formatter=("google-java-format", "--dry-run", "--set-exit-if-changed"),
)
