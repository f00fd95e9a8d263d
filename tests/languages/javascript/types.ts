// SPDX-License-Identifier: Apache-2.0

// Types: this file compiles, and each line below a ts-expect-error does not.

import * as scratch from "../../../output/javascript/windows-scratch.js";
import * as hostprocess from "../../../output/javascript/windows-hostprocess.js";
import { FilesError, Writer, header, type Code, type Entry } from "../../../output/javascript/windows-files.js";

export const name: "scratch" = scratch.NAME;
export const type: "application/vnd.oci.image.layer.v1.tar+gzip" = hostprocess.MEDIA_TYPE;
export const push = (url: string) => fetch(url, { method: "PUT", body: scratch.blob(), duplex: "half" } as RequestInit);
export const stored = (): Response => new Response(scratch.openCompressed());
export const bytes: scratch.Bytes = scratch.bcd();
export const both: Blob = new Blob([scratch.layer(), header({ kind: "directory", path: "a" })]);
export const checked: Promise<void> = scratch.verify();
// @ts-expect-error: this layer has no BCD store
hostprocess.bcd();
// @ts-expect-error: it is read only
scratch.NAME = "mine";

const entry: Entry = { kind: "file", path: "a", size: 1n, time: 0n };
export const made: Uint8Array = header(entry);
// @ts-expect-error: no such kind
header({ kind: "socket", path: "a" });
// @ts-expect-error: a time is a bigint
header({ kind: "file", path: "a", time: 1 });

export async function layer(out: WritableStream<Uint8Array>): Promise<Code | undefined> {
    const writer = new Writer(out, { time: 0n, descriptor: "user-owned" });
    try {
        await writer.add("a", new Blob(["a"]), { attributes: 1 });
        await writer.add("b", new ReadableStream<Uint8Array>(), { size: 0 });
        await writer.addSymlink("c", "a", { directory: false });
        await writer.addSymlink("c", "a", { directory: undefined, time: undefined, attributes: undefined });
        await writer.add("e", [new Uint8Array(1)], { size: undefined, descriptor: undefined });
        // @ts-expect-error: text is no data
        await writer.add("f", "text");
        // @ts-expect-error: hard links have no attributes
        await writer.addHardlink("d", "a", { attributes: 1 });
        // @ts-expect-error: and neither have whiteouts
        await writer.addWhiteout("g", { attributes: 1 });
        await writer.close();
        return undefined;
    } catch (error) {
        if (error instanceof FilesError) {
            return error.code;
        }
        throw error;
    }
}
