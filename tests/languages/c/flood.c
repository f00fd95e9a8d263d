// SPDX-License-Identifier: Apache-2.0

// Adds empty files with the paths that it reads, one on a line, and prints how
// many basic blocks of the writer ran: built with -fsanitize-coverage=trace-pc,
// each of them calls the function below.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windows_files.h"

enum { WORDS = 1 << 23 };

static unsigned long long blocks;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { blocks++; }

static int take(void *context, const void *data, size_t size) {
  (void)context;
  (void)data;
  (void)size;
  return 0;
}

int main(void) {
  static uint32_t memory[WORDS];
  static char line[1 << 12];
  windows_files_writer writer;
  windows_files_error error = WINDOWS_FILES_OK;
  windows_files_start(&writer, take, NULL, memory, WORDS, NULL, NULL);
  while (error == WINDOWS_FILES_OK && fgets(line, sizeof line, stdin) != NULL) {
    windows_files_entry entry = {
        WINDOWS_FILES_FILE, line, "", 0, 0, NULL, NULL};
    line[strcspn(line, "\n")] = 0;
    error = windows_files_add(&writer, &entry);
  }
  if (error == WINDOWS_FILES_OK)
    error = windows_files_end(&writer);
  printf("%s %llu\n", windows_files_code(error), blocks);
  return error != WINDOWS_FILES_OK;
}
