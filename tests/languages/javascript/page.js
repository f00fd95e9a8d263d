// SPDX-License-Identifier: Apache-2.0

// A page's script: it uses both modules, and puts what comes of it into the page.

import { Writer } from "./windows-files.js";
import { DIGEST, blob, verify } from "./windows-hostprocess.js";

await verify();
let size = 0;
const layer = new Writer(new WritableStream({ write: (chunk) => void (size += chunk.length) }));
await layer.add("app/hello.exe", new Blob([blob()]).stream(), { size: blob().length });
await layer.close();
document.body.textContent = `${DIGEST} ${size}`;
