// SPDX-License-Identifier: Apache-2.0

// Writes small files to nowhere, by the writer of layers on top (ours) or by
// libarchive with the same records, as far as it has them (theirs), and says
// how many seconds it took: files ours|theirs NUMBER. libarchive has no call
// for Windows' records; it gets extended attributes of the same size.

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "windows_files.h"

static const char DATA[100] = {0};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void path_of(char path[64], int i) {
  snprintf(path, 64, "Files/app/dir%d/file%06d.txt", i / 1000, i);
}

static int nowhere(void *context, const void *data, size_t size) {
  (void)data;
  *(size_t *)context += size;
  return 0;
}

static la_ssize_t archive_nowhere(struct archive *a, void *context,
                                  const void *data, size_t size) {
  (void)a;
  nowhere(context, data, size);
  return (la_ssize_t)size;
}

static size_t ours(int number) {
  static const windows_files_entry FILE_OF_100 = {
      WINDOWS_FILES_FILE, NULL, NULL, 100, 0, NULL, NULL};
  size_t written = 0, words = (size_t)number * 16 + 4096;
  uint32_t *memory = malloc(words * sizeof *memory);
  windows_files_writer writer;
  windows_files_start(&writer, nowhere, &written, memory, words, NULL, NULL);
  for (int i = 0; i < number; i++) {
    char path[64];
    windows_files_entry entry = FILE_OF_100;
    path_of(path, i);
    entry.path = path + 6;
    windows_files_add(&writer, &entry);
    windows_files_data(&writer, DATA, sizeof DATA);
  }
  if (windows_files_end(&writer) != WINDOWS_FILES_OK)
    exit(1);
  free(memory);
  return written;
}

static size_t theirs(int number) {
  const char *descriptor = windows_files_users_read.other;
  size_t written = 0;
  struct archive *a = archive_write_new();
  struct archive_entry *entry = archive_entry_new();
  archive_write_set_format_pax(a);
  archive_write_set_bytes_per_block(a, 0);
  archive_write_open(a, &written, NULL, archive_nowhere, NULL);
  for (int i = 0; i < number; i++) {
    char path[64];
    path_of(path, i);
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, sizeof DATA);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_atime(entry, 0, 0);
    archive_entry_set_ctime(entry, 0, 0);
    archive_entry_set_birthtime(entry, 0, 0);
    archive_entry_xattr_add_entry(entry, "fileattr", "32", 2);
    archive_entry_xattr_add_entry(entry, "rawsd", descriptor,
                                  strlen(descriptor));
    if (archive_write_header(a, entry) != ARCHIVE_OK)
      exit(1);
    archive_write_data(a, DATA, sizeof DATA);
  }
  archive_entry_free(entry);
  if (archive_write_close(a) != ARCHIVE_OK)
    exit(1);
  archive_write_free(a);
  return written;
}

int main(int argc, char **argv) {
  double start = now();
  int number = argc > 2 ? atoi(argv[2]) : 0;
  size_t written = strcmp(argv[1], "ours") == 0 ? ours(number) : theirs(number);
  if (written < (size_t)number * 1024)
    return 1;
  printf("%f\n", now() - start);
  return 0;
}
