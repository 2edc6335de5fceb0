/* Where a violated assertion ends. Weak, so that an embedder may replace it with a function that prints. */
#include "base/common.h"

void __attribute__((weak)) bk_panic(const char *what, const char *file, int line) {
    (void)what;
    (void)file;
    (void)line;
    __builtin_trap();
}
