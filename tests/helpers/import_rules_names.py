# SPDX-License-Identifier: Apache-2.0
"""Import rules. Whiteouts, links and names."""

from .import_table import rows
from .layouts import RECORDS, ROOTS, Part, base, directory, tarred
from .odd_layers import (
    BCD,
    HIVE,
    PAX,
    SAM,
    UVM,
    attributes,
    deep,
    file,
    folder,
    hard,
    header,
    kind,
    layers,
    low,
    on,
    symbolic,
    top,
)

AA = PAX + header(b"Files/aa")
FILES = folder("Files/d")
VM_FILE = layers([UVM, directory("UtilityVM/Files"), file("UtilityVM/Files/aa")])()[1]

WHITEOUTS = [
    *rows(
        "",
        ("a whiteout below Files", top(file("Files/.wh.aa")), "tombstone"),
        ("a whiteout in a directory that the layer lacks", top(file("Files/aa/bb/.wh.cc")), "tombstone"),
        ("a whiteout that is a character device", top(kind("Files/.wh.aa", b"3")), "whiteout"),
        ("a whiteout with attributes that are invalid", attributes("x", "Files/.wh.aa"), "whiteout"),
        (
            "a whiteout in UtilityVM of a file below",
            lambda: [base(), VM_FILE, tarred([*ROOTS, file("UtilityVM/Files/.wh.aa")])],
            "tombstone-lost",
        ),
    ),
    *rows(
        "whiteout",
        ("a whiteout of Files", lambda: [base(), tarred([*ROOTS, file(".wh.Files")])], "tombstone-bad"),
        ("a whiteout in Hives", top(file("Hives/.wh.aa")), "tombstone-bad"),
        ("a whiteout of UtilityVM/Files", top(file("UtilityVM/.wh.Files")), "tombstone-bad"),
        ("a whiteout that is a directory with a slash", top(folder("Files/.wh.aa/")), "whiteout-name"),
        ("a directory that hides the layers below", top(file("Files/.wh..wh..opq")), "tombstone"),
        ("a whiteout in UtilityVM of nothing", top(file("UtilityVM/Files/.wh.aa")), "tombstone-lost"),
    ),
    *rows("name", ("a whiteout of the directory itself", top(file("Files/aa/.wh..")), "whiteout-name")),
    *rows("base-whiteout", ("a whiteout in a base layer", low(file("Files/.wh.aa")), "base-remove")),
    *rows(
        "utility-vm-on-top",
        ("a whiteout in UtilityVM on a base without", on("hostprocess", file("UtilityVM/Files/.wh.aa")), "clone"),
    ),
    *rows("whiteout name", ("a whiteout without a name", top(file("Files/.wh.")), "tombstone-bad")),
]

LINKS = [
    *rows(
        "",
        ("a hard link to an earlier file", top(file("Files/aa"), hard("Files/bb", "Files/aa")), "link-added"),
        (
            "a hard link to a hard link",
            top(file("Files/aa"), hard("Files/bb", "Files/aa"), hard("Files/cc", "Files/bb")),
            "link-added",
        ),
        ("a hard link to a file below", top(hard("Files/bb", SAM)), "link-below"),
        (
            "a hard link to a file below, in other case",
            top(hard("Files/bb", SAM.lower().replace("files", "Files"))),
            "link-below",
        ),
        (
            "a hard link to itself, which is below",
            layers([file("Files/aa")], [hard("Files/aa", "Files/aa")]),
            "link-below",
        ),
        (
            "a hard link with attributes that are invalid",
            top(file("Files/aa"), hard("Files/bb", "Files/aa", **{"MSWINDOWS.fileattr": "x"})),
            "link-first",
        ),
        ("a hard link named by two UTF-16 units", top(file("Files/aa"), hard("Files/🦀", "Files/aa")), "link-size"),
        (
            "a hard link outside of Files in a base layer",
            low(Part("UtilityVM/aa", records={}), hard("UtilityVM/bb", "UtilityVM/aa")),
            "base-link",
        ),
        ("a hard link in UtilityVM to a file below", top(UVM, hard("UtilityVM/Files/bb", BCD)), "link-vm"),
        ("a symbolic link to nothing", top(symbolic("Files/aa", "nothing")), "symlink"),
        ("a symbolic link with a drive", top(symbolic("Files/aa", "C:\\Windows\\x")), "symlink"),
        (
            "a mount point",
            top(symbolic("Files/aa", "C:\\Windows", 1040, **{"MSWINDOWS.mountpoint": "1"})),
            "mountpoint",
        ),
    ),
    *rows(
        "link-target",
        ("a hard link to nothing", top(hard("Files/bb", "Files/aa")), "link-lost"),
        ("a hard link to a later file", top(hard("Files/bb", "Files/aa"), file("Files/aa")), "link-lost"),
        ("a hard link to itself", top(hard("Files/aa", "Files/aa")), "link-lost"),
        ("a hard link to itself in a base layer", low(hard("Files/aa", "Files/aa")), "base-link"),
        (
            "a hard link to a file of the layer, in other case",
            top(file("Files/aa"), hard("Files/bb", "Files/AA")),
            "link-added",
        ),
        ("a hard link to Hives", top(Part("Hives/Sam_Delta", HIVE), hard("Files/bb", "Hives/Sam_Delta")), "link-kept"),
        ("a hard link to a directory", top(FILES, hard("Files/bb", "Files/d")), "link-open"),
        ("a hard link to a symbolic link", top(symbolic("Files/aa", "x"), hard("Files/bb", "Files/aa")), "reparse"),
        ("a hard link with an absolute target", top(file("Files/aa"), hard("Files/bb", "/Files/aa")), "link-kept"),
        ("an absolute target in a base layer", low(hard("Files/bb", f"/{SAM}")), "absolute"),
        ("a target with a dot in it", top(file("Files/aa"), hard("Files/bb", "Files/./aa")), "cim-link"),
        ("a target in UtilityVM that was not copied", top(hard("Files/bb", BCD)), "link-vm"),
    ),
    *rows(
        "link-name",
        ("a hard link named by one UTF-16 unit", top(file("Files/aa"), hard("Files/b", "Files/aa")), "link-size"),
        (
            "a hard link named by one unit in a base layer",
            low(Part("Files/aa"), hard("Files/ü", "Files/aa")),
            "link-size",
        ),
    ),
    *rows(
        "record", ("a mount point that is a file", top(file("Files/aa", **{"MSWINDOWS.mountpoint": "1"})), "mountpoint")
    ),
    *rows(
        "link-kind",
        ("a symbolic link to a directory without its attribute", top(FILES, symbolic("Files/aa", "d")), "folder"),
    ),
    *rows("link-target hives-other", ("a hard link from Hives", top(hard("Hives/Sam_Delta2", SAM)), "link-kept")),
]

NAMES = [
    *rows(
        "",
        ("a path of 32,766 units", top(*deep(32_766)), "path-length"),
        ("a directory of 245 units", top(folder("Files/" + "d" * 245)), "placeholder"),
        ("a file of 255 units", top(file("Files/" + "f" * 255)), "create"),
        ("a directory of 255 units in a base layer", low(directory("Files/" + "d" * 255)), "base-create"),
        (
            "a directory of 255 units in UtilityVM",
            top(UVM, directory("UtilityVM/Files/" + "d" * 255, **RECORDS)),
            "vm-folder",
        ),
        ("NAME.$wcidirs$ beside a file", top(file("Files/aa"), file("Files/aab.$wcidirs"), FILES), "placeholder"),
        (
            "a hard link NAME.$wcidirs$",
            top(FILES, file("Files/aa"), hard("Files/d.$wcidirs$", "Files/aa")),
            "link-added",
        ),
        ("NAME.$wcidirs$ in a base layer", low(directory("Files/d"), Part("Files/d.$wcidirs$")), "base-create"),
        ("directories with slashes at the end", top(folder("Files/d/"), file("Files/d/a")), "clean"),
        ("Files before Hives", lambda: [base(), tarred([ROOTS[1], ROOTS[0], file("Files/aa")])], "files"),
    ),
    *rows(
        "name",
        ("a path of 32,767 units", top(*deep(32_767)), "path-length"),
        ("a directory of 246 units", top(folder("Files/" + "d" * 246)), "placeholder"),
        ("a symbolic link to a directory of 246 units", top(symbolic("Files/" + "d" * 246, "x", 1040)), "placeholder"),
        ("a file of 256 units", top(file("Files/" + "f" * 256)), "create"),
        ("a colon", top(file("Files/a:b")), "colon"),
        (
            "a stream that does not follow its file",
            top(file("Files/aa"), file("Files/bb"), file("Files/aa:s")),
            "colon",
        ),
        ("a stream of a directory with a slash", top(folder("Files/d/"), file("Files/d:s")), "stream"),
        ("bytes that are not UTF-8", top(file("Files/\udcff")), "create"),
    ),
    *rows(
        "name stream",
        ("a stream without a name", top(file("Files/aa"), file("Files/aa:")), "stream"),
        ("a stream with a slash in its name", top(file("Files/aa"), file("Files/aa:s/t")), "stream"),
    ),
    *rows(
        "stream",
        ("a stream behind its file", top(file("Files/aa"), file("Files/aa:s")), "stream"),
        ("a stream behind its directory", top(FILES, file("Files/d:s")), "stream"),
        ("a stream behind its symbolic link", top(symbolic("Files/aa", "x"), file("Files/aa:s")), "stream"),
    ),
    *rows(
        "placeholder",
        ("NAME.$wcidirs$ behind a directory NAME", top(FILES, file("Files/d.$wcidirs$")), "placeholder"),
        ("NAME.$wcidirs$ in other case", top(FILES, file("Files/D.$WCIDIRS$")), "placeholder"),
        ("a directory NAME.$wcidirs$", top(FILES, folder("Files/d.$wcidirs$")), "folder"),
        (
            "NAME.$wcidirs$ beside a symbolic link to a directory",
            top(symbolic("Files/d", "x", 1040), file("Files/d.$wcidirs$")),
            "placeholder",
        ),
    ),
    *rows("placeholder-name", ("NAME.$wcidirs$ by itself", top(file("Files/d.$wcidirs$")), "export")),
    *rows(
        "parent",
        ("a directory that is missing", top(file("Files/d/aa")), "create"),
        ("a file in the place of a directory", top(file("Files/d"), file("Files/d/aa")), "create"),
        ("a file below a symbolic link", top(symbolic("Files/d", "x", 1040), file("Files/d/aa")), "junction"),
        ("a directory that is missing in a base layer", low(file("Files/d/aa")), "base-create"),
    ),
    *rows(
        "repeated",
        ("a file twice", top(file("Files/aa"), file("Files/aa")), "create"),
        ("a directory twice", top(FILES, FILES), "folder"),
        ("a file twice in a base layer", low(file("Files/aa"), file("Files/aa")), "base-create"),
    ),
    *rows("case", ("a file twice in other case", top(file("Files/aa"), file("Files/AA")), "create")),
    *rows(
        "root",
        ("Files is a file", lambda: [base(), tarred([ROOTS[0], kind("Files", b"0")])], "files"),
        ("Hives is a file", lambda: [base(), tarred([kind("Hives", b"0"), ROOTS[1]])], "hives"),
        ("Files is a symbolic link", lambda: [base(), tarred([ROOTS[0], symbolic("Files", "x", 1040)])], "files"),
        ("something beside Files", top(file("Program")), "files"),
        ("a dot before Files", top(file("./Files/aa")), "cim-create"),
    ),
    *rows("root-missing", ("no Hives", lambda: [base(), tarred([ROOTS[1]])], "hives")),
    *rows("files-twice", ("Files in Files", top(folder("Files/Files")), "files")),
    *rows(
        "placeholder placeholder-name",
        ("NAME.$wcidirs$ before a directory NAME", top(file("Files/d.$wcidirs$"), FILES), "create"),
    ),
    *rows("parent repeated", ("a directory that comes later", top(file("Files/d/aa"), FILES), "create")),
]
