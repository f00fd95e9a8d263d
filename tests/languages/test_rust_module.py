# SPDX-License-Identifier: Apache-2.0
"""The Rust modules: with every rustc that is here, under clippy's pedantic eyes, and as a crate from the disk."""

import functools
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from helpers import layer_vectors
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed, dumped, run
from helpers.counts import THOROUGH, thorough
from helpers.support import extract, lack, need
from languages.programs import rust

from generator import VERSION

FLOOR = (1, 63)  # Debian 12's
CORE = ("--cfg", 'feature="core-error"')
PEDANTIC = ("--", "-D", "warnings", "-W", "clippy::pedantic")


@functools.cache
def compilers() -> dict[str, str]:
    """Return every rustc from the floor on that this machine has, by its version."""
    found: dict[str, str] = {}
    for candidate in ("/usr/bin/rustc", shutil.which("rustc")):
        if candidate is not None and Path(candidate).exists():
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
            version = re.match(r"rustc (\d+)\.(\d+)\.\d+", said)
            if version is not None and (int(version[1]), int(version[2])) >= FLOOR:
                found.setdefault(version[0].removeprefix("rustc "), candidate)
    return found


def tried() -> list[str]:
    """Return the versions to test with: all in a thorough run, else the oldest; other tests use the newest."""
    return list(compilers()) if THOROUGH else list(compilers())[:1]


@pytest.mark.parametrize("version", tried())
def test_every_rustc_reads_the_layers(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    run(rust.dump(compilers()[version], tmp_path), folder)
    assert dumped(folder) == committed()


@thorough("compiles with other compilers")
@pytest.mark.parametrize("version", tried())
def test_every_rustc_writes_the_same_layers_on_top(version: str, tmp_path: Path) -> None:
    cases = [case for case in layer_vectors.headers() + layer_vectors.layers() if rust.can_ask(case)]
    made = layer_vectors.by_program([rust.files(compilers()[version], tmp_path)], cases)
    assert [layer_vectors.summary(one) for one in made] == [layer_vectors.expected(case) for case in cases]


def newest(least: tuple[int, int]) -> str:
    """Return the latest rustc of this machine; skip the test if it is older than *least*."""
    version = max(compilers(), key=lambda each: [int(part) for part in each.split(".")], default="0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        lack(f"rustc {least[0]}.{least[1]} or later not found")
    return compilers()[version]


@pytest.mark.parametrize(("features", "passed"), [((), 8), (rust.STD, 14)], ids=["no_std", "std"])
@pytest.mark.parametrize("version", tried())
def test_the_writer_keeps_its_word_when_something_fails(
    version: str, features: tuple[str, ...], passed: int, tmp_path: Path
) -> None:
    source = PROJECT / "tests/languages/rust/writer.rs"
    program = rust.compiled(compilers()[version], tmp_path, "--test", *features, source)
    assert re.search(rf"test result: ok\. {passed} passed; 0 failed; 0 ignored", run(program))


def test_errors_are_cores_without_std(tmp_path: Path) -> None:
    source = PROJECT / "tests/languages/rust/writer.rs"
    program = rust.compiled(newest((1, 81)), tmp_path, "--test", *CORE, source)
    assert "test result: ok. 9 passed; 0 failed; 0 ignored" in run(program)


@pytest.mark.parametrize("module", sorted(OUTPUT.glob("rust/*.rs")), ids=lambda path: path.stem)
def test_modules_fit_crates_of_a_later_edition(module: Path, tmp_path: Path) -> None:
    words = ("--edition", "2024", "-D", "warnings", "--crate-type", "lib", "--emit", "metadata", "--out-dir", tmp_path)
    for features in ((), rust.STD, CORE):
        run(newest((1, 85)), *words, *features, module)


def test_the_oldest_rustc_that_is_promised_is_here() -> None:
    if not compilers():
        lack(f"rustc {FLOOR[0]}.{FLOOR[1]} or later not found")
    release = Path("/etc/os-release").read_text("utf-8")
    if 'VERSION_ID="12"' in release and "ID=debian" in release:
        assert any(version.startswith("1.63.") for version in compilers())


def test_the_documented_program_saves_the_layer(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    said = run(rust.compiled("rustc", tmp_path, *rust.STD, PROJECT / "examples/rust/save.rs"), folder)
    for file, name in (("layer.tar", "scratch.tar"), ("layer.tar.gz", "scratch.tar.gz"), ("BCD", "scratch.bcd")):
        (folder / file).rename(folder / name)
    wanted = {name: digest for name, digest in committed().items() if name.startswith("scratch.")}
    assert dumped(folder) == wanted
    assert said.split()[1:3] == [f"sha256:{wanted[name]}" for name in ("scratch.tar", "scratch.tar.gz")]


# ---------------------------------------------------------------------------------------------
# As a crate


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the crate, as what cargo would upload of it unpacks to."""
    source = tmp_path_factory.mktemp("crate")
    run(sys.executable, PROJECT / "packages/build.py", "rust", source)
    run(need("cargo"), "package", "--offline", "--no-verify", "--allow-dirty", "--quiet", cwd=source)
    with tarfile.open(source / f"target/package/winscratch-{VERSION}.crate") as packed:
        extract(packed, source / "unpacked")
    return source / f"unpacked/winscratch-{VERSION}"


def test_the_crate_has_the_projects_version_and_the_committed_modules(crate: Path) -> None:
    assert f'\nversion = "{VERSION}"\n' in (crate / "Cargo.toml").read_text("utf-8")
    for name in (*LAYERS, "files"):
        file = f"windows_{name}.rs"
        assert (crate / "src" / file).read_bytes() == (OUTPUT / "rust" / file).read_bytes()
    assert (crate / "LICENSE").read_bytes() == (PROJECT / "LICENSES/0BSD.txt").read_bytes()


@pytest.mark.parametrize(
    "features", [("--no-default-features",), (), ("--all-features",)], ids=["no_std", "std", "all"]
)
def test_clippy_finds_nothing_pedantic_in_the_crate(features: tuple[str, ...], crate: Path) -> None:
    """The crate forbids unsafe code and, without its feature, has no std; clippy knows what 1.63 lacks."""
    need("cargo-clippy")
    assert "#![forbid(unsafe_code)]" in (crate / "src/lib.rs").read_text("utf-8")
    run(need("cargo"), "clippy", "--offline", "--quiet", *features, *PEDANTIC, cwd=crate)


@pytest.mark.parametrize("features", [("--no-default-features",), ()], ids=["no_std", "std"])
def test_rustdoc_finds_nothing_in_the_crate(features: tuple[str, ...], crate: Path) -> None:
    run(need("cargo"), "doc", "--offline", "--quiet", *features, cwd=crate, RUSTDOCFLAGS="-D warnings")


@pytest.mark.parametrize("edition", ["2021", "2024"])
@pytest.mark.parametrize("features", ["", "\n[features]\ndefault = ['std']\nstd = []\n"], ids=["no_std", "std"])
def test_a_crate_that_states_no_oldest_rust_gets_no_warning(features: str, edition: str, tmp_path: Path) -> None:
    """Of clippy and rustfmt, which then know all of the newest Rust, and the features that the crate lacks."""
    need("cargo-clippy")
    newest((1, 85))
    (tmp_path / "src").mkdir()
    lines = ["#![no_std]\n"]
    for module in sorted(OUTPUT.glob("rust/*.rs")):
        shutil.copy(module, tmp_path / "src")
        lines.append(f"pub mod {module.stem};")
    (tmp_path / "src/lib.rs").write_text("\n".join(lines) + "\n")
    package = f'[package]\nname = "user"\nversion = "0.0.0"\nedition = "{edition}"\n'
    (tmp_path / "Cargo.toml").write_text(package + features)
    run(need("cargo"), "clippy", "--offline", "--quiet", *PEDANTIC, cwd=tmp_path)
    need("rustfmt")
    run(need("cargo"), "fmt", "--check", cwd=tmp_path)


USER = """fn main() -> Result<(), Box<dyn std::error::Error>> {
    winscratch::hostprocess::verify()?;
    let mut layer = winscratch::files::Writer::new(Vec::new());
    layer.add("app/hello.exe", b"MZ")?;
    println!("{} {}", winscratch::hostprocess::DIGEST, layer.finish()?.len());
    Ok(())
}
"""


def test_a_program_uses_the_crate_from_the_disk(crate: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text(USER)
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "user"\nversion = "0.0.0"\nedition = "2021"\n\n'
        f'[dependencies]\nwinscratch.path = "{crate}"\n'
    )
    said = run(need("cargo"), "run", "--offline", "--quiet", cwd=tmp_path)
    # Two roots, a directory, a file: each a header of two blocks with one of records between; its data; the end.
    assert said.split() == [f"sha256:{committed()['hostprocess.tar.gz']}", str(4 * 3 * 512 + 512 + 1024)]
