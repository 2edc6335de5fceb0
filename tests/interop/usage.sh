#!/usr/bin/env bash
# Shows that `beckon` and its subcommands explain themselves, and refuse with status 2 and advice what they do not understand.
# shellcheck source=tests/interop/lib_cmd.sh
. "$(dirname "$0")/lib_cmd.sh"

helps() {
    exits 0 "$BECKON" "$@" > "$SCRATCH/help.txt" 2> "$SCRATCH/err.txt"
    expect "stderr" "" "$(cat "$SCRATCH/err.txt")"
    says "$SCRATCH/help.txt" '^Usage: beckon' 'Exit status: 0' '--help'
}
lists_commands() {
    exits 0 "$BECKON" --help > "$SCRATCH/help.txt"
    says "$SCRATCH/help.txt" '^ +demo +[a-z]' '^ +serve +[a-z]' '^ +ss +[a-z]'
    for command in $(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$SCRATCH/help.txt"); do
        exits 0 "$BECKON" "$command" --help > "$SCRATCH/one.txt"
        says "$SCRATCH/one.txt" "^Usage: beckon $command"
    done
}
version() { expect "version" "beckon $1" "$("$BECKON" --version)"; }

# refuses PATTERN ARGUMENTS...
refuses() {
    local pattern=$1
    shift
    exits 2 "$BECKON" "$@" > "$SCRATCH/out.txt" 2> "$SCRATCH/err.txt"
    expect "stdout" "" "$(cat "$SCRATCH/out.txt")"
    says "$SCRATCH/err.txt" "$pattern"
}
full_device() {
    [ -c /dev/full ] || return 0
    local status=0
    XDG_RUNTIME_DIR=$SCRATCH "$BECKON" demo --no-tap --json > /dev/full 2> "$SCRATCH/err.txt" || status=$?
    expect "exit status" 2 $status
    says "$SCRATCH/err.txt" 'writing the output failed: No space left'
}
# Nobody else's directory is trusted for control sockets.
foreign_directory() {
    mkdir "$SCRATCH/run" "$SCRATCH/run/beckon"
    chmod 777 "$SCRATCH/run/beckon"
    XDG_RUNTIME_DIR=$SCRATCH/run refuses 'is not a directory of this user' ss
}
no_stack() {
    mkdir "$SCRATCH/empty"
    XDG_RUNTIME_DIR=$SCRATCH/empty exits 0 "$BECKON" ss 2> "$SCRATCH/err.txt"
    says "$SCRATCH/err.txt" 'no stack .* is running'
}

check "--help" helps --help
check "help" helps help
check "demo --help" helps demo --help
check "help ss" helps help ss
check "every command listed has help" lists_commands
check "--version" version "$(sed -n 's/^#define BK_VERSION_[A-Z]* \([0-9]*\)$/\1/p' \
    "$(dirname "$0")/../../include/beckon/stack.h" | paste -sd .)"
check "no command" refuses '^Usage: beckon'
check "no such command" refuses "no command 'dmeo'; the commands are demo" dmeo
check "help for no such command" refuses "no command 'dmeo'" help dmeo
check "no such option" refuses "unrecognized option '--nonsense'" demo --nonsense
check "an argument too many" refuses "'x' is not understood" demo x
check "a number out of range" refuses "1 to 120 seconds, not '0'" demo --msl 0
check "no number" refuses "no process id" ss 12x
check "no device" refuses 'which device' serve --addr 192.0.2.2/24
check "no address" refuses 'which address' serve --tap tap9
check "a bad address" refuses "not '192.0.2.2/33'" serve --tap tap9 --addr 192.0.2.2/33
check "seeds the wrong way round" refuses 'the smaller one first' sim --seeds 5..1
check "one seed and many" refuses '--seeds runs many worlds' sim --seed 3 --seeds 1..2
check "a scenario with a seed" refuses 'a --scenario has its seed' sim --scenario x --seed 3
check "the ladder of many" refuses 'are of one run' sim --seeds 1..2 --ladder
check "no such preset" refuses "no preset 'nonsense'" sim --preset nonsense
check "no such stack" refuses 'runs no stack' ss 1
check "no stack at all" no_stack
check "a full disk" full_device
check "a directory of somebody else's" foreign_directory
finish
