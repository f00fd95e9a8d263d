# SPDX-License-Identifier: Apache-2.0
"""PHP in the tests that all languages share."""

from pathlib import Path

from helpers.committed_modules import LAYERS, OUTPUT, run
from helpers.support import need

from generator.languages.language import ModuleOptions

from . import User

DUMP = r"""
error_reporting(E_ALL);
set_error_handler(fn ($level, $text) => throw new ErrorException($text));
[, $folder, $name, $file] = $argv;
require $file;
$space = 'Windows' . ucfirst($name);
"$space\\verify"();
foreach (['layer' => 'tar', 'blob' => 'tar.gz', 'bcd' => 'bcd'] as $function => $ending) {
    if (function_exists("$space\\$function")) {
        if ((new ReflectionFunction("$space\\$function"))->returnsReference()) {
            throw new LogicException("$function() returns a reference, by which callers change the data");
        }
        file_put_contents("$folder/$name.$ending", "$space\\$function"());
    }
}
file_put_contents("$folder/$name.tar.opened", "$space\\open"());
file_put_contents("$folder/$name.tar.gz.opened", "$space\\openCompressed"());
"""


def _dump(_: Path, into: Path) -> None:
    for name in LAYERS:
        run(need("php"), "-n", "-r", DUMP, "--", into, name, OUTPUT / f"php/windows_{name}.php")


USER = User(options=(ModuleOptions("L"), ModuleOptions("L" * 48)), dump=_dump)
