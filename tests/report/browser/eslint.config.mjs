// SPDX-License-Identifier: Apache-2.0
// The style of the report's scripts. They are one program in files, so what one defines another uses; TypeScript's
// checker sees to that.
import js from "@eslint/js";

export default [
    js.configs.recommended,
    {
        files: ["**/*.js"],
        languageOptions: { ecmaVersion: 2023, sourceType: "script" },
        linterOptions: { reportUnusedDisableDirectives: "error" },
        rules: {
            "no-undef": "off", // the types say what there is
            "no-unused-vars": ["error", { vars: "local" }],
            curly: ["error", "multi-line"],
            eqeqeq: "error",
            "no-eval": "error",
            "no-implied-eval": "error",
            "no-new-func": "error",
            "no-restricted-properties": [
                "error",
                ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write"].map((property) => ({
                    property,
                    message: "text from a layer must never be taken for markup",
                })),
            ],
            "no-var": "error",
            "prefer-const": "error",
            "prefer-template": "error",
        },
    },
];
