/* The child and the pipes to it. A request is a line of five numbers (fresh, line, and the lengths of path, variables and code) and then those
 * three; an answer is a line with a number, 0 or 1, and a length, and then so many bytes of message. The child reads nothing else and ends with its
 * input. */
#define _GNU_SOURCE 1
#include "lab/script_python.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char script_python_program[] =
    "import io, sys\n"
    "requests, answers = sys.stdin.buffer, sys.stdout.buffer\n"
    "scope, compiled = {}, {}\n"
    "while True:\n"
    "    head = requests.readline()\n"
    "    if not head:\n"
    "        break\n"
    "    fresh, line, a, b, c = map(int, head.split())\n"
    "    path, variables, code = (requests.read(n).decode() for n in (a, b, c))\n"
    "    if fresh:\n"
    "        scope = {'__name__': '__main__'}\n"
    "    sys.stdout = said = io.StringIO()\n"
    "    message = ''\n"
    "    try:\n"
    "        for assignment in variables.splitlines():\n"
    "            name, value = assignment.split(' = ')\n"
    "            scope[name] = int(value)\n"
    "        ready = compiled.get((path, line, code))\n"
    "        if ready is None:\n"
    "            ready = compile('\\n' * (line - 1) + code.lstrip(' \\t') + '\\n\\n', path, 'exec')\n"
    "            compiled[path, line, code] = ready\n"
    "        exec(ready, scope)\n"
    "    except BaseException as e:\n"
    "        where, at = line, e.__traceback__\n"
    "        while at:\n"
    "            if at.tb_frame.f_code.co_filename == path:\n"
    "                where = at.tb_lineno\n"
    "            at = at.tb_next\n"
    "        lines = code.split('\\n')\n"
    "        text = lines[where - line].strip() if 0 <= where - line < len(lines) else ''\n"
    "        message = '%s: %s (line %d: %s)' % (type(e).__name__, e, where, text)\n"
    "    reply = message.encode()\n"
    "    answers.write(b'%d %d\\n' % (message != '', len(reply)) + reply)\n"
    "    answers.flush()\n";

struct script_python {
    const char *program;
    pid_t pid; /* 0: not started; -1: cannot be */
    FILE *to, *from;
};

struct script_python *script_python_new(const char *program) {
    struct script_python *p = calloc(1, sizeof *p);
    if (p != NULL) p->program = program;
    return p;
}

static void script_python_end(struct script_python *p) {
    if (p->to != NULL) fclose(p->to);
    if (p->from != NULL) fclose(p->from);
    if (p->pid > 0) waitpid(p->pid, NULL, 0);
    p->to = p->from = NULL;
    p->pid = -1;
}

void script_python_free(struct script_python *python) {
    if (python != NULL) script_python_end(python);
    free(python);
}

static int script_python_spawn(struct script_python *p, const int to[2], const int from[2]) {
    char *const argv[] = {(char *)(uintptr_t)p->program, (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script_python_program, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    int error = posix_spawnp(&p->pid, p->program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool script_python_start(struct script_python *p) {
    int to[2], from[2];
    if (p->pid != 0) return p->pid > 0;
    p->pid = -1;
    signal(SIGPIPE, SIG_IGN);
    if (pipe2(to, O_CLOEXEC) != 0) return false;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return false;
    }
    if (script_python_spawn(p, to, from) != 0) p->pid = -1;
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = fdopen(from[0], "r");
    if (p->pid < 0 || p->to == NULL || p->from == NULL) script_python_end(p);
    return p->pid > 0;
}

/* The first line of an answer. */
static bool script_python_head(FILE *from, bool *bad, size_t *length) {
    char line[64], *end;
    if (fgets(line, sizeof line, from) == NULL) return false;
    *bad = strtoul(line, &end, 10) != 0;
    *length = strtoul(end, &end, 10);
    return *end == '\n';
}

enum script_python_answer script_python_run(struct script_python *python, bool fresh, const char *path, uint32_t line,
                                            const char *variables, const char *code, struct bk_text *message) {
    bool bad;
    size_t length;
    char piece[512];
    if (python == NULL || !script_python_start(python)) return SCRIPT_PYTHON_MISSING;
    fprintf(python->to, "%d %" PRIu32 " %zu %zu %zu\n%s%s%s", fresh, line, strlen(path), strlen(variables),
            strlen(code), path, variables, code);
    if (fflush(python->to) != 0 || !script_python_head(python->from, &bad, &length)) {
        script_python_end(python);
        return SCRIPT_PYTHON_MISSING;
    }
    while (length > 0) {
        size_t n = fread(piece, 1, length < sizeof piece ? length : sizeof piece, python->from);
        if (n == 0) {
            script_python_end(python);
            return SCRIPT_PYTHON_MISSING;
        }
        bk_text_to_memory(message, piece, n);
        length -= n;
    }
    return bad ? SCRIPT_PYTHON_BAD : SCRIPT_PYTHON_GOOD;
}
