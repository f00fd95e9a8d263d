# SPDX-License-Identifier: Apache-2.0
"""Write one copy of a module: choose its names for the destination, render it, and protect existing files.

Only rendering needs packages beyond the standard library; they are imported then.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..base import console, files
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError
from ..generation.committed import committed_blob
from ..languages import provenance
from ..languages.language import LAYER, ModuleOptions, Place
from ..languages.table import LANGUAGES
from ..oci import blob as layers
from . import lock_file
from .change import Change
from .lock_file import LockEntry
from .marks import read_text


def vendor(
    root: Path,
    language: str,
    layer: str,
    destination: str,
    *,
    say: Say = console.say,
    note: Say = console.note,
    force: bool = False,
    dry_run: bool = False,
    diff: bool = False,
    lock: bool = False,
    **names: str | None,
) -> int:
    """Write the module of *layer* in *language* to *destination*, a file or a directory; return 0.

    *layer* may also be a kind of module that embeds no layer, such as ``files``. *names*, the fields of ModuleOptions,
    default to those of the existing copy, else to the destination's. *dry_run* prints the files to write, *diff* their
    differences; neither writes. A lock file gets an entry; *lock* creates one in the working directory. Raises
    GeneratorError, with nothing written, for an invalid name, and unless *force* for an edited or foreign file.
    """
    _check_words(language, destination, names)
    blob = embedded(root, language, layer)
    try:
        targets, options = _named(language, layer, destination, names)
        made = {path: render(root, language, layer, file, options, blob) for file, path in targets.items()}
        holder, entries = _entries(made, LockEntry(language, layer), lock)
        listed = [lock_file.change(holder, entries)] if holder is not None else []  # raises before anything is written
        if dry_run or diff:
            changes = [*_allowed(made, force, say), *listed]
        else:
            changes = _written(made, force, say, note)
            changes += [lock_file.write(holder, entries, note)] if holder is not None else []
    except OSError as error:
        raise GeneratorError(f"{error.filename or destination}: {error.strerror}; hint: choose another DEST") from error
    _report(changes, "would write" if dry_run else "wrote", diff, say)
    return EXIT_OK


def _report(changes: Iterable[Change], done: str, diff: bool, say: Say) -> None:
    """Print the files of the changes, behind *done* if they differ, or with *diff* their differences."""
    for change in changes:
        if not diff:
            say(f"{done if change.needed else 'unchanged:'} {change.path}")
        elif change.needed:
            change.show(say)


def _check_words(language: str, destination: str, names: Mapping[str, str | None]) -> None:
    """Raise GeneratorError for an unknown language, an option that it does not have, or an empty destination."""
    if language not in LANGUAGES:
        raise GeneratorError(f"{language}: unknown language; hint: use one of {', '.join(LANGUAGES)}")
    for name, value in names.items():
        if value is not None and name not in LANGUAGES[language].takes:
            raise GeneratorError(f"--{name}: means nothing in {language}; hint: leave it out")
    if not destination:
        raise GeneratorError("DEST: empty; hint: name a file, or a directory such as ./")


def _written(made: Mapping[Path, str], force: bool, say: Say, note: Say) -> list[Change]:
    """Write the files that differ, all or none, under their folder's lock; return their changes.

    For a symlink, write its target.
    """
    folder = next(iter(made)).parent
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder, note):
        files.sweep(folder, deep=False)
        changes = _allowed(made, force, say)
        needed = {os.path.realpath(change.path): change.new.encode("utf-8") for change in changes if change.needed}
        files.replace({Path(real): data for real, data in needed.items()})
    return changes


def _entries(targets: Iterable[Path], entry: LockEntry, begin: bool) -> tuple[Path | None, dict[str, LockEntry]]:
    """Return the folder of the lock file for *targets*, or None, and their entries."""
    reals = [Path(os.path.realpath(path)) for path in targets]
    holder = lock_file.nearest(reals[0].parent) or (Path.cwd() if begin else None)
    return holder, {lock_file.name_of(real, holder): entry for real in reals} if holder is not None else {}


def _check_alone(targets: Collection[Path], language: str, options: ModuleOptions) -> None:
    """Raise GeneratorError if another copy in the package also defines the names of *compat*, which would clash."""
    if not options.compat:
        return
    first = next(iter(targets))
    for path in sorted(first.parent.glob(f"*{first.suffix}")):
        found = provenance.read(_text(path) or "") if path.is_file() and path not in targets else None
        held = (found[0].language, found[0].options.package, found[0].options.compat) if found is not None else None
        if held == (language, options.package, options.compat):
            raise GeneratorError(
                f"{path}: this package has the names of --compat {options.compat} already; hint: use another directory"
            )


def embedded(root: Path, language: str, name: str) -> layers.Blob | None:
    """Return the blob that the module *name* of *language* embeds, or None if it embeds no layer."""
    row = LANGUAGES[language]
    if row.kind(name) != LAYER:
        return None
    return committed_blob(root, name, (kind for kind in row.modules if kind != LAYER))


def render(root: Path, language: str, layer: str, file: str, options: ModuleOptions, blob: layers.Blob | None) -> str:
    """Return the text of the module rendered from template *file* and *blob*."""
    from ..languages import render as renderer  # imports Jinja, which a search for copies does not need

    return renderer.module(root / "templates" / language, file, layer, blob, options)


def _targets(language: str, name: str, destination: str, package: str | None) -> tuple[str, dict[str, Path]]:
    """Return the file name without its ending, and the path of each template's file for *destination*."""
    row = LANGUAGES[language]
    endings = row.endings(name)
    path = Path(destination)
    ends = f"a {language} module ends in {' or '.join(endings.values())}"
    if path.is_dir() or destination.endswith(("/", os.sep)) or not path.suffix:
        if path.exists() and not path.is_dir():
            raise GeneratorError(f"{path}: {ends}")
        path /= row.stem(name, package) + next(iter(endings.values()))
    own = max((ending for ending in endings.values() if path.name.endswith(ending)), key=len, default="")
    if not own:
        raise GeneratorError(f"{path}: {ends}; hint: end a new directory in /")
    stem = path.name.removesuffix(own)
    return stem, {template: path.with_name(stem + ending) for template, ending in endings.items()}


def _named(
    language: str, layer: str, destination: str, names: Mapping[str, str | None]
) -> tuple[dict[str, Path], ModuleOptions]:
    """Return the path of each template's file, and the names to use.

    These are the requested ones, else those of the existing copy, else the destination's.
    """
    row = LANGUAGES[language]
    package = names.get("package")
    stem, targets = _targets(language, layer, destination, package)
    folder = next(iter(targets.values())).parent
    options = row.placed(Place(layer, folder, stem, package, _recorded(language, targets)))
    options = options._replace(**{option: value for option, value in names.items() if value is not None})
    row.check_options(options)
    _check_alone(targets.values(), language, options)
    return targets, options


def _recorded(language: str, targets: Mapping[str, Path]) -> ModuleOptions | None:
    for path in targets.values():
        found = provenance.read(_text(path) or "")
        if found is not None and found[0].language == language:
            return found[0].options
    return None


def _allowed(made: Mapping[Path, str], force: bool, say: Say) -> list[Change]:
    """Return the changes that write *made*.

    Unless *force*, print the diffs of files that are not modules or were edited, and raise GeneratorError for them.
    """
    changes = [Change(path, _text(path), text) for path, text in made.items()]
    refused = [change for change in changes if change.needed and not change.allowed and not force]
    for change in refused:
        change.show(say)
    if refused:
        unknown = provenance.recorded(refused[0].old or "") is None
        reason = "not made by winscratch" if unknown else "edited by hand, or of a later version"
        raise GeneratorError(f"{refused[0].path}: {reason}, so nothing was written; hint: --force replaces it")
    return changes


def _text(path: Path) -> str | None:
    """Return the text of a file, or None if the file does not exist."""
    if path.is_file():
        return read_text(path, str(path))
    if path.exists():
        raise GeneratorError(f"{path}: not a file; hint: move it away or choose another DEST")
    return None
