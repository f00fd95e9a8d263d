// SPDX-License-Identifier: Apache-2.0

// Writes small files to nowhere, by the writer of layers on top (ours) or by tar-stream with the same records (theirs),
// and prints the seconds of processor time that it took: node files.js ours|theirs NUMBER MODULE

import { pathToFileURL } from "node:url";

const [which, number, module] = process.argv.slice(2);
const paths = Array.from(
    { length: Number(number) },
    (_, n) => `app/dir${Math.floor(n / 1000)}/file${String(n).padStart(6, "0")}.txt`,
);
const data = new Uint8Array(100).fill(120);

async function ours({ Writer }) {
    const layer = new Writer(new WritableStream({ write() {} }));
    for (const path of paths) {
        await layer.add(path, data);
    }
    await layer.close();
}

async function theirs(module) {
    const { pack } = module.default ?? module;
    const { DESCRIPTORS, DEFAULT_TIME } = await import("../output/javascript/windows-files.js");
    const seconds = DEFAULT_TIME / 1_000_000_000n;
    const pax = {
        "LIBARCHIVE.creationtime": `${seconds}`,
        "MSWINDOWS.fileattr": "32",
        "MSWINDOWS.rawsd": DESCRIPTORS["users-read"][1],
        atime: `${seconds}`,
        ctime: `${seconds}`,
    };
    const archive = pack();
    archive.on("data", () => {});
    const done = new Promise((resolve, reject) => archive.on("end", resolve).on("error", reject));
    const bytes = Buffer.from(data);
    const mtime = new Date(Number(seconds) * 1000);
    for (const path of paths) {
        await new Promise((resolve, reject) => {
            const entry = { name: `Files/${path}`, mode: 0o644, mtime, size: bytes.length, pax };
            archive.entry(entry, bytes, (error) => (error ? reject(error) : resolve()));
        });
    }
    archive.finalize();
    await done;
}

const made = await import(pathToFileURL(module));
const before = process.cpuUsage();
await (which === "ours" ? ours : theirs)(made);
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1e6);
