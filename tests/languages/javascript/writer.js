// SPDX-License-Identifier: Apache-2.0

// What the writer does beside what the cases of tests/vectors ask: node --test writer.js, the module in MODULE.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const { DESCRIPTORS, FilesError, REASONS, Writer, end, header } = await import(process.env.MODULE);

/** Returns a writer, and a function that returns the bytes it has written. */
function made(options) {
    const chunks = [];
    const layer = new Writer(new WritableStream({ write: (chunk) => void chunks.push(chunk) }), options);
    return [layer, () => Buffer.concat(chunks)];
}

const refused = (code) => (error) => error instanceof FilesError && error.code === code;

test("the first error is thrown by every later call, and nothing more is written", async () => {
    const [layer, bytes] = made();
    await layer.add("a", Buffer.from("1"));
    const before = bytes();
    await assert.rejects(layer.add("A", Buffer.from("2")), refused("case"));
    await assert.rejects(layer.addDirectory("b"), refused("case"));
    await assert.rejects(layer.close(), refused("case"));
    assert.deepEqual(bytes(), before);
});

test("calls that do not wait for one another are written in order", async () => {
    const [slow, slowBytes] = made();
    await slow.add("a", new Uint8Array(1000));
    await slow.addDirectory("b");
    await slow.addHardlink("c", "a");
    await slow.close();
    const [fast, fastBytes] = made();
    void fast.add("a", new Blob([new Uint8Array(1000)]));
    void fast.addDirectory("b");
    void fast.addHardlink("c", "a");
    await fast.close();
    assert.deepEqual(fastBytes(), slowBytes());
    assert.deepEqual(slowBytes().subarray(-1024), Buffer.from(end()));
});

test("after the end there is no more, and nothing is harmed", async () => {
    const [layer, bytes] = made();
    await layer.close();
    const whole = bytes();
    await assert.rejects(layer.addDirectory("a"), refused("closed"));
    await assert.rejects(layer.addDirectory("NUL"), refused("closed"));
    await layer.close();
    assert.deepEqual(bytes(), whole);
});

test("the stream is let go, but not closed", async () => {
    const out = new WritableStream();
    await new Writer(out).close();
    assert.equal(out.locked, false);
    await out.close();
});

test("data comes as bytes, blobs, streams and one after another", async () => {
    const data = new Uint8Array(3).fill(7);
    const pieces = [data.subarray(0, 1), data.subarray(1)];
    const layers = [];
    for (const form of [
        data,
        new Blob(pieces),
        new Blob(pieces).stream(),
        pieces,
        (async function* () {
            yield* pieces;
        })(),
    ]) {
        const [layer, bytes] = made();
        await layer.add("a", form, { size: 3 });
        await layer.close();
        layers.push(bytes().toString("hex"));
    }
    assert.equal(new Set(layers).size, 1);
});

test("data must be as long as the size says, and a stream needs one", async () => {
    for (const size of [1, 3]) {
        for (const data of [new Uint8Array(2), new Blob(["xx"]), new Blob(["xx"]).stream(), [new Uint8Array(2)]]) {
            await assert.rejects(made()[0].add("a", data, { size }), refused("data"));
        }
        await assert.rejects(made()[0].add("NUL", new Uint8Array(2), { size }), refused("device"));
    }
    for (const size of [undefined, 0.5, 2 ** 53, -1]) {
        await assert.rejects(made()[0].add("a", new Blob(["xx"]).stream(), { size }), refused("size"));
        await assert.rejects(made()[0].add("NUL", new Blob(["xx"]).stream(), { size }), refused("device"));
    }
});

test("data whose buffer was transferred before its turn is an error", async () => {
    for (const size of [100, 100_000]) {
        const data = new Uint8Array(size).fill(7);
        const [layer] = made();
        const added = layer.add("a", data);
        structuredClone(data.buffer, { transfer: [data.buffer] });
        assert.equal(data.length, 0);
        await assert.rejects(added, refused("data"));
    }
});

test("a stream of a refused entry is not touched", async () => {
    const source = new Blob(["x"]).stream();
    await assert.rejects(made()[0].add("NUL", source, { size: 1 }), refused("device"));
    assert.equal(source.locked, false);
    assert.equal(await new Response(source).text(), "x");
});

test("a stream that gives too much is cancelled", async () => {
    const reasons = [];
    const source = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1)),
        cancel: (reason) => void reasons.push(reason),
    });
    await assert.rejects(made()[0].add("a", source, { size: 2 }), refused("data"));
    assert.deepEqual(reasons, [undefined]);
    assert.equal(source.locked, false);
});

test("an output that fails is an error, and stays one", async () => {
    const reason = new Error("the disk is on fire");
    const layer = new Writer(new WritableStream({ write: () => Promise.reject(reason) }));
    await assert.rejects(layer.add("a", new Uint8Array(1)), reason);
    await assert.rejects(layer.close(), reason);
});

test("a source that fails is an error, and stays one", async () => {
    const reason = new Error("the disk is on fire");
    const source = new ReadableStream({ pull: (controller) => controller.error(reason) });
    const [layer] = made();
    await assert.rejects(layer.add("a", source, { size: 1 }), reason);
    await assert.rejects(layer.close(), reason);
});

test("arguments of a wrong type are TypeErrors that name them, and harm nothing", async () => {
    const [layer, bytes] = made();
    await layer.add("a", new Uint8Array(1));
    const before = bytes();
    const locked = new Blob(["x"]).stream();
    locked.getReader();
    for (const data of [
        locked,
        "text",
        new ArrayBuffer(1),
        new DataView(new ArrayBuffer(1)),
        new Uint16Array(1),
        null,
        1,
        {},
    ]) {
        await assert.rejects(layer.add("b", data, { size: 1 }), { name: "TypeError", message: /^data: / });
    }
    for (const path of [undefined, null, 1, ["b"], new URL("file:///b")]) {
        const wrong = { name: "TypeError", message: /^path: / };
        await assert.rejects(layer.add(path, new Uint8Array(1)), wrong);
        await assert.rejects(layer.addDirectory(path), wrong);
        await assert.rejects(layer.addSymlink(path, "a"), wrong);
        await assert.rejects(layer.addHardlink(path, "a"), wrong);
        await assert.rejects(layer.addWhiteout(path), wrong);
    }
    await assert.rejects(layer.addHardlink("b", 1), { name: "TypeError", message: /^target: / });
    for (const [name, value] of [
        ["size", "1"],
        ["attributes", "1"],
        ["attributes", 1n],
        ["descriptor", new ArrayBuffer(1)],
        ["time", 0],
        ["time", null],
        ["time", new Date(0)],
        ["time", { modified: 0n, accessed: 0n, changed: 0n }],
    ]) {
        const wrong = { name: "TypeError", message: new RegExp(`^${name}: `, "u") };
        await assert.rejects(layer.add("b", new Uint8Array(1), { [name]: value }), wrong);
        assert.throws(() => header({ kind: "file", path: "b", [name]: value }), wrong);
    }
    assert.throws(() => header({ kind: 1, path: "b" }), { name: "TypeError", message: /^kind: / });
    assert.throws(() => made({ time: Date.now() }), TypeError);
    assert.throws(() => made({ descriptor: 1 }), TypeError);
    for (const out of [undefined, null, {}, new ReadableStream()]) {
        assert.throws(() => new Writer(out), { name: "TypeError", message: /^out: / });
    }
    assert.deepEqual(bytes(), before);
    await layer.addHardlink("b", "a");
    await layer.close();
});

test("pieces that are no bytes are an error, and the stream can then be aborted", async () => {
    for (const data of [["text"], [1, 2], new Blob(["x"]).stream().pipeThrough(new TextDecoderStream())]) {
        const out = new WritableStream();
        const layer = new Writer(out);
        await assert.rejects(layer.add("a", data, { size: 4 }), TypeError);
        await assert.rejects(layer.close(), TypeError);
        await out.abort();
    }
});

test("bytes of another realm are bytes", async () => {
    const data = runInNewContext("new Uint8Array([1, 2, 3])");
    assert.equal(data instanceof Uint8Array, false);
    const [other, otherBytes] = made();
    await other.add("a", data);
    const [own, ownBytes] = made();
    await own.add("a", Uint8Array.from(data));
    assert.deepEqual(otherBytes(), ownBytes());
});

test("what is not set is the layer's, and 0 is a time", async () => {
    const [layer, bytes] = made({ time: 10n ** 18n, descriptor: "none" });
    await layer.add("a", new Uint8Array(0), { time: undefined, descriptor: undefined });
    await layer.add("b", new Uint8Array(0), { time: 0n, descriptor: "user-owned" });
    assert.deepEqual(
        bytes().subarray(3072),
        Buffer.concat([
            header({ kind: "file", path: "a", time: 10n ** 18n, descriptor: "none" }),
            header({ kind: "file", path: "b", time: 0n, descriptor: "user-owned" }),
        ]),
    );
});

test("words that every object has are no kinds and no descriptors", () => {
    assert.throws(() => header({ kind: "toString", path: "a" }), refused("kind"));
    assert.throws(() => header({ kind: "file", path: "a", descriptor: "constructor" }), refused("descriptor"));
});

test("attributes are whole numbers of those that can be set", () => {
    for (const attributes of [1.5, -1, 2 ** 32 + 1, NaN, 16, 129, 0.5]) {
        assert.throws(() => header({ kind: "file", path: "a", attributes }), refused("attributes"));
    }
    assert.throws(() => header({ kind: "whiteout", path: "a", attributes: 1 }), refused("attributes"));
});

test("links and whiteouts have no attributes of their own", async () => {
    for (const attributes of [1, 128]) {
        const options = { attributes };
        const [first] = made();
        await first.add("a", new Uint8Array(1));
        await assert.rejects(first.addHardlink("b", "a", options), refused("attributes"));
        await assert.rejects(made()[0].addWhiteout("a", options), refused("attributes"));
    }
});

test("nobody changes what is written by changing what is exported", () => {
    assert.throws(() => (REASONS.kind = "mine"), TypeError);
    assert.throws(() => (DESCRIPTORS["users-read"] = ["", ""]), TypeError);
    assert.throws(() => (DESCRIPTORS["users-read"][0] = ""), TypeError);
});
