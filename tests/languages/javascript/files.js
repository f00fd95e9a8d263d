// SPDX-License-Identifier: Apache-2.0

// Makes layers on top of what it reads, and answers with their bytes: tests/helpers/layer_vectors.py has the words.
// The module's path is its argument.

const { header, Writer, FilesError } = await import(process.argv[2]);

const fromHex = (word) =>
    Uint8Array.from({ length: (word.length - 1) / 2 }, (_, n) => parseInt(word.slice(1 + 2 * n, 3 + 2 * n), 16));

function text(word) {
    try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fromHex(word));
    } catch {
        return "\ud800"; // what no text has
    }
}

/** Returns the options that an entry and a layer share. */
function common(descriptor, times) {
    const options = {};
    if (descriptor !== "=") {
        options.descriptor = descriptor.startsWith(":") ? fromHex(descriptor) : descriptor;
    }
    if (times[0] !== "=") {
        const [modified, accessed, changed, created] = times.map(BigInt);
        const one = new Set(times).size === 1;
        options.time = one ? modified : { modified, accessed, changed, created };
    }
    return options;
}

function add(layer, kind, path, target, options) {
    switch (kind) {
        case "file":
            return layer.add(path, new Uint8Array(Number(options.size)).fill(120), options);
        case "directory":
            return layer.addDirectory(path, options);
        case "hard-link":
            return layer.addHardlink(path, target, options);
        case "whiteout":
            return layer.addWhiteout(path, options);
        default:
            return layer.addSymlink(path, target, { directory: kind === "directory-link", ...options });
    }
}

/** Adds an entry of a layer. */
function addLine(layer, line) {
    const [kind, path, target, size, attributes, own, ...ownTimes] = line.split(" ");
    const options = { attributes: Number(attributes), size: BigInt(size), ...common(own, ownTimes) };
    return add(layer, kind, text(path), text(target), options);
}

/** Makes every call, whatever those before it came to; returns what each came to, and the bytes. */
async function calls([first, ...lines]) {
    const chunks = [];
    const [, descriptor, ...times] = first.split(" ");
    const out = new WritableStream({ write: (chunk) => void chunks.push(chunk) });
    const layer = new Writer(out, common(descriptor, times));
    const results = [];
    for (const line of lines) {
        try {
            await (line === "close" ? layer.close() : addLine(layer, line));
            results.push("-");
        } catch (error) {
            results.push(error instanceof FilesError ? error.code : "other");
        }
    }
    const made = Buffer.concat(chunks);
    return Buffer.concat([Buffer.from(`calls ${results.join(" ")} ${made.length}\n`), made]);
}

/** Returns the bytes, or an error's code and the number of the entry that it is about. */
async function answer([first, ...lines]) {
    const chunks = [];
    let at = 0;
    try {
        const [what, descriptor, ...times] = first.split(" ");
        let layer;
        if (what === "layer") {
            const out = new WritableStream({ write: (chunk) => void chunks.push(chunk) });
            layer = new Writer(out, common(descriptor, times));
        }
        for (const line of lines) {
            if (layer === undefined) {
                const [kind, path, target, size, attributes, own, ...ownTimes] = line.split(" ");
                const options = { attributes: Number(attributes), size: BigInt(size), ...common(own, ownTimes) };
                chunks.push(header({ kind, path: text(path), target: text(target), ...options }));
            } else {
                await addLine(layer, line);
            }
            at++;
        }
        await layer?.close();
    } catch (error) {
        if (!(error instanceof FilesError)) {
            throw error;
        }
        return `error ${error.code} ${at}\n`;
    }
    return Buffer.concat([Buffer.from(`ok ${chunks.reduce((sum, chunk) => sum + chunk.length, 0)}\n`), ...chunks]);
}

let asked = [];
for await (const line of (await import("node:readline")).createInterface({ input: process.stdin })) {
    if (line === "end") {
        process.stdout.write(await (asked[0].startsWith("calls ") ? calls(asked) : answer(asked)));
        asked = [];
    } else {
        asked.push(line);
    }
}
