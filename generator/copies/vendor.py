# SPDX-License-Identifier: Apache-2.0
"""One copy of a module, made for the place it goes to: its names, its files, and what must not be overwritten.

Only rendering needs more than the standard library, and imports it then.
"""

import difflib
import keyword
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import console, files, manifest
from ..console import Say, Verbatim
from ..errors import EXIT_OK, GeneratorError, printable
from ..languages import provenance
from ..languages.provenance import Options
from ..languages.table import GO_KEYWORDS, LANGUAGES
from ..manifest import Tree, blob_path
from ..oci import blob as layers

COMPAT = ("imgutil",)
MAX_NAME = 48  # characters; C99 promises no more than 63 that count in a name, and ours get endings
_MAX_DIFF = 1 << 20  # bytes; a longer file is none of ours, and comparing it would take minutes

# The options that mean something in each language.
_TAKES = {"python": ("package",), "go": ("package", "prefix", "compat"), "c": ("prefix",)}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_GO_NO_PACKAGE = frozenset(("_", "init", "documentation"))  # cannot be imported, or is skipped by go build
# Endings after "_" for which go build skips a file, always or on other systems: Go's internal/syslist, and go/build.
_GO_ENDINGS = frozenset(
    """test aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1
    windows zos 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le
    ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm""".split()  # noqa: SIM905
)
_C_KEYWORDS = frozenset(  # of C23 and C++23, and C++'s spellings of operators, which are <iso646.h>'s too
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual
    void volatile wchar_t while xor xor_eq""".split()  # noqa: SIM905
)
_GO_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_GO_PACKAGE = re.compile(r"[\s\ufeff]*package\s+(\w+)")
_GO_IGNORED = re.compile(r"^//(?:go:build| \+build)\s+ignore\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """What one file holds, None where there is none, and what it is to hold."""

    path: Path
    old: str | None
    new: str

    @property
    def needed(self) -> bool:
        """Tell whether the file differs by more than line ends."""
        return self.old is None or self.old.replace("\r\n", "\n") != self.new

    @property
    def allowed(self) -> bool:
        """Tell whether no person's work is lost: there is no file, or it is one of ours as it was made."""
        if self.old is None:
            return True
        found = provenance.read(self.old)
        return found is not None and found[1]

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff from the file as it is to what it is to hold."""
        if len(self.old or "") > _MAX_DIFF:
            yield f"{self.path}: too large to compare"
            return
        old = (self.old or "").splitlines()
        name = "/dev/null" if self.old is None else str(self.path)
        for line in difflib.unified_diff(old, self.new.splitlines(), name, str(self.path), lineterm=""):
            yield Verbatim(printable(line))


def vendor(
    root: Path,
    language: str,
    layer: str,
    destination: str,
    *,
    say: Say = console.say,
    note: Say = console.note,
    package: str | None = None,
    prefix: str | None = None,
    compat: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    diff: bool = False,
) -> int:
    """Write the module of *layer* in *language* to *destination*, a file or a directory; return 0.

    Names that are None come from the copy that is there, else from the destination. *dry_run* says what
    would be written and *diff* shows it; neither writes. Raises GeneratorError, with nothing written,
    for a name the language does not allow and for a file that is not ours or was edited, unless *force*.
    """
    if language not in LANGUAGES:
        raise GeneratorError(f"{language}: no such language; use one of {', '.join(LANGUAGES)}")
    wishes = {"package": package, "prefix": prefix, "compat": compat}
    for name, value in wishes.items():
        if value is not None and name not in _TAKES[language]:
            raise GeneratorError(f"--{name}: means nothing in {language}; leave it out")
    blob = committed_blob(root, layer)
    try:
        targets = _targets(language, layer, destination, package)
        options = _options(language, layer, targets, wishes)
        made = {path: render(root, language, layer, file, options, blob) for file, path in targets.items()}
        if dry_run or diff:
            changes = _changes(made)
            _judge(changes, force, say)
            for change in changes:
                if diff and change.needed:
                    for line in change.diff():
                        say(line)
                elif not diff:
                    say(f"would write {change.path}" if change.needed else f"unchanged: {change.path}")
            return EXIT_OK
        folder = next(iter(targets.values())).parent
        folder.mkdir(parents=True, exist_ok=True)
        with files.lock(folder, note):
            changes = _changes(made)
            _judge(changes, force, say)
            write(changes)
    except OSError as error:
        raise GeneratorError(f"{error.filename or destination}: {error.strerror}; choose another DEST") from error
    for change in changes:
        say(f"wrote {change.path}" if change.needed else f"unchanged: {change.path}")
    return EXIT_OK


def committed_blob(root: Path, layer: str) -> layers.Blob:
    """Return the committed blob of *layer*; raises GeneratorError where there is none or it is damaged."""
    tree = Tree(root)
    if layer not in tree.layers():
        raise GeneratorError(f"{layer}: no such layer; use one of {', '.join(tree.layers())}")
    path = blob_path(layer)
    record = manifest.read(root)[0].get(path)
    if record is None or tree.hash(path) != record.sha256:
        raise GeneratorError(f"{path}: missing, or not as {manifest.MANIFEST} has it; run ./invokew generate")
    return layers.read_blob((root / path).read_bytes(), path)


def render(root: Path, language: str, layer: str, file: str, options: Options, blob: layers.Blob) -> str:
    """Return the text of the module that template *file* makes of *blob*."""
    from ..languages import render as renderer  # Jinja: what only looks at copies does without

    digest = Tree(root).template_digest(language)
    return renderer.module(root / "templates" / language, file, layer, blob, options, digest)


def write(changes: list[Change]) -> None:
    """Write what differs, all or nothing; a link stays one, and the file it leads to is written."""
    files.replace(
        {Path(os.path.realpath(change.path)): change.new.encode("utf-8") for change in changes if change.needed}
    )


def check_options(language: str, options: Options) -> None:
    """Raise GeneratorError unless the names in *options* are ones that *language* allows."""
    if language == "python":
        _check_python(options.package)
    elif language == "go":
        _check_go(options)
    else:
        _check_c(options)
    if options.compat and (options.compat not in COMPAT or language != "go"):
        raise GeneratorError(f"--compat {options.compat}: no such interface; use {', '.join(COMPAT)}")


def _check_python(name: str) -> None:
    mend = "end DEST in another name, or use --package with a directory"
    _check_identifier("Python module", name, frozenset(keyword.kwlist), mend)
    if name in sys.stdlib_module_names:
        raise GeneratorError(f"{name}: hides a module of Python's standard library; {mend}")


def _check_go(options: Options) -> None:
    name = options.package
    _check_identifier("Go package", name, GO_KEYWORDS | _GO_NO_PACKAGE, "use --package")
    if name.endswith("_test"):
        raise GeneratorError(f"{name}: Go keeps package names in _test for tests; use --package")
    if options.prefix:
        _check_identifier("prefix of Go names", options.prefix, frozenset(), "use --prefix")
        if not options.prefix[0].isupper():
            raise GeneratorError(f"{options.prefix}: Go exports only names that start in A to Z; use --prefix")


def _check_c(options: Options) -> None:
    name = options.prefix
    _check_identifier("prefix of C names", name, _C_KEYWORDS, "use --prefix")
    if name[0] == "_" or name[-1] == "_" or "__" in name:
        raise GeneratorError(f"{name}: C and C++ keep names with such underscores to themselves; use --prefix")
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", options.package):  # it stands in an #include
        raise GeneratorError(f"{options.package}: not a plain file name; end DEST in letters, digits, _ . + and -")


def _check_identifier(what: str, name: str, reserved: frozenset[str], mend: str) -> None:
    if not _IDENTIFIER.fullmatch(name):
        raise GeneratorError(f"{name or '(empty)'}: no {what}: letters, digits and _ only, no digit first; {mend}")
    if name in reserved:
        raise GeneratorError(f"{name}: no {what}: the language reserves that word; {mend}")
    if len(name) > MAX_NAME:
        raise GeneratorError(f"{name}: no {what}: longer than {MAX_NAME} characters; {mend}")


def _targets(language: str, layer: str, destination: str, package: str | None) -> dict[str, Path]:
    """Return the file that each template of *language* is to make for *destination*."""
    endings = {file: Path(file.removesuffix(".jinja")).suffix for file, _ in LANGUAGES[language].modules}
    path = Path(destination)
    if path.is_dir() or destination.endswith(("/", os.sep)) or not path.suffix:
        if path.exists() and not path.is_dir():
            raise GeneratorError(f"{path}: a {language} module ends in {' or '.join(endings.values())}")
        stem = f"windows_{layer}"
        if language == "python" and package is not None:
            check_options(language, Options(package))  # before it can lead to another directory
            stem = package
        path /= stem + next(iter(endings.values()))
    if path.suffix not in endings.values():
        raise GeneratorError(
            f"{path}: a {language} module ends in {' or '.join(endings.values())}; end a new directory in /"
        )
    if language == "python" and package is not None and package != path.stem:
        raise GeneratorError(f"--package {package}: DEST already names the module {path.stem}; leave one out")
    if language == "go" and (path.name[0] in "._" or ("_" in path.stem and path.stem.split("_")[-1] in _GO_ENDINGS)):
        raise GeneratorError(f"{path}: go build skips files so named, on some systems or all; choose another name")
    return {file: path.with_suffix(ending) for file, ending in endings.items()}


def _options(language: str, layer: str, targets: Mapping[str, Path], wishes: Mapping[str, str | None]) -> Options:
    """Return the names to use: those wished for, else those of the copy that is there, else ones for the place."""
    first = next(iter(targets.values()))
    options = _recorded(language, targets)
    if language == "go":
        options = options or _go_options(layer, first, wishes["package"])
    elif language == "c":
        prefix = options.prefix if options else re.sub(r"\W", "_", first.stem, flags=re.ASCII)
        options = Options(first.stem, prefix)
    else:
        options = Options(first.stem)
    if language == "python":
        wishes = {}  # the file has the name already
    options = replace(options, **{name: value for name, value in wishes.items() if value is not None})
    check_options(language, options)
    return options


def _recorded(language: str, targets: Mapping[str, Path]) -> Options | None:
    for path in targets.values():
        found = provenance.read(_text(path) or "")
        if found is not None and found[0].language == language:
            return found[0].options
    return None


def _go_options(layer: str, target: Path, package: str | None) -> Options:
    """Return the names for a Go file among those that are in its directory already."""
    folder = target.resolve().parent
    packages = set()
    for path in sorted(folder.glob("*.go")):
        if path.name == target.name or path.name.endswith("_test.go") or path.name[0] in "._" or not path.is_file():
            continue
        text = path.read_text("utf-8", "replace")
        clause = _GO_PACKAGE.match(_GO_COMMENT.sub("", text))
        if clause and not _GO_IGNORED.search(text):
            packages.add(clause[1])
    if len(packages) > 1 and package is None:
        raise GeneratorError(f"{folder}: holds the packages {', '.join(sorted(packages))}; say which with --package")
    prefix = "Windows" + layer.capitalize() if packages else ""
    own = re.sub(r"[^a-z0-9_]", "", folder.name.lower()).lstrip("0123456789_")
    if not own or own in GO_KEYWORDS | _GO_NO_PACKAGE or own.endswith("_test"):
        own = "windows" + layer
    return Options(next(iter(packages)) if len(packages) == 1 else own, prefix)


def _changes(made: Mapping[Path, str]) -> list[Change]:
    return [Change(path, _text(path), text) for path, text in made.items()]


def _text(path: Path) -> str | None:
    """Return the text of a file, None where there is none; bytes that are not UTF-8 become surrogates."""
    if path.is_file():
        return path.read_bytes().decode("utf-8", "surrogateescape")
    if path.exists():
        raise GeneratorError(f"{path}: not a file; move it away or choose another DEST")
    return None


def _judge(changes: list[Change], force: bool, say: Say) -> None:
    """Refuse, after showing how they differ, to replace files that are not ours or were edited."""
    refused = [change for change in changes if change.needed and not change.allowed]
    if force or not refused:
        return
    for change in refused:
        for line in change.diff():
            say(line)
    text = refused[0].old or ""
    reason = "not made by winscratch" if provenance.recorded(text) is None else "edited by hand, or of a later version"
    raise GeneratorError(f"{refused[0].path}: {reason}; nothing was written; --force replaces it")
