# SPDX-License-Identifier: Apache-2.0
"""Java and C#, whose files are named as the classes in them: names that follow from the place, and those refused."""

import base64
import functools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.committed_modules import OUTPUT, PROJECT, run
from helpers.support import need
from languages.programs import USERS, Command, csharp, java

from generator.base.errors import GeneratorError
from generator.languages import provenance
from generator.languages.language import ModuleOptions
from generator.languages.table import LANGUAGES
from generator.vendoring import vendor

ENDINGS = {"java": ".java", "csharp": ".cs"}
TEXT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'[^'\n]+'|^#.*?$|^(?:using|namespace|package|import) [^\n]*""",
    re.DOTALL | re.MULTILINE,
)


def placed(language: str, destination: str, **options: str) -> ModuleOptions:
    """Vendor a module, and return the names that it got."""
    vendor.vendor(PROJECT, language, "scratch", destination, say=lambda _: None, **options)  # type: ignore[arg-type]
    path = Path(destination)
    path = path / f"WindowsScratch{ENDINGS[language]}" if path.is_dir() else path
    found = provenance.read(path.read_text("utf-8"))
    assert found is not None
    return found[0].options


def refused(language: str, destination: str, **options: str) -> str:
    with pytest.raises(GeneratorError) as caught:
        placed(language, destination, **options)
    assert not Path(destination).is_file()
    return str(caught.value)


@pytest.mark.usefixtures("place")
def test_a_java_package_follows_from_the_files_that_are_there_or_from_the_place() -> None:
    assert placed("java", "src/main/java/com/example/layers/") == ModuleOptions("com.example.layers", "WindowsScratch")
    assert placed("java", "src/test/java/") == ModuleOptions("", "WindowsScratch")
    assert placed("java", "elsewhere/") == ModuleOptions("", "WindowsScratch")
    assert placed("java", "elsewhere/Base.java") == ModuleOptions("", "Base")
    Path("there").mkdir()
    Path("there/Other.java").write_text("/* package not; */ // nor\n\npackage  com.example . there;\n")
    assert placed("java", "there/A.java", package="x.y") == ModuleOptions("x.y", "A")
    Path("there/Other.java").write_text("/* package not; */ // nor\n\npackage  com.example.there;\nclass Other {}\n")
    assert placed("java", "there/A.java") == ModuleOptions("x.y", "A"), "a copy keeps its names"
    assert "holds the packages com.example.there, x.y; hint: say which with --package" in refused(
        "java", "there/B.java"
    )


@pytest.mark.usefixtures("place")
def test_a_csharp_namespace_follows_from_the_files_that_are_there_or_from_the_project() -> None:
    assert placed("csharp", "elsewhere/") == ModuleOptions("Winscratch", "WindowsScratch")
    Path("app/My-App.Web").mkdir(parents=True)
    Path("app/My-App.Web/My-App.Web.csproj").write_text("<Project/>")
    assert placed("csharp", "app/My-App.Web/") == ModuleOptions("My_App.Web", "WindowsScratch")
    assert placed("csharp", "app/My-App.Web/Layers/Base.cs") == ModuleOptions("My_App.Web.Layers", "Base")
    Path("there").mkdir()
    Path("there/Other.cs").write_text("using System;\n// namespace Not\nnamespace  There.Already;\n")
    assert placed("csharp", "there/A.cs") == ModuleOptions("There.Already", "A")


REFUSED = [
    ("java", "a/int.java", {}, "int: invalid Java class: the language reserves that word"),
    ("java", "a/String.java", {}, "String: invalid Java class: the language reserves that word"),
    ("java", "a/a-b.java", {}, "a-b: invalid Java class"),
    ("java", "a/", {"package": "a..b"}, "(empty): invalid part of a Java package"),
    ("java", "a/", {"package": "com.new.x"}, "new: invalid part of a Java package: the language reserves that word"),
    ("java", "a/", {"package": "java.util"}, "java.util: Java keeps packages below java to itself"),
    ("java", "a/", {"package": ".".join(["abcdefghij"] * 20)}, "longer than 200 characters"),
    ("java", "a/", {"prefix": "X"}, "--prefix: means nothing in java"),
    ("csharp", "a/string.cs", {}, "string: invalid C# class: the language reserves that word"),
    ("csharp", "a/Writer.cs", {}, "Writer: invalid C# class: the language reserves that word"),
    ("csharp", "a/", {"package": "A.class"}, "class: invalid part of a C# namespace: the language reserves that word"),
    ("csharp", "a/", {"package": ""}, "(empty): invalid part of a C# namespace"),
    ("csharp", "a/", {"package": ".".join(["abcdefghij"] * 20)}, "longer than 200 characters"),
]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("language", "destination", "options", "words"), REFUSED)
def test_names_that_would_not_compile_are_refused(
    language: str, destination: str, options: dict[str, str], words: str
) -> None:
    assert words in refused(language, destination, **options)


@pytest.mark.parametrize("language", ENDINGS)
def test_no_class_can_have_a_name_that_its_module_uses(language: str) -> None:
    for path in OUTPUT.glob(f"{language}/**/*{ENDINGS[language]}"):
        names = set(re.findall(r"(?<![.\w])[A-Z][A-Za-z0-9]*\b(?!_)", TEXT.sub("", path.read_text("utf-8"))))
        if language == "java":  # constants have a scope of their own
            names = {name for name in names if not name.isupper()}
        assert path.stem in names
        assert len(names) > 8
        for name in names - {path.stem}:
            with pytest.raises(GeneratorError, match="the language reserves that word"):
                LANGUAGES[language].check_options(ModuleOptions("a", name))


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("language", ENDINGS)
def test_copies_under_other_names_compile(language: str, tmp_path: Path) -> None:
    for options in USERS[language].options:
        for kind in ("scratch", "files"):
            path = f"{kind}/{options.prefix}{ENDINGS[language]}"
            vendor.vendor(PROJECT, language, kind, path, say=lambda _: None, package=options.package)
    for kind in ("scratch", "files"):
        sources = sorted(Path(kind).absolute().iterdir())
        assert len(sources) == len(USERS[language].options)
        if language == "java":
            run(need("javac"), *java.STRICT, "-d", tmp_path / kind, *sources)
        else:
            copies = csharp.as_csharp_7(tmp_path, *sources)
            run(need("mcs"), *csharp.STRICT, "-target:library", f"-out:{tmp_path}/{kind}.dll", *copies)


def test_java_keeps_to_what_a_class_can_hold_and_reads_nothing_by_name() -> None:
    """A constant has at most 65,535 bytes in a class: it has fewer than in its source, where none is but in escapes."""
    for path in OUTPUT.glob("java/**/*.java"):
        assert len(path.read_text("ascii")) <= 65535
        # What reflects, or reads a file of its own, breaks where it is packed together with others.
        assert not re.search(r"java\.lang\.reflect|forName|getResource", path.read_text("ascii"))


def test_a_damaged_layer_in_java_throws_at_each_call(tmp_path: Path) -> None:
    """The methods that have no data to return throw IllegalStateException, which an initialiser would not."""
    blob = (OUTPUT / "layers/scratch.tar.gz").read_bytes()
    module = (OUTPUT / "java/winscratch/WindowsScratch.java").read_text("ascii")
    lines = re.findall(r'"([A-Za-z0-9+/=]{20,})"', module)
    assert base64.b64decode("".join(lines)) == blob
    texts = {"letters": module.replace(lines[0], "*" + lines[0][1:]), "length": module.replace(lines[1], "")}
    bits = {"magic": 0, "method": 2, "flags": 3, "start": 10, "data": len(blob) // 2, "sum": -8, "size": -1}
    for name, at in bits.items():
        damaged = bytearray(blob)
        damaged[at] ^= 4
        texts[name] = module
        text = base64.b64encode(damaged).decode()
        for line in lines:
            texts[name] = texts[name].replace(line, text[: len(line)])
            text = text[len(line) :]
    sources = [PROJECT / "tests/languages/java/Damaged.java"]
    for name, text in {"right": module, **texts}.items():
        sources.append(tmp_path / name / "Layer.java")
        sources[-1].parent.mkdir()
        sources[-1].write_text(text.replace("winscratch;", f"{name};").replace("WindowsScratch", "Layer"), "ascii")
    run(need("javac"), *java.STRICT, "-d", tmp_path / "classes", *sources)
    said = run(*java.JAVA, "-cp", tmp_path / "classes", "Damaged", "right.Layer", *(f"{name}.Layer" for name in texts))
    error = " IllegalStateException"
    expected = {name: 2 * (error if name == "letters" else " returns") + 3 * error for name in texts}
    expected["right"] = 5 * " returns"
    assert dict(re.findall(r"^(\w+)\.Layer:(.*)$", said, re.MULTILINE)) == expected


def test_sources_in_java_are_laid_out_as_google_has_it() -> None:
    program = USERS["java"].program("google-java-format")
    sources = sorted(
        path for folder in ("tests/languages/java", "examples/java") for path in (PROJECT / folder).glob("*.java")
    )
    assert run(*program, "--dry-run", "--set-exit-if-changed", *sources) == ""


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("kind", ["scratch", "files"])
def test_a_csharp_class_is_internal_unless_a_symbol_makes_it_public(kind: str, tmp_path: Path) -> None:
    vendor.vendor(PROJECT, "csharp", kind, "Copied.cs", say=lambda _: None)
    (copy,) = csharp.as_csharp_7(tmp_path, Path("Copied.cs").absolute())
    user = tmp_path / "User.cs"
    user.write_text("class User { static void Main() { System.Console.Write(typeof(Winscratch.Copied).IsPublic); } }")
    mcs, library, program = need("mcs"), f"-out:{tmp_path}/layer.dll", f"-out:{tmp_path}/user.exe"
    run(mcs, *csharp.STRICT, "-target:library", library, copy)
    with pytest.raises(AssertionError, match="CS0122"):  # inaccessible due to its protection level
        run(mcs, f"-r:{tmp_path}/layer.dll", program, user)
    run(mcs, *csharp.STRICT, "-d:WINSCRATCH_PUBLIC", "-target:library", library, copy)
    run(mcs, f"-r:{tmp_path}/layer.dll", program, user)
    assert run(need("mono"), tmp_path / "user.exe") == "True"


# The result of each call, and the layer's size in bytes after it: Faults.java and Faults.cs.
FAULTS = """\
right: ok 6656 ok 8704 ok 9728 ok 9728 closed 9728
refused: ok 6656 device 6656 again 6656 again 6656 again 6656
repeated: ok 6656 repeated 6656 again 6656
short: data 4610 again 4610
long: ok 5120 ok 6144
left: 1
unsized: size 0 again 0
no file: size 0 again 0
bytes: ok 5120 data {small}
none: data 4608 again 4608
empty: ok 4608 ok 5632
full: full 5000 again 5000 again 5000
full at once: full 0 again 0
by drops: ok 5120 ok 6144
broken: broken 4608 again 4608 again 4608
a pipe: kind 0 again 0
no folder: /nowhere 0 again 0
{kind}"a\\u0007\\u202e"b": a part of the path has a character that Windows does not allow in names
"\\u2028\\u2029:": a part of the path has a character that Windows does not allow in names
"{long}"...: a part of the path has a character that Windows does not allow in names
the path is empty
{equal}"""
# The descriptors NONE and of no bytes are not equal; entries, times and descriptors are values.
TIME = "1980-01-02T00:00:00"
EQUAL_JAVA = f"""\
false
Entry[FILE, x, , OptionalLong[3], [HIDDEN], Optional.empty, Optional[Times[{", ".join([TIME + "Z"] * 4)}]]]
false false
true
"""
EQUAL_CSHARP = f"""\
False
Faulted TaskCanceledException
cancelled: A-task-was-canceled. 0 ok 0
{" ".join([TIME + ".0000000+00:00"] * 4)}, True False False
True
True False False True none
"""
ONLY = {
    "java": {"kind": "", "small": 6656, "equal": EQUAL_JAVA},
    "csharp": {
        "kind": "a kind: kind 0 again 0\n",
        "small": 6658,
        "equal": EQUAL_CSHARP,
    },  # an enumeration there holds any number
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Command]:
    """Return a function that returns the command of the program that brings errors about, compiled once a language."""

    @functools.cache
    def command(language: str) -> Command:
        folder = tmp_path_factory.mktemp(language)
        if language == "csharp":
            return csharp.compiled(folder, PROJECT / "tests/languages/csharp/Faults.cs")
        return [*java.JAVA, "-cp", java.compiled(folder, PROJECT / "tests/languages/java/Faults.java"), "Faults"]

    return command


@pytest.mark.parametrize("language", ENDINGS)
def test_after_an_error_nothing_more_is_written_and_it_comes_again(
    language: str, faults: Callable[[str], Command], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder/pipe")
    assert run(*faults(language), tmp_path / "folder") == FAULTS.format(**ONLY[language], long="x" * 200)


def test_a_name_that_is_no_text_is_refused_by_java(faults: Callable[[str], Command], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / os.fsdecode(b"\xff")).write_bytes(b"")
    said = run(*faults("java"), tmp_path / "folder")
    assert "\na pipe: unicode 0 again 0\n" in said


@pytest.mark.usefixtures("place")
def test_the_documents_commands_vendor_into_a_package_and_a_project() -> None:
    text = "".join((PROJECT / f"docs/languages/{language}.md").read_text("utf-8") for language in ("java", "csharp"))
    commands = re.findall(r"^winscratch vendor (\w+) scratch (\S+)", text, re.MULTILINE)
    assert [placed(language, place) for language, place in commands] == [
        ModuleOptions("com.example.layers", "WindowsScratch"),
        ModuleOptions("Winscratch", "WindowsScratch"),
    ]
