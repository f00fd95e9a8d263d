# SPDX-License-Identifier: Apache-2.0
"""C# in the tests that all languages share: by Debian's mono, of which the compiler knows C# 7."""

from pathlib import Path

from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, run
from helpers.support import lack, need

from generator.languages.language import ModuleOptions

from . import Command, User

MODULES = sorted(OUTPUT.glob("csharp/*.cs"))
STRICT = ("-langversion:7.2", "-warn:4", "-warnaserror+", "-d:MONO")  # the highest level that there is
SOURCE = "examples/csharp/Image.cs"
POSIX = Path("/usr/lib/mono/4.5/Mono.Posix.dll")
LONG = "L" + "ong45678" * 5 + "Name789"  # 48 characters


def compiled(folder: Path, *sources: Path) -> Command:
    """Return the command of the program that *sources* and the modules give."""
    if not POSIX.exists():
        lack("libmono-posix4.0-cil not found")
    documented = f"-doc:{folder}/program.xml"  # warns of public members without a comment
    references = ("-r:Mono.Posix", "-r:System.Numerics")
    run(need("mcs"), *STRICT, documented, *references, f"-out:{folder}/program.exe", *MODULES, *sources)
    return ["env", "LC_ALL=C.UTF-8", need("mono"), folder / "program.exe"]


def _dump(folder: Path, into: Path) -> None:
    names = [f"Winscratch.Windows{name.capitalize()}" for name in LAYERS]
    run(*compiled(folder, PROJECT / "tests/languages/csharp/Dump.cs"), into, *names)


USER = User(
    options=(ModuleOptions("N", "A"), ModuleOptions("N", "X" * 48), ModuleOptions(".".join([LONG] * 4), LONG)),
    dump=_dump,
    files=lambda folder: compiled(folder, PROJECT / "tests/languages/csharp/Layers.cs"),
    image=lambda folder: compiled(folder, PROJECT / SOURCE),
    source=SOURCE,
    lines=90,
    can_ask=lambda case: case.get("name") != "a size of 64 bits",
)
