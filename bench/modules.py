# SPDX-License-Identifier: Apache-2.0
"""Compare the generated modules with other ways to carry the same bytes: python bench/modules.py [ROUNDS [REVISION]].

Each contender carries the scratch layer and its blob: as generated here, as generated at a git REVISION, spelled out by
``xxd -i``, read by Go's embed, as base64 text of both in the manner of imgutil's generated file, or as base64 text of
the blob, unpacked by the standard library. imgutil's own package holds its BCD store alone and makes a layer of empty
hives at run time. Python, Java, C# and JavaScript are measured as they load and as they return both for the first time,
in processor time (C# in wall time); in C, Go and Rust the bytes are constants, so that only compilers have work.
"""

import base64
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import classes
import scripts
from table import medians, seconds, show

PROJECT = Path(__file__).absolute().parents[1]
OUTPUT = PROJECT / "output"
BLOB = (OUTPUT / "layers/scratch.tar.gz").read_bytes()
TAR = gzip.decompress(BLOB)
DATA = {"layer": TAR, "blob": BLOB}
OURS = "winscratch"
Before = Callable[[str], dict[str, str]]  # from a file below output/ to the module's text now, and at the revision

IMPORT = """
import sys, time, io
start = time.process_time()
import contender
loaded = time.process_time()
made = contender.layer(), contender.blob()
used = time.process_time()
assert sum(map(len, made)) == %d
print((loaded - start) * 1e9, (used - loaded) * 1e9, 0)
"""
TRACE = """
import io, tracemalloc
tracemalloc.start()
import contender
made = contender.layer(), contender.blob()
print(0, 0, tracemalloc.get_traced_memory()[1])
"""


def rows_of(*figures: dict[str, float], units: tuple[str, ...]) -> list[list[str]]:
    """Return a row for each contender: every figure with its unit and its ratio to ours."""
    rows = []
    for name in figures[0]:
        row = [name]
        for figure, unit in zip(figures, units, strict=True):
            ratio = f"{figure[name] / figure[OURS]:.2f}" if figure[OURS] else ""
            row += [f"{figure[name]:,.{3 if unit == 'ms' else 0}f} {unit}", ratio]
        rows.append(row)
    return rows


def show_loads(title: str, memory: str, figures: classes.Figures) -> None:
    """Print a table of sources that are measured as they load and as they are used for the first time."""
    rows = rows_of(*figures, units=("B", "ms", "ms", "ms", "B"))
    columns = ("source", "load", "first use", "both", memory)
    show(title, [word for column in columns for word in (column, "ratio")], rows)


def base64_lines(data: bytes, start: str, end: str) -> str:
    """Return *data* as base64 text, one literal a line, as imgutil's generated file has it."""
    text = base64.b64encode(data).decode()
    return "".join(f"{start}{text[i : i + 76]}{end}\n" for i in range(0, len(text), 76))


def python(folder: Path, rounds: int, before: Before) -> None:
    """Import each contender in a fresh process, its bytecode cached as after any first import."""

    def made(value: Callable[[bytes], str]) -> str:
        return "".join(f"def {name}(): return {value(data)}\n" for name, data in DATA.items())

    def decoded(data: bytes) -> str:
        return f"b64decode(\n{base64_lines(data, chr(34), chr(34))})"

    modules = before("python/windows_scratch.py") | {
        "bytes literal": made(repr),
        "xxd -i": made(lambda data: f"bytes([{', '.join(map(hex, data))}])"),
        "base64 of both": f"from base64 import b64decode\n{made(decoded)}",
        "base64 and gzip": "from base64 import b64decode\nfrom gzip import decompress\n"
        f"def blob(): return {decoded(BLOB)}\ndef layer(): return decompress(blob())\n",
    }
    commands: dict[str, list[str | Path]] = {}
    for name, text in modules.items():
        place = folder / f"python-{len(commands)}"
        place.mkdir()
        (place / "contender.py").write_text(text)
        for file, script in (("import.py", IMPORT % (len(TAR) + len(BLOB))), ("trace.py", TRACE)):
            (place / file).write_text(script)
        commands[name] = [sys.executable, place / "import.py"]
    traces: dict[str, list[str | Path]] = {
        name: [sys.executable, Path(command[1]).with_name("trace.py")] for name, command in commands.items()
    }
    memory = classes.figures(modules, traces, 1)[-1]
    show_loads("Python", "peak memory", (*classes.figures(modules, commands, rounds)[:-1], memory))


def c(folder: Path, rounds: int, before: Before) -> None:
    """Compile each contender to an object file."""
    files = {}
    for name, data in DATA.items():
        (folder / name).write_bytes(data)
        files[name] = subprocess.run(
            ["xxd", "-i", name], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    sources = before("c/windows_scratch.c") | {
        "xxd -i": "".join(files.values()),
        "base64": "".join(f"const char {n}[] =\n{base64_lines(d, chr(34), chr(34))};\n" for n, d in DATA.items()),
    }
    objects: dict[str, Path] = {}
    headers = before("c/windows_scratch.h")
    for name, text in sources.items():
        place = folder / f"c-{len(objects)}"
        place.mkdir()
        objects[name] = place / "contender.o"
        (place / "contender.c").write_text(text)
        (place / "windows_scratch.h").write_text(headers.get(name, ""))

    def measure(name: str) -> float:
        source = objects[name].with_suffix(".c")
        return seconds(["gcc", "-O2", "-c", source, "-o", objects[name]], folder) * 1000

    times = medians({name: lambda name=name: measure(name) for name in sources}, rounds)  # type: ignore[misc]
    sizes = {name: float(path.stat().st_size) for name, path in objects.items()}
    texts = {name: float(len(text)) for name, text in sources.items()}
    rows = rows_of(texts, times, sizes, units=("B", "ms", "B"))
    show("C", ("source", "ratio", "compile", "ratio", "object", "ratio"), rows)


MAIN = """package main

import (
	"io"
	"os"

	"bench.example/contender"
)

func main() {
	if _, err := io.Copy(os.Stdout, contender.Open()); err != nil {
		os.Exit(1)
	}
}
"""
HEAD = "package contender\n\nimport (\n\t{imports}\n)\n\n"


def go(folder: Path, rounds: int, before: Before) -> None:
    """Build a program that writes the layer and the blob, its package compiled anew each time."""
    imgutil = Path(
        subprocess.run(
            ["go", "list", "-f", "{{.Dir}}", "github.com/buildpacks/imgutil/layer"],
            cwd=PROJECT / "tests/languages/go",
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
    )
    strings = "func Open() io.Reader { return io.MultiReader(strings.NewReader(Layer), strings.NewReader(Blob)) }\n"
    spelled = "".join(
        f"var {name} = []byte{{{', '.join(map(str, data))}}}\n"
        for name, data in (("layerData", TAR), ("blobData", BLOB))
    )
    texts = "".join(
        f"const {name} = {base64_lines(data, '	`', '` +')[1:].rstrip('+').rstrip().removesuffix('+')}\n"
        for name, data in (("layerText", TAR), ("blobText", BLOB))
    )
    decoded = (
        "func Open() io.Reader {\n\tlayer, _ := base64.StdEncoding.DecodeString(layerText)\n"
        "\tblob, _ := base64.StdEncoding.DecodeString(blobText)\n"
        "\treturn io.MultiReader(bytes.NewReader(layer), bytes.NewReader(blob))\n}\n"
    )
    join = "\n\t".join
    layer = (imgutil / "windows_baselayer.go").read_text().replace("package layer", "package contender")
    store = (imgutil / "bcdhive_generated.go").read_text().replace("package layer", "package contender")
    contenders: dict[str, dict[str, str]] = {
        "nothing": {
            "a.go": HEAD.format(imports=join(['"io"', '"strings"'])) + 'const Layer, Blob = "", ""\n\n' + strings
        },
        **{
            name: {
                "a.go": text.replace("package scratch", "package contender"),
                "b.go": HEAD.format(imports=join(['"io"', '"strings"'])) + strings.replace("Open", "Both"),
            }
            for name, text in before("go/scratch/scratch.go").items()
        },
        "xxd -i": {
            "a.go": HEAD.format(imports=join(['"bytes"', '"io"']))
            + "func Open() io.Reader { return io.MultiReader(bytes.NewReader(layerData), bytes.NewReader(blobData)) }\n"
            + spelled
        },
        "embed": {
            "a.go": HEAD.format(imports=join(['_ "embed"', '"io"', '"strings"']))
            + "//go:embed layer\nvar Layer string\n\n//go:embed blob\nvar Blob string\n\n"
            + strings
        },
        "base64": {"a.go": HEAD.format(imports=join(['"bytes"', '"encoding/base64"', '"io"'])) + texts + decoded},
        "imgutil (BCD only)": {
            "a.go": layer,
            "b.go": store,
            "c.go": HEAD.format(imports='"io"')
            + "func Open() io.Reader {\n\tlayer, _ := WindowsBaseLayer()\n\treturn layer\n}\n",
        },
    }
    number = 0
    roots: dict[str, Path] = {}
    for name, files in contenders.items():
        root = roots[name] = folder / f"go-{len(roots)}"
        (root / "contender").mkdir(parents=True)
        (root / "go.mod").write_text("module bench.example\n\ngo 1.21\n")
        (root / "main.go").write_text(
            MAIN.replace(".Open()", ".Both()") if "b.go" in files and "c.go" not in files else MAIN
        )
        for file, text in files.items():
            (root / "contender" / file).write_text(text)
        for file, data in DATA.items():
            (root / "contender" / file).write_bytes(data)

    def measure(name: str) -> float:
        nonlocal number
        number += 1
        # One more line makes it a package that no cache has.
        source = roots[name] / "contender/a.go"
        source.write_text(contenders[name]["a.go"] + f"\nconst number = {number}\n")
        return seconds(["go", "build", "-ldflags=-s -w", "-o", "program", "."], roots[name]) * 1000

    times = medians({name: lambda name=name: measure(name) for name in contenders}, rounds)  # type: ignore[misc]
    binaries = {name: (roots[name] / "program").stat().st_size for name in contenders}
    growth = {name: float(size - binaries["nothing"]) for name, size in binaries.items()}
    embedded = {"embed": sum(map(len, DATA.values()))}
    sources = {name: float(sum(map(len, files.values())) + embedded.get(name, 0)) for name, files in contenders.items()}
    rows = rows_of(sources, times, growth, units=("B", "ms", "B"))
    show("Go", ("source", "ratio", "build", "ratio", "binary growth", "ratio"), rows)


def main(rounds: int = 15, revision: str = "") -> None:
    """Run all and print their tables; ratios are to the first contender, this project's."""

    def before(file: str) -> dict[str, str]:
        """Return the module *file* below output/ as it is, and as it was."""
        found = {OURS: (OUTPUT / file).read_text("utf-8")}
        if revision:
            command = ["git", "show", f"{revision}:output/{file}"]
            found[f"at {revision}"] = subprocess.run(
                command, cwd=PROJECT, capture_output=True, check=True
            ).stdout.decode()
        return found

    print(f"bytes carried: {len(TAR):,} of layer and {len(BLOB):,} of blob; medians of {rounds} rounds taken in turn")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        python(folder, rounds, before)
        show_loads("Java", "heap", classes.java(folder, rounds, DATA, before("java/winscratch/WindowsScratch.java")))
        show_loads("C#", "heap", classes.csharp(folder, rounds, DATA, before("csharp/WindowsScratch.cs")))
        show_loads(
            "JavaScript", "memory", scripts.javascript(folder, rounds, DATA, before("javascript/windows-scratch.js"))
        )
        c(folder, rounds, before)
        go(folder, max(3, rounds // 3), before)
        rows = rows_of(*scripts.rust(folder, rounds, DATA, before("rust/windows_scratch.rs")), units=("B", "ms", "B"))
        show("Rust", ("source", "ratio", "compile", "ratio", "object", "ratio"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15, *sys.argv[2:3])
