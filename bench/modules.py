# SPDX-License-Identifier: Apache-2.0
"""Compare the generated modules with other ways to carry the same bytes: python bench/modules.py [ROUNDS].

Each contender carries the scratch layer and its blob: as generated here, spelled out by ``xxd -i``, read
by Go's embed, or as base64 text in the manner of imgutil's generated file. imgutil's own package holds
its BCD store alone and makes a layer of empty hives at run time.
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
from table import ENVIRONMENT, medians, seconds, show

PROJECT = Path(__file__).absolute().parents[1]
OUTPUT = PROJECT / "output"
BLOB = (OUTPUT / "layers/scratch.tar.gz").read_bytes()
TAR = gzip.decompress(BLOB)
DATA = {"layer": TAR, "blob": BLOB}
OURS = "winscratch"

IMPORT = """
import sys, time, io
start = time.perf_counter()
import contender
print(time.perf_counter() - start)
"""
TRACE = """
import io, tracemalloc
tracemalloc.start()
import contender
print(tracemalloc.get_traced_memory()[1])
"""


def rows_of(*figures: dict[str, float], units: tuple[str, ...]) -> list[list[str]]:
    """Return a row for each contender: every figure with its unit and its ratio to ours."""
    rows = []
    for name in figures[0]:
        row = [name]
        for figure, unit in zip(figures, units, strict=True):
            row += [f"{figure[name]:,.{1 if unit == 'ms' else 0}f} {unit}", f"{figure[name] / figure[OURS]:.2f}"]
        rows.append(row)
    return rows


def base64_lines(data: bytes, start: str, end: str) -> str:
    """Return *data* as base64 text, one literal a line, as imgutil's generated file has it."""
    text = base64.b64encode(data).decode()
    return "".join(f"{start}{text[i : i + 76]}{end}\n" for i in range(0, len(text), 76))


def python(folder: Path, rounds: int) -> None:
    """Import each contender in a fresh process, its bytecode cached as after any first import."""
    modules = {
        OURS: (OUTPUT / "python/windows_scratch.py").read_text(),
        "bytes literal": "".join(f"{name} = {data!r}\n" for name, data in DATA.items()),
        "xxd -i": "".join(f"{name} = bytes([{', '.join(map(hex, data))}])\n" for name, data in DATA.items()),
        "base64": "import base64\n"
        + "".join(
            f"{name} = base64.b64decode(\n{base64_lines(data, chr(34), chr(34))})\n" for name, data in DATA.items()
        ),
    }
    places: dict[str, Path] = {}
    for name, text in modules.items():
        places[name] = folder / name.replace(" ", "-")
        places[name].mkdir()
        (places[name] / "contender.py").write_text(text)

    def measure(name: str, script: str) -> float:
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=places[name], env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True)
        return float(done.stdout)

    def each(script: str) -> dict[str, Callable[[], float]]:
        return {name: lambda name=name: measure(name, script) for name in modules}  # type: ignore[misc]

    times = {name: value * 1000 for name, value in medians(each(IMPORT), rounds).items()}
    memory = medians(each(TRACE), 1)
    sizes = {name: float(len(text)) for name, text in modules.items()}
    rows = rows_of(sizes, times, memory, units=("B", "ms", "B"))
    show("Python", ("source", "ratio", "import", "ratio", "peak memory", "ratio"), rows)


def c(folder: Path, rounds: int) -> None:
    """Compile each contender to an object file."""
    files = {}
    for name, data in DATA.items():
        (folder / name).write_bytes(data)
        files[name] = subprocess.run(
            ["xxd", "-i", name], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    sources = {
        OURS: (OUTPUT / "c/windows_scratch.c").read_text(),
        "xxd -i": "".join(files.values()),
        "base64": "".join(f"const char {n}[] =\n{base64_lines(d, chr(34), chr(34))};\n" for n, d in DATA.items()),
    }
    objects: dict[str, Path] = {}
    for name, text in sources.items():
        objects[name] = folder / f"{name.replace(' ', '-')}.o"
        objects[name].with_suffix(".c").write_text(text)

    def measure(name: str) -> float:
        source = objects[name].with_suffix(".c")
        return seconds(["gcc", "-O2", "-I", OUTPUT / "c", "-c", source, "-o", objects[name]], folder) * 1000

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


def go(folder: Path, rounds: int) -> None:
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
        OURS: {
            "a.go": (OUTPUT / "go/scratch/scratch.go").read_text().replace("package scratch", "package contender"),
            "b.go": HEAD.format(imports=join(['"io"', '"strings"'])).replace("Open", "")
            + strings.replace("Open", "Both"),
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
        (root / "main.go").write_text(MAIN.replace("contender.Open()", "contender.Both()") if name == OURS else MAIN)
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


def main(rounds: int = 15) -> None:
    """Run all and print their tables; ratios are to the first contender, this project's."""
    print(f"bytes carried: {len(TAR):,} of layer and {len(BLOB):,} of blob; medians of {rounds} rounds taken in turn")
    with tempfile.TemporaryDirectory() as folder:
        python(Path(folder), rounds)
        c(Path(folder), rounds)
        go(Path(folder), max(3, rounds // 3))
        for title, measured in (("Java", classes.java), ("C#", classes.csharp)):
            rows = rows_of(*measured(Path(folder), rounds, DATA, OURS), units=("B", "ms", "B"))
            show(title, ("source", "ratio", "load", "ratio", "heap", "ratio"), rows)
        rows = rows_of(*scripts.rust(Path(folder), rounds, DATA, OURS), units=("B", "ms", "B"))
        show("Rust", ("source", "ratio", "compile", "ratio", "object", "ratio"), rows)
        rows = rows_of(*scripts.javascript(Path(folder), rounds, DATA, OURS), units=("B", "ms", "B"))
        show("JavaScript", ("source", "ratio", "load", "ratio", "memory", "ratio"), rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
