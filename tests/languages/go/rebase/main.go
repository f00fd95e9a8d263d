// SPDX-License-Identifier: Apache-2.0

// Command rebase makes images for Windows as buildpacks/imgutil does, on its base layer, and moves them to other bases:
// rebase make LAYER.tar OUT, and rebase move IMAGE DIFFID BASE OUT; all but the first are layouts with one image.
// DIFFID is that of the old base's top layer.
package main

import (
	"log"
	"os"

	"github.com/buildpacks/imgutil"
	"github.com/buildpacks/imgutil/layout"
)

func makeImage(layer, out string) error {
	platform := imgutil.Platform{OS: "windows", Architecture: "amd64", OSVersion: "10.0.20348.2113"}
	image, err := layout.NewImage(out, layout.WithDefaultPlatform(platform), layout.WithHistory())
	if err != nil {
		return err
	}
	if err := image.AddLayer(layer); err != nil {
		return err
	}
	if err := image.SetEntrypoint("hello.exe"); err != nil {
		return err
	}
	if err := image.SetEnv("GREETING", "hello"); err != nil {
		return err
	}
	return image.Save()
}

func move(path, top, base, out string) error {
	image, err := layout.NewImage(out, layout.FromBaseImagePath(path), layout.WithHistory())
	if err != nil {
		return err
	}
	newBase, err := layout.NewImage(base, layout.FromBaseImagePath(base))
	if err != nil {
		return err
	}
	if err := image.Rebase(top, newBase); err != nil {
		return err
	}
	return image.Save()
}

func main() {
	var err error
	switch words := os.Args[1:]; {
	case len(words) == 3 && words[0] == "make":
		err = makeImage(words[1], words[2])
	case len(words) == 5 && words[0] == "move":
		err = move(words[1], words[2], words[3], words[4])
	default:
		log.Fatal("usage: rebase make LAYER.tar OUT | rebase move IMAGE DIFFID BASE OUT")
	}
	if err != nil {
		log.Fatal(err)
	}
}
