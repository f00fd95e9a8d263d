// SPDX-License-Identifier: Apache-2.0

// Writes what the generated modules hold into a folder: NAME.tar, NAME.tar.gz
// and NAME.bcd. C99, and C++ as well.

#include <stdio.h>
#include <stdlib.h>

#include "windows_hostprocess.h"
#include "windows_legacy.h"
#include "windows_scratch.h"

static void write_file(const char *folder, const char *layer,
                       const char *suffix, const unsigned char *data,
                       size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.%s", folder, layer, suffix);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size ||
      fclose(file) != 0) {
    perror(path);
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  write_file(argv[1], WINDOWS_SCRATCH_NAME, "tar", windows_scratch_layer,
             sizeof windows_scratch_layer);
  write_file(argv[1], WINDOWS_SCRATCH_NAME, "tar.gz", windows_scratch_blob,
             WINDOWS_SCRATCH_BLOB_SIZE);
  write_file(argv[1], WINDOWS_SCRATCH_NAME, "bcd", WINDOWS_SCRATCH_BCD,
             WINDOWS_SCRATCH_BCD_SIZE);
  write_file(argv[1], WINDOWS_HOSTPROCESS_NAME, "tar",
             windows_hostprocess_layer, WINDOWS_HOSTPROCESS_LAYER_SIZE);
  write_file(argv[1], WINDOWS_HOSTPROCESS_NAME, "tar.gz",
             windows_hostprocess_blob, sizeof windows_hostprocess_blob);
  write_file(argv[1], WINDOWS_LEGACY_NAME, "tar", windows_legacy_layer,
             WINDOWS_LEGACY_LAYER_SIZE);
  write_file(argv[1], WINDOWS_LEGACY_NAME, "tar.gz", windows_legacy_blob,
             WINDOWS_LEGACY_BLOB_SIZE);
  write_file(argv[1], WINDOWS_LEGACY_NAME, "bcd", WINDOWS_LEGACY_BCD,
             WINDOWS_LEGACY_BCD_SIZE);
  return 0;
}
