// Code generated from templates/go; DO NOT EDIT.
//
// SPDX-License-Identifier: 0BSD

package files_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"testing/fstest"
	"time"

	"winscratch.example/layers/files"
)

// list prints the type and the name of each entry of a layer.
func list(layer io.Reader) {
	reader := tar.NewReader(layer)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%c %s\n", header.Typeflag, header.Name)
	}
}

func Example() {
	var out bytes.Buffer
	layer := files.NewWriter(&out, files.Options{})
	// An error stays: Close returns it, so that it is enough to look there.
	layer.Add("app/hello.txt", []byte("hello\r\n"))
	if err := layer.Close(); err != nil {
		log.Fatal(err)
	}
	list(&out)
	// Output:
	// 5 Hives
	// 5 Files
	// 5 Files/app
	// 0 Files/app/hello.txt
}

func ExampleWriter_AddFS() {
	folder := fstest.MapFS{ // or os.DirFS
		"hello.txt":     {Data: []byte("hello\r\n"), ModTime: time.Unix(1700000000, 0)},
		"more/data.bin": {Data: []byte{1, 2, 3}},
	}
	var out bytes.Buffer
	layer := files.NewWriter(&out, files.Options{Descriptor: files.AdminOwned})
	layer.AddFS("app", folder, files.Tree{OwnTimes: true})
	if err := layer.Close(); err != nil {
		log.Fatal(err)
	}
	list(&out)
	// Output:
	// 5 Hives
	// 5 Files
	// 5 Files/app
	// 0 Files/app/hello.txt
	// 5 Files/app/more
	// 0 Files/app/more/data.bin
}

func ExampleWriter_WriteHeader() {
	var out bytes.Buffer
	layer := files.NewWriter(&out, files.Options{})
	data := "a file that is not in memory as a whole"
	layer.WriteHeader(&files.Entry{Path: "app/data", Size: int64(len(data)), Attributes: files.Hidden | files.System})
	io.WriteString(layer, data)
	layer.WriteHeader(&files.Entry{Kind: files.HardLink, Path: "app/same", Target: "app/data"})
	layer.WriteHeader(&files.Entry{Kind: files.DirectoryLink, Path: "current", Target: `C:\app`})
	layer.WriteHeader(&files.Entry{Kind: files.Whiteout, Path: "old"})
	if err := layer.Close(); err != nil {
		log.Fatal(err)
	}
	list(&out)
	// Output:
	// 5 Hives
	// 5 Files
	// 5 Files/app
	// 0 Files/app/data
	// 1 Files/app/same
	// 2 Files/current
	// 0 Files/.wh.old
}

func ExampleCode() {
	layer := files.NewWriter(io.Discard, files.Options{})
	err := layer.Add("app/NUL.txt", nil)
	fmt.Println(errors.Is(err, files.ErrDevice))
	var refused *files.Error
	if errors.As(err, &refused) {
		fmt.Printf("%q: %s\n", refused.Path, string(refused.Code))
	}
	fmt.Println(err)
	// Output:
	// true
	// "app/NUL.txt": device
	// "app/NUL.txt": a part of the path is a device name
}

// Writes a layer by a tar.Writer, for programs that have one.
func ExamplePrepare() {
	out := io.Discard
	roots, err := files.AppendRoots(nil, files.Times{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := out.Write(roots); err != nil {
		log.Fatal(err)
	}
	writer := tar.NewWriter(out)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "hello.txt", Size: 5}
	if err := files.Prepare(header, files.ReadOnly, files.UsersRead); err != nil {
		log.Fatal(err)
	}
	if err := writer.WriteHeader(header); err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(writer, "hello"); err != nil {
		log.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(header.Name, header.PAXRecords["MSWINDOWS.fileattr"])
	// Output: Files/hello.txt 1
}
