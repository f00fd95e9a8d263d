# SPDX-License-Identifier: Apache-2.0
"""Hostile specifications and templates are refused in one line or rendered correctly."""

import ast
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.small_checkout import generate, outputs, small_checkout
from helpers.support import BUILDER, HANG, need, selected

from generator.base.errors import GeneratorError
from generator.base.home import LAYERS
from generator.builder import choose
from generator.builder.wire import ROOT
from generator.languages import render
from generator.languages.language import ModuleOptions
from generator.layerspec import layer as spec
from generator.oci import blob as layers
from generator.oci.tar import write_tar

pytestmark = pytest.mark.timeout(HANG)


def refusal(text: str | bytes, name: str = "bad") -> str:
    """Return the error for a specification, one printable line."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    with pytest.raises(GeneratorError) as failure:
        spec.parse(name, raw, "bad.toml")
    line = str(failure.value)
    assert line.startswith("bad.toml: ")
    assert line.isprintable()
    assert len(line) < 1000
    return line


def file(path: str, rest: str = "") -> str:
    return f"[[files]]\npath = {json.dumps(path)}\n{rest}\n"


# ---------------------------------------------------------------------------------------------
# Specifications


@pytest.mark.parametrize(
    "path",
    [
        *("../a", "a/../../b", "/etc/passwd", "a//b", "./a", "a/.", "", "..", "a/"),
        *("C:/a", "a:b", r"..\a", r"a\b", "a*", "a|b", "<a>", "a?"),
        *("CON", "nul.txt", "a/COM1", "lpt9.x/y", "a.", "a ", ".wh.a", "a/.wh..wh..opq"),
        *("é", "a\u202eb", "\uff41", "a" * 101, "a/" * 200 + "b"),
    ],
)
def test_path_outside_the_layer_is_refused(path: str) -> None:
    assert "files[0].path" in refusal(file(path))


@pytest.mark.parametrize("path", [r'"a\u0000b"', r'"a\nb"', r'"a\u001b[2Jb"', r'"a\u007fb"'])
def test_path_with_control_character_is_refused(path: str) -> None:
    assert "files[0].path" in refusal(f"[[files]]\npath = {path}\n")


@pytest.mark.parametrize("name", ["../x", "a b", "A", "a\nb", 'a"', "a*/", "1a", "func", "a" * 33, "é", "", "con\x00"])
def test_layer_name_that_breaks_out_of_code_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError) as failure:
        spec.load(tmp_path / "bad.toml", f"{LAYERS}/{name}.toml")
    assert str(failure.value).isprintable()


BOMBS = {
    "nested arrays": "a = " + "[" * 100_000,
    "nested tables": "a = " + "{a=" * 100_000,
    "dotted keys": "a" + ".a" * 100_000 + " = 1",
    "dotted quoted keys": "a" + " . 'a'" * 100_000 + " = 1",
    "nearly dotted keys": ("a." * 63 + "a = 1\n") * 5_000,
    "a long word": "a" * 1_000_000,
    "quotes": '"' * 1_000_000,
    "many dotted keys": "\n".join(f"a.k{n}.b.c.d = 1" for n in range(20_000)),
    "a dotted table": "[" + "a." * 50_000 + "a]",
    "a giant integer": "files = " + "9" * 500_000,
    "a giant float": "files = 1e" + "9" * 5_000,
    "an endless string": 'a = "' + "x" * 900_000,
    "many tables": "[[files]]\n" * 90_000,
    "not a number": "files = nan",
}


@pytest.mark.parametrize("name", BOMBS)
def test_toml_bomb_is_refused(name: str) -> None:
    refusal(BOMBS[name])


@pytest.mark.parametrize(
    "text",
    [
        "files:\n  - path: a\n",
        "---\n!!python/object/apply:os.system ['true']\n",
        "a: &a [*a, *a]\n",
        "files: [{path: a}]",
        "<<: *default",
        "{}",
        "[]",
        '{"files": []}',
        "<!DOCTYPE x [<!ENTITY a 'b'>]>",
        "\ufefffiles = []",
        "",
    ],
)
def test_other_formats_are_refused(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize(
    "raw", [b"\0", b"files = \0", b"\xff\xfe", b"\xed\xa0\x80", b"a = '\xc0\x80'", b"\r", b"a = 1\r"]
)
def test_binary_data_is_refused(raw: bytes) -> None:
    refusal(raw)


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff", r"\U00110000", r"\x41", r"\u12"])
def test_escape_of_an_invalid_character_is_refused(escape: str) -> None:
    refusal(f'[[files]]\npath = "a"\ntext = "{escape}"\n')


def test_too_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)  # a terabyte of NULs, none of it on the disk
    with pytest.raises(GeneratorError, match="larger than"):
        spec.load(path, "bad.toml")


def test_literal_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(file("a", f'text = "{"x" * (10 << 20)}"'))
    with pytest.raises(GeneratorError, match="larger than"):
        spec.load(tmp_path / "bad.toml", "bad.toml")


def test_device_or_pipe_as_specification_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").symlink_to("/dev/zero")
    with pytest.raises(GeneratorError, match="not a regular file"):
        spec.load(tmp_path / "bad.toml", "bad.toml")


# ---------------------------------------------------------------------------------------------
# Large files, valid or just above the limit


def keys(paths: list[str]) -> str:
    listed = ", ".join(f"{{ path = {json.dumps(path)} }}" for path in paths)
    return file("HIVE", f"hive = {{ keys = [{listed}] }}")


def test_ten_thousand_keys_are_built() -> None:
    # What one key may hold is bounded, so they stand under a hundred.
    text = keys([f"a{n % 100}\\b{n // 100}" for n in range(10_000)])
    wanted = dict(spec.hives(spec.parse("big", text.encode(), "big.toml")))
    choose.build_hives(selected(BUILDER), wanted)  # raises for a wrong hive
    assert len(wanted["HIVE"]) == 10_101


def test_ten_thousand_subkeys_are_refused() -> None:
    assert "subkeys" in refusal(keys([f"k{n}" for n in range(10_000)]))


def test_deepest_hive_is_built_and_a_deeper_one_refused(tmp_path: Path) -> None:
    deepest = spec.MAX_LEVELS
    while True:  # whether the root counts is for the specification to say
        try:
            spec.parse("deep", keys(["\\".join("k" * deepest)]).encode(), "deep.toml")
            break
        except GeneratorError:
            deepest -= 1
    assert deepest >= 511
    root = small_checkout(tmp_path / "tree", {"deep": keys(["\\".join("k" * deepest)])})
    generate(root)
    assert "levels" in refusal(keys(["\\".join("k" * 513)]))


@pytest.mark.parametrize("name", ["a/b", '"', "\x7f", "é", "", "k" * 256])
def test_difficult_key_name_is_refused_or_built(name: str, tmp_path: Path) -> None:
    text = keys(["x"]).replace('"x"', json.dumps(name))
    try:
        spec.parse("odd", text.encode(), "odd.toml")
    except GeneratorError as failure:
        assert str(failure).isprintable()  # noqa: PT017 - either will do
        return
    generate(small_checkout(tmp_path / "tree", {"odd": text}))


# ---------------------------------------------------------------------------------------------
# Content that tries to leave its literal

NASTY = b"".join(
    [
        b'"""\nimport os\n"""',
        b'\'\'\'`${a}`"); system("true"); ("',
        b"*/ #error broken out\n/*",
        b"// \\\nint x;\n",
        b"??/??'??(",
        b"{{ 7 * 7 }}{% for x in y %}{# #}",
        b"\\x41\\u0041\\101\\\n\\\r\\",
        b"%s%n{}{0}$HOME`id`",
        b')delimiter" R"(',
        b"\x00" * 7 + b"1" + b"\x00" * 8 + b"f" + b"\x00" * 9,
        bytes(range(256)),
        "\u2028\u2029\u202e\ufeff\ud7ff".encode(),
        b"\xed\xa0\x80\xff\xfe",
    ]
)


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the outputs of a layer whose file holds NASTY."""
    root = small_checkout(tmp_path_factory.mktemp("nasty") / "tree", {"nasty": file("F", f'hex = "{NASTY.hex()}"')})
    generate(root)
    return root / "output"


def tar_of(output: Path) -> bytes:
    blob = layers.read_blob((output / "layers/nasty.tar.gz").read_bytes(), "nasty")
    assert NASTY in blob.tar
    return blob.tar


def test_content_does_not_break_out_of_python_literals(nasty: Path) -> None:
    module = nasty / "python/windows_nasty.py"
    text = module.read_text("utf-8")
    assert text.isascii()
    # No statement is there that the template has not written.
    plain = ast.parse((ROOT / "output/python/windows_hostprocess.py").read_text("utf-8"))
    assert [type(node) for node in ast.parse(text).body] == [type(node) for node in plain.body]
    done = subprocess.run([sys.executable, "-I", "-B", str(module)], capture_output=True, check=True)
    assert done.stdout == tar_of(nasty)


def test_content_does_not_break_out_of_c_literals(nasty: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "windows_nasty.h"\n'
        "int main(void) { return fwrite(LAYER, 1, LAYER_SIZE, stdout) != LAYER_SIZE; }\n"
    )
    header = (nasty / "c/windows_nasty.h").read_text("ascii")
    symbol = next(word for word in header.replace("[", " ").split() if word.lower().endswith("_layer"))
    size = next(word for word in header.split() if word.endswith("LAYER_SIZE"))
    main = tmp_path / "main.c"
    main.write_text(main.read_text().replace("LAYER_SIZE", size).replace("LAYER,", f"{symbol},"))
    program = tmp_path / "main"
    warnings = ("-std=c99", "-trigraphs", "-Wall", "-Wextra", "-Wno-overlength-strings", "-Werror")
    sources = (str(main), str(nasty / "c/windows_nasty.c"))
    subprocess.run([need("gcc"), *warnings, f"-I{nasty / 'c'}", "-o", str(program), *sources], check=True)
    assert subprocess.run([str(program)], capture_output=True, check=True).stdout == tar_of(nasty)


def test_content_does_not_break_out_of_go_literals(nasty: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    (go / "main").mkdir(parents=True)
    (go / "go.mod").write_text((nasty / "go/go.mod").read_text())
    (go / "nasty").mkdir()
    (go / "nasty/nasty.go").write_bytes((nasty / "go/nasty/nasty.go").read_bytes())
    module = (nasty / "go/go.mod").read_text().split("module ")[1].split()[0]
    (go / "main/main.go").write_text(
        f'package main\n\nimport (\n\t"os"\n\n\t"{module}/nasty"\n)\n\n'
        "func main() {\n\tif _, err := os.Stdout.WriteString(nasty.Layer); err != nil {\n\t\tpanic(err)\n\t}\n}\n"
    )
    env = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    done = subprocess.run([need("go"), "run", "./main"], cwd=go, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == tar_of(nasty)


def test_huge_content_is_rendered() -> None:
    tar = write_tar([("BIG", os.urandom(spec.MAX_SPEC))])
    data = gzip.compress(tar, 1, mtime=0)  # zopfli would take minutes
    blob = layers.Blob(data, tar, layers.sha256(data), layers.sha256(tar), None)
    text = render.module(ROOT / "templates/python", "module.py.jinja", "big", blob, ModuleOptions("windows_big"))
    space: dict[str, Any] = {"__name__": "big"}
    exec(compile(text, "big", "exec", dont_inherit=True), space)  # noqa: S102 - what the module is for
    assert space["layer"]() == tar


# ---------------------------------------------------------------------------------------------
# Templates

ESCAPES = {
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "classes by filter": "{{ ''|attr('__class__') }}{{ (''|attr('__class__')).x }}",
    "classes by format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "classes by format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "globals of a filter": "{{ layer.__init__.__globals__ }}",
    "globals of cycler": "{{ cycler.__init__.__globals__.os.system('true') }}",
    "a bound method": "{{ ''.join.__self__.__class__ }}",
    "a generator's frame": "{{ (x for x in y).gi_frame }}",
    "an import": "{% import os %}",
    "an import of a path": "{% include '../../../etc/passwd' %}",
    "an absolute path": "{% include '/etc/passwd' %}",
    "an import statement": "{{ __import__('os') }}",
    "open": "{{ open('/etc/passwd').read() }}",
    "a file by its blob": "{{ blob.compressed.__reduce_ex__(2) }}",
    "a huge range": "{% for x in range(10000000) %}{% endfor %}",
    "a write": "{{ options.__setattr__('package', 'x') }}",
    "a change of a list": "{% set a = [] %}{{ a.append(1) }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "itself": "{% include 'bad.jinja' %}",
    "itself by extension": "{% extends 'bad.jinja' %}",
    "an unknown name": "{{ nothing }}",
    "an unknown filter": "{{ layer | nothing }}",
    "no end": "{% if layer %}",
    "division by zero": "{{ 1 / 0 }}",
    "a wrong type": "{{ layer + 1 }}",
    "deep nesting": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_template_cannot_leave_its_sandbox(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "templates/evil"
    folder.mkdir(parents=True)
    (folder / "bad.jinja").write_text("first line\n" + ESCAPES[name] + "\n")
    blob = layers.Blob(b"", b"", "", "", None)
    context = {"layer": "x", "blob": blob, "options": ModuleOptions("p"), "media_type": "", "provenance": ""}
    with pytest.raises(GeneratorError) as failure:
        render.render(folder, "bad.jinja", context)
    line = str(failure.value)
    assert line.isprintable()
    assert len(line) < 1000
    assert "bad.jinja" in line or "no such template" in line
    assert "root:" not in line


def test_binary_template_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "templates/evil"
    folder.mkdir(parents=True)
    (folder / "bad.jinja").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GeneratorError, match=r"bad\.jinja"):
        render.render(folder, "bad.jinja", {})


def test_hostile_template_changes_no_output(tmp_path: Path) -> None:
    root = small_checkout(tmp_path / "tree")
    generate(root)
    kept = outputs(root)
    template = root / "templates/go/module.go.jinja"
    template.write_text(template.read_text() + ESCAPES["classes"])
    with pytest.raises(GeneratorError, match=r"templates/go/module\.go\.jinja: line \d+"):
        generate(root)
    assert outputs(root, temporary=True) == kept
