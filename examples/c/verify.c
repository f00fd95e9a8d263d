// SPDX-License-Identifier: Apache-2.0

// Checks that a vendored layer is undamaged: its blob, which has gzip's
// checksum, must unpack to the layer.
// cc verify.c windows_scratch.c -larchive

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "windows_scratch.h"

int main(void) {
  static char tar[WINDOWS_SCRATCH_LAYER_SIZE + 1];
  struct archive *gzip = archive_read_new();
  struct archive_entry *entry;
  la_ssize_t size = -1;
  archive_read_support_filter_gzip(gzip);
  archive_read_support_format_raw(gzip);
  if (archive_read_open_memory(gzip, windows_scratch_blob,
                               WINDOWS_SCRATCH_BLOB_SIZE) == ARCHIVE_OK &&
      archive_read_next_header(gzip, &entry) == ARCHIVE_OK)
    size = archive_read_data(gzip, tar, sizeof tar);
  archive_read_free(gzip);
  if (size != WINDOWS_SCRATCH_LAYER_SIZE ||
      memcmp(tar, windows_scratch_layer, WINDOWS_SCRATCH_LAYER_SIZE) != 0) {
    fputs("the layer was changed\n", stderr);
    return 1;
  }
  puts(WINDOWS_SCRATCH_NAME ": verified");
  return 0;
}
