// SPDX-License-Identifier: Apache-2.0

// Command examples builds a Windows image from nothing and writes it as an OCI layout: go run . FOLDER
// The image contains one file and no entry point, because this base has no Windows to run programs.
package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	image, err := build("hello\r\n")
	if err != nil {
		log.Fatal(err)
	}
	path, err := layout.Write(os.Args[1], empty.Index)
	if err != nil {
		log.Fatal(err)
	}
	latest := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "latest"})
	if err := path.AppendImage(image, latest); err != nil {
		log.Fatal(err)
	}
}

// build returns an image of the base layer with hello.txt in a layer on top.
func build(text string) (v1.Image, error) {
	base, err := base()
	if err != nil {
		return nil, err
	}
	mediaType := tarball.WithMediaType(types.OCILayer)
	application, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return files(text) }, mediaType)
	if err != nil {
		return nil, err
	}
	config := &v1.ConfigFile{OS: "windows", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, base, application)
}

// files returns the tar of a layer on top: Files with hello.txt, and an empty Hives.
func files(text string) (io.ReadCloser, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, header := range []*tar.Header{
		{Name: "Files", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "Files/hello.txt", Size: int64(len(text)), Mode: 0o644},
		{Name: "Hives", Typeflag: tar.TypeDir, Mode: 0o755},
	} {
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if header.Size > 0 {
			if _, err := io.WriteString(writer, text); err != nil {
				return nil, err
			}
		}
	}
	return io.NopCloser(&buffer), writer.Close()
}
