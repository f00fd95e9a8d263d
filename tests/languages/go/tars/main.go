// SPDX-License-Identifier: Apache-2.0

// Command tars reads many tars with archive/tar, and answers what each entry is, a JSON object a line for each tar.
//
// A tar comes on standard input behind its length, 8 bytes, the highest first. Text is hexadecimal, for it may be any
// bytes. Built for Windows it adds what go-winio makes of each header.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"log"
	"os"
	"time"
)

// MaxData is how many bytes of a file are read: a sparse file can have any size.
const MaxData = 1 << 22

// Entry is what archive/tar says of one.
type Entry struct {
	Name     string            `json:"name"`
	Type     byte              `json:"type"`
	Size     int64             `json:"size"`
	Target   string            `json:"target"`
	Mode     int64             `json:"mode"`
	Modified *[2]int64         `json:"modified"` // seconds from 1970 and nanoseconds
	Accessed *[2]int64         `json:"accessed"`
	Changed  *[2]int64         `json:"changed"`
	Records  map[string]string `json:"records"`
	Sum      *uint32           `json:"sum"` // CRC-32 of a file's data
	Windows  *Windows          `json:"windows,omitempty"`
}

// Windows is what go-winio makes of a header.
type Windows struct {
	Error      string `json:"error"`
	Size       int64  `json:"size"`
	Attributes uint32 `json:"attributes"`
	Descriptor string `json:"descriptor"`
	Created    int64  `json:"created"` // nanoseconds from 1970
}

// Tar is what archive/tar reads up to the end, or an error.
type Tar struct {
	Entries []*Entry `json:"entries"`
	Error   string   `json:"error"`
}

// stream hides that bytes can be sought, which no blob of a registry can.
type stream struct{ io.Reader }

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for {
		var size uint64
		err := binary.Read(in, binary.BigEndian, &size)
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		data := make([]byte, size)
		_, err = io.ReadFull(in, data)
		check(err)
		check(encoder.Encode(read(data)))
	}
}

func read(data []byte) Tar {
	found := Tar{Entries: []*Entry{}}
	reader := tar.NewReader(stream{bytes.NewReader(data)})
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err == nil {
			entry := entryOf(header)
			found.Entries = append(found.Entries, entry)
			if header.Typeflag == tar.TypeReg && header.Size <= MaxData {
				sum := crc32.NewIEEE()
				_, err = io.Copy(sum, reader)
				value := sum.Sum32()
				entry.Sum = &value
			}
		}
		if err != nil {
			found.Error = err.Error()
			return found
		}
	}
}

func entryOf(header *tar.Header) *Entry {
	records := map[string]string{}
	for key, value := range header.PAXRecords {
		records[hex.EncodeToString([]byte(key))] = hex.EncodeToString([]byte(value))
	}
	return &Entry{
		Name: hex.EncodeToString([]byte(header.Name)), Type: header.Typeflag, Size: header.Size,
		Target: hex.EncodeToString([]byte(header.Linkname)), Mode: header.Mode, Modified: split(header.ModTime),
		Accessed: split(header.AccessTime), Changed: split(header.ChangeTime), Records: records,
		Windows: onWindows(header),
	}
}

func split(t time.Time) *[2]int64 {
	if t.IsZero() {
		return nil
	}
	return &[2]int64{t.Unix(), int64(t.Nanosecond())}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
