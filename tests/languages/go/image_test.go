// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"winscratch.example/layers/files"
	"winscratch.example/tests/catalogue"
)

// image returns a Windows image of the layer with an application layer on top.
func image(t *testing.T, layer catalogue.Layer) v1.Image {
	t.Helper()
	mediaType := tarball.WithMediaType(types.OCILayer)
	base := must(tarball.LayerFromOpener(layer.OpenCompressed, mediaType))(t)
	data := application(t)
	top := must(tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}, mediaType))(t)

	config := must(empty.Image.ConfigFile())(t).DeepCopy()
	config.OS, config.Architecture = "windows", "amd64"
	start := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return must(mutate.AppendLayers(must(mutate.ConfigFile(start, config))(t), plain{base}, plain{top}))(t)
}

// plain is a layer without the client's own descriptor, whose empty annotations its validation takes for a difference.
type plain struct{ v1.Layer }

// application returns a layer on top, with an entry of every kind.
func application(t *testing.T) []byte {
	t.Helper()
	var buffer bytes.Buffer
	layer := files.NewWriter(&buffer, files.Options{})
	for _, entry := range []files.Entry{
		{Path: "app/" + strings.Repeat("long", 30)},
		{Path: "größe/日本", Kind: files.Directory},
		{Path: "app/link", Kind: files.FileLink, Target: "../hello.txt"},
		{Path: "app/folder", Kind: files.DirectoryLink, Target: "../größe"},
		{Path: "gone", Kind: files.Whiteout},
	} {
		if err := layer.WriteHeader(&entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := layer.Add("hello.txt", []byte("hello\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := layer.WriteHeader(&files.Entry{Path: "again", Kind: files.HardLink, Target: "hello.txt"}); err != nil {
		t.Fatal(err)
	}
	if err := layer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// What is flat has no whiteouts, and of every path the entry of the highest layer.
func TestFlatImageHoldsTheFiles(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		flat := mutate.Extract(image(t, layer))
		defer flat.Close()
		found := map[string]byte{}
		for reader := tar.NewReader(flat); ; {
			header, err := reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found[header.Name] = header.Typeflag
		}
		for name, typeflag := range map[string]byte{
			"Hives": tar.TypeDir, "Files/app/" + strings.Repeat("long", 30): tar.TypeReg,
			"Files/größe/日本": tar.TypeDir, "Files/app/link": tar.TypeSymlink, "Files/app/folder": tar.TypeSymlink,
			"Files/hello.txt": tar.TypeReg, "Files/again": tar.TypeLink, "Files/.wh.gone": 0, "Files/gone": 0,
		} {
			if found[name] != typeflag {
				t.Errorf("%s is of type %q, not %q", name, found[name], typeflag)
			}
		}
	})
}

func TestImageIsValid(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		if err := validate.Image(image(t, layer)); err != nil {
			t.Error(err)
		}
	})
}

func TestLayoutKeepsTheImage(t *testing.T) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		sent := image(t, layer)
		path := must(layout.Write(t.TempDir(), empty.Index))(t)
		if err := path.AppendImage(sent); err != nil {
			t.Fatal(err)
		}
		got := must(path.Image(must(sent.Digest())(t)))(t)
		sameImage(t, layer, got, sent)
	})
}

func TestClientsOwnRegistryKeepsTheImage(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	pushAndPull(t, strings.TrimPrefix(server.URL, "http://"))
}

func TestDebiansRegistryKeepsTheImage(t *testing.T) {
	address := os.Getenv("WINSCRATCH_TEST_REGISTRY")
	if address == "" {
		t.Skip("WINSCRATCH_TEST_REGISTRY does not say where a registry listens")
	}
	pushAndPull(t, address)
}

func pushAndPull(t *testing.T, address string) {
	each(t, func(t *testing.T, layer catalogue.Layer) {
		sent := image(t, layer)
		reference := must(name.ParseReference(address+"/go/"+layer.Name+":latest", name.Insecure))(t)
		if err := remote.Write(reference, sent); err != nil {
			t.Fatal(err)
		}
		sameImage(t, layer, must(remote.Image(reference))(t), sent)

		// Not even a client that trusts our constants can push something else.
		alone := must(mutate.AppendLayers(empty.Image, ready{layer}))(t)
		if err := remote.Write(reference, alone); err != nil {
			t.Fatal(err)
		}
		sameImage(t, layer, must(remote.Image(reference))(t), alone)
	})
}

// sameImage checks that an image came back byte by byte, with our blob as its lowest layer.
func sameImage(t *testing.T, layer catalogue.Layer, got, sent v1.Image) {
	t.Helper()
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	equal(t, "manifest", string(must(got.RawManifest())(t)), string(must(sent.RawManifest())(t)))
	equal(t, "configuration", string(must(got.RawConfigFile())(t)), string(must(sent.RawConfigFile())(t)))
	gotLayers, sentLayers := must(got.Layers())(t), must(sent.Layers())(t)
	if len(gotLayers) != len(sentLayers) {
		t.Fatalf("%d layers came back of %d", len(gotLayers), len(sentLayers))
	}
	for i := range sentLayers {
		if contents(t, gotLayers[i].Compressed) != contents(t, sentLayers[i].Compressed) {
			t.Errorf("layer %d came back changed", i)
		}
	}
	if contents(t, gotLayers[0].Compressed) != layer.Blob {
		t.Error("the lowest layer is not our blob")
	}
}
