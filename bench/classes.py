# SPDX-License-Identifier: Apache-2.0
"""Java and C# for bench/modules.py: the scratch layer and its blob in a class, put together at first use.

Each contender is a class of that name with the members of ours; a program of its language measures it in a process
of its own: the time until the class is loaded, the time until both are there, and what that takes of the heap.
"""

import base64
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from table import ENVIRONMENT, medians

PIECE = 48_000  # characters, of a constant that has at most 65,535 bytes
PART = 4_000  # bytes of an array literal: in Java, a method with a whole layer in one is refused as too large

JAVA = """
final class Measure {
  static int size(java.nio.ByteBuffer data) { return data.remaining(); }
  static int size(byte[] data) { return data.length; }
  public static void main(String[] args) throws Exception {
    var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    long own = Thread.currentThread().getId();
    long warm = threads.getThreadAllocatedBytes(own) + System.nanoTime();
    long before = threads.getThreadAllocatedBytes(own);
    long start = threads.getCurrentThreadCpuTime();
    Class.forName("winscratch.WindowsScratch");
    long loaded = threads.getCurrentThreadCpuTime();
    int size = size(winscratch.WindowsScratch.layer()) + size(winscratch.WindowsScratch.blob());
    long used = threads.getCurrentThreadCpuTime();
    long after = threads.getThreadAllocatedBytes(own);
    if (size != %d || warm == 0) {
      throw new IllegalStateException();
    }
    System.out.println((loaded - start) + " " + (used - loaded) + " " + (after - before));
  }
}
"""
CSHARP = """
static class Measure
{
    static int Size(System.ArraySegment<byte> data) { return data.Count; }
    static int Size(System.ReadOnlyMemory<byte> data) { return data.Length; }

    static void Main()
    {
        var watch = new System.Diagnostics.Stopwatch();
        watch.Start();
        watch.Reset();
        long before = System.GC.GetTotalMemory(true);
        watch.Start();
        System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(Winscratch.WindowsScratch).TypeHandle);
        double loaded = watch.Elapsed.TotalMilliseconds;
        int size = Size(Winscratch.WindowsScratch.Layer) + Size(Winscratch.WindowsScratch.Blob);
        double used = watch.Elapsed.TotalMilliseconds;
        watch.Stop();
        long after = System.GC.GetTotalMemory(true);
        if (size != %d)
        {
            throw new System.InvalidOperationException();
        }
        System.Console.WriteLine((long)(loaded * 1e6) + " " + (long)((used - loaded) * 1e6) + " " + (after - before));
    }
}
"""


def java_class(members: str) -> str:
    """Return a class with *members*, and read-only views of what they call LAYER and BLOB, as ours returns them."""
    views = "".join(
        f"  public static java.nio.ByteBuffer {name}() {{\n"
        f"    return java.nio.ByteBuffer.wrap({name.upper()}).asReadOnlyBuffer();\n  }}\n"
        for name in ("layer", "blob")
    )
    return f"package winscratch;\n\npublic final class WindowsScratch {{\n{views}{members}}}\n"


def java_contenders(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return the source of each contender but ours."""
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
    text = base64.b64encode(data["blob"]).decode()
    unpacked = f"""  static final byte[] BLOB = java.util.Base64.getDecoder().decode("{text}");
  static final byte[] LAYER = unpacked();
  static byte[] unpacked() {{
    try (var in = new java.util.zip.GZIPInputStream(new java.io.ByteArrayInputStream(BLOB))) {{
      return in.readAllBytes();
    }} catch (java.io.IOException e) {{ throw new AssertionError(e); }}
  }}
"""
    return {
        "array literals": java_class(join + literals),
        "base64 of both": java_class(texts),
        "base64 and gzip": java_class(unpacked),
    }


def csharp_contenders(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return the source of each contender but ours."""

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

    unpacked = f"""public static class Unpack {{ public static byte[] Bytes(byte[] blob) {{
using (var gzip = new System.IO.Compression.GZipStream(
    new System.IO.MemoryStream(blob), System.IO.Compression.CompressionMode.Decompress))
using (var made = new System.IO.MemoryStream({len(data["layer"])}))
{{ gzip.CopyTo(made); return made.ToArray(); }} }} }}
"""

    def text(part: bytes) -> str:
        return f'System.Convert.FromBase64String("{base64.b64encode(part).decode()}")'

    def either(part: bytes) -> str:
        return text(part) if part == data["blob"] else f"Unpack.Bytes({text(data['blob'])})"

    return {
        "array literals": made(lambda part: f"{{ {', '.join(f'0x{byte:02x}' for byte in part)} }}"),
        "base64 of both": made(text),
        "base64 and gzip": unpacked + made(either),
    }


# Bytes of source; milliseconds to load, to use first, and for both; bytes of memory. By contender.
Figures = tuple[dict[str, float], dict[str, float], dict[str, float], dict[str, float], dict[str, float]]


def java(folder: Path, rounds: int, data: Mapping[str, bytes], ours: Mapping[str, str]) -> Figures:
    """Return the figures of each contender; memory is the heap."""
    sources = dict(ours) | java_contenders(data)
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


def csharp(folder: Path, rounds: int, data: Mapping[str, bytes], ours: Mapping[str, str]) -> Figures:
    """Return the figures of each contender; memory is the heap."""
    # mcs knows C# 7, which has no annotations of nullable references.
    sources = {name: text.replace("#nullable enable\n", "") for name, text in ours.items()} | csharp_contenders(data)
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
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    heap: dict[str, float] = {}

    def measure(name: str) -> float:
        done = subprocess.run(commands[name], env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True)
        loaded, used, heap[name] = map(float, done.stdout.split())
        taken[name].append((loaded / 1e6, used / 1e6))
        return (loaded + used) / 1e6

    both = medians({name: lambda name=name: measure(name) for name in commands}, rounds)  # type: ignore[misc]
    loads, uses = (  # the first round is to warm up
        {name: statistics.median(pair[which] for pair in pairs[1:]) for name, pairs in taken.items()}
        for which in (0, 1)
    )
    return {name: float(len(text)) for name, text in sources.items()}, loads, uses, both, heap
