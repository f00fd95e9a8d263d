# SPDX-License-Identifier: Apache-2.0
"""Go 1.18 and later: a committed module is a package, a copy is a file in a package of yours."""

import re

from ..base.errors import GeneratorError
from .language import FILES, LAYER, Check, Language, ModuleOptions, Place, Tool, after_comments, check_identifier

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
# Each is a Go module; the generated one comes last.
_SOURCES = ("tests/languages/go", "tests/interop/kubernetes", "examples/go", "examples/hostprocess", "output/go")


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
    packages = _packages(place)
    if len(packages) > 1 and place.package is None:
        raise GeneratorError(
            f"{folder}: holds the packages {', '.join(sorted(packages))}; hint: say which with --package"
        )
    own = re.sub(r"[^a-z0-9_]", "", folder.name.lower()).lstrip("0123456789_")
    if not own or own in _KEYWORDS | _NO_PACKAGE or own.endswith("_test"):
        own = "windows" + place.name
    package = place.package or (next(iter(packages)) if len(packages) == 1 else own)
    return ModuleOptions(package, "" if package == place.name else "Windows" + place.name.capitalize())


def _packages(place: Place) -> set[str]:
    """Return the packages of the other files in a directory, but for tests and files that are never built."""
    from ..base.reading import read_file  # the staleness check, which imports the languages, does without

    packages = set()
    for path in sorted(place.folder.glob("*.go")):
        if path.stem == place.stem or path.stem.endswith("_test") or path.name[0] in "._" or not path.is_file():
            continue
        text = read_file(path, str(path)).decode("utf-8", "replace")
        clause = _WORD.match(text, after_comments(text))
        name = _WORD.match(text, after_comments(text, clause.end())) if clause and clause[0] == "package" else None
        if name and not re.search(r"^//(?:go:build| \+build)\s+ignore\b", text, re.MULTILINE):
            packages.add(name[0])
    return packages


LANGUAGE = Language(
    comment="//",
    modules={
        LAYER: (("module.go.jinja", "go/{name}/{name}.go"),),
        FILES: (("files.go.jinja", "go/{name}/{name}.go"),),
    },
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
    follow="the package is that of other files in the directory, else the directory's name; names begin with the "
    "layer's, such as `WindowsHostprocess`, except in a package named after the layer, such as `hostprocess`",
    compat=("imgutil",),
    api={
        "name": "{prefix}Name",
        "media type": "{prefix}MediaType",
        "diff ID": "{prefix}DiffID",
        "digest": "{prefix}Digest",
        "layer size": "{prefix}LayerSize",
        "blob size": "{prefix}BlobSize",
        "layer": "{prefix}Layer",
        "blob": "{prefix}Blob",
        "open": "{prefix}Open()",
        "open compressed": "{prefix}OpenCompressed()",
        "BCD": "{prefix}BCD()",
        "verify": "{prefix}Verify()",
    },
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
    formatter=("gofmt", "-l", "-s"),
    tools=(Tool("golang", "go", "2:1.21"),),
    checks=(
        Check("gofmt", "gofmt", ("-l", "-s", *_SOURCES), ("-l", "-s", "-w", *_SOURCES[:-1]), silent=True),
        *(Check(f"go vet of {folder}", "go", ("vet", "./..."), folder=folder) for folder in _SOURCES),
        *(Check(f"staticcheck of {m}", "staticcheck", ("-checks", "all", "./..."), folder=m) for m in _SOURCES),
    ),
)
