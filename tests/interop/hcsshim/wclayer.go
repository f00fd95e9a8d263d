// SPDX-License-Identifier: Apache-2.0

//go:build windows

package wclayer

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/Microsoft/hcsshim/internal/safefile"
)

// Probe writes a layer as Windows does, up to where vmcompute would take it over.
type Probe interface {
	LayerWriter
	Finish() error
}

type baseProbe struct{ *baseLayerWriter }

type topProbe struct{ *legacyLayerWriter }

// NewProbe returns a writer of the layer at path, on parents, of which the first lies right below it.
func NewProbe(path string, parents []string) (Probe, error) {
	if len(parents) == 0 {
		root, err := safefile.OpenRoot(path)
		return &baseProbe{&baseLayerWriter{ctx: context.Background(), root: root}}, err
	}
	if err := os.Mkdir(path+".import", 0o777); err != nil {
		return nil, err
	}
	w, err := newLegacyLayerWriter(path+".import", parents, path)
	return &topProbe{w}, err
}

func (p *baseProbe) Finish() error {
	defer p.root.Close()
	if err := p.closeCurrentFile(); err != nil {
		return err
	}
	return p.err
}

// Finish makes the files that vmcompute would, empty, and then does what legacyLayerWriterWrapper.Close does.
func (p *topProbe) Finish() error {
	defer p.CloseRoots()
	if err := p.legacyLayerWriter.Close(); err != nil {
		return err
	}
	if err := copyTree(p.root.Name(), p.destRoot.Name()); err != nil {
		return err
	}
	for _, name := range p.Tombstones {
		if err := remove(name, p.destRoot); err != nil {
			return err
		}
	}
	for _, link := range p.PendingLinks {
		if err := remove(link.Path, p.destRoot); err != nil {
			return err
		}
		if err := safefile.LinkRelative(link.Target, link.TargetRoot, link.Path, p.destRoot); err != nil {
			return err
		}
	}
	return nil
}

func remove(path string, root *os.File) error {
	if err := safefile.RemoveRelative(path, root); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func copyTree(from, to string) error {
	return filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
		relative, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case relative == "." || strings.HasSuffix(relative, ".$wcidirs$"):
			return nil
		case info.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o777)
		}
		return os.WriteFile(filepath.Join(to, relative), nil, 0o666)
	})
}
