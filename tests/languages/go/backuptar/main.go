// SPDX-License-Identifier: Apache-2.0

//go:build windows

// Command backuptar reads a layer as Windows' importers do, with their own parser, and says what each entry means to
// them, a JSON object a line.
package main

import (
	"archive/tar"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"github.com/Microsoft/go-winio"
	"github.com/Microsoft/go-winio/backuptar"
	"golang.org/x/sys/windows"
)

// Entry is what an importer would make of a tar's entry.
type Entry struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	HardLink   string   `json:"hardLink"`
	Size       int64    `json:"size"`
	Attributes uint32   `json:"attributes"`
	Times      [4]int64 `json:"times"` // modified, accessed, changed, created; in nanoseconds from 1970
	Descriptor string   `json:"descriptor"`
	Data       string   `json:"data"`
	Target     string   `json:"target"`
	Junction   bool     `json:"junction"`
	Relative   bool     `json:"relative"`
}

func main() {
	reader := tar.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	header, err := reader.Next()
	for err == nil {
		entry := Entry{Name: header.Name, Type: string(rune(header.Typeflag))}
		if header.Typeflag == tar.TypeLink { // the importer looks at nothing else of these
			entry.HardLink = header.Linkname
		}
		_, size, info, failed := backuptar.FileInfoFromHeader(header)
		check(failed)
		entry.Size = size
		entry.Attributes = info.FileAttributes
		for i, t := range []windows.Filetime{info.LastWriteTime, info.LastAccessTime, info.ChangeTime, info.CreationTime} {
			entry.Times[i] = time.Unix(0, t.Nanoseconds()).UnixNano()
		}
		pipe, sink := io.Pipe()
		go func(current *tar.Header) {
			header, err = backuptar.WriteBackupStreamFromTarFile(sink, reader, current)
			sink.Close()
		}(header)
		entry.streams(winio.NewBackupStreamReader(pipe))
		check(out.Encode(entry))
	}
	if !errors.Is(err, io.EOF) {
		log.Fatal(err)
	}
}

// streams fills in what a backup stream says of a file.
func (e *Entry) streams(stream *winio.BackupStreamReader) {
	for {
		part, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		data, err := io.ReadAll(stream)
		check(err)
		switch part.Id {
		case winio.BackupSecurity:
			e.Descriptor = base64.StdEncoding.EncodeToString(data)
		case winio.BackupData:
			e.Data = base64.StdEncoding.EncodeToString(data)
		case winio.BackupReparseData:
			point, err := winio.DecodeReparsePoint(data)
			check(err)
			e.Target, e.Junction = point.Target, point.IsMountPoint
			e.Relative = data[16]&1 != 0 // SYMLINK_FLAG_RELATIVE
		default:
			log.Fatalf("%s: a stream of kind %d", e.Name, part.Id)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
