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
	if !errors.Is(err, refused.Code) {
		t.Errorf("%v: not its own code", err)
	}
	return string(refused.Code)
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

func TestWriterRefusesAnOutputThatTakesLess(t *testing.T) {
	layer := files.NewWriter(narrow{3}, files.Options{})
	for _, err := range []error{layer.Add("a", nil), layer.Close()} {
		if err != io.ErrShortWrite {
			t.Errorf("%v, not %v", err, io.ErrShortWrite)
		}
	}
}

func TestWriteReturnsHowMuchTheOutputTook(t *testing.T) {
	room := &limited{left: 1 << 20}
	layer := files.NewWriter(room, files.Options{})
	if err := layer.WriteHeader(&files.Entry{Path: "a", Size: 5}); err != nil {
		t.Fatal(err)
	}
	room.left = 3
	n, err := layer.Write([]byte("hello"))
	if n != 3 || err != io.ErrUnexpectedEOF {
		t.Errorf("%d, %v", n, err)
	}
}

// narrow takes no more bytes of a call than its number, without an error.
type narrow struct{ most int }

func (n narrow) Write(data []byte) (int, error) {
	if len(data) > n.most {
		return n.most, nil
	}
	return len(data), nil
}

// limited takes so many bytes, and then fails.
type limited struct{ left int }

func (l *limited) Write(data []byte) (int, error) {
	if len(data) > l.left {
		return l.left, io.ErrUnexpectedEOF
	}
	l.left -= len(data)
	return len(data), nil
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
	_, err := layer.Write(nil)
	equal(t, "code", code(t, err), "closed")
	if err := layer.Close(); err != nil {
		t.Errorf("%v: closed all the same", err)
	}
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
	layer := files.NewWriter(io.Discard, files.Options{})
	err := layer.AddFS("", links, files.Tree{})
	var where *fs.PathError
	if !errors.Is(err, files.ErrNoReadLink) || !errors.Is(err, fs.ErrInvalid) || !errors.As(err, &where) || where.Path != "a" {
		t.Errorf("%v: not that a's text cannot be read", err)
	}
	if closed := layer.Close(); closed != err {
		t.Errorf("%v, not %v", closed, err)
	}
}

// readLink is a file system that reads its links, and is no io/fs.ReadLinkFS: it has no Lstat.
type readLink struct {
	fs.FS
	links fstest.MapFS
}

func (r readLink) ReadLink(name string) (string, error) { return r.links.ReadLink(name) }

func TestLinksAreReadFromAnyFileSystemThatHasReadLink(t *testing.T) {
	tree := fstest.MapFS{
		"d/file":   {},
		"to-dir":   {Mode: fs.ModeSymlink, Data: []byte("d")},
		"to-none":  {Mode: fs.ModeSymlink, Data: []byte("nowhere")},
		"d/to-up":  {Mode: fs.ModeSymlink, Data: []byte("../d/file")},
		"d/to-top": {Mode: fs.ModeSymlink, Data: []byte("..")},
	}
	wanted := written(t, func(layer *files.Writer) error {
		for _, entry := range []files.Entry{
			{Kind: files.Directory, Path: "app"},
			{Kind: files.Directory, Path: "app/d"},
			{Path: "app/d/file"},
			{Kind: files.DirectoryLink, Path: "app/d/to-top", Target: ".."},
			{Kind: files.FileLink, Path: "app/d/to-up", Target: "../d/file"},
			{Kind: files.DirectoryLink, Path: "app/to-dir", Target: "d"},
			{Kind: files.FileLink, Path: "app/to-none", Target: "nowhere"},
		} {
			if err := layer.WriteHeader(&entry); err != nil {
				return err
			}
		}
		return nil
	})
	for name, links := range map[string]fs.FS{"io/fs's": tree, "ours": readLink{tree, tree}} {
		equal(t, name, written(t, func(layer *files.Writer) error {
			return layer.AddFS("app", links, files.Tree{})
		}), wanted)
	}
}

// written returns the bytes of a layer.
func written(t *testing.T, add func(layer *files.Writer) error) string {
	t.Helper()
	var out strings.Builder
	layer := files.NewWriter(&out, files.Options{})
	if err := add(layer); err != nil {
		t.Fatal(err)
	}
	if err := layer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCodesAreErrorsToLookFor(t *testing.T) {
	_, err := files.AppendHeader(nil, &files.Entry{Path: "new/NUL"})
	if wrapped := fmt.Errorf("in the end: %w", err); !errors.Is(wrapped, files.ErrDevice) {
		t.Errorf("%v: not ErrDevice", wrapped)
	}
	if errors.Is(err, files.ErrEmpty) {
		t.Errorf("%v: ErrEmpty", err)
	}
	equal(t, "text", err.Error(), `"new/NUL": `+files.ErrDevice.Error())
}

func TestZeroTimesInAnyTimeZoneAreTheDefault(t *testing.T) {
	zero := time.Time{}.In(time.FixedZone("", 3600))
	if zero == (time.Time{}) {
		t.Fatal("the same to ==, so this test shows nothing")
	}
	var layers []string
	for _, times := range []files.Times{{}, {Modified: zero, Accessed: zero, Changed: zero, Created: zero}} {
		if !times.IsZero() {
			t.Errorf("%v: not zero", times)
		}
		var out strings.Builder
		layer := files.NewWriter(&out, files.Options{Times: files.Times{Modified: time.Unix(1e9, 0)}})
		if err := layer.WriteHeader(&files.Entry{Path: "a", Times: times}); err != nil {
			t.Fatal(err)
		}
		layers = append(layers, out.String())
	}
	equal(t, "layer", layers[1], layers[0])
}

func TestDescriptorsThatAreNotSetAreTheLayers(t *testing.T) {
	for _, own := range []files.Descriptor{files.UsersRead, files.NoDescriptor, files.SelfRelative([]byte{1})} {
		if own == "" {
			t.Errorf("%q: the zero value", own)
		}
	}
	for _, invalid := range []files.Descriptor{files.SelfRelative(nil), "users_read", "O:BAG:BA"} {
		layer := files.NewWriter(io.Discard, files.Options{Descriptor: invalid})
		equal(t, "code", code(t, layer.Add("a", nil)), "descriptor")
	}
}

func TestNamedDescriptorsAreWhatTheirTextSays(t *testing.T) {
	for name, wanted := range map[files.Descriptor]files.Descriptor{
		"": files.UsersRead, "users-read": files.UsersRead, "user-owned": files.UserOwned,
		"admin-owned": files.AdminOwned, "none": files.NoDescriptor,
	} {
		found := must(files.AppendHeader(nil, &files.Entry{Path: "a", Descriptor: name}))(t)
		equal(t, string(name), string(found), string(must(files.AppendHeader(nil, &files.Entry{Path: "a", Descriptor: wanted}))(t)))
	}
	const _ = files.UsersRead // so nobody can assign it
}

func TestKindsAndCodesHaveAText(t *testing.T) {
	equal(t, "kind", fmt.Sprint(files.File, files.DirectoryLink, files.Whiteout), "file directory-link whiteout")
	equal(t, "other kind", files.Kind(99).String(), "Kind(99)")
	equal(t, "other code", files.Code("odd").Error(), "odd")
}

func TestTheCoreMakesAWholeLayer(t *testing.T) {
	wanted := written(t, func(layer *files.Writer) error { return layer.Add("a", []byte("hello")) })
	buf := must(files.AppendRoots(nil, files.Times{}))(t)
	buf = must(files.AppendHeader(buf, &files.Entry{Path: "a", Size: 5}))(t)
	buf = files.AppendPadding(append(buf, "hello"...), 5)
	equal(t, "layer", string(files.AppendEnd(buf)), wanted)
}

func TestClosedWriterTakesNoFileSystem(t *testing.T) {
	layer := files.NewWriter(io.Discard, files.Options{})
	if err := layer.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "code", code(t, layer.AddFS("", fstest.MapFS{}, files.Tree{})), "closed")
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
