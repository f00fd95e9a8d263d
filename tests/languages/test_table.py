# SPDX-License-Identifier: Apache-2.0
"""A language is one file and one folder: the table finds it, and every command serves it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed
from helpers.counts import thorough
from helpers.support import START

from generator.languages import table
from generator.languages.language import API, LAYER
from generator.languages.table import LANGUAGES

STREAMS = {"open", "open compressed"}  # what a language offers if it has streams; the rest, every language
TOY = """
from .language import LAYER, Language, ModuleOptions, check_identifier

LANGUAGE = Language(
    comment=";",
    modules={
        LAYER: (("module.toy.jinja", "toy/{name}.toy"), ("module.d.toy.jinja", "toy/{name}.d.toy")),
        "facts": (("facts.toy.jinja", "toy/{Name}.toy"),),
    },
    takes={"package": "the box that it lies in"},
    follow="the file's name",
    api={"name": "name"},
    committed=ModuleOptions,
    placed=lambda place: ModuleOptions(place.stem),
    check=lambda options: check_identifier("toy", options.package, frozenset(("broken",)), "use --package"),
    proof=lambda options: ("false",),
    refused=frozenset(("toybox",)),
)
"""
TEMPLATES = {
    "module.toy.jinja": "; {{ provenance }}\nname {{ layer }} in {{ options.package }}\n"
    "{{ blob.tar | base64(76) | first }}\n",
    "module.d.toy.jinja": "; {{ provenance }}\ndeclares {{ layer }}\n",
    "facts.toy.jinja": "; {{ provenance }}\nfacts in {{ options.package }}\n",
}


@pytest.fixture
def toy(tree: Path) -> Path:
    """Return a checkout with a language more: one file and one folder."""
    (tree / "generator/languages/toy.py").write_text(TOY)
    folder = tree / "templates/toy"
    folder.mkdir()
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)
    return tree


def run(*command: str | Path) -> tuple[int, list[str]]:
    """Return the status of *command* and the lines that it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def generator(root: Path, *words: str) -> tuple[int, list[str]]:
    """Run the program of the checkout at *root* as ``python -m generator`` does."""
    start = f"import sys; sys.path.insert(0, {str(root)!r}); from generator.__main__ import main; "
    return run(sys.executable, "-P", "-c", f"{start}sys.exit(main({[*words]!r}))")


@thorough("runs every command")
@pytest.mark.usefixtures("place")
def test_every_command_serves_a_language_that_is_one_file_and_one_folder(toy: Path) -> None:
    def invoke(*arguments: str) -> tuple[int, list[str]]:
        return run(sys.executable, "-P", "-c", START, toy, *arguments)

    def check(*paths: str) -> tuple[int, list[str]]:
        return generator(toy, "vendored", *paths)

    status, said = generator(toy, "check-stale")
    assert (status, said[0]) == (1, "stale: output/toy/hostprocess.toy: not generated yet")
    status, said = invoke("generate")
    made = {f"wrote output/toy/{name}{ending}" for name in LAYERS for ending in (".toy", ".d.toy")}
    assert {line for line in said if "/toy/" in line} == {*made, "wrote output/toy/Facts.toy"}
    assert (status, generator(toy, "check-stale")) == (0, (0, ["fresh: every output is what its inputs make"]))
    assert "declares legacy\n" in (toy / "output/toy/legacy.d.toy").read_text()

    assert invoke("vendor", "toy", "scratch", "box/") == (
        0,
        ["wrote box/windows_scratch.toy", "wrote box/windows_scratch.d.toy"],
    )
    assert invoke("vendor", "toy", "facts", "box/mine.toy") == (0, ["wrote box/mine.toy"])
    assert "facts in mine\n" in Path("box/mine.toy").read_text()
    assert invoke("vendor", "toy", "scratch", "broken.toy")[1] == [
        "error: broken: invalid toy: the language reserves that word; hint: use --package"
    ]
    assert invoke("vendor", "toy", "nano", "x.toy")[1] == [
        f"error: nano: unknown layer; hint: use one of {', '.join([*LAYERS, 'facts'])}"
    ]
    others = [*LAYERS, *(kind for kind in LANGUAGES["python"].modules if kind != LAYER)]
    assert invoke("vendor", "python", "facts", "x.py")[1] == [
        f"error: facts: unknown layer; hint: use one of {', '.join(others)}"
    ]
    for help_text in (invoke("--help", "vendor")[1], generator(toy, "vendor", "--help")[1]):
        shown = " ".join(" ".join(help_text).split())
        assert f"one of {', '.join(sorted([*LANGUAGES, 'toy']))}" in shown
        assert "toy: the box that it lies in" in shown

    fresh = [
        "fresh: box/mine.toy (toy, facts)",
        "fresh: box/windows_scratch.d.toy (toy, scratch)",
        "fresh: box/windows_scratch.toy (toy, scratch)",
    ]
    assert invoke("vendored") == check("box") == (0, fresh)
    for template in (toy / "templates/toy").iterdir():
        template.write_text(template.read_text() + "more\n")
    invoke("generate")
    status, said = check("box/mine.toy", "box/windows_scratch.toy")
    stale = [line.partition(" (")[0] for line in said if line.startswith("outdated: ")]
    assert (status, stale) == (1, [line.partition(" (")[0].replace("fresh", "outdated") for line in fresh])
    status, said = invoke("vendored", "--update", "box/mine.toy", "box/windows_scratch.toy")
    assert (status, [line.partition(" (")[0] for line in said]) == (0, [line.partition(" (")[0] for line in fresh])
    assert Path("box/windows_scratch.d.toy").read_text().endswith("more\n"), "both files or none"

    for name in ("toybox", "facts"):
        specification = toy / f"generator/layers/{name}.toml"
        shutil.copy(toy / "generator/layers/legacy.toml", specification)
        status, said = invoke("generate")
        assert (status, "no reserved word of a language" in said[-1]) == (2, True), said
        specification.unlink()


def test_documents_take_a_further_language_in(toy: Path) -> None:
    for name in ("tests", "docs", "examples"):
        shutil.copytree(PROJECT / name, toy / name, dirs_exist_ok=True)
    shutil.copy(PROJECT / "README.md", toy)
    assert run(sys.executable, toy / "tests/project/test_docs.py") == (0, [])
    document = (toy / "docs/vendoring.md").read_text()
    assert (
        "\n| `toy` | `windows_LAYER.toy`, `windows_LAYER.d.toy` | the file's name | the box that it lies in | | |\n"
        in document
    )
    assert "| `toy` |\n" in document


def test_a_file_that_is_no_language_is_named(toy: Path) -> None:
    (toy / "generator/languages/toy.py").write_text("")
    assert generator(toy, "check-stale") == (
        2,
        ["error: languages/toy.py: defines no LANGUAGE; hint: define it, or move the file away"],
    )


def test_the_table_finds_the_languages_in_a_package_of_another_name(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "generator", tmp_path / "installed", ignore=ignored)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from installed.languages.table import LANGUAGES; "
        "print(*LANGUAGES); assert 'generator' not in sys.modules"
    )
    assert run(sys.executable, "-I", "-c", script) == (0, [" ".join(LANGUAGES)])


def test_every_file_in_the_folder_is_a_language_or_known_to_be_none() -> None:
    files = {path.stem for path in Path(table.__file__).parent.glob("*.py")}
    assert files == set(LANGUAGES) | table._NO_LANGUAGES
    assert list(LANGUAGES) == sorted(LANGUAGES)
    assert {path.name for path in (PROJECT / "templates").iterdir()} == {*LANGUAGES, "report"}


# ---------------------------------------------------------------------------------------------
# What modules offer


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_offers_what_the_table_says(language: str, layer: str) -> None:
    row = LANGUAGES[language]
    prefix = row.committed(layer).prefix
    files = [file.path for file in table.committed([layer]) if (file.language, file.kind) == (language, LAYER)]
    text = "".join((OUTPUT / path).read_text("utf-8") for path in files)
    for word, pattern in row.api.items():
        name = pattern.format(prefix=prefix, PREFIX=prefix.upper()).removesuffix("()")
        offered = re.search(rf"\b{name}\b", text) is not None
        assert offered is (word != "BCD" or f"{layer}.bcd" in committed()), word


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_offers_all_data_and_in_the_same_words(language: str) -> None:
    offered = set(LANGUAGES[language].api)
    assert set(API) - STREAMS <= offered <= set(API)
