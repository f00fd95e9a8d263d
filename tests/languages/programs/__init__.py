# SPDX-License-Identifier: Apache-2.0
"""Test programs of each language: options for its modules, and commands that use them.

One file in this folder for a language, by its name, that defines USER. Nothing else in the tests that all languages
share names a language, but where one has something that others have not.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from helpers.counts import slow
from helpers.support import need

from generator.languages.language import FILES, ModuleOptions
from generator.languages.table import LANGUAGES

Command = list[str | Path]


def found(name: str) -> Command:
    """Return the command of a program that this machine has."""
    own = Path(sys.prefix, "bin", name)  # one of the tests' Python packages
    return [own if own.exists() else need(name)]


def nothing(_: object) -> Command:
    """Fail: the language has no writer of layers on top."""
    raise NotImplementedError


def every(_: object) -> bool:
    """Return True: the program can represent every case."""
    return True


class User(NamedTuple):
    """The test programs of one language. Each function builds a program below a folder, if needed, and skips the
    test if a compiler is missing.

    *options* are names for modules, of awkward length where lines would break. *dump* runs a program that verifies
    every committed layer's module, and fails if that does. Then it writes into a folder what the module holds, the
    second time that it asks for it, after it wrote over the first result where the language lets it: ``NAME.tar``,
    ``NAME.tar.gz`` and, if there is one, ``NAME.bcd``. Streams, if the language has them, go to files of the same name
    with ``.opened``.
    *files* returns the command of a program that answers the cases of layer_vectors with the writer of layers on top,
    those that it *can_ask*; if the language's writer takes *trees*, the arguments ``tree FOLDER PATH own|one`` have it
    write the layer of a folder, with its entries' own times or one.
    With *consumes*, closing a writer consumes it, so that nothing can be called afterwards.
    *program* returns the command of the language's formatter by its name, and of whatever else has one. *formatter* is
    that name, with arguments by which it prints nothing and exits with 0 for files that are well-formatted.
    *image* returns the command of the example that makes a whole image, whose *source* has at most *lines* lines. A
    language without such a writer leaves out all of these but *program*.
    """

    options: tuple[ModuleOptions, ...]
    dump: Callable[[Path, Path], None]
    files: Callable[[Path], Command] = nothing
    image: Callable[[Path], Command] = nothing
    source: str = ""
    lines: int = 60
    trees: bool = True
    program: Callable[[str], Command] = found
    formatter: tuple[str, ...] = ()
    can_ask: Callable[[dict[str, Any]], bool] = every
    consumes: bool = False


USERS: dict[str, User] = {name: import_module(f"{__name__}.{name}").USER for name in LANGUAGES}
WRITERS = {name: user for name, user in USERS.items() if FILES in LANGUAGES[name].modules}
# Languages with a formatter. Two take seconds to start.
FORMATTED: list[Any] = [
    slow(name, "starts a slow formatter") if name in {"java", "javascript"} else name
    for name, user in USERS.items()
    if user.formatter
]
