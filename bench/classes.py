# SPDX-License-Identifier: Apache-2.0
"""Java and C# for bench/modules.py: the scratch layer and its blob in a class, put together at first use.

Each contender is a class of that name with the members of ours; a program of its language measures it in a process
of its own: the time until both are there, and what that takes of the heap.
"""

import base64
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from table import ENVIRONMENT, medians

OUTPUT = Path(__file__).absolute().parents[1] / "output"
PIECE = 48_000  # characters, of a constant that has at most 65,535 bytes
PART = 4_000  # bytes of an array literal: in Java, a method with a whole layer in one is refused as too large

JAVA = """
final class Measure {
  public static void main(String[] args) throws Exception {
    var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    long own = Thread.currentThread().getId();
    long warm = threads.getThreadAllocatedBytes(own) + System.nanoTime();
    long before = threads.getThreadAllocatedBytes(own);
    long start = System.nanoTime();
    int size = winscratch.WindowsScratch.layer().remaining() + winscratch.WindowsScratch.blob().remaining();
    long end = System.nanoTime();
    long after = threads.getThreadAllocatedBytes(own);
    if (size != %d || warm == 0) {
      throw new IllegalStateException();
    }
    System.out.println((end - start) + " " + (after - before));
  }
}
"""
CSHARP = """
static class Measure
{
    static void Main()
    {
        var watch = new System.Diagnostics.Stopwatch();
        watch.Start();
        watch.Reset();
        long before = System.GC.GetTotalMemory(true);
        watch.Start();
        int size = Winscratch.WindowsScratch.Layer.Length + Winscratch.WindowsScratch.Blob.Length;
        watch.Stop();
        long after = System.GC.GetTotalMemory(true);
        if (size != %d)
        {
            throw new System.InvalidOperationException();
        }
        System.Console.WriteLine((long)(watch.Elapsed.TotalMilliseconds * 1e6) + " " + (after - before));
    }
}
"""


def java_class(members: str) -> str:
    """Return a class with *members*, and views of what they call LAYER and BLOB."""
    views = "".join(
        f"  public static java.nio.ByteBuffer {name}() {{ return java.nio.ByteBuffer.wrap({name.upper()}); }}\n"
        for name in ("layer", "blob")
    )
    return f"package winscratch;\n\npublic final class WindowsScratch {{\n{views}{members}}}\n"


def java_contenders(data: Mapping[str, bytes], ours: str) -> dict[str, str]:
    """Return the source of each contender."""
    literals = texts = ""
    for name, value in data.items():
        parts = [value[at : at + PART] for at in range(0, len(value), PART)]
        for number, part in enumerate(parts):
            numbers = ", ".join(f"(byte) 0x{byte:02x}" for byte in part)
            literals += f"  static byte[] {name}{number}() {{ return new byte[] {{{numbers}}}; }}\n"
        calls = ", ".join(f"{name}{number}()" for number in range(len(parts)))
        literals += f"  static final byte[] {name.upper()} = join({calls});\n"
        text = base64.b64encode(value).decode()
        pieces = '" + new String("'.join(text[at : at + PIECE] for at in range(0, len(text), PIECE))
        texts += f'  static final byte[] {name.upper()} = java.util.Base64.getDecoder().decode("{pieces}"'
        texts += ")" * pieces.count("new String(") + ");\n"
    join = (
        "  static byte[] join(byte[]... parts) {\n    var out = new java.io.ByteArrayOutputStream();\n"
        "    for (byte[] part : parts) { out.writeBytes(part); }\n    return out.toByteArray();\n  }\n"
    )
    own = (OUTPUT / "java/winscratch/WindowsScratch.java").read_text()
    return {ours: own, "array literals": java_class(join + literals), "base64": java_class(texts)}


def csharp_contenders(data: Mapping[str, bytes], ours: str) -> dict[str, str]:
    """Return the source of each contender."""

    def made(value: Callable[[bytes], str]) -> str:
        # At first use, as ours: a class with a constructor of its own is not set up before.
        members = "".join(
            f"static class {name}Data {{ static {name}Data() {{ }}\n"
            f"internal static readonly byte[] Bytes = {value(part)}; }}\n"
            f"public static System.ReadOnlyMemory<byte> {name.capitalize()} "
            f"{{ get {{ return new System.ReadOnlyMemory<byte>({name}Data.Bytes); }} }}\n"
            for name, part in data.items()
        )
        return f"namespace Winscratch {{ public static class WindowsScratch {{\n{members}}} }}\n"

    return {
        # mcs knows C# 7, which has no annotations of nullable references.
        ours: (OUTPUT / "csharp/WindowsScratch.cs").read_text().replace("#nullable enable\n", ""),
        "array literals": made(lambda part: f"{{ {', '.join(f'0x{byte:02x}' for byte in part)} }}"),
        "base64": made(lambda part: f'System.Convert.FromBase64String("{base64.b64encode(part).decode()}")'),
    }


Figures = tuple[dict[str, float], dict[str, float], dict[str, float]]


def java(folder: Path, rounds: int, data: Mapping[str, bytes], ours: str) -> Figures:
    """Return each contender's size of source in bytes, milliseconds to load, and bytes of heap."""
    sources = java_contenders(data, ours)
    commands: dict[str, list[str | Path]] = {}
    for name, text in sources.items():
        place = folder / f"java-{len(commands)}"
        (place / "winscratch").mkdir(parents=True)
        files = [place / "winscratch/WindowsScratch.java", place / "Measure.java"]
        for file, content in zip(files, (text, JAVA % sum(map(len, data.values()))), strict=True):
            file.write_text(content)
        subprocess.run(["javac", "--release", "11", "-d", place, *files], check=True)
        commands[name] = ["java", "-Xshare:auto", "-cp", place, "Measure"]
    return figures(sources, commands, rounds)


def csharp(folder: Path, rounds: int, data: Mapping[str, bytes], ours: str) -> Figures:
    """Return each contender's size of source in bytes, milliseconds to load, and bytes of heap."""
    sources = csharp_contenders(data, ours)
    commands: dict[str, list[str | Path]] = {}
    for name, text in sources.items():
        place = folder / f"csharp-{len(commands)}"
        place.mkdir()
        files = [place / "WindowsScratch.cs", place / "Measure.cs"]
        for file, content in zip(files, (text, CSHARP % sum(map(len, data.values()))), strict=True):
            file.write_text(content)
        subprocess.run(["mcs", f"-out:{place}/program.exe", *files], check=True)
        commands[name] = ["mono", place / "program.exe"]
    return figures(sources, commands, rounds)


def figures(sources: Mapping[str, str], commands: Mapping[str, list[str | Path]], rounds: int) -> Figures:
    """Return the sizes of the *sources*, and medians of what the *commands* say in *rounds* rounds."""
    heap: dict[str, float] = {}

    def measure(name: str) -> float:
        done = subprocess.run(commands[name], env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True)
        taken, heap[name] = map(float, done.stdout.split())
        return taken / 1e6

    times = medians({name: lambda name=name: measure(name) for name in commands}, rounds)  # type: ignore[misc]
    return {name: float(len(text)) for name, text in sources.items()}, times, heap
