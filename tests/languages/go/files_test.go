// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"winscratch.example/layers/files"
)

// code returns the code of a writer's error.
func code(t *testing.T, err error) string {
	t.Helper()
	var refused *files.Error
	if !errors.As(err, &refused) {
		t.Fatalf("%v: not a *files.Error", err)
	}
	return refused.Code
}

func TestWriterTellsItsFirstErrorAgain(t *testing.T) {
	var out bytes.Buffer
	layer := files.NewWriter(&out, files.Options{})
	if err := layer.Add("a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	before := out.String()
	first := layer.Add("new/NUL", nil)
	equal(t, "code", code(t, first), "device")
	for _, err := range []error{
		layer.Add("b", nil), layer.AddFS("c", fstest.MapFS{"d": {}}, files.Tree{}), layer.Close(), layer.Close(),
	} {
		if err != first {
			t.Errorf("%v, not %v", err, first)
		}
	}
	equal(t, "what is written", out.String(), before)
}

func TestWriterWantsAsMuchDataAsTheSizeSays(t *testing.T) {
	for _, data := range []string{"", "1234", "123456"} {
		layer := files.NewWriter(io.Discard, files.Options{})
		if err := layer.WriteHeader(&files.Entry{Path: "a", Size: 5}); err != nil {
			t.Fatal(err)
		}
		_, err := io.WriteString(layer, data)
		if len(data) < 5 {
			err = layer.Add("b", nil)
		}
		equal(t, "code", code(t, err), "data")
		equal(t, "code", code(t, layer.Close()), "data")
	}
}

func TestWriterEndsWithAFullDisk(t *testing.T) {
	full := errors.New("no space left")
	layer := files.NewWriter(failing{full}, files.Options{})
	for _, err := range []error{layer.Add("a", nil), layer.Close()} {
		if err != full {
			t.Errorf("%v, not %v", err, full)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestClosedWriterTakesNothing(t *testing.T) {
	var out bytes.Buffer
	layer := files.NewWriter(&out, files.Options{})
	for i := 0; i < 2; i++ {
		if err := layer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "code", code(t, layer.Add("a", nil)), "closed")
	equal(t, "bytes", fmt.Sprint(out.Len()), fmt.Sprint(2*1536+1024))
}

func TestSizesAndKindsOutOfRangeAreRefused(t *testing.T) {
	for wanted, entry := range map[string]files.Entry{
		"size": {Path: "a", Size: -1},
		"kind": {Path: "a", Kind: 99},
	} {
		_, err := files.AppendHeader(nil, &entry)
		equal(t, "code", code(t, err), wanted)
	}
	equal(t, "code", code(t, files.Prepare(&tar.Header{Name: "a", Typeflag: tar.TypeFifo}, 0, "")), "kind")
}

func TestFileSystemThatCannotReadItsLinksIsRefused(t *testing.T) {
	type onlyOpen struct{ fs.FS } // has none of the other methods
	links := onlyOpen{fstest.MapFS{"a": {Mode: fs.ModeSymlink, Data: []byte("b")}}}
	err := files.NewWriter(io.Discard, files.Options{}).AddFS("", links, files.Tree{})
	equal(t, "code", code(t, err), "kind")
}

func TestPreparedHeadersOfALayerMakeTheWritersBytes(t *testing.T) {
	when := time.Unix(1700000000, 123456700)
	var ours, theirs bytes.Buffer
	layer := files.NewWriter(&ours, files.Options{Times: files.Times{Modified: when}})
	if err := layer.Add("app/hello.exe", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := layer.Close(); err != nil {
		t.Fatal(err)
	}

	roots := must(files.AppendRoots(nil, files.Times{Modified: when}))(t)
	theirs.Write(roots)
	writer := tar.NewWriter(&theirs)
	for _, header := range []*tar.Header{
		{Name: "app/", Typeflag: tar.TypeDir, ModTime: when},
		{Name: "app/hello.exe", Size: 5, Typeflag: tar.TypeReg, ModTime: when},
	} {
		if err := files.Prepare(header, 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
	}
	must(io.WriteString(writer, "hello"))(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
		t.Error("archive/tar wrote something else")
	}
}

func TestWriterAllocatesOnceAnEntry(t *testing.T) {
	layer := files.NewWriter(io.Discard, files.Options{})
	data := []byte("hello")
	paths := make([]string, 100_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("app/dir%d/file%06d.txt", i/1000, i)
	}
	next := 0
	counted := testing.AllocsPerRun(len(paths)/2, func() {
		if err := layer.Add(paths[next], data); err != nil {
			t.Fatal(err)
		}
		next++
	})
	if counted > 1 {
		t.Errorf("%v allocations an entry", counted)
	}
}

func TestDeepPathsTakeMemoryForTheirNamesAlone(t *testing.T) {
	layer := files.NewWriter(io.Discard, files.Options{})
	if err := layer.Add(strings.Repeat("d/", 1_000)+"f", nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "code", code(t, layer.Add(strings.Repeat("d/", 999)+"D", nil)), "case")
}
