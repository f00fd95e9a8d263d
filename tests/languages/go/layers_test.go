// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"archive/tar"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"winscratch.example/tests/catalogue"
)

// each runs a test on every layer.
func each(t *testing.T, test func(t *testing.T, layer catalogue.Layer)) {
	for _, layer := range catalogue.Layers {
		t.Run(layer.Name, func(t *testing.T) { test(t, layer) })
	}
}

// must returns the value of a call that has to work.
func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func equal[T comparable](t *testing.T, what string, found, wanted T) {
	t.Helper()
	if found != wanted {
		t.Errorf("%s is %v, not %v", what, found, wanted)
	}
}

func TestClientAgreesWithTheConstants(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		mediaType := tarball.WithMediaType(types.MediaType(layer.MediaType))

		// The client takes a gzip blob as it is: not compressed again, so its digest is ours.
		blob := must(tarball.LayerFromOpener(layer.OpenCompressed, mediaType))(t)
		equal(t, "digest", must(blob.Digest())(t).String(), layer.Digest)
		equal(t, "diff ID", must(blob.DiffID())(t).String(), layer.DiffID)
		equal(t, "size", must(blob.Size())(t), layer.BlobSize)
		equal(t, "blob", contents(t, blob.Compressed), layer.Blob)
		equal(t, "tar", contents(t, blob.Uncompressed), layer.Tar)

		// From the tar it makes a blob of its own, of the same tar.
		tar := must(tarball.LayerFromOpener(layer.Open, mediaType))(t)
		equal(t, "diff ID", must(tar.DiffID())(t).String(), layer.DiffID)
		equal(t, "tar's size", int64(len(contents(t, tar.Uncompressed))), layer.LayerSize)

		if err := validate.Layer(ready{layer}); err != nil {
			t.Error(err)
		}
		if err := layer.Verify(); err != nil {
			t.Error(err)
		}
	})
}

func TestGoReadsTheTar(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		var files, bcd []string
		reader := tar.NewReader(must(layer.Open())(t))
		for {
			header, err := reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if header.Typeflag == tar.TypeDir {
				if strings.HasSuffix(header.Name, "/") {
					t.Errorf("%s: ends in a slash, so Windows does not recognise it", header.Name)
				}
				continue
			}
			files = append(files, header.Name)
			if strings.HasSuffix(header.Name, "/BCD") {
				bcd = append(bcd, string(must(io.ReadAll(reader))(t)))
			}
		}
		if layer.BCD != nil && !slices.Equal(bcd, []string{layer.BCD()}) {
			t.Error("BCD is not the file in the tar")
		}
		for _, name := range []string{"DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"} {
			if !slices.Contains(files, "Files/Windows/System32/config/"+name) {
				t.Errorf("%s is not among %v", name, files)
			}
		}
	})
}

func TestOpenAllocatesTwiceAtMost(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		for name, open := range map[string]tarball.Opener{"Open": layer.Open, "OpenCompressed": layer.OpenCompressed} {
			allocations := testing.AllocsPerRun(100, func() {
				reader, err := open()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, reader); err != nil {
					t.Fatal(err)
				}
			})
			if allocations > 2 {
				t.Errorf("%s allocates %v times", name, allocations)
			}
		}
	})
}

func contents(t *testing.T, open tarball.Opener) string {
	t.Helper()
	reader := must(open())(t)
	data := must(io.ReadAll(reader))(t)
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	return string(data)
}
