# SPDX-License-Identifier: Apache-2.0
"""Java 11 and later: a module is one class in one file, which bears the class's name."""

import re

from ..base.errors import GeneratorError
from .language import (
    FUNCTIONS,
    Language,
    ModuleOptions,
    Place,
    after_comments,
    both_kinds,
    check_dotted,
    check_identifier,
    of_neighbours,
)

_KEYWORDS = frozenset(  # "Keywords" and "Boolean Literals", the Java Language Specification
    """_ abstract assert boolean break byte case catch char class const continue default do double else enum extends
    false final finally float for goto if implements import instanceof int interface long native new null package
    private protected public return short static strictfp super switch synchronized this throw throws transient true
    try void volatile while""".split()  # noqa: SIM905 - words are easier read so
)
_NO_CLASS = frozenset(  # restricted identifiers, and the classes that the modules name themselves or take in
    """permits record sealed var yield ArrayList Arrays Attribute Base64 BasicFileAttributes
    BigInteger ByteArrayInputStream ByteBuffer ByteOrder CRC32 Character Comparator Core
    DataFormatException Descriptor DirectoryIteratorException DirectoryStream Entry EnumSet
    Error Files FilesException Folding GZIPInputStream HashMap IOException
    IllegalArgumentException IllegalStateException Inflater InputStream Instant Integer Kind
    LayerWriter LinkOption List Locale Long Map Math MessageDigest NoSuchAlgorithmException
    Node Object Objects Optional OptionalLong OutputStream Override Path Reason Rules
    RuntimeException Set StandardCharsets Step String StringBuilder System Throwable Times""".split()  # noqa: SIM905
)
_PACKAGE = re.compile(r"package\s+(\w+(?:\.\w+)*)\s*;", re.ASCII)
_FIX = "use --package"


def _check(options: ModuleOptions) -> None:
    if options.package:
        check_dotted("Java package", options.package, _KEYWORDS, _FIX)
    if options.package.partition(".")[0] == "java":
        raise GeneratorError(f"{options.package}: Java keeps packages below java to itself; hint: {_FIX}")
    check_identifier("Java class", options.prefix, _KEYWORDS | _NO_CLASS, "end DEST in another name")


def _named(text: str) -> str:
    clause = _PACKAGE.match(text, after_comments(text))
    return clause[1] if clause else ""


def _package(place: Place) -> str:
    """Return the package of the other files in a directory, else the path below its root of sources, else none."""
    packages = of_neighbours(place, "*.java", "packages", _named, "module-info.java")
    if packages:
        return packages.pop()
    parts = place.folder.absolute().parts
    for at in reversed(range(1, len(parts) - 1)):
        if parts[at] == "java" and parts[at - 1] in {"main", "test"}:
            return ".".join(parts[at + 1 :])
    return ""


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("java/winscratch/Windows{Name}.java"),
    takes={"package": "the package"},
    follow="the class has the file's name; the package is that of other files in the directory, else the path below "
    "`main/java` or `test/java`, else the unnamed one",
    api=FUNCTIONS,
    committed=lambda name: ModuleOptions("winscratch", f"Windows{name.capitalize()}"),
    placed=lambda place: ModuleOptions(place.recorded.package if place.recorded else _package(place), place.stem),
    check=_check,
    proof=lambda _: (r"""sed -n '/ TEXT =$/,/;$/s/.*"\(.*\)".*/\1/p' FILE |""", "base64 -d | sha256sum"),
    stem=lambda name, _: f"Windows{name[:1].upper()}{name[1:]}",
)
