// SPDX-License-Identifier: Apache-2.0

// Writes the scratch layer's files to a tar of libarchive's own, reads that
// back beside the layer and compares each file.

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windows_scratch.h"

static void check(struct archive *archive, int status) {
  if (status != ARCHIVE_OK) {
    fprintf(stderr, "%s\n", archive_error_string(archive));
    exit(1);
  }
}

static struct archive *layer_reader(void) {
  struct archive *reader = archive_read_new();
  check(reader, archive_read_support_format_tar(reader));
  check(reader, archive_read_open_memory(reader, windows_scratch_layer,
                                         WINDOWS_SCRATCH_LAYER_SIZE));
  return reader;
}

static void write_copy(const char *path) {
  static char data[WINDOWS_SCRATCH_LAYER_SIZE];
  struct archive *reader = layer_reader();
  struct archive *writer = archive_write_new();
  struct archive_entry *entry;
  check(writer, archive_write_set_format_ustar(writer));
  check(writer, archive_write_open_filename(writer, path));
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    la_ssize_t size = archive_read_data(reader, data, sizeof data);
    check(writer, archive_write_header(writer, entry));
    if (size < 0 || archive_write_data(writer, data, (size_t)size) != size)
      exit(1);
  }
  check(writer, archive_write_close(writer));
  check(writer, archive_write_free(writer));
  check(reader, archive_read_free(reader));
}

// Directory names may differ in the slash that libarchive appends.
static int same_name(const char *copied, const char *original) {
  size_t length = strlen(original);
  return strncmp(copied, original, length) == 0 &&
         (copied[length] == '\0' || strcmp(copied + length, "/") == 0);
}

static int compare(const char *path) {
  static char data[2][WINDOWS_SCRATCH_LAYER_SIZE];
  struct archive *copy = archive_read_new();
  struct archive *layer = layer_reader();
  struct archive_entry *copied, *original;
  int entries = 0;
  check(copy, archive_read_support_format_tar(copy));
  check(copy, archive_read_open_filename(copy, path, 4096));
  while (archive_read_next_header(layer, &original) == ARCHIVE_OK) {
    check(copy, archive_read_next_header(copy, &copied));
    la_ssize_t size = archive_read_data(layer, data[0], sizeof data[0]);
    if (!same_name(archive_entry_pathname(copied),
                   archive_entry_pathname(original)) ||
        archive_entry_filetype(copied) != archive_entry_filetype(original) ||
        archive_entry_perm(copied) != archive_entry_perm(original) ||
        archive_read_data(copy, data[1], sizeof data[1]) != size || size < 0 ||
        memcmp(data[0], data[1], (size_t)size) != 0) {
      fprintf(stderr, "%s came back changed\n",
              archive_entry_pathname(original));
      exit(1);
    }
    ++entries;
  }
  if (archive_read_next_header(copy, &copied) != ARCHIVE_EOF)
    exit(1);
  check(copy, archive_read_free(copy));
  check(layer, archive_read_free(layer));
  return entries;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  write_copy(argv[1]);
  printf("%d entries\n", compare(argv[1]));
  return 0;
}
