# SPDX-License-Identifier: Apache-2.0
"""One function for each command of the table. Each imports its room when it runs, so that the program starts fast."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import console, home
from ..base.errors import EXIT_OK, GeneratorError
from ..generation import unchanged

if TYPE_CHECKING:
    from ..oci.blob import Blob

ROOT = Path(home.ROOT)
SHELLS = ("bash", "zsh", "fish")


def _documents(templates: Path, blobs: "Mapping[str, Blob]") -> dict[str, bytes]:
    """Return the documents that the pipeline commits: the report and the byte map."""
    from ..report import report

    return report.documents(templates, blobs)


def generate(engine: str | None, only: str | None, **options: Any) -> int:
    from ..generation import pipeline

    chosen = pipeline.GenerateOptions(engine=engine or None, only=only or None, **options)
    return pipeline.generate(ROOT, _documents, chosen)


def check_stale(engine: str | None, *, json: bool, full: bool, rebuild: bool) -> int:
    if not (engine or json or full or rebuild) and unchanged.settles(home.ROOT):
        console.say(unchanged.FRESH)
        return EXIT_OK
    from ..generation import pipeline

    return pipeline.check(ROOT, _documents, pipeline.CheckOptions(full, json, rebuild, engine or None))


def verify(engine: str | None, **documents: str | None) -> int:
    from ..generation import verify

    paths: dict[str, Any] = {name: None if path is None else Path(path) for name, path in documents.items()}
    return verify.verify(ROOT, _documents, engine=engine or None, **paths)


def vendor(language: str, layer: str, dest: str, **options: Any) -> int:
    from ..vendoring import vendor

    return vendor.vendor(ROOT, language, layer, dest, **options)


def vendored(path: Sequence[str], *, json: bool, **options: Any) -> int:
    from ..vendoring import vendored

    return vendored.check(ROOT, path or ["."], as_json=json, **options)


def check_hive(file: Sequence[str], *, json: bool) -> int:
    from ..hives import check

    if not file:
        raise GeneratorError("check-hive: FILE is missing")
    return check.report(file, json)


def check_image(ref: Sequence[str], *, json: bool, plain_http: Sequence[str]) -> int:
    from ..imagecheck import command

    return command.report(ref, json, plain_http=plain_http or ())


def layer(name: str, **parts: bool) -> int:
    from ..vendoring import layer_command

    return layer_command.show(ROOT, name, [part for part, wanted in parts.items() if wanted])


def report(what: Sequence[str], *, to: str | None, history: bool, **options: bool) -> int:
    from ..report import report

    return report.report(ROOT, what, to=to, show=options["open"], history=history)


def inspect(what: Sequence[str], **options: Any) -> int:
    from ..views import inspect

    return inspect.inspect(ROOT, what, inspect.InspectOptions(**options))


def diff(what: Sequence[str], **options: bool) -> int:
    from ..views import diff

    return diff.diff(ROOT, what, **options)


def extract(image: str, path: Sequence[str], **options: Any) -> int:
    from ..extract import command

    return command.extract(ROOT, image, path, command.ExtractOptions(**options))


def sddl(text: str, *, decode: bool) -> int:
    from ..security import command

    return command.sddl(text, decode=decode)


def image(src: Sequence[str], config: str | None, **options: Any) -> int:
    from ..image import command

    return command.image(src, config, options)


def rebase(**options: Any) -> int:
    from ..compose import rebase

    return rebase.rebase(options)


def outdated(image: Sequence[str], *, json: bool, plain_http: Sequence[str]) -> int:
    from ..compose import outdated

    return outdated.outdated(image, json, plain_http)


def index(**options: Any) -> int:
    from ..compose import index

    return index.index(options)


def completion(shell: str) -> int:
    from argcomplete.shell_integration import shellcode

    if shell not in SHELLS:
        raise GeneratorError(f"completion: unknown shell {shell!r}; hint: use one of {', '.join(SHELLS)}")
    console.say(console.Verbatim(shellcode([home.INSTALLED], shell=shell)))
    return EXIT_OK


def languages() -> Iterable[str]:
    from ..languages.table import LANGUAGES

    return LANGUAGES


def option_help(option: str) -> str:
    from ..languages.table import option_help

    return option_help(option)


def layers() -> Iterable[str]:
    from ..generation import manifest
    from ..languages.table import kinds

    return [*manifest.layers(home.ROOT), *kinds()]
