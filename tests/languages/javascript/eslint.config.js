// SPDX-License-Identifier: Apache-2.0

import js from "@eslint/js";

// What the web and Node 18 both have, and no more.
const web = [
    "Blob",
    "DecompressionStream",
    "ReadableStream",
    "Response",
    "TextEncoder",
    "WritableStream",
    "atob",
    "btoa",
];
const programs = [
    "Buffer",
    "structuredClone",
    "TextDecoder",
    "TextDecoderStream",
    "URL",
    "console",
    "document",
    "fetch",
    "process",
];

const named = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

export default [
    {
        ...js.configs.recommended,
        languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: named(web) },
        linterOptions: { reportUnusedDisableDirectives: "error" },
        rules: {
            ...js.configs.recommended.rules,
            curly: "error",
            eqeqeq: "error",
            "no-implicit-globals": "error",
            "no-param-reassign": "error",
            "no-shadow": "error",
            "no-var": "error",
            "prefer-const": "error",
        },
    },
    { files: ["programs/**"], languageOptions: { globals: named(programs) } },
];
