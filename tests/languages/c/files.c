// SPDX-License-Identifier: Apache-2.0

// Makes layers on top of what it reads, and answers with their bytes:
// tests/helpers/layer_vectors.py has the words. C99, and C++ as well.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windows_files.h"

#ifndef WORDS // of the writer's memory
#define WORDS (1 << 20)
#endif

enum { MOST_LINE = 1 << 20, MOST_LAYER = 1 << 22 };

static char line[MOST_LINE];
static unsigned char made[MOST_LAYER];
static size_t made_size;
static uint32_t memory[WORDS];

static int take(void *context, const void *data, size_t size) {
  (void)context;
  if (size > MOST_LAYER - made_size)
    return 1;
  memcpy(made + made_size, data, size);
  made_size += size;
  return 0;
}

// Turns hexadecimal digits behind a colon into bytes and a NUL, in place.
static size_t from_hex(char *word) {
  size_t size = strlen(word) / 2;
  for (size_t i = 0; i < size; i++) {
    char two[3] = {word[1 + 2 * i], word[2 + 2 * i], 0};
    word[i] = (char)strtol(two, NULL, 16);
  }
  word[size] = 0;
  return size;
}

static const windows_files_descriptor *
descriptor(const char *name, windows_files_descriptor *own) {
  static char raw[MOST_LINE];
  if (strcmp(name, "=") == 0)
    return NULL;
  if (strcmp(name, "users-read") == 0)
    return &windows_files_users_read;
  if (strcmp(name, "user-owned") == 0)
    return &windows_files_user_owned;
  if (strcmp(name, "admin-owned") == 0)
    return &windows_files_admin_owned;
  if (strcmp(name, "none") == 0)
    return &windows_files_none;
  memset(own, 0, sizeof *own);
  if (name[0] == ':') {
    strcpy(raw, name);
    own->size = from_hex(raw);
    own->raw = raw;
  }
  return own;
}

static const windows_files_times *times(char *words[4],
                                        windows_files_times *own) {
  if (strcmp(words[0], "=") == 0)
    return NULL;
  own->modified = strtoll(words[0], NULL, 10);
  own->accessed = strtoll(words[1], NULL, 10);
  own->changed = strtoll(words[2], NULL, 10);
  own->created = strtoll(words[3], NULL, 10);
  return own;
}

static int split(char *words[10]) {
  int count = 0;
  if (fgets(line, sizeof line, stdin) == NULL)
    return 0;
  for (char *word = strtok(line, " \n"); word != NULL && count < 10;
       word = strtok(NULL, " \n"))
    words[count++] = word;
  return count;
}

static windows_files_kind kind(const char *name) {
  static const char *const NAMES[] = {"file",      "directory",
                                      "file-link", "directory-link",
                                      "hard-link", "whiteout"};
  int i = 0;
  while (i < 6 && strcmp(name, NAMES[i]) != 0)
    i++;
  if (i == 6)
    exit(3);
  return (windows_files_kind)i;
}

static windows_files_error write_entry(windows_files_writer *writer,
                                       const windows_files_entry *entry) {
  windows_files_error error = windows_files_add(writer, entry);
  if (entry->kind == WINDOWS_FILES_FILE)
    for (uint64_t i = 0; i < entry->size && error == WINDOWS_FILES_OK; i++)
      error = windows_files_data(writer, "x", 1);
  return error;
}

static void read_entry(char *words[10], windows_files_entry *entry,
                       windows_files_descriptor *own,
                       windows_files_times *own_times) {
  from_hex(words[1]);
  from_hex(words[2]);
  entry->kind = kind(words[0]);
  entry->path = words[1];
  entry->target = words[2];
  entry->size = strtoull(words[3], NULL, 10);
  entry->attributes = (uint32_t)strtoul(words[4], NULL, 10);
  entry->descriptor = descriptor(words[5], own);
  entry->times = times(words + 6, own_times);
}

// Answers each call by itself; "-" is no error.
static void answer_calls(windows_files_writer *writer) {
  char *words[10];
  windows_files_entry entry;
  windows_files_descriptor own;
  windows_files_times own_times;
  printf("calls");
  for (int count; (count = split(words)) > 0;) {
    windows_files_error error;
    if (strcmp(words[0], "end") == 0)
      break;
    if (count == 10) {
      read_entry(words, &entry, &own, &own_times);
      error = write_entry(writer, &entry);
    } else
      error = windows_files_end(writer);
    printf(" %s", error == WINDOWS_FILES_OK ? "-" : windows_files_code(error));
  }
  printf(" %lu\n", (unsigned long)made_size);
  fwrite(made, 1, made_size, stdout);
}

int main(void) {
  char *words[10];
  while (split(words) > 0) {
    windows_files_error error = WINDOWS_FILES_OK, failed = WINDOWS_FILES_OK;
    int header = strcmp(words[0], "header") == 0, at = 0, failed_at = 0;
    windows_files_writer writer;
    windows_files_times layer_times, entry_times;
    windows_files_descriptor layer_own, entry_own;
    made_size = 0;
    if (!header)
      windows_files_start(&writer, take, NULL, memory, WORDS,
                          times(words + 2, &layer_times),
                          descriptor(words[1], &layer_own));
    if (strcmp(words[0], "calls") == 0) {
      answer_calls(&writer);
      continue;
    }
    for (; split(words) == 10; at++) {
      windows_files_entry entry;
      read_entry(words, &entry, &entry_own, &entry_times);
      if (header)
        error = windows_files_header(&entry, made, sizeof made, &made_size);
      else
        error = write_entry(&writer, &entry);
      if (failed == WINDOWS_FILES_OK && error != WINDOWS_FILES_OK) {
        failed = error;
        failed_at = at;
      }
    }
    if (!header && windows_files_end(&writer) != failed)
      return 4;
    if (failed != WINDOWS_FILES_OK)
      printf("error %s %d\n", windows_files_code(failed), failed_at);
    else {
      printf("ok %lu\n", (unsigned long)made_size);
      fwrite(made, 1, made_size, stdout);
    }
  }
  return 0;
}
