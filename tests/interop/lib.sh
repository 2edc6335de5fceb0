# shellcheck shell=bash
# What the interop scripts share: a private network namespace with the kernel on one side of a TAP (or TUN) and the
# Beckon side, tests/interop/peer.c, on the other. Sourced, not run.
#
#     kernel   10.77.0.1/24  fd77::1/64        Beckon   10.77.0.2  fd77::2
#
# Programs: $BECKON_HELPERS, or $BECKON_BUILD/tests/interop, or build/tests/interop. BECKON_KEEP=1 keeps the scratch
# directory with logs and captures, BECKON_CAPTURE=1 makes captures, BECKON_VERBOSE=1 shows what passing cases say. Each script runs its cases with `check`, and ends
# with `finish`. A script that cannot run here says why and exits with 77.
set -u
export LC_ALL=C

K4=10.77.0.1 K6=fd77::1 B4=10.77.0.2 B6=fd77::2
HELPERS=${BECKON_HELPERS:-${BECKON_BUILD:-build}/tests/interop}
PEER=$HELPERS/peer KERNEL_PEER=$HELPERS/kernel_peer
NAME=$(basename "$0" .sh)
NS= # the namespace of this shell: see namespace
FAILURES=0 CASES=0

skip() {
    echo "skipped: $NAME: $*"
    exit 77
}

for program in "$PEER" "$KERNEL_PEER"; do
    if [ ! -x "$program" ]; then
        echo "failed: $NAME: $program is not built" >&2
        exit 1
    fi
done
[ "$(id -u)" = 0 ] || skip "needs root, to make a network namespace"
[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
for tool in ip ss sha256sum sysctl; do
    command -v $tool > /dev/null || skip "needs $tool"
done
SCRATCH=$(mktemp -d) || exit 1
ip netns add "bk$$-probe" 2> "$SCRATCH/why" || skip "cannot make a network namespace: $(cat "$SCRATCH/why")"
ip netns del "bk$$-probe"

# Whatever runs in the namespaces of this script ends with it, and the namespaces go too.
cleanup() {
    trap - EXIT INT TERM
    for file in "$SCRATCH"/ns.*; do
        [ -e "$file" ] || continue
        ns=${file##*/ns.}
        pids=$(ip netns pids "$ns" 2> /dev/null)
        # shellcheck disable=SC2086  # a list of numbers
        [ -z "$pids" ] || kill -KILL $pids 2> /dev/null
        ip netns del "$ns" 2> /dev/null
    done
    if [ -n "${BECKON_KEEP:-}" ]; then echo "kept: $SCRATCH" >&2; else rm -rf "$SCRATCH"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# namespace TAG [tap|tun]: a namespace with a device in it, of this shell's from now on.
namespace() {
    NS=bk$$-$1 KIND=${2:-tap} WORK=$SCRATCH/$1
    mkdir -p "$WORK"
    : > "$SCRATCH/ns.$NS"
    ip netns add "$NS" && ip -n "$NS" tuntap add dev bk0 mode "$KIND" && ip -n "$NS" link set lo up || return 1
    local setting
    for setting in net.ipv4.tcp_tw_reuse=1 net.ipv4.tcp_no_metrics_save=1 \
        net.ipv4.ping_group_range="0 0" net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.bk0.accept_dad=0; do
        in_ns sysctl -qw "$setting" 2> /dev/null || true # what this kernel does not have stays as it is
    done
    # kernel_peer asks for cubic by itself; for other programs a namespace may be allowed no more than reno
    in_ns sysctl -qw net.ipv4.tcp_congestion_control=cubic 2> /dev/null ||
        in_ns sysctl -qw net.ipv4.tcp_congestion_control=reno
    ip -n "$NS" addr add $K4/24 dev bk0 && ip -n "$NS" addr add $K6/64 dev bk0 nodad &&
        ip -n "$NS" link set bk0 up
}

in_ns() { ip netns exec "$NS" "$@"; }

# beckon OPTIONS... MODE...: runs the Beckon side, without offloads if OFFLOAD is off.
beckon() {
    local more=()
    [ "$KIND" = tun ] && more+=(--tun)
    [ "${OFFLOAD:-on}" = off ] && more+=(--no-offload)
    [ -n "${BECKON_CAPTURE:-}" ] && more+=(--capture "$WORK/beckon.$BASHPID.pcapng")
    exec ip netns exec "$NS" "$PEER" --device bk0 --local $B4 --local $B6 "${more[@]}" "$@"
}
kernel() { exec ip netns exec "$NS" "$KERNEL_PEER" "$@"; }

# start LOG COMMAND...: in the background, with output in $WORK/LOG; returns when it has printed "ready". Sets PID.
start() {
    local log=$WORK/$1
    shift
    "$@" > "$log" 2>&1 &
    PID=$!
    local i
    for i in $(seq 500); do
        grep -q '^ready$' "$log" 2> /dev/null && return 0
        kill -0 "$PID" 2> /dev/null || break
        sleep 0.02
    done
    echo "did not start: $*"
    cat "$log"
    return 1
}

# field FILE NAME: the value of "NAME" in the JSON that FILE holds; 0 if it is not there.
field() {
    local value
    value=$(sed -n "s/.*\"$2\": \"\{0,1\}\([^,\"}]*\).*/\1/p" "$1" | tail -n 1)
    echo "${value:-0}"
}

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] && return 0
    echo "$1: expected \"$2\", got \"$3\""
    return 1
}

# at_least WHAT BOUND NUMBER
at_least() {
    [ "$3" -ge "$2" ] && return 0
    echo "$1: expected at least $2, got $3"
    return 1
}

# same FILE FILE: equal SHA-256.
same() {
    local a b
    a=$(sha256sum < "$1") b=$(sha256sum < "$2")
    [ "$a" = "$b" ] && return 0
    echo "$1 ($(stat -c %s "$1") bytes) and $2 ($(stat -c %s "$2") bytes) differ: ${a%% *} ${b%% *}"
    cmp "$1" "$2"
    return 1
}

. "$(dirname "${BASH_SOURCE[0]}")/lib_eventually.sh"

# data FILE BYTES
data() { head -c "$2" /dev/urandom > "$1"; }

# kernel_states PORT: the kernel's own view of its connections with this port at either end, as ss names them.
kernel_states() {
    local states
    states=$(in_ns ss -Htan "( sport = :$1 or dport = :$1 )" | awk '$1 != "LISTEN" { print $1 }' | sort | tr '\n' ' ')
    states=${states% }
    echo "${states:-none}"
}
expect_kernel() { expect "the kernel's state" "$2" "$(kernel_states "$1")"; }

# ---- programs that take commands -------------------------------------------------------------------

# talk WHO COMMAND...: starts a program in commands mode that `say WHO` speaks to. Its log of both sides is $WORK/WHO.log.
talk() {
    local who=$1 in out
    shift
    mkfifo "$WORK/$who.in" "$WORK/$who.out" || return 1
    (exec 7<> "$WORK/$who.in" && "$@" commands < "$WORK/$who.in" > "$WORK/$who.out" 2>> "$WORK/$who.err" 7>&-) &
    declare -g "PID_$who=$!"
    exec {in}<> "$WORK/$who.in" {out}<> "$WORK/$who.out"
    declare -g "IN_$who=$in" "OUT_$who=$out"
    local line
    read -r -t 10 -u "$out" line && [ "$line" = ready ] && return 0
    echo "$who did not start: $(cat "$WORK/$who.err")"
    return 1
}

# hush WHO [SIGNAL]: ends it; the default signal kills as a crash does.
hush() {
    local who=$1 in=IN_$1 out=OUT_$1 pid=PID_$1
    kill "-${2:-KILL}" "${!pid}" 2> /dev/null || true
    wait "${!pid}" 2> /dev/null || true
    eval "exec ${!in}>&- ${!out}>&-"
    rm -f "$WORK/$who.in" "$WORK/$who.out"
}

# ask WHO COMMAND: sets ANSWER.
ask() {
    local who=$1 in=IN_$1 out=OUT_$1
    shift
    echo "$*" >&"${!in}"
    ANSWER="no answer"
    read -r -t 30 -u "${!out}" ANSWER
    echo "$who: $* -> $ANSWER" >> "$WORK/$who.log"
}

# say WHO COMMAND [= ANSWER]: the answer must be "ok", or what stands after "=".
say() {
    local who=$1 command='' wanted=ok
    shift
    while [ $# -gt 0 ]; do
        if [ "$1" = "=" ]; then
            shift
            wanted=$*
            break
        fi
        command="$command${command:+ }$1"
        shift
    done
    ask "$who" "$command"
    expect "$who: $command" "$wanted" "$ANSWER"
}

# count_of WHO REASON: how often the Beckon side gave it.
count_of() {
    ask "$1" "count $2"
    echo "${ANSWER#ok }"
}

# ---- cases -----------------------------------------------------------------------------------------

verdict() {
    CASES=$((CASES + 1))
    if [ "$2" = 0 ]; then
        echo "ok - $1"
        [ -z "${BECKON_VERBOSE:-}" ] || sed "s/^/    /" "$3"
    else
        FAILURES=$((FAILURES + 1))
        echo "not ok - $1"
        sed 's/^/    /' "$3"
    fi
}

# check NAME FUNCTION ARGUMENTS...: one case, in a subshell in which every command must succeed.
check() {
    local name=$1 log=$SCRATCH/case.$CASES
    shift
    (set -e; "$@") > "$log" 2>&1 < /dev/null
    verdict "$name" $? "$log"
}

# check_later is check in the background; check_wait collects the verdicts in order.
LATER=()
check_later() {
    local name=$1 log=$SCRATCH/later.${#LATER[@]}
    shift
    (set -e; "$@") > "$log" 2>&1 < /dev/null &
    LATER+=("$! $name")
}
check_wait() {
    local i entry
    for i in "${!LATER[@]}"; do
        entry=${LATER[$i]}
        wait "${entry%% *}"
        verdict "${entry#* }" $? "$SCRATCH/later.$i"
    done
    LATER=()
}

finish() {
    echo "$NAME: $((CASES - FAILURES)) passed, $FAILURES failed"
    [ "$FAILURES" = 0 ]
    exit
}
