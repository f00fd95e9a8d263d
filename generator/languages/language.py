# SPDX-License-Identifier: Apache-2.0
"""What a language is to this program: one record, and the rules for names that languages share.

Standard library only, and little of it: the staleness check reads the table of languages.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..base.errors import GeneratorError

if TYPE_CHECKING:
    from pathlib import Path

LAYER = "layer"  # the kind of module that embeds a layer; a module of another kind bears its kind's name
FILES = "files"  # the kind of module that writes layers on top
MAX_NAME = 48  # characters; C99 promises no more than 63 that count in a name, and ours get endings
_SPACE = re.compile(r"[\s\ufeff]*")
# What a layer's module offers; each language has its own spelling of these, and no other words for them.
API = (
    "name",
    "media type",
    "diff ID",
    "digest",
    "layer size",
    "blob size",
    "layer",
    "blob",
    "open",
    "open compressed",
    "BCD",
    "verify",
)


class Options(NamedTuple):
    """How a module is named where it goes.

    *package* is the name that its language knows it by, or its file's without the ending; *prefix* goes
    before its exported names; *compat* is empty or names an interface to imitate.
    """

    package: str
    prefix: str = ""
    compat: str = ""


class Place(NamedTuple):
    """Where a copy goes: into *folder*, as a file named *stem* and the language's ending.

    *name* is the layer's, or the kind of a module that embeds none. *package* is what the user asks for
    and *recorded* what the copy that is there says of itself, None where they do not.
    """

    name: str
    folder: "Path"
    stem: str
    package: str | None
    recorded: Options | None


class Tool(NamedTuple):
    """A Debian package, what shows that it is there (a program, or a file's path), and the version it must have."""

    package: str
    shown_by: str
    least: str = "0"


class Check(NamedTuple):
    """A program and its arguments that find what is wrong in sources, and those that fix it, where it can.

    A pattern among the arguments stands for the files that match it below *folder*. A *silent* program
    writes nothing when all is well, and ends with 0 when it is not.
    """

    name: str
    program: str
    find: tuple[str, ...]
    fix: tuple[str, ...] = ()
    folder: str = "."
    silent: bool = False


def windows_name(name: str, package: str | None = None) -> str:  # noqa: ARG001 - of this shape are all such rules
    """Return the name of a copy's file, without the ending, where the user names a directory alone."""
    return f"windows_{name}"


class Language(NamedTuple):
    """A language that modules are rendered to. All that is known of it stands in its file and its templates' folder.

    *comment* starts a line comment. *modules* maps each kind of module to the templates of its files and
    their paths below ``output/``, and *shared* does so for files that go with all of them; in a path
    ``{name}`` is the layer's or the kind's. *takes* says for each option of ``vendor`` what it names, and
    *compat* which interfaces can be imitated; *follow* says where names come from that no option gives.
    *committed* returns the options of the committed module of that name, *placed* those of a copy for its
    place, *stem* the name of its file in a directory; *check* raises GeneratorError for options that the
    language does not allow. *refused* are names that a layer cannot have for this language's sake.
    *api* maps words of API to names of a module: the upper-case field ``{PREFIX}`` is the prefix in
    capitals. *formatter* is a command that says nothing, with status 0, where files are laid out right; empty
    where there is none to be had.
    *alike* are endings of files, grouped by what is the same to projects in this language.
    *tools* are what its tests use, *checks* what its sources in tests and examples are held to.
    """

    comment: str
    modules: Mapping[str, tuple[tuple[str, str], ...]]
    takes: Mapping[str, str]
    follow: str
    api: Mapping[str, str]
    committed: Callable[[str], Options]
    placed: Callable[[Place], Options]
    check: Callable[[Options], None]
    stem: Callable[[str, str | None], str] = windows_name
    shared: tuple[tuple[str, str], ...] = ()
    compat: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    alike: tuple[tuple[str, ...], ...] = ()
    formatter: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    checks: tuple[Check, ...] = ()

    def kind(self, name: str) -> str:
        """Return the kind of the module that *name* asks for: a layer's, unless another kind has that name."""
        return name if name in self.modules else LAYER

    def endings(self, name: str) -> dict[str, str]:
        """Return what each file of a module ends in, by template."""
        return {template: ending(template) for template, _ in self.modules[self.kind(name)]}

    def endings_like(self, ending: str) -> tuple[str, ...]:
        """Return what projects may have a file end in that a module has end in *ending*, that first."""
        return next((group for group in self.alike if ending in group), (ending,))

    def check_options(self, options: Options) -> None:
        """Raise GeneratorError unless the names in *options* are ones that the language allows."""
        self.check(options)
        if options.compat and options.compat not in self.compat:
            fix = f"use {', '.join(self.compat)}" if self.compat else "leave it out"
            raise GeneratorError(f"--compat {options.compat}: no such interface; {fix}")


def ending(template: str) -> str:
    """Return what a template's file ends in: ``.d.ts`` for ``module.d.ts.jinja``."""
    return "." + template.removesuffix(".jinja").partition(".")[2]


def after_comments(text: str, start: int = 0) -> int:
    """Return where the white space and comments, /* */ and //, that *start* in *text* end; in time by their length."""
    while True:
        space = _SPACE.match(text, start)
        start = space.end() if space else start
        closing = {"/*": "*/", "//": "\n"}.get(text[start : start + 2])
        if closing is None:
            return start
        end = text.find(closing, start + 2)
        start = end + len(closing) if end >= 0 else len(text)


def check_identifier(what: str, name: str, reserved: frozenset[str], fix: str) -> None:
    """Raise GeneratorError unless *name* is one of ASCII letters, digits and _ that is not *reserved*."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise GeneratorError(f"{name or '(empty)'}: no {what}: letters, digits and _ only, no digit first; {fix}")
    if name in reserved:
        raise GeneratorError(f"{name}: no {what}: the language reserves that word; {fix}")
    if len(name) > MAX_NAME:
        raise GeneratorError(f"{name}: no {what}: longer than {MAX_NAME} characters; {fix}")
