// SPDX-License-Identifier: Apache-2.0

// Writes what modules hold: dump.js MODULES FOLDER NAME…; in Node, Deno and Bun.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

const [modules, folder, ...names] = process.argv.slice(2);
for (const name of names) {
    const layer = await import(pathToFileURL(join(modules, `windows-${name}.js`)));
    assert.equal(layer.NAME, name);
    assert.equal(layer.MEDIA_TYPE, "application/vnd.oci.image.layer.v1.tar+gzip");
    await layer.verify();
    layer.layer().fill(0); // which is no other's copy
    layer.blob().fill(0);
    assert.deepEqual([layer.layer().length, layer.blob().length], [layer.LAYER_SIZE, layer.BLOB_SIZE]);
    await writeFile(join(folder, `${name}.tar`), layer.layer());
    await writeFile(join(folder, `${name}.tar.gz`), layer.blob());
    await writeFile(join(folder, `${name}.tar.opened`), await read(layer.open()));
    await writeFile(join(folder, `${name}.tar.gz.opened`), await read(layer.openCompressed()));
    if (layer.bcd !== undefined) {
        layer.bcd().fill(0);
        await writeFile(join(folder, `${name}.bcd`), layer.bcd());
    }
}
