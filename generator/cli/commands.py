# SPDX-License-Identifier: Apache-2.0
"""The table of commands, with their arguments and options.

Three programs offer them: ``winscratch``, which is installed, ``python -m generator`` in a checkout, and ``./invokew``.
parser.py builds their parsers from the table; tasks.py defines Invoke tasks for some of the commands.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..base.home import INSTALLED
from . import handlers

MODULE, INVOKE = "python -m generator", "./invokew"
DOORS = (INSTALLED, MODULE, INVOKE)
# Short options, the first letters but for --dry-run; a letter means the same option in every command.
_SHORT = ("blob", "diff", "engine", "force", "info", "json", "only", "package", "rebuild", "tar", "update")
LETTERS = {name: name[0] for name in _SHORT} | {"dry-run": "n"}

Text = str | Callable[[], str]  # a function is called only when help is printed


class Option(NamedTuple):
    """An option: its long name, its help text, and the placeholder of its value, empty for a flag."""

    name: str
    help: Text
    value: str = ""
    many: bool = False  # may be given more than once


class Argument(NamedTuple):
    """A positional argument; *choices* are used for completion only."""

    name: str
    help: Text
    many: bool = False  # takes any number of words, also zero
    choices: Callable[[], Iterable[str]] = tuple


def text_of(text: Text) -> str:
    """Return a help text, calling the function that computes it."""
    return text if isinstance(text, str) else text()


class Command(NamedTuple):
    """A command: *run* takes its arguments and options as keywords and returns the exit status."""

    name: str
    help: str
    run: Callable[..., int]
    arguments: Sequence[Argument] = ()
    options: Sequence[Option] = ()
    doors: Sequence[str] = DOORS
    checkout: bool = False  # needs a checkout; an installed program runs the checkout's own code
    task: bool = False  # also an Invoke task in tasks.py


_IMAGE = "oci:DIR[:REF], oci-archive:FILE[:REF] or docker://REF"
_TO = Option("to", "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], docker://REF", "TO", True)
_PLAIN = Option("plain-http", "allow this registry to lack TLS", "HOST", True)
_WHAT = "a layer's name, a tar, a hive, an image such as oci:DIR, or one of these in git: main:scratch"
_SHOWN = Argument("WHAT", f"{_WHAT} (default: the committed layers)", True, handlers.layers)
_JSON = Option("json", "print JSON")
_VIEW = Option("json", "print JSON, described in docs/inspection.md")
_ENGINE = Option("engine", "auto, docker, podman, native or builtin (default: WINSCRATCH_ENGINE, else auto)", "ENGINE")
_WITNESS = Option("engine", "auto, docker, podman or native (default: WINSCRATCH_ENGINE, else auto)", "ENGINE")
_TABLE = (
    Command(
        "generate",
        "Build stale hives, layers, blobs and modules.",
        handlers.generate,
        options=(
            _ENGINE,
            Option("force", "rebuild everything, stale or not"),
            Option("only", "rebuild this layer only", "LAYER"),
            Option("dry-run", "print what would run, and why"),
        ),
        task=True,
        checkout=True,
    ),
    Command(
        "check-stale",
        "List stale outputs: exit status 0 fresh, 1 stale, 2 error.",
        handlers.check_stale,
        options=(
            _JSON,
            Option("full", "rebuild everything in memory and compare, changed or not"),
            Option("rebuild", "rebuild everything with hives that an engine builds, and compare"),
            _WITNESS,
        ),
        task=True,
        checkout=True,
    ),
    Command(
        "verify",
        "Rebuild all outputs with an engine, compare them, and print their digests.",
        handlers.verify,
        options=(
            _WITNESS,
            Option("provenance", "write an in-toto provenance statement to this file", "FILE"),
            Option("sbom", "write a CycloneDX bill of materials of the builder to this file", "FILE"),
        ),
        task=True,
        checkout=True,
    ),
    Command(
        "vendor",
        "Write a layer's module into another project.",
        handlers.vendor,
        task=True,
        arguments=(
            Argument("LANGUAGE", lambda: f"one of {', '.join(handlers.languages())}", choices=handlers.languages),
            Argument("LAYER", "the layer, or `files` for the writer of layers on top", choices=handlers.layers),
            Argument("DEST", "the file to write, or a folder for it"),
        ),
        options=(
            Option("package", lambda: handlers.option_help("package"), "NAME"),
            Option("prefix", lambda: handlers.option_help("prefix"), "PREFIX"),
            Option("compat", lambda: handlers.option_help("compat"), "INTERFACE"),
            Option("force", "overwrite a file that was edited, or that winscratch did not write"),
            Option("dry-run", "print what would be written"),
            Option("diff", "print a diff of what would be written"),
            Option("lock", "start winscratch.lock, a list of the project's copies, in the current folder"),
        ),
    ),
    Command(
        "vendored",
        "Check vendored copies at and below each PATH: exit status 0 fresh, 1 not fresh, 2 error.",
        handlers.vendored,
        arguments=(Argument("PATH", "a file or folder (default: the current folder)", many=True),),
        options=(
            _JSON,
            Option("update", "rewrite outdated copies"),
            Option("force", "with --update: overwrite edited copies, too"),
            Option("lock", "with --update: start winscratch.lock files, and remove entries of deleted copies"),
            Option("dry-run", "print what --update would do"),
            Option("diff", "print a diff of what --update would write"),
            Option("allow-none", "exit with 0 if no copy is found"),
        ),
    ),
    Command(
        "check-hive",
        "Check whether Windows loads each registry hive FILE: exit status 0 yes, 1 no, 2 error.",
        handlers.check_hive,
        arguments=(Argument("FILE", "a registry hive", many=True),),
        options=(_JSON,),
    ),
    Command(
        "check-image",
        "Check whether Windows accepts each image: exit status 0 yes, 1 no, 2 error.",
        handlers.check_image,
        arguments=(Argument("REF", "oci:DIR[:REF], oci-archive:FILE, docker-archive:FILE or docker://REF", many=True),),
        options=(_JSON, _PLAIN),
    ),
    Command(
        "layer",
        "Write a layer or its metadata to standard output; exactly one option is required.",
        handlers.layer,
        arguments=(Argument("NAME", "the layer", choices=handlers.layers),),
        options=(
            Option("tar", "the layer as a tar"),
            Option("blob", "the layer as pushed: a gzip-compressed tar"),
            Option("bcd", "only the layer's BCD store"),
            Option("info", "name, digests and sizes as JSON"),
        ),
    ),
    Command(
        "report",
        "Write an HTML report on every byte of layers, images and hives.",
        handlers.report,
        arguments=(_SHOWN,),
        options=(
            Option("to", "the file to write (default: winscratch-report.html)", "FILE"),
            Option("open", "open it in a browser"),
            Option("history", "add the sizes of committed layers by git revision"),
        ),
    ),
    Command(
        "inspect",
        "Show the contents of layers, images and registry hives: exit status 0 intact, 1 damaged, 2 error.",
        handlers.inspect,
        arguments=(_SHOWN,),
        options=(
            Option("path", r"show only this entry or key: ENTRY\KEY, in a hive KEY", "PATH"),
            Option("hex", "show a hex dump of PATH with the fields of each structure; . for all", "PATH"),
            Option("offset", "with --hex: start at this offset", "BYTES"),
            Option("length", "with --hex: show this many bytes", "BYTES"),
            Option("reg", "print the key PATH as hivexregedit --export does", "PATH"),
            Option("prefix", r"with --reg: put this before keys, such as HKEY_LOCAL_MACHINE\SOFTWARE", "PREFIX"),
            Option("merged", "show an image's layers merged, as a container sees them and `extract` writes them"),
            Option("depth", "show this many levels of the tree below each name", "LEVELS"),
            Option("find", "show only lines with this text, and the ones above them; case is ignored", "TEXT"),
            Option("bcd", "print BCD stores as bcdedit /enum all does"),
            _VIEW,
            Option("plain", "print indented text, as for a pipe or a screen reader"),
            Option("textconv", "for git diff: like --plain, without file names; exit status 0 for damaged input"),
        ),
    ),
    Command(
        "diff",
        "Compare two layers, images or hives, meaning before bytes: exit status 0 equal, 1 different, 2 error.",
        handlers.diff,
        arguments=(
            Argument("WHAT", f"OLD and NEW, each {_WHAT}; without NEW the committed layers", True, handlers.layers),
        ),
        options=(
            _VIEW,
            Option("stat", "print the amount of changes, one line for each entry"),
            Option("plain", "print no colours, as for a pipe or a screen reader"),
        ),
    ),
    Command(
        "extract",
        "Write the files of a Windows image to a new folder: exit status 0 all, 1 some left out, 2 error.",
        handlers.extract,
        arguments=(
            Argument(
                "IMAGE", "an image such as oci:DIR or docker://REF, an archive, or a layer", choices=handlers.layers
            ),
            Argument("PATH", r"a file or directory, such as C:\app, /app or Files/app (default: all)", many=True),
        ),
        options=(
            Option("to", "the folder to make; it may exist if it is empty", "DIR"),
            Option("tar", "write a tar to standard output"),
            Option("platform", "choose an image of an index: windows/ARCH[:VERSION]", "PLATFORM"),
            _PLAIN,
        ),
    ),
    Command(
        "sddl",
        "Convert a security descriptor from SDDL to the base64 form in layers, or back.",
        handlers.sddl,
        arguments=(Argument("TEXT", "the descriptor"),),
        options=(Option("decode", "from base64 to SDDL"),),
    ),
    Command(
        "image",
        "Build a Windows image from files and folders on a base layer, and print its reference by digest.",
        handlers.image,
        arguments=(Argument("SRC", "a file or folder; SRC[:DEST][@OPTION...] for its path and options", many=True),),
        options=(
            _TO,
            Option("base", "the image to build on, such as docker://REF or oci:DIR[:REF]", "REF"),
            Option("layer", "the base layer (default: hostprocess)", "NAME"),
            Option("one-layer", "put all sources into one layer instead of one each"),
            Option("exclude", "leave out files that match this .dockerignore pattern", "PATTERN", True),
            Option(
                "security", "owner and permissions of files: a name or SDDL (default: users-read)", "SECURITY", True
            ),
            Option("owner", "the same as --security", "SECURITY", True),
            Option("times", "fixed: SOURCE_DATE_EPOCH, else 1980-01-02 (default); keep: the sources' mtimes", "TIMES"),
            Option("entrypoint", "the program to run, such as hello.exe; repeat for its arguments", "WORD", True),
            Option("cmd", "default arguments, which a user can replace", "WORD", True),
            Option("env", "an environment variable", "NAME=VALUE", True),
            Option("label", "a label", "NAME=VALUE", True),
            Option("annotation", "an annotation", "NAME=VALUE", True),
            Option("user", "the user that runs the program", "USER"),
            Option("workdir", "the working directory; for HostProcess, of the image or of the node", "PATH"),
            Option("expose", "a port that the program listens on, such as 80 or 53/udp", "PORT", True),
            Option("volume", "a directory for data that outlives the container", "PATH", True),
            Option("stop-signal", "the signal that ends the program, such as SIGTERM", "SIGNAL"),
            Option("healthcheck", "as in a Dockerfile: '--interval=30s CMD check.exe', or NONE", "CHECK"),
            Option("shell", "the shell of commands in shell form; repeat for its arguments", "WORD", True),
            Option("platform", "windows/ARCH[:VERSION]; repeat for an index", "PLATFORM", True),
            Option("link", "the kind of the link at PATH in the image: file or directory", "PATH=KIND", True),
            _PLAIN,
            Option("config", "a TOML file with any of these options", "FILE"),
            Option("compression", "fast, default, best or none", "LEVEL"),
            Option("force", "overwrite an existing archive"),
        ),
    ),
    Command(
        "rebase",
        "Replace the base of an image without rebuilding it, and print its reference by digest.",
        handlers.rebase,
        arguments=(Argument("IMAGE", _IMAGE),),
        options=(
            Option("onto", "the new base: an image, or scratch, hostprocess or legacy", "BASE"),
            Option("from", "the base that IMAGE was made on, if it does not say so", "OLD"),
            _TO,
            Option("force", "also if the build changes or a layer belongs to its base; overwrite an archive"),
            _PLAIN,
        ),
    ),
    Command(
        "outdated",
        "Check whether the bases of images have been replaced: exit status 0 no, 1 yes, 2 error.",
        handlers.outdated,
        arguments=(Argument("IMAGE", _IMAGE, many=True),),
        options=(_JSON, _PLAIN),
    ),
    Command(
        "index",
        "Make one index of images for any systems, and print its reference by digest.",
        handlers.index,
        arguments=(Argument("IMAGE", f"{_IMAGE}; IMAGE@PLATFORM sets its platform", many=True),),
        options=(
            _TO,
            Option("annotation", "an annotation of the index", "NAME=VALUE", True),
            Option("force", "overwrite an existing archive"),
            _PLAIN,
        ),
    ),
    Command(
        "completion",
        "Print a completion script; pass it to the shell's eval, or to fish's source.",
        handlers.completion,
        arguments=(Argument("SHELL", "bash, zsh or fish", choices=lambda: handlers.SHELLS),),
        doors=(INSTALLED,),
    ),
)
COMMANDS = {command.name: command for command in _TABLE}


def help_of(name: str) -> dict[str, str]:
    """Return the help texts of a command's arguments and options by the names of a task's parameters."""
    command = COMMANDS[name]
    described: list[Argument | Option] = [*command.arguments, *command.options]
    return {each.name.lower().replace("-", "_"): text_of(each.help) for each in described}
