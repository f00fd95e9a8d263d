# SPDX-License-Identifier: Apache-2.0
"""Go 1.18 and later: a committed module is a package, a copy is a file in a package of yours."""

import re

from ..base.errors import GeneratorError
from .language import Language, ModuleOptions, Place, after_comments, both_kinds, check_identifier, named, of_neighbours

_KEYWORDS = frozenset(  # "Keywords", the Go language specification
    """break case chan const continue default defer else fallthrough for func go goto if import interface map package
    range return select struct switch type var""".split()  # noqa: SIM905 - words are easier read so
)
_NO_PACKAGE = frozenset(("_", "init", "documentation"))  # cannot be imported, or is skipped by go build
# Endings after "_" for which go build skips a file, always or on other systems: Go's internal/syslist, and go/build.
SKIPPED_ENDINGS = frozenset(
    """test aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1
    windows zos 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le
    ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm""".split()  # noqa: SIM905
)
_WORD = re.compile(r"\w+")


def _check(options: ModuleOptions) -> None:
    name = options.package
    check_identifier("Go package", name, _KEYWORDS | _NO_PACKAGE, "use --package")
    if name.endswith("_test"):
        raise GeneratorError(f"{name}: Go keeps package names in _test for tests; hint: use --package")
    if options.prefix:
        check_identifier("prefix of Go names", options.prefix, frozenset(), "use --prefix")
        if not options.prefix[0].isupper():
            raise GeneratorError(f"{options.prefix}: Go exports only names that start in A to Z; hint: use --prefix")


def _placed(place: Place) -> ModuleOptions:
    if place.stem[:1] in {"", ".", "_"} or ("_" in place.stem and place.stem.split("_")[-1] in SKIPPED_ENDINGS):
        file = place.folder / f"{place.stem}.go"
        raise GeneratorError(
            f"{file}: go build skips files so named, on some systems or all; hint: choose another name"
        )
    return place.recorded or _among_others(place)


def _among_others(place: Place) -> ModuleOptions:
    """Return the names for a file: they depend on its directory, not on the modules that are there already.

    A package that is named for the module, as the committed ones are, needs no prefix; any other may hold several.
    """
    folder = place.folder.resolve()
    packages = of_neighbours(place._replace(folder=folder), "[!._]*.go", "packages", _package, "_test.go")
    own = re.sub(r"[^a-z0-9_]", "", folder.name.lower()).lstrip("0123456789_")
    if not own or own in _KEYWORDS | _NO_PACKAGE or own.endswith("_test"):
        own = "windows" + place.name
    package = place.package or (next(iter(packages)) if len(packages) == 1 else own)
    return ModuleOptions(package, "" if package == place.name else "Windows" + place.name.capitalize())


def _package(text: str) -> str | None:
    """Return the package of a file, or None for a file that is never built."""
    if re.search(r"^//(?:go:build| \+build)\s+ignore\b", text, re.MULTILINE):
        return None
    clause = _WORD.match(text, after_comments(text))
    name = _WORD.match(text, after_comments(text, clause.end())) if clause and clause[0] == "package" else None
    return name[0] if name else None


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("go/{name}/{name}.go"),
    # Examples are tests, so that neither go build nor a copy of a module has them, and pkg.go.dev shows them.
    shared=(
        ("go.mod.jinja", "go/go.mod"),
        ("files_example_test.go.jinja", "go/files/example_test.go"),
        ("module_example_test.go.jinja", "go/{name}/example_test.go"),
    ),
    takes={
        "package": "the package",
        "prefix": "what exported names start with",
        "compat": "imgutil: functions named as that package's",
    },
    follow="the package has the name of other files in the directory, else the directory's. Exported names begin with "
    "the layer's, such as `WindowsHostprocess`; in a package named after the layer, such as `hostprocess`, they do not",
    compat=("imgutil",),
    api=named(
        "Name MediaType DiffID Digest LayerSize BlobSize Layer Blob Open() OpenCompressed() BCD() Verify()", "{prefix}"
    ),
    committed=ModuleOptions,
    placed=_placed,
    check=_check,
    proof=lambda options: (
        "d=$(mktemp -d) && (sed 's/^package .*/package main/' FILE &&",
        f"echo 'func main() {{ print({options.prefix}Blob) }}') > $d/m.go &&",
        "go run $d/m.go 2>&1 | sha256sum",
    ),
    # A layer's name is its package's and its folder's; the go command treats these folders apart.
    refused=_KEYWORDS | {"internal", "main", "testdata", "vendor"},
)
