// SPDX-License-Identifier: Apache-2.0

// Writes the two layers of a Windows image into the working folder: base.tar.gz
// and, with libarchive, application.tar.gz. The output is reproducible.
// cc layers.c windows_scratch.c -larchive

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "windows_scratch.h"

// Push the base layer unchanged. libarchive would append slashes to directory
// names, and Windows does not recognise them in a base layer.
static int write_base(const char *path) {
  FILE *file = fopen(path, "wb");
  if (file == NULL)
    return -1;
  size_t written =
      fwrite(windows_scratch_blob, 1, WINDOWS_SCRATCH_BLOB_SIZE, file);
  return fclose(file) == 0 && written == WINDOWS_SCRATCH_BLOB_SIZE ? 0 : -1;
}

static int add(struct archive *tar, const char *path, mode_t type,
               const char *text) {
  struct archive_entry *entry = archive_entry_new();
  archive_entry_set_pathname(entry, path);
  archive_entry_set_filetype(entry, type);
  archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
  archive_entry_set_size(entry, (la_int64_t)strlen(text));
  int status = archive_write_header(tar, entry);
  if (status == ARCHIVE_OK && archive_write_data(tar, text, strlen(text)) < 0)
    status = ARCHIVE_FATAL;
  archive_entry_free(entry);
  return status;
}

// A layer on top has Files with the files, and an empty Hives. Without gzip's
// timestamp, the output is reproducible.
static int write_application(const char *path) {
  struct archive *tar = archive_write_new();
  int done = archive_write_add_filter_gzip(tar) == ARCHIVE_OK &&
             archive_write_set_filter_option(tar, "gzip", "timestamp", NULL) ==
                 ARCHIVE_OK &&
             archive_write_set_format_ustar(tar) == ARCHIVE_OK &&
             archive_write_open_filename(tar, path) == ARCHIVE_OK &&
             add(tar, "Files", AE_IFDIR, "") == ARCHIVE_OK &&
             add(tar, "Files/hello.txt", AE_IFREG, "hello\r\n") == ARCHIVE_OK &&
             add(tar, "Hives", AE_IFDIR, "") == ARCHIVE_OK &&
             archive_write_close(tar) == ARCHIVE_OK;
  if (!done)
    fprintf(stderr, "%s: %s\n", path, archive_error_string(tar));
  archive_write_free(tar);
  return done ? 0 : -1;
}

int main(void) {
  if (write_base("base.tar.gz") != 0) {
    perror("base.tar.gz");
    return 1;
  }
  if (write_application("application.tar.gz") != 0)
    return 1;
  printf("base.tar.gz: digest %s, diff ID %s\n", WINDOWS_SCRATCH_DIGEST,
         WINDOWS_SCRATCH_DIFF_ID);
  return 0;
}
