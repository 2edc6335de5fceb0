/* One python3 for all scripts of a run: it executes code that is sent to it, and says whether that went well.
 *
 * Each script has variables of its own, which last from one piece of its code to the next. What the code prints is dropped unless it fails.
 */
#ifndef LAB_SCRIPT_PYTHON_H
#define LAB_SCRIPT_PYTHON_H

#include "beckon/render.h"

struct script_python;

/* Remembers the program's name; it is started when there is something for it. NULL: no memory. */
struct script_python *script_python_new(const char *program);
void script_python_free(struct script_python *python);

enum script_python_answer { SCRIPT_PYTHON_GOOD, SCRIPT_PYTHON_BAD, SCRIPT_PYTHON_MISSING };

/* Executes `code`, which stands in `path` at `line`, after `variables` ("name = number", one a line). `fresh`: as the first of a script. BAD: *message says
 * why, to be freed by the caller. MISSING: there is no such program, or it is gone. */
enum script_python_answer script_python_run(struct script_python *python, bool fresh, const char *path, uint32_t line,
                                            const char *variables, const char *code, struct bk_text *message);

#endif
