# SPDX-License-Identifier: Apache-2.0
"""Define the record of a language, and the rules for names that languages share.

Standard library only, and little of it: the staleness check reads the table of languages.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..base.errors import GeneratorError
from ..base.reading import read_file

if TYPE_CHECKING:
    from pathlib import Path

LAYER = "layer"  # the kind of module that embeds a layer; a module of another kind bears its kind's name
FILES = "files"  # the kind of module that writes layers on top
MAX_NAME = 48  # characters; C99 promises no more than 63 that count in a name, and ours get endings
MAX_DOTTED = 200  # characters of names with dots between them
_SPACE = re.compile(r"[\s\ufeff]*")
# What a layer's module offers, in the usual spelling of constants and of functions; no language has other words for it.
CONSTANTS = {
    "name": "NAME",
    "media type": "MEDIA_TYPE",
    "diff ID": "DIFF_ID",
    "digest": "DIGEST",
    "layer size": "LAYER_SIZE",
    "blob size": "BLOB_SIZE",
}
FUNCTIONS = CONSTANTS | {
    "layer": "layer()",
    "blob": "blob()",
    "open": "open()",
    "open compressed": "openCompressed()",
    "BCD": "bcd()",
    "verify": "verify()",
}
API = tuple(FUNCTIONS)


class ModuleOptions(NamedTuple):
    """The names that a module has at its destination.

    *package* is the name that its language knows it by, or its file's without the ending; *prefix* goes
    before its exported names; *compat* is empty or names an interface to imitate.
    """

    package: str
    prefix: str = ""
    compat: str = ""


class Place(NamedTuple):
    """The destination of a copy: *folder*, and *stem*, its file name without the ending.

    *name* is the layer's, or the kind of a module that embeds none. *package* is the requested package and
    *recorded* the names in the existing copy's provenance line; each may be None.
    """

    name: str
    folder: "Path"
    stem: str
    package: str | None
    recorded: ModuleOptions | None


def windows_name(name: str, package: str | None = None) -> str:  # noqa: ARG001 - of this shape are all such rules
    """Return the name of a copy's file, without the ending, for a destination that is a directory."""
    return f"windows_{name}"


def named(names: str, prefix: str = "") -> dict[str, str]:
    """Return Language.api from *names*, one for each word of API, with spaces between them."""
    return dict(zip(API, (prefix + name for name in names.split()), strict=True))


def both_kinds(*paths: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return Language.modules for both kinds of modules, each with a file for each of *paths*."""
    kinds = {LAYER: "module", FILES: "files"}
    ends = [(path, path.partition(".")[2]) for path in paths]
    return {kind: tuple((f"{stem}.{end}.jinja", path) for path, end in ends) for kind, stem in kinds.items()}


class Language(NamedTuple):
    """A language that modules are rendered to, defined by one file here and one folder of templates.

    *comment* starts a line comment. *modules* maps each kind of module to the templates of its files and
    their paths below ``output/``, and *shared* does so for files beside them, which are not copied; in a path
    ``{name}`` is the layer's or the kind's. *takes* maps each option of ``vendor`` to the thing that it names;
    *compat* lists interfaces that can be imitated; *follow* describes the default names.
    *committed* returns the options of the committed module of that name, *placed* those of a copy for its
    destination, *stem* the name of its file in a directory; *check* raises GeneratorError for options that the
    language does not allow. *refused* are names that this language does not allow for layers.
    *api* maps words of API to names of a module: the upper-case field ``{PREFIX}`` is the prefix in
    capitals. *alike* are groups of file endings that mean the same in this language. *proof* returns the lines of a
    shell command that prints the SHA-256 of the blob in a layer's module, with tools that everybody has: at most 74
    columns each. In them, FILE is the module's file, if *options* do not name it.
    """

    comment: str
    modules: Mapping[str, tuple[tuple[str, str], ...]]
    takes: Mapping[str, str]
    follow: str
    api: Mapping[str, str]
    committed: Callable[[str], ModuleOptions]
    placed: Callable[[Place], ModuleOptions]
    check: Callable[[ModuleOptions], None]
    proof: Callable[[ModuleOptions], tuple[str, ...]]
    stem: Callable[[str, str | None], str] = windows_name
    shared: tuple[tuple[str, str], ...] = ()
    compat: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    alike: tuple[tuple[str, ...], ...] = ()

    def kind(self, name: str) -> str:
        """Return the kind of the module *name*: LAYER, unless *name* is another kind."""
        return name if name in self.modules else LAYER

    def endings(self, name: str) -> dict[str, str]:
        """Return the ending of each file of a module, by template: ``.d.ts`` for ``module.d.ts.jinja``."""
        templates = (template for template, _ in self.modules[self.kind(name)])
        return {each: "." + each.removesuffix(".jinja").partition(".")[2] for each in templates}

    def endings_like(self, ending: str) -> tuple[str, ...]:
        """Return the endings that mean the same as *ending*, that one first."""
        return next((group for group in self.alike if ending in group), (ending,))

    def check_options(self, options: ModuleOptions) -> None:
        """Raise GeneratorError unless the names in *options* are ones that the language allows."""
        self.check(options)
        if options.compat and options.compat not in self.compat:
            fix = f"use {', '.join(self.compat)}" if self.compat else "leave it out"
            raise GeneratorError(f"--compat {options.compat}: unknown interface; hint: {fix}")


def after_comments(text: str, start: int = 0) -> int:
    """Return the end of the white space and comments (/* */ and //) at *start* in *text*, in linear time."""
    while True:
        space = _SPACE.match(text, start)
        start = space.end() if space else start
        closing = {"/*": "*/", "//": "\n"}.get(text[start : start + 2])
        if closing is None:
            return start
        end = text.find(closing, start + 2)
        start = end + len(closing) if end >= 0 else len(text)


def check_identifier(what: str, name: str, reserved: frozenset[str], fix: str) -> None:
    """Raise GeneratorError unless *name* consists of ASCII letters, digits and _ and is not *reserved*."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise GeneratorError(
            f"{name or '(empty)'}: invalid {what}: letters, digits and _ only, no digit first; hint: {fix}"
        )
    if name in reserved:
        raise GeneratorError(f"{name}: invalid {what}: the language reserves that word; hint: {fix}")
    if len(name) > MAX_NAME:
        raise GeneratorError(f"{name}: invalid {what}: longer than {MAX_NAME} characters; hint: {fix}")


def check_dotted(what: str, name: str, reserved: frozenset[str], fix: str) -> None:
    """Raise GeneratorError unless *name* consists of identifiers with dots between them, as check_identifier() does."""
    if len(name) > MAX_DOTTED:
        raise GeneratorError(f"{name}: invalid {what}: longer than {MAX_DOTTED} characters; hint: {fix}")
    for part in name.split("."):
        check_identifier(f"part of a {what}", part, reserved, fix)


def of_neighbours(
    place: Place, pattern: str, what: str, find: Callable[[str], str | None], without: str = " "
) -> set[str]:
    """Return the names, such as packages, of the other files in a directory that match *pattern*.

    *find* returns the name in a file's text, or None to leave it out, as are files whose names end in *without*.
    Raises GeneratorError for more than one name unless the user says which to use.
    """
    names = set()
    for path in sorted(place.folder.glob(pattern)):
        if path.stem != place.stem and not path.name.endswith(without) and path.is_file():
            names.add(find(read_file(path, str(path)).decode("utf-8", "replace")))
    found = {name for name in names if name is not None}
    if len(found) > 1 and place.package is None:
        shown = ", ".join(sorted(name or "that without a name" for name in found))
        raise GeneratorError(f"{place.folder}: holds the {what} {shown}; hint: say which with --package")
    return found
