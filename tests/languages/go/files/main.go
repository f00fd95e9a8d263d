// SPDX-License-Identifier: Apache-2.0

// Command files makes layers on top of what it reads, and answers with their bytes: tests/helpers/layer_vectors.py has the words.
//
// With the argument prepared, a header is what archive/tar's own writer makes of one that went through Prepare. With
// tree FOLDER PATH own|one it writes the layer of a folder, with its entries' own times or one.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"winscratch.example/layers/files"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "tree" {
		writer := files.NewWriter(os.Stdout, files.Options{})
		check(writer.AddFS(os.Args[3], os.DirFS(os.Args[2]), files.Tree{OwnTimes: os.Args[4] == "own"}))
		check(writer.Close())
		return
	}
	prepared := len(os.Args) > 1 && os.Args[1] == "prepared"
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return
		}
		check(err)
		words := strings.Fields(line)
		if words[0] == "calls" {
			calls(in, out, files.Options{Descriptor: descriptor(words[1]), Times: times(words[2:])})
			continue
		}
		var entries []*files.Entry
		for {
			line, err := in.ReadString('\n')
			check(err)
			if line == "end\n" {
				break
			}
			entries = append(entries, entry(strings.Fields(line)))
		}
		var made []byte
		at := 0
		switch {
		case words[0] == "layer":
			made, at, err = layer(files.Options{Descriptor: descriptor(words[1]), Times: times(words[2:])}, entries)
		case prepared:
			made, err = throughTar(entries[0])
		default:
			made, err = files.AppendHeader(nil, entries[0])
		}
		var refused *files.Error
		switch {
		case errors.As(err, &refused):
			fmt.Fprintf(out, "error %s %d\n", string(refused.Code), at)
		default:
			check(err)
			fmt.Fprintf(out, "ok %d\n", len(made))
			out.Write(made)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// calls makes every call that it reads, whatever those before it came to, and answers with what each came to.
func calls(in *bufio.Reader, out *bufio.Writer, options files.Options) {
	var made bytes.Buffer
	writer := files.NewWriter(&made, options)
	fmt.Fprint(out, "calls ")
	for {
		line, err := in.ReadString('\n')
		check(err)
		switch line {
		case "end\n":
			fmt.Fprintln(out, made.Len())
			_, err = made.WriteTo(out)
			check(err)
			return
		case "close\n":
			err = writer.Close()
		default:
			err = add(writer, entry(strings.Fields(line)))
		}
		var refused *files.Error
		switch {
		case err == nil:
			fmt.Fprint(out, "- ")
		case errors.As(err, &refused):
			fmt.Fprint(out, string(refused.Code), " ")
		default:
			fmt.Fprint(out, "other ")
		}
	}
}

func layer(options files.Options, entries []*files.Entry) ([]byte, int, error) {
	var out bytes.Buffer
	writer := files.NewWriter(&out, options)
	for at, e := range entries {
		if err := add(writer, e); err != nil {
			return nil, at, err
		}
	}
	err := writer.Close()
	return out.Bytes(), 0, err
}

// add writes an entry with its data.
func add(writer *files.Writer, e *files.Entry) error {
	if err := writer.WriteHeader(e); err != nil || e.Kind != files.File {
		return err
	}
	_, err := writer.Write(bytes.Repeat([]byte("x"), int(e.Size)))
	return err
}

// throughTar returns the header that archive/tar writes of one that went through Prepare.
func throughTar(e *files.Entry) ([]byte, error) {
	h := &tar.Header{
		Name: e.Path, Linkname: e.Target, Size: e.Size, Mode: 0o123, Uid: 4, Gid: 5, Uname: "u", Gname: "g",
		ModTime: e.Times.Modified, AccessTime: e.Times.Accessed, ChangeTime: e.Times.Changed,
		PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b", "LIBARCHIVE.creationtime": "1"},
	}
	attributes := e.Attributes
	switch e.Kind {
	case files.Directory:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case files.DirectoryLink:
		h.Typeflag = tar.TypeSymlink
		attributes |= files.DirectoryBit
	case files.FileLink:
		h.Typeflag = tar.TypeSymlink
	case files.HardLink:
		h.Typeflag = tar.TypeLink
	case files.Whiteout:
		slash := strings.LastIndexByte(e.Path, '/') + 1
		h.Name = e.Path[:slash] + ".wh." + e.Path[slash:]
	}
	if err := files.Prepare(h, attributes, e.Descriptor); err != nil {
		return nil, err
	}
	if !e.Times.Created.Equal(e.Times.Modified) { // which Prepare takes it for
		created := e.Times.Created.Truncate(100)
		h.PAXRecords["LIBARCHIVE.creationtime"] = strings.TrimSuffix(
			strings.TrimRight(fmt.Sprintf("%d.%09d", created.Unix(), created.Nanosecond()), "0"), ".")
	}
	var out bytes.Buffer
	err := tar.NewWriter(&out).WriteHeader(h)
	return out.Bytes(), err
}

func entry(words []string) *files.Entry {
	kind := files.File
	for kind.String() != words[0] {
		if kind == files.Whiteout {
			log.Fatalf("no kind %s", words[0])
		}
		kind++
	}
	size, err := strconv.ParseInt(words[3], 10, 64)
	check(err)
	attributes, err := strconv.ParseUint(words[4], 10, 32)
	check(err)
	return &files.Entry{
		Kind: kind, Path: text(words[1]), Target: text(words[2]), Size: size,
		Attributes: files.Attributes(attributes), Descriptor: descriptor(words[5]), Times: times(words[6:]),
	}
}

func text(word string) string {
	data, err := hex.DecodeString(word[1:])
	check(err)
	return string(data)
}

func descriptor(word string) files.Descriptor {
	switch word[0] {
	case '=':
		return ""
	case ':':
		return files.SelfRelative([]byte(text(word)))
	}
	return files.Descriptor(word)
}

func times(words []string) files.Times {
	if words[0] == "=" {
		return files.Times{}
	}
	var each [4]time.Time
	for i := range each {
		number, ok := new(big.Int).SetString(words[i], 10)
		if !ok {
			log.Fatalf("no number %s", words[i])
		}
		seconds, fraction := new(big.Int).DivMod(number, big.NewInt(1e9), new(big.Int))
		each[i] = time.Unix(seconds.Int64(), fraction.Int64())
	}
	return files.Times{Modified: each[0], Accessed: each[1], Changed: each[2], Created: each[3]}
}
