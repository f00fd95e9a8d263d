// SPDX-License-Identifier: Apache-2.0

//go:build windows

package ociwclayer

import (
	"context"
	"io"

	"github.com/Microsoft/hcsshim/internal/wclayer"
)

// WriteLayer reads a layer's tar as ImportLayerFromTar does.
func WriteLayer(tar io.Reader, probe wclayer.Probe, root string) error {
	if _, err := writeLayerFromTar(context.Background(), tar, probe, root); err != nil {
		return err
	}
	return probe.Finish()
}
