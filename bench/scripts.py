# SPDX-License-Identifier: Apache-2.0
"""Rust and JavaScript for bench/modules.py: rustc's time to compile, and Node's to load and use.

A Rust contender is a library with LAYER and BLOB; measured are rustc's CPU time, less that for an
empty library, and the size of the object file. A JavaScript contender is a module with layer() and blob(); a separate
process measures time and memory of importing it and calling both.
"""

import base64
import resource
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from classes import Figures, figures
from table import medians

MEASURE = """
const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) * 1000; };
const size = () => { const m = process.memoryUsage(); return m.heapUsed + m.external; };
gc();
const before = size();
const start = spent();
const module = await import("./contender.js");
const loaded = spent();
const made = [module.layer(), module.blob()];
const used = spent();
gc();
const after = size();
if (made[0].length + made[1].length !== %d) { throw new Error(); }
console.log(`${loaded - start} ${used - loaded} ${after - before}`);
"""


def rust(
    folder: Path, rounds: int, data: Mapping[str, bytes], ours: Mapping[str, str]
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return each contender's size of source in bytes, milliseconds to compile, and bytes of object."""

    def made(value: Callable[[bytes], str], kind: str = "&[u8]") -> str:
        return "".join(f"pub static {name.upper()}: {kind} = {value(part)};\n" for name, part in data.items())

    sources = dict(ours) | {
        "array literal": made(lambda part: f"&[{', '.join(f'0x{byte:02x}' for byte in part)}]"),
        "byte string": made(lambda part: 'b"' + "".join(f"\\x{byte:02x}" for byte in part) + '"'),
        "base64": made(lambda part: f'"{base64.b64encode(part).decode()}"', "&str"),
        "nothing": "",
    }
    commands: dict[str, list[str | Path]] = {}
    for name, text in sources.items():
        place = folder / f"rust-{len(commands)}"
        place.with_suffix(".rs").write_text(text)
        flags = ("--edition=2021", "--crate-type=lib", "--crate-name=contender", "--emit=obj", "-O")
        commands[name] = ["rustc", *flags, place.with_suffix(".rs"), "-o", place.with_suffix(".o")]
    times = medians({name: lambda name=name: spent(commands[name]) for name in commands}, rounds)  # type: ignore[misc]
    nothing = times.pop("nothing")
    del sources["nothing"]
    times = {name: time - nothing for name, time in times.items()}
    objects = {name: float(Path(commands[name][-1]).stat().st_size) for name in sources}
    return {name: float(len(text)) for name, text in sources.items()}, times, objects


def spent(command: list[str | Path]) -> float:
    """Return the milliseconds of processors' time that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def javascript(folder: Path, rounds: int, data: Mapping[str, bytes], ours: Mapping[str, str]) -> Figures:
    """Return the figures of each contender."""

    def made(value: Callable[[bytes], str]) -> str:
        return "".join(f"export const {name} = () => {value(part)};\n" for name, part in data.items())

    sources = dict(ours) | {
        "array literal": made(lambda part: f"new Uint8Array([{', '.join(f'0x{byte:02x}' for byte in part)}])"),
        "base64 of both": made(
            lambda part: f'Uint8Array.from(atob("{base64.b64encode(part).decode()}"), (c) => c.charCodeAt(0))'
        ),
        "base64 and gzip, by Node": "import { gunzipSync } from 'node:zlib';\n"
        f'export const blob = () => Buffer.from("{base64.b64encode(data["blob"]).decode()}", "base64");\n'
        "export const layer = () => gunzipSync(blob());\n",
    }
    commands: dict[str, list[str | Path]] = {}
    for name, text in sources.items():
        place = folder / f"javascript-{len(commands)}"
        place.mkdir()
        place.joinpath("package.json").write_text('{"type": "module"}')
        place.joinpath("contender.js").write_text(text)
        place.joinpath("measure.js").write_text(MEASURE % sum(map(len, data.values())))
        commands[name] = ["node", "--expose-gc", place / "measure.js"]
    return figures(sources, commands, rounds)
