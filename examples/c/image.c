// SPDX-License-Identifier: Apache-2.0
// Makes a HostProcess image of a folder as an OCI layout: image FOLDER LAYOUT
// cc image.c windows_files.c windows_hostprocess.c -lmd, in Debian libmd-dev
#include <err.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "windows_files.h"
#include "windows_hostprocess.h"

#define TYPE "application/vnd.oci.image."
#define VERSION(of) "{'schemaVersion':2,'mediaType':'" TYPE of ".v1+json',"
#define PLATFORM "'architecture':'amd64','os':'windows'"
#define CONFIG "{" PLATFORM ",'config':{},'rootfs':{'type':'layers','diff_ids':"
#define TAG "'annotations':{'org.opencontainers.image.ref.name':'latest'},"

static void check(int done, const char *path, const char *reason) {
  if (!done)
    errx(1, "%s: %s", path, reason ? reason : strerror(errno));
}

// Starts a file with a text, in which ' stands for ".
static FILE *start(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  check(file != NULL, path, NULL);
  for (; *text != 0; text++)
    putc(*text == '\'' ? '"' : *text, file);
  return file;
}

static int put(void *file, const void *data, size_t size) {
  return fwrite(data, 1, size, file) != size;
}

// Makes the file "new" a blob; json becomes its descriptor, but for the end.
static void add(FILE *file, const char *media_type, char *json) {
  char path[128] = "blobs/sha256/", *hash = strchr(path, 0);
  check(!fflush(file) && !ferror(file) && SHA256File("new", hash), "new", NULL);
  sprintf(json, "{'mediaType':'%s','digest':'sha256:%s','size':%lld",
          media_type, hash, (long long)ftello(file));
  check(!fclose(file) && !rename("new", path), path, NULL);
}

static int by_bytes(const FTSENT **a, const FTSENT **b) {
  return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void put_layer(FILE *out, char *folder) {
  static uint32_t memory[1 << 24]; // for the names of a million files
  char data[1 << 16], *roots[] = {folder, NULL};
  windows_files_error error;
  windows_files_writer layer;
  FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_bytes);
  check(tree != NULL, folder, NULL);
  windows_files_start(&layer, put, out, memory, 1 << 24, NULL, NULL);
  for (FTSENT *e; (e = fts_read(tree)) != NULL;) {
    const char *path = e->fts_path;
    int is = e->fts_info;
    windows_files_entry entry = {.path = path + strlen(folder) + 1};
    struct stat to;
    if (is == FTS_DP || (is == FTS_D && e->fts_level == 0))
      continue;
    if (is == FTS_D) {
      entry.kind = WINDOWS_FILES_DIRECTORY;
    } else if (is == FTS_SL) {
      entry.kind = WINDOWS_FILES_FILE_LINK;
      if (stat(path, &to) == 0 && S_ISDIR(to.st_mode))
        entry.kind = WINDOWS_FILES_DIRECTORY_LINK;
      entry.target = memset(data, 0, sizeof data);
      check(readlink(path, data, sizeof data - 1) > 0, path, NULL);
    } else {
      check(is == FTS_F && e->fts_level > 0, path, "unfit or unreadable");
      entry.size = (uint64_t)e->fts_statp->st_size;
    }
    error = windows_files_add(&layer, &entry);
    if (is == FTS_F && error == WINDOWS_FILES_OK) {
      FILE *file = fopen(path, "rb");
      check(file != NULL, path, NULL);
      for (size_t n; (n = fread(data, 1, sizeof data, file)) > 0;)
        error = windows_files_data(&layer, data, n);
      check(!ferror(file) && fclose(file) == 0, path, NULL);
    }
    check(error == WINDOWS_FILES_OK, path, windows_files_reason(error));
  }
  check(errno == 0 && fts_close(tree) == 0, folder, NULL);
  error = windows_files_end(&layer);
  check(error == WINDOWS_FILES_OK, folder, windows_files_reason(error));
}

int main(int argc, char **argv) {
  char folder[PATH_MAX], text[2048];
  char base[256], top[256], config[256], manifest[256];
  check(argc == 3, "usage", "image FOLDER LAYOUT");
  check(realpath(argv[1], folder) != NULL, argv[1], NULL);
  check(!mkdir(argv[2], 0755) && !chdir(argv[2]), argv[2], NULL);
  check(!mkdir("blobs", 0755) && !mkdir("blobs/sha256", 0755), "blobs", NULL);
  FILE *file = start("new", "");
  put(file, windows_hostprocess_blob, WINDOWS_HOSTPROCESS_BLOB_SIZE);
  add(file, WINDOWS_HOSTPROCESS_MEDIA_TYPE, base);
  put_layer(file = start("new", ""), folder);
  add(file, TYPE "layer.v1.tar", top);
  sprintf(text, CONFIG "['%s','%.71s']}}", WINDOWS_HOSTPROCESS_DIFF_ID,
          strstr(top, "sha256:"));
  add(start("new", text), TYPE "config.v1+json", config);
  sprintf(text, VERSION("manifest") "'config':%s},'layers':[%s},%s}]}", config,
          base, top);
  add(start("new", text), TYPE "manifest.v1+json", manifest);
  sprintf(text, VERSION("index") "'manifests':[%s," TAG "'platform':{%s}}]}",
          manifest, PLATFORM);
  file = start("oci-layout", "{'imageLayoutVersion':'1.0.0'}");
  check(fclose(file) == 0, "oci-layout", NULL);
  check(fclose(start("index.json", text)) == 0, "index.json", NULL);
}
