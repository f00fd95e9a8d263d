# SPDX-License-Identifier: Apache-2.0
"""Templates and filters: literals that give back every byte, and text that each language's formatter leaves alone."""

import ast
import base64
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from helpers.support import need
from hypothesis import example, given
from hypothesis import strategies as st
from languages.programs import FORMATTED, USERS

from generator import PROJECT, VERSION
from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.languages import literals, provenance, render, table
from generator.languages.head import BODY
from generator.languages.language import ModuleOptions
from generator.languages.table import LANGUAGES
from generator.oci import blob as layer
from generator.oci.blob import Blob

TEMPLATES = ROOT / "templates"
LAYERS = ("hostprocess", "legacy", "scratch")
LIMIT = 64 * 1024  # bytes that a module may have

# Mostly zeros, as hives are, so that runs of every length come up.
BYTES = st.lists(st.one_of(st.binary(max_size=60), st.integers(1, 9000).map(bytes)), max_size=6).map(b"".join)


@cache
def blob(name: str) -> Blob:
    path = f"output/layers/{name}.tar.gz"
    return layer.read_blob((ROOT / path).read_bytes(), path)


def modules(name: str, language: str, options: ModuleOptions | None = None) -> dict[str, str]:
    """Return each file of the module of layer *name*, by the last part of its path."""
    row = LANGUAGES[language]
    options = options or row.committed(name)
    return {
        options.package + ending: render.module(TEMPLATES / language, template, name, blob(name), options)
        for template, ending in row.endings(name).items()
    }


CASES = [
    (language, name, options)
    for language, user in USERS.items()
    for options in [None, *user.options]
    for name in (LAYERS if options is None else ("hostprocess", "scratch"))
]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Return the files of every module that there are options for, by language."""
    files: dict[str, list[Path]] = {language: [] for language in LANGUAGES}
    for number, (language, name, options) in enumerate(CASES):
        folder = tmp_path_factory.mktemp(f"{language}{number}")
        for file, text in modules(name, language, options).items():
            (folder / file).write_text(text, encoding="utf-8", newline="")
            files[language].append(folder / file)
    return files


# ---------------------------------------------------------------------------------------------
# Filters


@given(BYTES, st.integers(1, 20))
@example(b"\0" * 8, 8)
@example(b"\0" * 7, 8)
@example(b"", 8)
def test_runs_put_together_again_are_the_bytes(data: bytes, least: int) -> None:
    found = list(literals.runs(data, least))
    assert b"".join(bytes(run.zeros) + run.data for run in found) == data
    offset = 0
    for run in found:
        offset += run.zeros
        assert run.offset == offset
        assert bytes(least) not in run.data
        assert run.zeros == 0 or run.zeros >= least
        offset += len(run.data)


@given(st.integers(0, 1 << 20))
def test_powers_add_up_and_are_those_that_there_are_constants_for(number: int) -> None:
    found = literals.powers(number)
    assert sum(found) == number
    assert found == sorted(found, reverse=True)
    assert set(found) <= {1 << n for n in range(13)}


@given(st.binary(max_size=400), st.integers(20, 100))
@example(b"\\\"'%\n\r\t\0\x7f\x80\xff", 40)
@example(b"\0" + b"0123456789abcdef", 40)
def test_quoted_literals_give_back_every_byte(data: bytes, width: int) -> None:
    made = literals.quoted(data, width)
    assert b"".join(ast.literal_eval("b" + literal) for literal in made) == data
    # Escapes are of two digits exactly and stand for one byte in Go too.
    assert all(re.fullmatch(r'"(?:[ -!#-\[\]-~]|\\x[0-9a-f]{2})*"', literal) for literal in made)


@pytest.mark.parametrize("escape", [r"\x%02x", r"\%03o", r"\u%04x"])
@given(data=st.one_of(st.binary(max_size=400), st.text("\0\x01\x7f01789afAF$", max_size=40).map(str.encode)))
def test_escaped_text_gives_back_every_byte_whatever_follows_an_escape(escape: str, data: bytes) -> None:
    made = literals.quoted(data, 60, escape, "$")
    assert "$" not in "".join(made)
    # Python reads each of these escapes as the language does that it is for.
    assert "".join(map(ast.literal_eval, made)).encode("latin-1") == data


@given(st.binary(max_size=400), st.integers(4, 100))
@example(b"", 4)
@example(bytes(57), 76)
def test_base64_gives_back_every_byte_line_by_line_and_joined(data: bytes, width: int) -> None:
    lines = literals.base64(data, width)
    assert b"".join(base64.b64decode(line, validate=True) for line in lines) == data
    assert base64.b64decode("".join(lines), validate=True) == data
    assert all(0 < len(line) <= width for line in lines)
    assert all(len(line) == width // 4 * 4 for line in lines[:-1])


@given(st.lists(st.sampled_from([b"\0", b"\xff", b"ab", b"a long word without end"]), max_size=99).map(b"".join))
def test_quoted_literals_keep_to_their_width(data: bytes) -> None:
    assert all(len(literal) <= 60 for literal in literals.quoted(data, 60))


@given(BYTES)
def test_pieces_put_together_again_are_the_bytes(data: bytes) -> None:
    found = b""
    for zeros, literal in literals.pieces(data, 78):
        assert bool(zeros) != bool(literal)
        found += bytes(zeros) if zeros else ast.literal_eval("b" + literal)
    assert found == data


@given(st.binary(max_size=400))
@example(b"\\'\"\0\t\x09\x0a\x7f\x80\xff")
@example(b"\0a-name-that-is-longer-than-a-line-of-its-characters\0")
def test_numbers_are_c_initialisers_that_give_back_every_byte(data: bytes) -> None:
    lines = literals.numbers(data)
    assert all(line.endswith(",") for line in lines)
    # A word, which has neither blanks nor control characters, stays on one line however long that is.
    alone = re.compile(r"(('[!-&(-\[\]-~]'|0x27|0x5c),? ?)+")
    assert all(len(line) <= 89 or alone.fullmatch(line) for line in lines)
    text = "".join(lines)
    parsed = re.findall(r" ?('[ -&(-\[\]-~]'|[0-9]|0x[0-9a-f]{2}),", text)
    assert "".join(text.split(" ")) == "".join(f"{item},".replace(" ", "") for item in parsed)
    assert bytes(ord(item[1]) if item[0] == "'" else int(item, 0) for item in parsed) == data


def test_words_stay_together() -> None:
    data = b"\1regf\2\3" * 3
    assert literals.quoted(data, 20) == [r'"\x01regf\x02\x03"', r'"\x01regf\x02\x03"', r'"\x01regf\x02\x03"']
    assert "'r', 'e', 'g', 'f'" in literals.numbers(data)[0]


@pytest.mark.parametrize(("length", "broken"), [(80, False), (81, True)])
def test_a_macro_is_broken_beyond_80_columns(length: int, broken: bool) -> None:
    line = literals.define("v" * (length - len("#define NAME ")), "NAME")
    assert ("\\\n" in line) is broken
    assert max(map(len, line.split("\n"))) <= 80


# ---------------------------------------------------------------------------------------------
# Errors

BAD = {
    "an unknown name": ("a\n{{ nothing }}\n", "line 2: 'nothing' is undefined"),
    "an unknown field": ("\n\n{{ blob.nothing }}", "line 3: "),
    "an unknown filter": ("{{ layer | nothing }}", "line 1: No filter named 'nothing'"),
    "bad syntax": ("a\nb\n{% if %}", "line 3: "),
    "a loop without end": ("{% for x in y %}", "line 1: Unexpected end of template."),
    "an error of a filter": ("a\n{{ layer | numbers }}", "line 2: "),
    "a division by zero": ("\n{{ 1 / 0 }}", "line 2: division by zero"),
    "a missing template": ("\n{% include 'nothing.jinja' %}", "line 2: template nothing.jinja not found"),
    "a way out": ("\n{{ ''.__class__.__mro__ }}", "line 2: "),
    "too much": ("\n{{ 'x' * 99999999999999999999 }}", "line 2: "),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_templates_error_is_one_line_with_template_and_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text(text)
    with pytest.raises(GeneratorError) as refused:
        render.render(tmp_path, "bad.jinja", {"layer": "x", "blob": blob("legacy")})
    line = str(refused.value)
    assert line.startswith(f"templates/{tmp_path.name}/bad.jinja: {words}")
    assert line.isprintable()


def test_an_error_in_an_included_template_names_that_one(tmp_path: Path) -> None:
    (tmp_path / "outer.jinja").write_text("{% include 'inner.jinja' %}")
    (tmp_path / "inner.jinja").write_text("\n\n{{ nothing }}")
    with pytest.raises(GeneratorError, match=r"inner\.jinja: line 3: 'nothing' is undefined"):
        render.render(tmp_path, "outer.jinja", {})


def test_a_template_that_is_not_there_or_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=rf"^templates/{tmp_path.name}/no\.jinja: template no\.jinja not found$"):
        render.render(tmp_path, "no.jinja", {})
    (tmp_path / "latin.jinja").write_bytes(b"\xe4")
    with pytest.raises(GeneratorError, match=rf"^templates/{tmp_path.name}/latin\.jinja: 'utf-8' codec can't decode"):
        render.render(tmp_path, "latin.jinja", {})


# ---------------------------------------------------------------------------------------------
# Modules


@pytest.mark.parametrize("language", FORMATTED)
def test_the_languages_formatter_finds_nothing_to_change(language: str, rendered: dict[str, list[Path]]) -> None:
    program, *arguments = USERS[language].formatter
    command = [*USERS[language].program(program), *arguments, *rendered[language]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_modules_are_smaller_than_promised(rendered: dict[str, list[Path]]) -> None:
    sizes = {path: path.stat().st_size for paths in rendered.values() for path in paths}
    assert {path: size for path, size in sizes.items() if size >= LIMIT} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_committed_modules_are_what_the_templates_make(language: str) -> None:
    for name in LAYERS:
        for template, path in LANGUAGES[language].modules["layer"]:
            committed = (ROOT / "output" / path.format(name=name, Name=name.capitalize())).read_text("utf-8")
            found = provenance.read(committed)
            assert found is not None
            made_from, intact = found
            assert intact
            assert (made_from.layer, made_from.language, made_from.file) == (name, language, template)
            options = LANGUAGES[language].committed(name)
            again = render.module(TEMPLATES / language, template, name, blob(name), options)
            assert again == committed


def _holds_base64(language: str) -> bool:
    """Return whether the language's modules hold the blob alone, which nobody can read."""
    row = LANGUAGES[language]
    return "base64" in "".join(row.proof(row.committed("scratch")))


@pytest.mark.parametrize("language", [language for language in LANGUAGES if not _holds_base64(language)])
def test_a_reviewer_recognises_hives_and_their_keys(language: str) -> None:
    text = "".join(modules("scratch", language).values())
    flat = re.sub(r"', '|',\n\s*'", "", text)  # initialisers, letter by letter
    for word in ("regf", "hbin", "ROOT", "Objects", "Elements", "12000004", "FirmwareModified", "ustar", "SYSTEM"):
        assert word in flat


@pytest.mark.parametrize("language", LANGUAGES)
def test_zeros_are_not_spelled_out(language: str) -> None:
    for text in modules("scratch", language).values():
        assert not re.search(r"(\\x00){9}|(\b0, ){9}|(\b0,\s+){9}", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_says_that_it_is_generated_from_what_and_how_to_make_it_again(language: str) -> None:
    comment = LANGUAGES[language].comment
    for text in modules("legacy", language).values():
        head = text.partition("winscratch:{")[0]
        # The first line that is a comment. Go's own rule for generated code, which other tools follow.
        first = next(line for line in head.split("\n") if line.startswith(comment))
        assert first == f"{comment} Code generated by winscratch from layer legacy; DO NOT EDIT."
        stated = (blob("legacy").diff_id, blob("legacy").digest, f"Version: {VERSION}", PROJECT, "placeholder")
        for words in (*stated, "./invokew generate", f"{comment} SPDX-License-Identifier: 0BSD"):
            assert words in head


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_has_the_shell_line_that_prints_the_digest(language: str, tmp_path: Path) -> None:
    for program in {"c": ["cc"], "go": ["go"], "rust": ["rustc"]}.get(language, []):
        need(program)
    for name, text in modules("scratch", language).items():
        (tmp_path / name).write_text(text, "utf-8", newline="")
    for name, text in modules("scratch", language).items():
        indent = LANGUAGES[language].comment + "   "
        _, _, rest = text.partition("module's blob without winscratch:\n")
        command = re.split(rf"^(?!{indent})", rest, maxsplit=1, flags=re.MULTILINE)[0].replace(indent, "")
        assert found("sh", command.replace("FILE", name), tmp_path) == blob("scratch").digest


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shell_line_of_documents_and_heads_prints_the_hash_of_a_body(
    language: str, ending: str, tmp_path: Path
) -> None:
    (command,) = re.findall(r"^tr -d .*body.*$", (ROOT / "docs/vendoring.md").read_text("utf-8"), re.MULTILINE)
    assert command == " ".join(BODY)
    for file in table.committed(["scratch"]):
        if file.language == language and file.kind:
            text = (ROOT / "output" / file.path).read_text("utf-8")
            (tmp_path / "FILE").write_text(text, "utf-8", newline=ending)
            assert found("sh", command, tmp_path) == (provenance.recorded(text) or {})["body"]


def found(shell: str, command: str, folder: Path) -> str:
    """Return the digest that a shell *command* prints as sha256sum does, in *folder*."""
    done = subprocess.run([need(shell), "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest, _, file = done.stdout.strip().partition("  ")
    assert file == "-"
    return f"sha256:{digest}"


def test_a_module_of_another_version_is_the_same_but_for_where_it_states_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (now,) = modules("scratch", "python").values()
    monkeypatch.setattr(render, "VERSION", "0.3.1")
    (later,) = modules("scratch", "python").values()
    assert later != now
    assert provenance.is_made_alike(later, now)
    assert provenance.is_made_alike(later.replace("\n", "\r\n"), now)
    # The line in the head is free only for the version that the provenance line has, which can hold no other line.
    assert not provenance.is_made_alike(later.replace("# Version: 0.3.1", "# Version: 0.3.2"), now)
    assert not provenance.is_made_alike(later.replace("0.3.1\n", "0.3.1\nimport evil\n", 1), now)
    for hidden in ("0.3.1\nimport evil", "0.3.1 and more", "9" * 33):
        monkeypatch.setattr(render, "VERSION", hidden)
        (made,) = modules("scratch", "python").values()
        assert not provenance.is_made_alike(made, now)


def test_c_has_no_string_longer_than_its_standard_grants(rendered: dict[str, list[Path]]) -> None:
    for path in rendered["c"]:
        text = path.read_text("utf-8")
        assert max((len(literal) for literal in re.findall(r'"(?:[^"\\\n]|\\.)*"', text)), default=0) <= 4095
        assert max(map(len, text.split("\n"))) < 4095


def test_modules_have_no_line_end_but_lf_and_end_in_one(rendered: dict[str, list[Path]]) -> None:
    for paths in rendered.values():
        for path in paths:
            data = path.read_bytes()
            assert b"\r" not in data
            assert data.endswith(b"\n")
            assert not data.endswith(b"\n\n")


def test_rendering_depends_on_its_arguments_alone() -> None:
    first = modules("scratch", "go")
    modules("legacy", "go", USERS["go"].options[2])
    assert modules("scratch", "go") == first
