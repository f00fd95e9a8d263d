// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/buildpacks/imgutil/layer"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"winscratch.example/layers/scratch"
	"winscratch.example/tests/catalogue"
)

func BenchmarkRead(b *testing.B) {
	b.Run("winscratch", func(b *testing.B) {
		for b.Loop() {
			reader, err := scratch.Open()
			drain(b, reader, err)
		}
	})
	b.Run("imgutil", func(b *testing.B) {
		for b.Loop() {
			reader, err := layer.WindowsBaseLayer()
			drain(b, reader, err)
		}
	})
}

// A layer is ready to be pushed when both digests and the size are known and its blob can be read.
func BenchmarkPushReady(b *testing.B) {
	b.Run("winscratch", func(b *testing.B) {
		// The larger layer, as imgutil's is.
		index := slices.IndexFunc(catalogue.Layers, func(l catalogue.Layer) bool { return l.Name == scratch.Name })
		known := ready{catalogue.Layers[index]}
		for b.Loop() {
			push(b, &known)
		}
	})
	b.Run("imgutil", func(b *testing.B) {
		for b.Loop() {
			reader, err := layer.WindowsBaseLayer()
			if err != nil {
				b.Fatal(err)
			}
			data, err := io.ReadAll(reader)
			if err != nil {
				b.Fatal(err)
			}
			built, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			})
			if err != nil {
				b.Fatal(err)
			}
			push(b, built)
		}
	})
}

// push asks of a layer what a client does to push it.
func push(b *testing.B, layer v1.Layer) {
	if _, err := layer.DiffID(); err != nil {
		b.Fatal(err)
	}
	if _, err := layer.Digest(); err != nil {
		b.Fatal(err)
	}
	if _, err := layer.Size(); err != nil {
		b.Fatal(err)
	}
	blob, err := layer.Compressed()
	drain(b, blob, err)
}

func drain(b *testing.B, reader io.Reader, err error) {
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, reader); err != nil {
		b.Fatal(err)
	}
}
