# SPDX-License-Identifier: Apache-2.0
"""Layers on top and base layers that break a rule of check-image, by rule; and layers that break none."""

import tarfile
from pathlib import Path
from typing import Any

from .layouts import BCD, CONFIG, RECORDS, ROOTS, Layout, Part, base, directory, parts_of, tarred


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE, attributes: str = "1056") -> Part:
    return Part(name, b"", kind, target, RECORDS | {"MSWINDOWS.fileattr": attributes})


def file(name: str, **records: str) -> Part:
    return Part(name, b"", tarfile.REGTYPE, "", RECORDS | records)


A = directory("Files/a", **RECORDS)
SDDL: list[tuple[Part, ...]] = [(Part("Files/x", records={"MSWINDOWS.sd": "O:XX", "atime": "0", "ctime": "0"}),)]
BROKEN: dict[str, list[tuple[Part, ...]]] = {
    "root": [(file("etc"),), (file("./Files/x"),), (file("files/x"),)],
    "name": [
        (file(f"Files/{name}"),)
        for name in (
            "nul",
            "aux.txt",
            "COM¹ .x",
            "a.",
            "b ",
            "a*b",
            "c\\d",
            "a\x07",
            "n" * 256,
            "\udcff",
            "CONIN$",
            "a/",
        )
    ],
    "stream": [(file("Files/a"), file("Files/a:stream"))],
    "parent": [(file("Files/a/b"),), (file("Files/a"), file("Files/a/b")), (link("Files/a", "b"), file("Files/a/b"))],
    "repeated": [(file("Files/a"), file("Files/a")), (A, A), (directory("Files/"),)],
    "case": [(file("Files/a"), file("Files/A")), (A, file("Files/A/b")), (file("Files/größe"), file("Files/GRÖßE"))],
    "kind": [(Part("Files/a", b"", kind),) for kind in (b"3", b"4", b"6", b"7", b"V")],
    "whiteout": [
        (file("Hives/.wh.x"),),
        (file("Files/.wh..wh..opq"),),
        (file("Files/x"), file("Files/.wh.x")),
        (file("Files/.wh.x"), file("Files/x")),
    ],
    "link-target": [
        (link("Files/x", "Files/y"), file("Files/y")),
        (link("Files/x", ""),),
        (link("Files/x", "a*b"),),
        (link("Files/x", "y" * 4088),),
        (link("Files/x", "Files/y", tarfile.LNKTYPE),),
        (link("Files/x", "Hives/y", tarfile.LNKTYPE),),
        (file("Files/y"), link("Files/x", "Files/./y", tarfile.LNKTYPE)),
        (file("Files/y"), link("Files/x", "Files/y/", tarfile.LNKTYPE)),
    ],
    "link-kind": [(A, link("Files/x", "a")), (file("Files/a"), link("Files/x", "C:\\A", attributes="1040"))],
    "attributes": [
        (file("Files/x", **{"MSWINDOWS.fileattr": value}),) for value in ("0x20", "-1", "4294967296", "16", "", " 1")
    ],
    "descriptor": [
        (file("Files/x", **{"MSWINDOWS.rawsd": value}),) for value in ("AQ", "AQ==", "", "ä", "A" * 80, "!!!!")
    ]
    + SDDL,
    "descriptor-missing": [(Part("Files/x", records={"atime": "0", "ctime": "0"}),)],
    "time": [
        (file("Files/x", **{key: value}),)
        for key, values in (
            *dict.fromkeys(("mtime", "atime", "LIBARCHIVE.creationtime"), ("9223372037", "-9223372037")).items(),
            ("LIBARCHIVE.creationtime", ("x", "1e3", "1.-5", "1" * 30, "")),
        )
        for value in values
    ],
    "layer": [
        (file("Files/x", **{key: value}),)
        for key in ("mtime", "atime", "ctime")
        for value in ("x", "1e3", "1.-5", "1" * 30)
    ],
    "time-missing": [(Part("Files/x", records={"MSWINDOWS.rawsd": RECORDS["MSWINDOWS.rawsd"]}),)],
    "time-fraction": [(file("Files/x", mtime="1700000000.05", **{"LIBARCHIVE.creationtime": "1700000000.50000000"}),)],
    "record": [
        (file("Files/x", **{"MSWINDOWS.xattr.a": "?"}),),
        (file("Files/x", **{"MSWINDOWS.mountpoint": ""}),),
    ],
}


GOOD: list[tuple[Part, ...]] = [
    (directory("Files/a/", **RECORDS), file("Files/a/b")),
    (file("Files/x"), link("Files/y1", "Files/x", tarfile.LNKTYPE), link("Files/z1", "Files/y1", tarfile.LNKTYPE)),
    (link("Files/yy", f"{CONFIG}/SAM", tarfile.LNKTYPE),),  # in the layer below
    (link("Files/x", "y"), link("Files/z", "C:\\nowhere"), link("Files/u", "\\\\?\\C:\\x"), link("Files/w", "../..")),
    (link("Files/x", "Windows", attributes="1040"),),
    (directory("UtilityVM"), directory("UtilityVM/Files/x"), file("UtilityVM/Files/x/y")),
    (file("Files/.wh.x"), file("Files/a/.wh.b")),
    (file("Files/" + "ü" * 120), file("Files/🦀"), file("Files/x", mtime="-0.5"), file("Files/y", atime="1.123456789")),
    (file("Files/x", **{"MSWINDOWS.sd": "O:BAG:BA", "MSWINDOWS.xattr.a": "YQ==", "unknown": "x", "size": "0"}),),
]


def without(name: str) -> list[Part]:
    return [part for part in parts_of(base()) if part.name != name]


def changed(which: str, **fields: Any) -> list[Part]:
    return [part._replace(**fields) if part.name == which else part for part in parts_of(base())]


def dirty(hive: bytes) -> bytes:
    """Return a dirty hive: its first sequence number is ahead, its checksum correct."""
    data = bytearray(hive)
    data[4] += 1
    total = 0
    for at in range(0, 508, 4):
        total ^= int.from_bytes(data[at : at + 4], "little")
    data[508:512] = total.to_bytes(4, "little")
    return bytes(data)


SAM = f"{CONFIG}/SAM"
HIVE = next(part.data for part in parts_of(base()) if part.name == SAM)
ON_TOP = [
    (rule, name, data, good)
    for rule, name in (("hive-delta", "Hives/System_Delta"), ("hive-delta", "Hives/SAM_DELTA"), ("hive-on-top", SAM))
    for data, good in ((HIVE, True), (dirty(HIVE), False), (HIVE[:-1], False), (b"junk", False), (b"", False))
]


STORE = next(part.data for part in parts_of(base()) if part.name == BCD)
TYPE = STORE.rindex(b"vk\7\0") + 12  # the registry type of the last element

BASES: list[tuple[str, list[Part], str]] = [
    ("hive", changed(SAM, data=b""), SAM),
    ("hive", changed(SAM, data=b"regf"), SAM),
    ("hive", changed(SAM, data=HIVE[:-1]), SAM),
    ("hive", changed(SAM, data=dirty(HIVE)), SAM),
    ("hive", changed(BCD, data=b"x"), BCD),
    ("bcd-type", changed(BCD, data=STORE[:TYPE] + b"\3" + STORE[TYPE + 1 :]), BCD),
    ("hive-missing", without(SAM), ""),
    ("hive-missing", changed(SAM, name=f"{CONFIG}/sam"), ""),
    ("hive-linked", [*parts_of(base()), link("Files/xx", SAM, tarfile.LNKTYPE)], "Files/xx"),
    ("utility-vm", without(BCD), ""),
    ("base-slash", changed("UtilityVM/Files", name="UtilityVM/Files/"), "UtilityVM/Files/"),
    ("base-whiteout", [*parts_of(base()), file("Files/.wh.x")], "Files/.wh.x"),
    ("repeated", [*parts_of(base()), file(SAM)], SAM),
    ("parent", [*parts_of(base()), file("Files/x/y")], "Files/x/y"),
    ("link-target", [*parts_of(base()), link("Files/y", "Files/x", tarfile.LNKTYPE)], "Files/y"),
]


def on_top(folder: Path, *parts: Part) -> Layout:
    """Return an image of a base layer and a layer of *parts* on top."""
    return Layout(folder, [base(), tarred([*ROOTS, *parts])])


def folders_of(name: str) -> list[Part]:
    """Return the directories on the way to *name*, the topmost first, without the root."""
    return [directory(str(folder), **RECORDS) for folder in reversed(Path(name).parents) if len(folder.parts) > 1]
