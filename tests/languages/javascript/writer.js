// SPDX-License-Identifier: Apache-2.0

// What the writer does beside what the cases of tests/vectors ask: node --test writer.js, the module in MODULE.

import assert from "node:assert/strict";
import { test } from "node:test";

const { FilesError, Writer, end, header } = await import(process.env.MODULE);

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

test("after the end there is no more", async () => {
    const out = new WritableStream();
    const layer = new Writer(out);
    await layer.close();
    assert.equal(out.locked, false);
    await assert.rejects(layer.addDirectory("a"), refused("closed"));
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
        await assert.rejects(made()[0].add("a", new Uint8Array(2), { size }), refused("data"));
    }
    for (const size of [undefined, 0.5, 2 ** 53, "2", -1]) {
        await assert.rejects(made()[0].add("a", new Blob(["xx"]).stream(), { size }), refused("size"));
    }
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

test("data that is no bytes is an error, and the stream can then be aborted", async () => {
    for (const data of ["text", ["text"], new ArrayBuffer(1), null]) {
        const out = new WritableStream();
        const layer = new Writer(out);
        await assert.rejects(layer.add("a", data, { size: 4 }), TypeError);
        await assert.rejects(layer.close(), TypeError);
        await out.abort();
    }
});

test("a time is a bigint, for a number has no nanoseconds", () => {
    assert.throws(() => header({ kind: "file", path: "a", time: 1 }), TypeError);
    assert.throws(() => made({ time: Date.now() }), TypeError);
});

test("words that every object has are no kinds and no descriptors", () => {
    assert.throws(() => header({ kind: "toString", path: "a" }), refused("kind"));
    assert.throws(() => header({ kind: "file", path: "a", descriptor: "constructor" }), refused("descriptor"));
});

test("attributes are whole numbers of 32 bits", () => {
    for (const attributes of [1.5, -1, 2 ** 32 + 1, "1", NaN]) {
        assert.throws(() => header({ kind: "file", path: "a", attributes }), refused("attributes"));
    }
});
