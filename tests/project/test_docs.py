# SPDX-License-Identifier: Apache-2.0
"""What documents say a second time is made from where it is said first, and checked.

Code in them is a file that is built and run, tables of languages come from the table of languages, tables of
commands from theirs, and the picture of the rooms from the imports.
``python3 tests/project/test_docs.py`` makes them anew; ``--check`` names those that it would change.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # run as a program from any folder

from helpers import fact_tables, import_graph, language_pages  # noqa: E402
from invoke import Collection  # noqa: E402

import tasks  # noqa: E402
from generator.base.home import INSTALLED  # noqa: E402
from generator.cli.commands import COMMANDS, INVOKE, Command  # noqa: E402
from generator.generation.manifest import blob_path, layers  # noqa: E402
from generator.hives import check  # noqa: E402
from generator.hives import rules as hive_rules  # noqa: E402
from generator.imagecheck.rules import RULES  # noqa: E402
from generator.languages.language import API, FILES, LAYER, Language, ModuleOptions  # noqa: E402
from generator.languages.table import LANGUAGES  # noqa: E402
from generator.oci.blob import read_blob  # noqa: E402
from generator.oci.files import context  # noqa: E402
from generator.oci.files_table import Limits, Names  # noqa: E402

_TABLE = re.compile(r"^<!-- table: (?P<name>\S+) -->\n(?:\|.*\n)*", re.MULTILINE)
_INCLUDE = re.compile(r"^<!-- file: (?P<path>\S+) -->\n```(?P<kind>\w*)\n.*?^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"^<!-- picture: rooms -->\n```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)")


def documents() -> list[Path]:
    return [path for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))) if path.is_file()]


def with_files(text: str) -> str:
    """Return a document's *text* with each block below a ``<!-- file: path -->`` as that file is now."""

    def block(match: re.Match[str]) -> str:
        path, kind = match["path"], match["kind"]
        return f"<!-- file: {path} -->\n```{kind}\n{(ROOT / path).read_text('utf-8')}```"

    return _INCLUDE.sub(block, text)


def with_tables(text: str) -> str:
    """Return a document's *text* with the table below each ``<!-- table: name -->`` as it is now."""
    return _TABLE.sub(lambda match: f"{match[0].partition(chr(10))[0]}\n{_table(TABLES[match['name']]())}", text)


def with_picture(text: str) -> str:
    """Return a document's *text* with the picture of the rooms as they are now."""
    return _PICTURE.sub(lambda _: f"<!-- picture: rooms -->\n```mermaid\n{import_graph.picture()}\n```", text)


def api_table() -> Iterable[list[str]]:
    """Yield how each language spells what a module offers, by the names of the committed modules of ``scratch``."""
    yield ["", *(f"`{name}`" for name in LANGUAGES)]
    for word in API:
        yield [word, *(f"`{spelled(row, word)}`" if word in row.api else "" for row in LANGUAGES.values())]


def spelled(row: Language, word: str, name: str = "scratch") -> str:
    prefix = row.committed(name).prefix
    return row.api[word].format(prefix=prefix, PREFIX=prefix.upper())


def languages_table() -> Iterable[list[str]]:
    """Yield how copies are named in each language."""
    options = [option for option in ModuleOptions._fields if any(option in row.takes for row in LANGUAGES.values())]
    yield ["", "files in a directory", "names follow from", *(f"`--{option}`" for option in options)]
    for name, row in LANGUAGES.items():
        files = ", ".join(f"`{row.stem('LAYER', None)}{ending}`" for ending in row.endings("LAYER").values())
        yield [f"`{name}`", files, row.follow, *(row.takes.get(option, "") for option in options)]


def record_table() -> Iterable[list[str]]:
    """Yield the fields of a language's record: those that are required, and the others."""
    optional = Language._field_defaults
    yield ["required", "optional"]
    yield [
        ", ".join(f"`{field}`" for field in Language._fields if field not in optional),
        ", ".join(f"`{field}`" for field in optional),
    ]


def pages_table() -> Iterable[list[str]]:
    """Yield each language with its page, if it has one, and what it has."""
    yield ["language", "for `scratch`", "writer of layers on top"]
    for name, row in LANGUAGES.items():
        title = language_pages.title(name)
        own = f"[{title}](docs/languages/{name}.md)" if title else f"`{name}`"
        modules = [path.format(name="scratch", Name="Scratch") for _, path in row.modules[LAYER]]
        writer = [path.format(name=FILES, Name=FILES.capitalize()) for _, path in row.modules.get(FILES, ())]
        yield [own, *(", ".join(f"`output/{path}`" for path in paths) for paths in (modules, writer))]


def digests_table() -> Iterable[list[str]]:
    """Yield the diff ID and the digest of each committed layer."""
    yield ["layer", "diff ID", "digest of the blob"]
    for name in layers(ROOT):
        path = blob_path(name)
        blob = read_blob((ROOT / path).read_bytes(), path)
        yield [f"`{name}`", f"`{blob.diff_id}`", f"`{blob.digest}`"]


def image_rules_table() -> Iterable[list[str]]:
    """Yield the rules of check-image in the order of their table."""
    yield ["rule", "level", "requires", "source"]
    for name, rule in RULES.items():
        yield [f"`{name}`", str(rule.level.value), rule.text.replace("|", "\\|").replace("*", "\\*"), rule.source]


def commands_table(wanted: Callable[[Command], bool]) -> Iterable[list[str]]:
    """Yield the *wanted* commands of the table with their arguments and options."""
    yield ["command", "does", "options"]
    for command in COMMANDS.values():
        if wanted(command):
            yield row_of(command)


def row_of(command: Command) -> list[str]:
    words = [f"`{command.name}`", *(f"{each.name}{'…' * each.many}" for each in command.arguments)]
    options = (f"`--{option.name}{f' {option.value}' * bool(option.value)}`" for option in command.options)
    return [" ".join(words), command.help.removesuffix("."), " ".join(options)]


def checkout_table() -> Iterable[list[str]]:
    """Yield the Invoke tasks that the installed program lacks, with their options."""
    yield ["command", "does", "options"]
    for name, task in sorted(Collection.from_module(tasks).tasks.items()):
        command = COMMANDS.get(name)
        if command is None:
            values = {each.name: "" if each.kind is bool else f" {each.name.upper()}" for each in task.get_arguments()}
            options = " ".join(f"`--{option}{value}`" for option, value in values.items())
            yield [f"`{name}`", task.__doc__.removesuffix("."), options]
        elif command.checkout:
            yield row_of(command)


def verdicts_table() -> Iterable[list[str]]:
    """Yield the verdicts on hives with the worst level of a finding."""
    yield ["verdict", "worst finding", "exit status"]
    for level, verdict in check.VERDICTS.items():
        yield [verdict, level or "none", "1" if level == hive_rules.Level.REFUSED else "0"]


def hive_rules_table() -> Iterable[list[str]]:
    """Yield the rules for hives."""
    yield ["rule", "what is right", "else", "source"]
    for name, rule in hive_rules.RULES.items():
        yield [
            f"`{name}`",
            rule.text,
            f"{rule.level}{', normal on a live system' * (name in hive_rules.LIVE)}",
            rule.source,
        ]


def hive_sources_table() -> Iterable[list[str]]:
    """Yield the sources of the rules for hives."""
    yield ["source", "is"]
    yield from ([name, text] for name, text in hive_rules.SOURCES.items())


TABLES: dict[str, Callable[[], Iterable[list[str]]]] = {
    "api": api_table,
    "languages": languages_table,
    "digests": digests_table,
    "image-rules": image_rules_table,
    "pages": pages_table,
    "record": record_table,
    **fact_tables.TABLES,
    "commands": lambda: commands_table(
        lambda command: {INSTALLED, INVOKE} <= {*command.doors} and not command.checkout
    ),
    "checkout": checkout_table,
    "verdicts": verdicts_table,
    "hive-rules": hive_rules_table,
    "hive-sources": hive_sources_table,
    "rooms": import_graph.table,
    "walls": import_graph.walls,
}


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = rows
    cells = (["|", *(f" {cell} |" if cell else " |" for cell in row)] for row in (head, ["---"] * len(head), *body))
    return "".join(f"{''.join(row)}\n" for row in cells)


def made() -> dict[Path, str]:
    """Return the text that each file is to hold of which parts are made."""
    texts = {path: path.read_text("utf-8") for path in documents()} | language_pages.pages()
    return {path: with_picture(with_tables(with_files(text))) for path, text in texts.items()}


def outdated() -> list[str]:
    """Return the names of the files of which a part is not as it is made now."""
    return [path.name for path, text in made().items() if not path.exists() or path.read_text("utf-8") != text]


def test_what_is_made_in_documents_is_as_it_is_made_now() -> None:
    assert outdated() == [], "run ./invokew fix"
    for path in documents():
        text = path.read_text("utf-8")
        assert text.count("<!-- file:") == len(_INCLUDE.findall(text)), f"{path.name}: a file without its block"
        assert text.count("<!-- picture:") == len(_PICTURE.findall(text)), f"{path.name}: a picture without its block"
        assert text.count("<!-- table:") == len(_TABLE.findall(text)), f"{path.name}: a table without its name"


def test_the_variables_of_a_writers_template_are_listed() -> None:
    text = (ROOT / "docs/add-a-language.md").read_text("utf-8")
    section = text.partition("## 5. The writer of layers on top")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(context())
    assert all(f"`{field}`" in section for field in (*Limits.__struct_fields__, *Names.__struct_fields__))


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in documents():
        for link in _LINK.findall(path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(outdated()) or None)
    for document, content in made().items():
        document.write_text(content, "utf-8")
