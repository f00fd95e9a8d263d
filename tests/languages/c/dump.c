// SPDX-License-Identifier: Apache-2.0

// Writes what the generated modules hold into a folder: NAME.tar, NAME.tar.gz
// and NAME.bcd. C99, and C++ as well. The test writes layers.h, which includes
// the modules' headers and lists them: #define LAYERS LAYER(scratch, SCRATCH)
// BCD(SCRATCH) ...

#include <stdio.h>
#include <stdlib.h>

#include "layers.h"

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

static void check_size(size_t stated, size_t real) {
  if (stated != real)
    exit(1);
}

#define LAYER(name, NAME)                                                      \
  if (windows_##name##_verify() != 0)                                          \
    exit(1);                                                                   \
  check_size(WINDOWS_##NAME##_LAYER_SIZE, sizeof windows_##name##_layer);      \
  check_size(WINDOWS_##NAME##_BLOB_SIZE, sizeof windows_##name##_blob);        \
  write_file(argv[1], WINDOWS_##NAME##_NAME, "tar", windows_##name##_layer,    \
             sizeof windows_##name##_layer);                                   \
  write_file(argv[1], WINDOWS_##NAME##_NAME, "tar.gz", windows_##name##_blob,  \
             sizeof windows_##name##_blob);
#define BCD(NAME)                                                              \
  write_file(argv[1], WINDOWS_##NAME##_NAME, "bcd", WINDOWS_##NAME##_BCD,      \
             WINDOWS_##NAME##_BCD_SIZE);

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  LAYERS
  return 0;
}
