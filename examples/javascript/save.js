// SPDX-License-Identifier: Apache-2.0
// Save the vendored layer in both its forms, and the BCD store by itself: node save.js FOLDER

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as scratch from "./windows-scratch.js";

const [folder] = process.argv.slice(2);
await scratch.verify();
await writeFile(join(folder, "layer.tar"), scratch.open());
await writeFile(join(folder, "layer.tar.gz"), scratch.blob());
await writeFile(join(folder, "BCD"), scratch.bcd());
console.log(scratch.NAME, scratch.DIFF_ID, scratch.DIGEST, scratch.MEDIA_TYPE);
