# shellcheck shell=bash
# What the scripts share in which `beckon serve` runs in the network namespace $NS. Sourced, not run.
# shellcheck source=tests/interop/lib_cmd.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_cmd.sh"
need_tap
need ip curl

export XDG_RUNTIME_DIR=$SCRATCH
cleanup_more() {
    local pids
    pids=$(ip netns pids "$NS" 2> /dev/null)
    # shellcheck disable=SC2086  # a list of numbers
    [ -z "$pids" ] || kill -KILL $pids 2> /dev/null
    ip netns del "$NS" 2> /dev/null
}
in_ns() { ip netns exec "$NS" "$@"; }
fetch() { in_ns curl -q -sS --noproxy '*' --max-time 20 "$@"; }

# device NAME IPV4 IPV6 [tap|tun [multi_queue]]
device() {
    in_ns ip tuntap add "$1" mode "${4:-tap}" ${5:+"$5"}
    in_ns ip address add "$2" dev "$1"
    in_ns ip address add "$3" dev "$1" nodad
    in_ns ip link set "$1" up
}
# serve NAME ARGUMENTS...: sets the variable PID_NAME. UNDER is a command that it is run by.
UNDER=()
serve() {
    local name=$1
    shift
    rm -f "$SCRATCH/$name.log" # of one before it
    in_ns "${UNDER[@]}" "$BECKON" serve "$@" > "$SCRATCH/$name.log" 2>&1 &
    eventually 60 grep -q '^process' "$SCRATCH/$name.log" || { cat "$SCRATCH/$name.log"; return 1; }
    declare -g "PID_$name=$(sed -n 's/^process \([0-9]*\);.*/\1/p' "$SCRATCH/$name.log")"
}
