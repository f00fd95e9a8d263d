# SPDX-License-Identifier: Apache-2.0
"""A copy at work where it went: run, compiled, linked, and found damaged."""

import gzip
import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.support import need
from helpers.vendoring import options_of, write

from generator.generation import manifest
from generator.generation.committed import committed_blob
from generator.languages.language import FILES, ModuleOptions
from generator.oci import blob as layer

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("place")
LAYERS = manifest.layers(ROOT)


# The Python copy: it verifies itself and is a command


def run_copy(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-W", "error", *arguments], capture_output=True, check=False)


@pytest.mark.parametrize("name", LAYERS)
def test_the_python_copy_is_a_command(name: str) -> None:
    write("python", name, "base.py")
    blob = committed_blob(ROOT, name)
    assert run_copy("base.py").stdout == blob.tar
    assert run_copy("base.py", "--blob").stdout == blob.compressed
    assert gzip.decompress(blob.compressed) == blob.tar
    verified = run_copy("base.py", "--verify")
    assert (verified.returncode, verified.stdout.decode()) == (0, f"{name}: {blob.diff_id} verified\n")
    info = json.loads(run_copy("base.py", "--info").stdout)
    assert (info["name"], info["diffID"], info["digest"]) == (name, blob.diff_id, blob.digest)
    assert (info["layerSize"], info["blobSize"]) == (len(blob.tar), len(blob.compressed))
    assert info["mediaType"] == layer.MEDIA_TYPE
    bcd = run_copy("base.py", "--bcd")
    if blob.bcd:
        assert bcd.stdout == blob.tar[blob.bcd[0] :][: blob.bcd[1]]
    else:
        assert bcd.returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("H4sI", "H4sJ", "the blob is sha256:"),
        ("H4sI", "H4s", "Incorrect padding"),
        ("BLOB_SIZE: Final = ", "BLOB_SIZE: Final = 1 + ", "the blob is sha256:"),
        ('DIFF_ID: Final = (\n    "sha256:', 'DIFF_ID: Final = (\n    "sha256:0', "the layer is sha256:"),
        ("LAYER_SIZE: Final = ", "LAYER_SIZE: Final = 1 + ", "the blob does not unpack to the layer"),
    ],
)
def test_a_damaged_python_copy_says_so(old: str, new: str, message: str) -> None:
    write("python", "scratch", "base.py")
    text = Path("base.py").read_text("ascii")
    assert old in text
    Path("base.py").write_text(text.replace(old, new, 1), "ascii")
    found = run_copy("base.py", "--verify")
    assert found.returncode == 1
    assert found.stderr.decode().startswith(f"base.py: {message}")
    assert found.stderr.count(b"\n") == 1


def test_threads_that_use_the_python_copy_first_share_its_bytes() -> None:
    write("python", "scratch", "base.py")
    script = """
import sys, threading, base
sys.setswitchinterval(1e-6)
start, found = threading.Barrier(8), []
def use():
    start.wait()
    found.append((id(base.layer()), id(base.blob()), base.layer()))
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
base.verify()
print(len(found), len(set(found)))
"""
    done = run_copy("-c", script)
    assert (done.stdout, done.stderr) == (b"8 1\n", b"")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ustar", "USTAR", "the layer is sha256:"),
        (r'Blob = "\x1f', r'Blob = "\x1e', "the blob is sha256:"),
        ("LayerSize = ", "LayerSize = 1 + ", "the layer has 61952 bytes, not 61953"),
    ],
)
def test_a_damaged_go_copy_says_so(old: str, new: str, message: str, place: Path) -> None:
    (place / "go.mod").write_text("module example.com/m\n\ngo 1.18\n")
    (place / "main.go").write_text(
        "package main\n\nfunc main() {\n\tif err := Verify(); err != nil {\n\t\tpanic(err)\n\t}\n}\n"
    )
    write("go", "scratch", "base.go", package="main", prefix="")
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOPROXY": "off"}

    def verify() -> tuple[int, str]:
        command = [need("go"), "run", "."]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stderr

    assert verify() == (0, "")
    text = (place / "base.go").read_text()
    assert old in text
    (place / "base.go").write_text(text.replace(old, new, 1))
    status, error = verify()
    assert (status, message in error) == (1, True), error


@pytest.mark.parametrize("option", [[], ["--blob"], ["--bcd"]])
def test_binary_to_a_terminal_is_refused(option: list[str]) -> None:
    write("python", "legacy", "base.py")
    ours, its = pty.openpty()
    try:
        done = subprocess.run([sys.executable, "base.py", *option], stdout=its, stderr=subprocess.PIPE, check=False)
        os.set_blocking(ours, False)
        assert (done.returncode, done.stderr) == (2, b"base.py: not to a terminal; redirect it\n")
        with pytest.raises(BlockingIOError):
            os.read(ours, 1)
        shown = subprocess.run([sys.executable, "base.py", "--info"], stdout=its, check=False)
        assert shown.returncode == 0
    finally:
        os.close(ours)
        os.close(its)


# Copies before compilers


@pytest.mark.parametrize("name", LAYERS)
def test_the_go_copy_stands_in_for_imgutils_files(name: str, place: Path) -> None:
    go = need("go")
    blob = committed_blob(ROOT, name)
    (place / "go.mod").write_text("module example.com/m\n\ngo 1.18\n")
    write("go", name, "layer", compat="imgutil")
    assert options_of(f"layer/windows_{name}.go") == ModuleOptions("layer", f"Windows{name.capitalize()}", "imgutil")
    use_bcd = "bcd, err := layer.BaseLayerBCD()\n" if blob.bcd else "var bcd []byte\n"
    (place / "main.go").write_text(
        f"""package main

import (
	"crypto/sha256"
	"fmt"
	"io"

	"example.com/m/layer"
)

func main() {{
	var reader io.Reader
	reader, err := layer.WindowsBaseLayer()
	if err != nil {{
		panic(err)
	}}
	data, err := io.ReadAll(reader)
	if err != nil {{
		panic(err)
	}}
	{use_bcd}
	if err != nil {{
		panic(err)
	}}
	fmt.Printf("%x %x", sha256.Sum256(data), sha256.Sum256(bcd))
}}
"""
    )
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    done = subprocess.run([go, "run", "."], capture_output=True, text=True, check=False, env=environment)
    bcd = blob.tar[blob.bcd[0] :][: blob.bcd[1]] if blob.bcd else b""
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{blob.diff_id[7:]} {hashlib.sha256(bcd).hexdigest()}"
    assert ("func BaseLayerBCD" in Path(f"layer/windows_{name}.go").read_text()) == bool(blob.bcd)


def test_go_copies_of_all_modules_build_in_one_package_with_other_files(place: Path) -> None:
    go = need("go")
    (place / "go.mod").write_text("module example.com/m\n\ngo 1.18\n")
    (place / "main.go").write_text("package main\n\nfunc main() {}\n")
    for name in (*LAYERS, FILES):
        write("go", name, ".")
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOPROXY": "off"}
    done = subprocess.run([go, "vet", "."], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    gofmt = shutil.which("gofmt") or str(Path(go).with_name("gofmt"))
    assert subprocess.run([gofmt, "-l", "."], capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_c_copies_of_all_layers_link_into_one_program(compiler: str, place: Path) -> None:
    program = need(compiler)
    for name in LAYERS:
        write("c", name, f"base-{name}.c", prefix=f"p{name}")
    includes = "".join(f'#include "base-{name}.h"\n' for name in LAYERS)
    sizes = " + ".join(f"P{name.upper()}_LAYER_SIZE + p{name}_blob[0]" for name in LAYERS)
    (place / "main.c").write_text(f"{includes}int main(void) {{ return ({sizes}) == 0; }}\n")
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors"]
    sources = sorted(str(path) for path in place.glob("*.c"))
    done = subprocess.run([program, *flags, *sources, "-o", "all"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run(["./all"], check=False).returncode == 0


def test_the_documented_lines_verify_a_c_copy(place: Path) -> None:
    program = need("gcc")
    write("c", "scratch", ".")
    shutil.copy(ROOT / "examples/c/save.c", place)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic-errors"]
    subprocess.run([program, *flags, "save.c", "windows_scratch.c", "-o", "save"], check=True)
    sums = subprocess.run(["./save"], capture_output=True, check=True).stdout
    checked = subprocess.run(["sha256sum", "--check"], input=sums, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, b"layer.tar: OK\nlayer.tar.gz: OK\n")
    blob = committed_blob(ROOT, "scratch")
    assert (Path("layer.tar").read_bytes(), Path("layer.tar.gz").read_bytes()) == (blob.tar, blob.compressed)
