// SPDX-License-Identifier: Apache-2.0
// Make a Windows image of a folder, an OCI layout that skopeo pushes: node image.js FOLDER LAYOUT

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { Readable } from "node:stream";
import { FilesError, Writer } from "./windows-files.js";
import * as base from "./windows-hostprocess.js";

/** Writes what a folder holds, by the order of the names' UTF-8, each folder's content right behind it. */
async function addTree(layer, folder, inside) {
    const names = fs.readdirSync(folder, { encoding: "buffer" }).sort(Buffer.compare);
    for (const name of names.map(String)) {
        const [from, path] = [`${folder}/${name}`, inside + name];
        const found = fs.lstatSync(from);
        if (found.isSymbolicLink()) {
            const directory = fs.statSync(from, { throwIfNoEntry: false })?.isDirectory();
            await layer.addSymlink(path, fs.readlinkSync(from), { directory });
        } else if (found.isDirectory()) {
            await layer.addDirectory(path);
            await addTree(layer, from, `${path}/`);
        } else if (found.isFile()) {
            await layer.add(path, Readable.toWeb(fs.createReadStream(from)), { size: found.size });
        } else {
            throw new FilesError("kind", path);
        }
    }
}

async function image(folder, layout) {
    const put = (mediaType, data) => {
        const digest = `sha256:${createHash("sha256").update(data).digest("hex")}`;
        fs.writeFileSync(`${layout}/blobs/${digest.replace(":", "/")}`, data);
        return { mediaType, digest, size: data.length };
    };
    fs.mkdirSync(layout);
    fs.mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
    const chunks = [];
    const top = new Writer(new WritableStream({ write: (chunk) => void chunks.push(chunk) }));
    await addTree(top, folder, "");
    await top.close();
    const type = (what) => `application/vnd.oci.image.${what}`;
    const layers = [put(base.MEDIA_TYPE, base.blob()), put(type("layer.v1.tar"), Buffer.concat(chunks))];
    const platform = { architecture: "amd64", os: "windows" };
    const rootfs = { type: "layers", diff_ids: [base.DIFF_ID, layers[1].digest] };
    const json = (value) => Buffer.from(JSON.stringify(value));
    const config = put(type("config.v1+json"), json({ ...platform, config: {}, rootfs }));
    const [version, mediaType] = [{ schemaVersion: 2 }, type("manifest.v1+json")];
    const manifest = put(mediaType, json({ ...version, mediaType, config, layers }));
    const tag = { annotations: { "org.opencontainers.image.ref.name": "latest" } };
    const manifests = [{ ...manifest, ...tag, platform }];
    fs.writeFileSync(`${layout}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    fs.writeFileSync(`${layout}/index.json`, json({ ...version, mediaType: type("index.v1+json"), manifests }));
}

const [folder, layout] = process.argv.slice(2);
await image(folder, layout).catch((error) => {
    console.error(`image: ${error.message}`);
    process.exitCode = 1;
});
