// SPDX-License-Identifier: Apache-2.0
// Writes the layer in both forms, and their digests as sha256sum reads them.
#include <stdio.h>

#include "windows_scratch.h"

static int save(const char *name, const unsigned char *data, size_t size,
                const char *digest) {
  FILE *file = fopen(name, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
    return 1;
  return printf("%s  %s\n", digest + sizeof "sha256:" - 1, name) < 0;
}

int main(void) {
  return save("layer.tar", windows_scratch_layer, WINDOWS_SCRATCH_LAYER_SIZE,
              WINDOWS_SCRATCH_DIFF_ID) ||
         save("layer.tar.gz", windows_scratch_blob, WINDOWS_SCRATCH_BLOB_SIZE,
              WINDOWS_SCRATCH_DIGEST);
}
