# SPDX-License-Identifier: Apache-2.0
"""Lines of the source of Windows' importers, and of the tar reader that they use, from which the rules are read."""

from typing import NamedTuple

HCSSHIM = "github.com/Microsoft/hcsshim@v0.15.0"
WINIO = "github.com/Microsoft/go-winio@v0.6.4"
GO = "archive/tar"  # of Go 1.26


class Source(NamedTuple):
    """A module and its version, a file, a line, and words of that line."""

    module: str
    file: str
    line: int
    words: str


SOURCES = {
    "end": Source(GO, "reader.go", 358, "exactly 0 bytes read"),
    "one-block": Source(GO, "reader.go", 362, "exactly 1 block of zeros read"),
    "zero-block": Source(GO, "reader.go", 367, "Zero block and then non-zero block"),
    "padding": Source(GO, "reader.go", 84, "tryReadFull(tr.r, tr.blk[:tr.pad])"),
    "cut": Source(GO, "reader.go", 848, "err = io.ErrUnexpectedEOF"),
    "checksum": Source(GO, "format.go", 183, "value != chksum1 && value != chksum2"),
    "magic": Source(GO, "format.go", 194, "case magic == magicUSTAR:"),
    "v7": Source(GO, "reader.go", 391, "if format > formatV7 {"),
    "gnu-prefix": Source(GO, "reader.go", 453, "if p2.err != nil {"),
    "star": Source(GO, "reader.go", 418, "prefix = p.parseString(star.prefix())"),
    "star-time": Source(GO, "reader.go", 419, "p.parseNumeric(star.accessTime())"),
    "binary": Source(GO, "strconv.go", 100, "if len(b) > 0 && b[0]&0x80 != 0 {"),
    "overflow": Source(GO, "strconv.go", 117, "if (x >> 56) > 0 {"),
    "octal": Source(GO, "strconv.go", 169, "strconv.ParseUint(p.parseString(b), 8, 64)"),
    "negative": Source(GO, "reader.go", 183, "if nb < 0 {"),
    "header-only": Source(GO, "reader.go", 180, "if isHeaderOnlyType(hdr.Typeflag) {"),
    "record-size": Source(GO, "strconv.go", 262, "perr := strconv.ParseInt(nStr, 10, 0)"),
    "record": Source(GO, "strconv.go", 320, 'if k == "" || strings.Contains(k, "=") {'),
    "record-nul": Source(GO, "strconv.go", 325, "return !hasNUL(v)"),
    "key-nul": Source(GO, "strconv.go", 327, "return !hasNUL(k)"),
    "pax-size": Source(GO, "reader.go", 289, "hdr.Size, err = strconv.ParseInt(v, 10, 64)"),
    "pax-id": Source(GO, "reader.go", 277, "id64, err = strconv.ParseInt(v, 10, 64)"),
    "pax-time": Source(GO, "reader.go", 285, "hdr.ModTime, err = parsePAXTime(v)"),
    "pax-atime": Source(GO, "reader.go", 283, "hdr.AccessTime, err = parsePAXTime(v)"),
    "long": Source(GO, "reader.go", 872, "return nil, ErrFieldTooLong"),
    "gnu-long": Source(GO, "reader.go", 140, "hdr.Name = gnuLongName"),
    "global": Source(GO, "reader.go", 106, "if hdr.Typeflag == TypeXGlobalHeader {"),
    "old-type": Source(GO, "reader.go", 147, "hdr.Typeflag = TypeDir"),
    "sparse-1": Source(GO, "reader.go", 255, "return readGNUSparseMap1x0(tr.curr)"),
    "sparse-0": Source(GO, "reader.go", 257, "return readGNUSparseMap0x1(hdr.PAXRecords)"),
    "sparse-short": Source(GO, "reader.go", 764, "return n, errMissData"),
    "sparse-unknown": Source(GO, "reader.go", 229, "Unknown GNU sparse PAX version"),
    "type": Source(WINIO, "backuptar/tar.go", 382, "if hdr.Typeflag == tar.TypeReg {"),
    "fileattr": Source(WINIO, "backuptar/tar.go", 393, "strconv.ParseUint(attrStr, 10, 32)"),
    "is-directory": Source(WINIO, "backuptar/tar.go", 399, "hdr.Typeflag == tar.TypeDir {"),
    "created": Source(WINIO, "backuptar/tar.go", 404, "parsePAXTime(creationTimeStr)"),
    "created-seconds": Source(WINIO, "backuptar/strconv.go", 30, "secs, err := strconv.ParseInt(ss, 10, 64)"),
    "nanoseconds": Source(WINIO, "backuptar/tar.go", 387, "LastWriteTime:  windows.NsecToFiletime"),
    "access-time": Source(WINIO, "backuptar/tar.go", 386, "LastAccessTime: windows.NsecToFiletime"),
    "rawsd": Source(WINIO, "backuptar/tar.go", 118, "sd, err := base64.StdEncoding.DecodeString(sdraw)"),
    "no-sd": Source(WINIO, "backuptar/tar.go", 423, "if len(sd) != 0 {"),
    "xattr": Source(WINIO, "backuptar/tar.go", 144, "data, err := base64.StdEncoding.DecodeString(v)"),
    "xattr-name": Source(WINIO, "ea.go", 74, "int(uint8(len(ea.Name))) != len(ea.Name)"),
    "xattr-value": Source(WINIO, "ea.go", 77, "int(uint16(len(ea.Value))) != len(ea.Value)"),
    "mountpoint": Source(WINIO, "backuptar/tar.go", 168, "_, isMountPoint := hdr.PAXRecords[hdrMountPoint]"),
    "stream": Source(WINIO, "backuptar/tar.go", 493, 'strings.HasPrefix(ahdr.Name, hdr.Name+":")'),
    "symlink": Source(WINIO, "reparse.go", 138, "len(rp.Target) >= 2 && isDriveLetter(rp.Target[0])"),
    "whiteout": Source(HCSSHIM, "pkg/ociwclayer/import.go", 76, "strings.HasPrefix(base, WhiteoutPrefix)"),
    "whiteout-name": Source(HCSSHIM, "pkg/ociwclayer/import.go", 77, "name := path.Join(path.Dir(hdr.Name)"),
    "link-first": Source(HCSSHIM, "pkg/ociwclayer/import.go", 84, "hdr.Typeflag == tar.TypeLink"),
    "base-vm": Source(
        HCSSHIM, "internal/wclayer/baselayerwriter.go", 85, "filepath.ToSlash(name) == `UtilityVM/Files`"
    ),
    "base-create": Source(HCSSHIM, "internal/wclayer/baselayerwriter.go", 103, "winapi.FILE_CREATE"),
    "base-link": Source(
        HCSSHIM, "internal/wclayer/baselayerwriter.go", 131, "safefile.LinkRelative(target, w.root, name, w.root)"
    ),
    "base-remove": Source(HCSSHIM, "internal/wclayer/baselayerwriter.go", 135, "base layer cannot have tombstones"),
    "base-process-vm": Source(HCSSHIM, "internal/wclayer/baselayerwriter.go", 176, "err = ProcessUtilityVMImage("),
    "mutated": Source(HCSSHIM, "pkg/ociwclayer/import.go", 121, "if backupPath, ok := mutatedFiles[hdr.Name]; ok {"),
    "export": Source(HCSSHIM, "internal/wclayer/legacy.go", 132, 'strings.HasSuffix(path, ".$wcidirs$")'),
    "clone": Source(
        HCSSHIM, "internal/wclayer/legacy.go", 444, "err = cloneTree(w.parentRoots[0], w.destRoot, UtilityVMFilesPath"
    ),
    "junction": Source(
        HCSSHIM, "internal/wclayer/legacy.go", 501, "safefile.RemoveRelative(w.currentFileName, w.currentFileRoot)"
    ),
    "vm": Source(HCSSHIM, "internal/wclayer/legacy.go", 628, "if name == UtilityVMPath {"),
    "clean": Source(HCSSHIM, "internal/wclayer/legacy.go", 636, "name = filepath.Clean(name)"),
    "vm-missing": Source(HCSSHIM, "internal/wclayer/legacy.go", 639, "missing UtilityVM directory"),
    "vm-invalid": Source(HCSSHIM, "internal/wclayer/legacy.go", 642, "invalid UtilityVM layer"),
    "vm-folder": Source(HCSSHIM, "internal/wclayer/legacy.go", 661, "safefile.MkdirRelative(name, w.destRoot)"),
    "vm-replace": Source(HCSSHIM, "internal/wclayer/legacy.go", 667, "safefile.RemoveRelative(name, w.destRoot)"),
    "vm-create": Source(HCSSHIM, "internal/wclayer/legacy.go", 671, "createDisposition = winapi.FILE_CREATE"),
    "folder": Source(HCSSHIM, "internal/wclayer/legacy.go", 709, "err := safefile.MkdirRelative(name, w.root)"),
    "placeholder": Source(HCSSHIM, "internal/wclayer/legacy.go", 713, 'fname += ".$wcidirs$"'),
    "create": Source(HCSSHIM, "internal/wclayer/legacy.go", 717, "f, err := safefile.OpenRelative(fname, w.root"),
    "link-kept": Source(HCSSHIM, "internal/wclayer/legacy.go", 775, "invalid hard link in layer"),
    "link-added": Source(HCSSHIM, "internal/wclayer/legacy.go", 781, "w.addedFiles[target]; ok"),
    "link-below": Source(HCSSHIM, "internal/wclayer/legacy.go", 785, "safefile.LstatRelative(target, r)"),
    "link-lost": Source(HCSSHIM, "internal/wclayer/legacy.go", 795, "failed to find link target"),
    "link-vm": Source(HCSSHIM, "internal/wclayer/legacy.go", 771, "roots = []*os.File{w.destRoot}"),
    "tombstone": Source(HCSSHIM, "internal/wclayer/legacy.go", 812, "w.Tombstones = append(w.Tombstones, name)"),
    "tombstone-lost": Source(HCSSHIM, "internal/wclayer/legacy.go", 821, "safefile.LstatRelative(name, w.destRoot)"),
    "tombstone-bad": Source(HCSSHIM, "internal/wclayer/legacy.go", 829, "invalid tombstone %s"),
    "closed": Source(HCSSHIM, "internal/wclayer/legacy.go", 837, 'return 0, errors.New("closed")'),
    "colon": Source(HCSSHIM, "internal/safefile/safeopen.go", 33, 'strings.Contains(path, ":")'),
    "absolute": Source(HCSSHIM, "internal/safefile/safeopen.go", 40, "expected relative path"),
    "reparse": Source(HCSSHIM, "internal/safefile/safeopen.go", 85, "oa.Attributes = winapi.OBJ_DONT_REPARSE"),
    "link-open": Source(HCSSHIM, "internal/safefile/safeopen.go", 127, "oldf, err := openRelativeInternal("),
    "link-size": Source(
        HCSSHIM, "internal/safefile/safeopen.go", 176, "unsafe.Offsetof(winapi.FileLinkInformation{}.FileName)"
    ),
    "path-length": Source(HCSSHIM, "internal/winapi/utils.go", 47, "len(buf) > NTSTRSAFE_UNICODE_STRING_MAX_CCH"),
    "delta": Source(HCSSHIM, "internal/wclayer/cim/registry.go", 27, "winapi.OROpenHive(deltaHivePath, &deltaHive)"),
    "deltas": Source(HCSSHIM, "internal/wclayer/cim/common.go", 31, '"SYSTEM", "SYSTEM_BASE", "SYSTEM_DELTA"'),
    "merge": Source(
        HCSSHIM, "internal/wclayer/cim/process.go", 110, "deltaHive := filepath.Join(wclayer.HivesPath, hv.delta)"
    ),
    "base-hives": Source(
        HCSSHIM,
        "internal/wclayer/cim/process.go",
        46,
        "oldHivePathRelative := filepath.Join(wclayer.RegFilesPath, hv.name)",
    ),
    "std-link": Source(HCSSHIM, "internal/wclayer/cim/common.go", 144, "unexpected link %s in layer"),
    "cim-create": Source(
        HCSSHIM, "internal/wclayer/cim/common.go", 121, "cw.cimWriter.AddFile(name, fileInfo, fileSize"
    ),
    "cim-link": Source(HCSSHIM, "internal/wclayer/cim/common.go", 146, "return cw.cimWriter.AddLink(target, name)"),
    "hives": Source(HCSSHIM, "internal/wclayer/legacy.go", 735, "hasPathPrefix(name, HivesPath)"),
    "files": Source(HCSSHIM, "internal/wclayer/legacy.go", 32, "filesPath           = `Files`"),
}
