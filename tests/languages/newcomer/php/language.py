# SPDX-License-Identifier: Apache-2.0
"""PHP 8.1 and later: a module is one file, a namespace of constants and functions."""

from ..base.errors import GeneratorError
from .language import FUNCTIONS, LAYER, Language, ModuleOptions, Place, check_identifier

# "List of Keywords" and "List of other reserved words", the PHP manual; PHP does not tell capitals from small letters.
_KEYWORDS = frozenset(
    """abstract and array as break callable case catch class clone const continue declare default die do echo else
    elseif empty enddeclare endfor endforeach endif endswitch endwhile enum eval exit extends final finally fn for
    foreach function global goto if implements include include_once instanceof insteadof interface isset list match
    namespace new or parent print private protected public readonly require require_once return self static switch
    throw trait try unset use var while xor yield""".split()  # noqa: SIM905
)
_FIX = "use --package"


def _check(options: ModuleOptions) -> None:
    check_identifier("PHP namespace", options.package, frozenset(), _FIX)
    if options.package.lower() in _KEYWORDS:
        raise GeneratorError(f"{options.package}: invalid PHP namespace: the language reserves that word; hint: {_FIX}")


def _placed(place: Place) -> ModuleOptions:
    return place.recorded or ModuleOptions("Windows" + place.name.capitalize())


LANGUAGE = Language(
    comment="//",
    modules={LAYER: (("module.php.jinja", "php/windows_{name}.php"),)},
    takes={"package": "the namespace"},
    follow="the layer's name, such as `WindowsScratch`",
    api=FUNCTIONS,
    committed=lambda name: ModuleOptions("Windows" + name.capitalize()),
    placed=_placed,
    check=_check,
    proof=lambda options: (f"""php -r 'require "FILE"; echo {options.package}\\blob();' |""", "sha256sum"),
)
