// SPDX-License-Identifier: Apache-2.0

// Pulls an image from a registry by fetch, and checks it: node pull.js URL NAME TAG, beside the modules.
// It prints the digests of the layers and of the configuration.

import { createHash } from "node:crypto";

import * as base from "./windows-hostprocess.js";

const [url, name, tag] = process.argv.slice(2);

async function get(path, accept) {
    const answer = await fetch(`${url}/v2/${name}/${path}`, { headers: { accept } });
    if (!answer.ok) {
        throw new Error(`${path}: ${answer.status}`);
    }
    return new Uint8Array(await answer.arrayBuffer());
}

const manifest = JSON.parse(
    new TextDecoder().decode(await get(`manifests/${tag}`, "application/vnd.oci.image.manifest.v1+json")),
);
for (const { digest, size } of [...manifest.layers, manifest.config]) {
    const data = await get(`blobs/${digest}`, "*/*");
    const found = `sha256:${createHash("sha256").update(data).digest("hex")}`;
    if (found !== digest || data.length !== size) {
        throw new Error(`${digest}: came as ${found}, ${data.length} bytes`);
    }
    if (digest === base.DIGEST && Buffer.compare(data, base.blob()) !== 0) {
        throw new Error("the base layer is another");
    }
    console.log(digest);
}
