# What the scripts that test the `beckon` program share: finding it, cases, the end. Sourced, not run.
#
# The program is $BECKON, or $BECKON_BUILD/beckon, or build/beckon. Each script runs its cases with `check NAME FUNCTION
# ARGUMENTS...`, and ends with `finish`. A script that cannot run here says why and exits with 77.
set -u
export LC_ALL=C
unset NO_COLOR XDG_RUNTIME_DIR

BECKON=$(realpath -m "${BECKON:-${BECKON_BUILD:-build}/beckon}")
NAME=$(basename "$0" .sh)
FAILURES=0 CASES=0

skip() {
    echo "SKIP: $NAME: $*"
    exit 77
}
need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" > /dev/null || skip "needs $tool"
    done
}
need_tap() {
    [ "$(id -u)" = 0 ] || skip "needs root, to make a network namespace"
    [ -c /dev/net/tun ] || skip "needs /dev/net/tun"
    unshare -n true 2> /dev/null || skip "cannot make a network namespace"
}
if [ ! -x "$BECKON" ]; then
    echo "failed: $NAME: $BECKON is not built" >&2
    exit 1
fi
SCRATCH=$(mktemp -d) || exit 1
chmod 755 "$SCRATCH"

# Scripts that start something define `cleanup_more`.
cleanup() {
    trap - EXIT INT TERM
    if declare -F cleanup_more > /dev/null; then cleanup_more; fi
    rm -rf "$SCRATCH"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] && return 0
    echo "$1: expected \"$2\", got \"$3\""
    return 1
}
# exits STATUS COMMAND...: with its output passed on.
exits() {
    local wanted=$1 got=0
    shift
    "$@" || got=$?
    expect "exit status of $*" "$wanted" "$got"
}
# says FILE PATTERN...: each extended regular expression matches a line.
says() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        grep -Eq -- "$pattern" "$file" && continue
        echo "no line matches $pattern in:"
        cat "$file"
        return 1
    done
}
. "$(dirname "${BASH_SOURCE[0]}")/lib_eventually.sh"

# check NAME FUNCTION ARGUMENTS...: one case, in a subshell in which every command must succeed.
check() {
    local name=$1 log=$SCRATCH/case.$CASES status=0
    shift
    (set -e; "$@") > "$log" 2>&1 < /dev/null
    status=$?
    CASES=$((CASES + 1))
    if [ $status = 0 ]; then
        echo "ok - $name"
    else
        FAILURES=$((FAILURES + 1))
        echo "not ok - $name"
        sed 's/^/    /' "$log"
    fi
}
finish() {
    echo "$NAME: $((CASES - FAILURES)) passed, $FAILURES failed"
    [ "$FAILURES" = 0 ]
    exit
}
