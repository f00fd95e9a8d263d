# SPDX-License-Identifier: Apache-2.0
"""The table of commands, with their arguments and options.

One function a command, and three doors to it: ``winscratch``, which is installed, and ``python -m generator``
in a checkout, whose parsers cli.py makes of the table; and ``./invokew``, whose tasks tasks.py makes of it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..base.errors import GeneratorError
from ..base.home import INSTALLED
from . import handlers

MODULE, INVOKE = "python -m generator", "./invokew"
DOORS = (INSTALLED, MODULE, INVOKE)
# The letter of an option is the same in all commands that have it.
LETTERS = {
    "all": "a",
    "blob": "b",
    "diff": "d",
    "dry-run": "n",
    "engine": "e",
    "force": "f",
    "info": "i",
    "json": "j",
    "only": "o",
    "package": "p",
    "rebuild": "r",
    "select": "k",
    "tar": "t",
    "update": "u",
}


Text = str | Callable[[], str]  # a function is called when help is asked for, and only then


class Option(NamedTuple):
    """An option: its long name, what it does, and what its value is called, empty where it takes none."""

    name: str
    help: Text
    value: str = ""
    many: bool = False  # may be given more than once


class Argument(NamedTuple):
    """A word that is given by its place; *choices* are offered by completion, and refused by no parser."""

    name: str
    help: Text
    many: bool = False  # takes any number of words, none included
    choices: Callable[[], Iterable[str]] = tuple


def told(text: Text) -> str:
    """Return a help text as the user reads it."""
    return text if isinstance(text, str) else text()


class Command(NamedTuple):
    """A command: *run* takes the values of its arguments and options by name and returns the exit status."""

    name: str
    help: str
    run: Callable[..., int]
    arguments: Sequence[Argument] = ()
    options: Sequence[Option] = ()
    doors: Sequence[str] = DOORS
    checkout: bool = False  # works on a checkout, so that an installed program hands it to the checkout's own code


_WHAT = "a layer's name, a tar, a hive, an image such as oci:DIR, or one of these in git: main:scratch"
_SHOWN = Argument("WHAT", f"{_WHAT} (default: the committed layers)", True, handlers.layers)
_ENGINE = Option("engine", "auto, docker, podman, native or builtin (default: WINSCRATCH_ENGINE, else auto)", "ENGINE")
_WITNESS = Option("engine", "auto, docker, podman or native (default: WINSCRATCH_ENGINE, else auto)", "ENGINE")
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "generate",
            "Build stale hives, layers, blobs and modules.",
            handlers.generate,
            options=(
                _ENGINE,
                Option("force", "make everything, stale or not"),
                Option("only", "make this one layer", "LAYER"),
                Option("dry-run", "say what would run, and why"),
            ),
            checkout=True,
        ),
        Command(
            "check-stale",
            "Say what is stale: exit status 0 fresh, 1 stale, 2 error.",
            handlers.check_stale,
            options=(
                Option("json", "say it as JSON"),
                Option("full", "make everything again in memory and compare, changed or not"),
                Option("rebuild", "make everything again, with hives that an engine builds, and compare"),
                _WITNESS,
            ),
            checkout=True,
        ),
        Command(
            "verify",
            "Rebuild everything from source for an auditor, compare, and print each digest.",
            handlers.verify,
            options=(
                _WITNESS,
                Option("provenance", "write an in-toto statement of what was made from what to this file", "FILE"),
                Option("sbom", "write a CycloneDX bill of the builder's packages to this file", "FILE"),
            ),
            checkout=True,
        ),
        Command(
            "vendor",
            "Write a layer's module into another project.",
            handlers.vendor,
            arguments=(
                Argument("LANGUAGE", lambda: f"one of {', '.join(handlers.languages())}", choices=handlers.languages),
                Argument("LAYER", "the layer, or `files` for the writer of layers on top", choices=handlers.layers),
                Argument("DEST", "the file to write, or a folder for it"),
            ),
            options=(
                Option("package", lambda: handlers.option_help("package"), "NAME"),
                Option("prefix", lambda: handlers.option_help("prefix"), "PREFIX"),
                Option("compat", lambda: handlers.option_help("compat"), "INTERFACE"),
                Option("force", "replace a file that was edited, or is not ours"),
                Option("dry-run", "say what would be written"),
                Option("diff", "show what would be written"),
                Option("lock", "begin a list of the project's copies, winscratch.lock, in the current folder"),
            ),
        ),
        Command(
            "vendored",
            "Say in what state the copies at and below each PATH are: exit status 0 fresh, 1 not, 2 error.",
            handlers.vendored,
            arguments=(Argument("PATH", "a file or folder (default: the current folder)", many=True),),
            options=(
                Option("json", "say it as JSON"),
                Option("update", "make outdated copies anew"),
                Option("force", "with --update: make edited ones anew, too"),
                Option("lock", "with --update: begin lists of copies, winscratch.lock, and take off what is gone"),
                Option("dry-run", "say what --update would do"),
                Option("diff", "show what --update would write"),
                Option("allow-none", "find it right that there is no copy at all"),
            ),
        ),
        Command(
            "check-hive",
            "Say whether Windows would load each registry hive FILE: exit status 0 all, 1 not, 2 error.",
            handlers.check_hive,
            arguments=(Argument("FILE", "a hive", many=True),),
            options=(Option("json", "say it as JSON"),),
        ),
        Command(
            "check-image",
            "Say whether Windows would take each image as what it says: exit status 0 all, 1 not, 2 error.",
            handlers.check_image,
            arguments=(
                Argument("REF", "oci:DIR[:REF], oci-archive:FILE, docker-archive:FILE or docker://REF", many=True),
            ),
            options=(Option("json", "say it as JSON"),),
        ),
        Command(
            "layer",
            "Write a layer, or what belongs to it, to standard output: give exactly one of the options.",
            handlers.layer,
            arguments=(Argument("NAME", "the layer", choices=handlers.layers),),
            options=(
                Option("tar", "the layer as a tar"),
                Option("blob", "the layer as it is pushed, a gzip-compressed tar"),
                Option("bcd", "the layer's BCD store alone"),
                Option("info", "name, digests and sizes as JSON"),
            ),
        ),
        Command(
            "report",
            "Write one HTML file in which every byte of layers, images and hives can be looked at.",
            handlers.report,
            arguments=(_SHOWN,),
            options=(
                Option("to", "the file to write (default: winscratch-report.html)", "FILE"),
                Option("open", "open it in a browser"),
                Option("history", "show how large the committed layers were, by git's revisions"),
            ),
        ),
        Command(
            "inspect",
            "Show what is in layers, images and registry hives: exit status 0 whole, 1 damaged, 2 error.",
            handlers.inspect,
            arguments=(_SHOWN,),
            options=(
                Option("path", r"show this entry alone, or key: ENTRY\KEY, in a bare hive KEY", "PATH"),
                Option("hex", "show the bytes there with the fields of each structure; . is all", "PATH"),
                Option("offset", "with --hex: begin at this offset, as it is shown", "BYTES"),
                Option("length", "with --hex: show so many bytes", "BYTES"),
                Option("reg", "print the key there as hivexregedit --export does", "PATH"),
                Option("bcd", "print BCD stores as bcdedit /enum all does"),
                Option("json", "say it as JSON, which docs/inspection.md describes"),
                Option("plain", "indented text alone, as for a pipe or a screen reader"),
                Option("textconv", "for git diff: plain, without names of files, and status 0 if damaged, too"),
            ),
        ),
        Command(
            "diff",
            "Say how two layers, images or hives differ, meaning before bytes: exit status 0 equal, 1 not, 2 error.",
            handlers.diff,
            arguments=(
                Argument(
                    "WHAT",
                    f"OLD and NEW, each {_WHAT}; without NEW the committed layers",
                    True,
                    handlers.layers,
                ),
            ),
            options=(
                Option("json", "say it as JSON, which docs/inspection.md describes"),
                Option("stat", "say how much differs, a line for each entry"),
                Option("plain", "without colours, as for a pipe or a screen reader"),
            ),
        ),
        Command(
            "sddl",
            "Turn a security descriptor from SDDL to the base64 that layers carry, or back.",
            handlers.sddl,
            arguments=(Argument("TEXT", "the descriptor"),),
            options=(Option("decode", "from base64 to SDDL"),),
        ),
        Command(
            "image",
            "Make a Windows image of files and folders, on a base layer, and print its reference by digest.",
            handlers.image,
            arguments=(Argument("SRC", r"a file or folder, as SRC[:DEST] where it goes to a path, C:\app", many=True),),
            options=(
                Option(
                    "to", "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], docker://REF", "TO", True
                ),
                Option("layer", "the base layer (default: hostprocess)", "NAME"),
                Option("one-layer", "put all sources into one layer, not each into its own"),
                Option("exclude", "leave out what this pattern of a .dockerignore names", "PATTERN", True),
                Option("security", "who may use the files: a name or SDDL (default: users-read)", "SECURITY", True),
                Option("owner", "the same as --security", "SECURITY", True),
                Option(
                    "times", "fixed: SOURCE_DATE_EPOCH or 1980-01-02 (default); keep: those of the sources", "TIMES"
                ),
                Option("entrypoint", "the program to run, such as hello.exe; given again, its arguments", "WORD", True),
                Option("cmd", "the arguments that a user may replace", "WORD", True),
                Option("env", "a variable of the program", "NAME=VALUE", True),
                Option("label", "a label", "NAME=VALUE", True),
                Option("annotation", "an annotation", "NAME=VALUE", True),
                Option("user", "who the program runs as", "USER"),
                Option("workdir", "the folder that the program starts in; for HostProcess, one of the node", "PATH"),
                Option("expose", "a port that the program listens to, as 80 or 53/udp", "PORT", True),
                Option("platform", "windows/ARCH[:VERSION]; several make an index", "PLATFORM", True),
                Option("config", "a file of TOML with any of these options", "FILE"),
                Option("compression", "fast, default, best or none", "LEVEL"),
                Option("force", "replace an archive that exists"),
            ),
        ),
        Command(
            "test",
            "Run all tests that this machine can: exit status 0 passed, 1 not, 2 error.",
            handlers.test,
            options=(
                Option("all", "install what the tests use and this machine lacks, as root or by passwordless sudo"),
                Option("select", "pytest's -k expression", "EXPRESSION"),
                Option("file", "a test file", "FILE", many=True),
            ),
            doors=(INVOKE,),
            checkout=True,
        ),
        Command(
            "lint",
            "Run every checker and formatter over the sources: exit status 0 nothing found, 1 something, 2 error.",
            handlers.lint,
            doors=(INVOKE,),
            checkout=True,
        ),
        Command(
            "fix",
            "Have the formatters and checkers fix what they can, and write the documents' generated parts.",
            handlers.fix,
            doors=(INVOKE,),
            checkout=True,
        ),
        Command(
            "completion",
            "Print what has a shell complete this program's words; give it to the shell's eval, or to fish's source.",
            handlers.completion,
            arguments=(Argument("SHELL", "bash, zsh or fish", choices=lambda: ("bash", "zsh", "fish")),),
            doors=(INSTALLED,),
        ),
    )
}


def split(command: Command, words: Sequence[str]) -> tuple[Command, Sequence[str], dict[str, Any]]:
    """Divide *words* at ``--``, after which a word may begin with a dash and is an argument all the same.

    Returns *command* with the arguments that are left to the words before it, those words, and the values of
    the words after it.
    """
    at = words.index("--") if "--" in words else len(words)
    after = list(words[at + 1 :])
    arguments = command.arguments
    if arguments and arguments[-1].many:
        return command, words[:at], {arguments[-1].name.lower(): after}
    left = len(arguments) - len(after)
    if left < 0:
        raise GeneratorError(f"{command.name}: {after[-1]}: a word too many")
    values = {argument.name.lower(): word for argument, word in zip(arguments[left:], after, strict=True)}
    return command._replace(arguments=arguments[:left]), words[:at], values
