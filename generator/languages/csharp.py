# SPDX-License-Identifier: Apache-2.0
"""C# 8 and later: a module is one class in one file, which bears the class's name."""

import re

from .language import Language, ModuleOptions, Place, both_kinds, check_dotted, check_identifier, named, of_neighbours

_KEYWORDS = frozenset(  # "Keywords", the C# language specification
    """_ abstract as base bool break byte case catch char checked class const continue decimal default delegate do
    double else enum event explicit extern false finally fixed float for foreach goto if implicit in int interface
    internal is lock long namespace new null object operator out override params private protected public readonly ref
    return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong
    unchecked unsafe ushort using virtual void volatile while""".split()  # noqa: SIM905 - words are easier read so
)
_NO_CLASS = frozenset(  # contextual keywords that no type may have, and the names that the modules take in or make
    """await dynamic field file nameof record required scoped var where yield Accessed Add AddAsync AddTree
    AddTreeAsync AdminOwned All Always Append ArgumentNullException Array ArraySegment Ascii At Attributes Bcd Begin
    BitConverter Blob BlobBytes BlobSize CancellationToken Capital Case Changed CharUnicodeInfo Character Characters
    Check CheckPart CheckPath CheckTarget CheckText Children Closed Code CompareUtf8 CompressionMode Convert Copy
    CopyAsync Core Created CultureInfo Data DateTimeOffset Decimal Default Descriptor Device Devices Dictionary
    DiffId Digest Digits Directory DirectoryLink Empty Encoding Ending Entry Equals Exception ExceptionDispatchInfo
    Field File FileAccess FileAttributes FileInfo FileLink FileMode FileShare FileStream FilesException Find Finish
    FinishAsync Fold Folding FormatException Found FromBytes Func GZipStream GetEnd GetHashCode GetHeader GetPadding
    GetRoots HardLink HasSize HashSet Headers IEnumerable IEquatable IOException Implied InRange
    InvalidDataException InvalidOperationException IsAscii IsDirectory IsFile KeyValuePair Kind KindFacts Kinds
    Layer LayerBytes LayerSize Lazy Link ListReadable Made Marker Math MediaType MemberwiseClone Memory
    MemoryMarshal MemoryStream Mode Modified Name Names Node None Normal Number NumberStyles Octal Octals Open
    OpenCompressed Opened OperationCanceledException Original Other Output Own OwnTimes Parent Part PartLong Parts
    Path PathLong Piece Place Placed Put PutAsync ReadLink ReadOnlyMemory Readable Reason Reasons Record Regular
    Repeated Rules RunAsync Runs SHA256 Second Settable Shown SidReadable Size Sized Split Stack Standard Step
    Stream StringBuilder StringComparer StringComparison System Target TargetCharacter TargetCharacters TargetEmpty
    TargetLong TargetMissing Task Text Ticks Time TimeSpan Times ToArray ToString TreeOptions Type Unicode
    UnicodeCategory Unpacked UserOwned UsersRead Verify Walk Whiteout WithSize Writer""".split()  # noqa: SIM905
)
_NAMESPACE = re.compile(r"^[ \t]*namespace[ \t]+(\w+(?:\.\w+)*)", re.MULTILINE | re.ASCII)
_DEFAULT = "Winscratch"


def _check(options: ModuleOptions) -> None:
    check_dotted("C# namespace", options.package, _KEYWORDS, "use --package")
    check_identifier("C# class", options.prefix, _KEYWORDS | _NO_CLASS, "end DEST in another name")


def _named(text: str) -> str | None:
    found = _NAMESPACE.search(text)
    return found[1] if found else None


def _namespace(place: Place) -> str:
    """Return the namespace of the other files in a directory, else that of the project for it, else ours."""
    namespaces = of_neighbours(place, "*.cs", "namespaces", _named)
    if namespaces:
        return namespaces.pop()
    folder = place.folder.absolute()
    for above in (folder, *folder.parents):
        projects = sorted(above.glob("*.csproj"))
        if projects:
            names = [projects[0].stem, *folder.relative_to(above).parts]
            return ".".join(re.sub(r"[^A-Za-z0-9_.]", "_", name) for name in names)
    return _DEFAULT


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("csharp/Windows{Name}.cs"),
    takes={"package": "the namespace"},
    follow="the class has the file's name; the namespace is that of other files in the directory, else that which the "
    "nearest project file gives it, else `Winscratch`",
    api=named("Name MediaType DiffId Digest LayerSize BlobSize Layer Blob Open() OpenCompressed() Bcd Verify()"),
    committed=lambda name: ModuleOptions(_DEFAULT, f"Windows{name.capitalize()}"),
    placed=lambda place: ModuleOptions(place.recorded.package if place.recorded else _namespace(place), place.stem),
    check=_check,
    proof=lambda _: (r"""sed -n '/ Text =$/,/;$/s/.*"\(.*\)".*/\1/p' FILE |""", "base64 -d | sha256sum"),
    stem=lambda name, _: f"Windows{name[:1].upper()}{name[1:]}",
)
