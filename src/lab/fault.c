/* Faults: see fault.h. */
#include "lab/fault.h"

#include <stdarg.h>
#include <stdio.h>

bool fault_note(struct fault *f, const char *format, ...) {
    if (f->found) return false;
    f->found = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->text, sizeof f->text, format, arguments);
    va_end(arguments);
    return false;
}
