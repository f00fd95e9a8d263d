// SPDX-License-Identifier: Apache-2.0

// Checks that a vendored layer is undamaged.
// cc verify.c windows_scratch.c

#include <stdio.h>

#include "windows_scratch.h"

int main(void) {
  if (windows_scratch_verify() != 0) {
    fputs("the layer was changed\n", stderr);
    return 1;
  }
  puts(WINDOWS_SCRATCH_NAME ": verified");
  return 0;
}
