# SPDX-License-Identifier: Apache-2.0
"""C# in the tests that all languages share: by Debian's mono, of which the compiler knows C# 7."""

import re
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


def as_csharp_7(folder: Path, *sources: Path) -> list[Path]:
    """Return copies of *sources* below *folder* without what C# 8 has more: nullable references.

    A question mark right behind a word is one; the modules have no nullable values, and blanks around operators.
    """
    copies = []
    for number, source in enumerate(sources):
        text, directive, rest = source.read_text("utf-8").partition("#nullable enable\n")
        copies.append(folder / f"{number}-{source.name}")
        copies[-1].write_text(text + (re.sub(r"(?<=[\w>\]])\?(?=[ ,)>\]])", "", rest) if directive else ""), "utf-8")
    return copies


def compiled(folder: Path, *sources: Path) -> Command:
    """Return the command of the program that *sources* and the modules give, whose Main is the first one's."""
    if not POSIX.exists():
        lack("libmono-posix4.0-cil not found")
    # Public, for warnings of members without a comment. Copies that are not are in test_class_languages.py.
    documented = (f"-doc:{folder}/program.xml", "-d:WINSCRATCH_PUBLIC")
    references = ("-r:Mono.Posix", "-r:System.Numerics")
    modules = as_csharp_7(folder, *MODULES)
    start = f"-main:{sources[0].stem}"
    run(need("mcs"), *STRICT, *documented, *references, start, f"-out:{folder}/program.exe", *modules, *sources)
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
