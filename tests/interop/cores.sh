#!/usr/bin/env bash
# Shows that `beckon serve --cores 2` is one host to the kernel: each flow has its stack, which the kernel's program finds; nothing is reset, pings are
# answered once, fragments included; and `beckon ss` shows the connections of both stacks.
# shellcheck source=tests/interop/lib_serve.sh
. "$(dirname "$0")/lib_serve.sh"
need ss ping

NS=bkcores$$
CLIENTS=200

# A veth with two queues each way: the kernel has the end bk1, and the stacks are on bk0.
queues() {
    in_ns ip link add bk0 numtxqueues 2 numrxqueues 2 type veth peer name bk1 numtxqueues 2 numrxqueues 2 &&
        in_ns sysctl -qw net.ipv6.conf.bk0.disable_ipv6=1 && in_ns ip address add 10.78.0.1/24 dev bk1 &&
        in_ns ip address add fd78::1/64 dev bk1 nodad && in_ns ip link set bk0 up && in_ns ip link set bk1 up
}
# A namespace with a device of this kind, and two stacks behind it.
begin() {
    local kind=$1
    shift
    ip netns add "$NS" && in_ns ip link set lo up &&
        if [ "$kind" = xdp ]; then queues; else device bk0 10.78.0.1/24 fd78::1/64 "$kind" multi_queue; fi &&
        serve cores --"$kind" bk0 --addr 10.78.0.2/24 --addr fd78::2/64 --cores 2 "$@" &&
        eventually 60 fetch -o /dev/null "http://[fd78::2]/"
}
end() {
    kill -TERM "$PID_cores"
    eventually 60 grep -q '^served' "$SCRATCH/cores.log"
    cleanup_more
}

# So many connections, half of each family, each of its own.
clients() {
    local i
    for i in $(seq $((CLIENTS / 2))); do
        fetch -o /dev/null http://10.78.0.2/
        fetch -o /dev/null "http://[fd78::2]/"
    done
}
# No answer is missing, and none comes twice.
pings() {
    local bytes address
    for address in 10.78.0.2 fd78::2; do
        for bytes in 56 3000; do
            in_ns ping -q -c 5 -i 0.05 -s $bytes $address > "$SCRATCH/ping"
            says "$SCRATCH/ping" '5 packets transmitted, 5 received'
            if grep duplicates "$SCRATCH/ping"; then return 1; fi
        done
    done
}
none_listed() { [ -z "$("$BECKON" ss -Ht "$PID_cores" | grep ^ESTAB)" ]; }
# Connections that stay open: the kernel's list and the one of both stacks, from either end.
listed() {
    local i held=()
    rm -f "$SCRATCH"/*.hold # of the world before
    for i in $(seq 6); do
        ip netns exec "$NS" bash -c "exec 5<>/dev/tcp/10.78.0.2/80 && echo open && exec sleep 120" > "$SCRATCH/$i.hold" &
        held+=($!)
        eventually 60 grep -q open "$SCRATCH/$i.hold"
    done
    in_ns ss -Htn state established "( dport = :80 )" | awk '{ print $4, $3 }' | sort > "$SCRATCH/seen.kernel"
    "$BECKON" ss -Ht "$PID_cores" | awk '$1 == "ESTAB" { print $4, $5 }' | sort > "$SCRATCH/seen.beckon"
    expect "connections" 6 "$(wc -l < "$SCRATCH/seen.kernel")"
    diff "$SCRATCH/seen.kernel" "$SCRATCH/seen.beckon"
    "$BECKON" ss -a "$PID_cores" > "$SCRATCH/ss"
    says "$SCRATCH/ss" "^stack $PID_cores\\.0 " "^stack $PID_cores\\.1 "
    expect "listeners" 2 "$("$BECKON" ss -Hl "$PID_cores" | grep -c ^LISTEN)"
    kill "${held[@]}"
    eventually 60 none_listed
}
# number STACK AFTER: the number in the last words of a stack, before or behind a word.
number() { sed -n "s/^stack $1: .*$2.*/\\1/p" "$SCRATCH/cores.log"; }
# Each stack had its part, and no more frames changed queue than those of neighbours, fragments and the first pings ask for.
parts() {
    local i all=0 n
    for i in 0 1; do
        n=$(number $i 'on \([0-9]*\) connections')
        [ "$n" -ge $((CLIENTS / 4)) ] || { echo "stack $i had $n connections"; return 1; }
        all=$((all + n))
        expect "resets of stack $i" 0 "$(number $i 'resets sent \([0-9]*\)')"
        expect "frames lost by stack $i" 0 "$(number $i 'lost \([0-9]*\)')"
    done
    [ $all -ge $CLIENTS ] || { echo "$all connections in all"; return 1; }
    if grep 'does not steer' "$SCRATCH/cores.log"; then
        echo "the kernel refuses to steer: frames change queue as they must"
        return 0
    fi
    n=$(($(number 0 'handed over \([0-9]*\)') + $(number 1 'handed over \([0-9]*\)')))
    echo "$n frames changed queue"
    [ $n -le $((CLIENTS / 2)) ]
}

# Whatever queue the device chose, each connection was served by its stack. A device that learns queues from what is sent changes the queue in the
# middle of a flow, and an ACK of the handshake that was handed over may then come after the close: it draws a reset, as RFC 9293 has it.
crossed() {
    local i all=0 n handed=0
    for i in 0 1; do
        all=$((all + $(number $i 'on \([0-9]*\) connections')))
        handed=$((handed + $(number $i 'handed over \([0-9]*\)')))
        [ "$1" = moves ] || expect "resets of stack $i" 0 "$(number $i 'resets sent \([0-9]*\)')"
        expect "frames lost by stack $i" 0 "$(number $i 'lost \([0-9]*\)')"
    done
    [ $all -ge $CLIENTS ] || { echo "$all connections in all"; return 1; }
    echo "$handed frames changed stack"
    [ $handed -ge $((CLIENTS / 4)) ] # of each second connection a frame at least, by chance: half of that
}

world() {
    local name=$1
    shift
    if ! begin "$@"; then
        cat "$SCRATCH/cores.log"
        grep -q 'an AF_XDP socket' "$SCRATCH/cores.log" || exit 1
        echo "this kernel gives no AF_XDP sockets: $name is left out"
        finish
    fi
    check "$name: $CLIENTS connections" clients
    check "$name: pings" pings
    check "$name: what is listed" listed
    end
}

world "TAP" tap
check "TAP: each stack had its part" parts
world "TAP, no offload" tap --no-offload
check "TAP, no offload: each stack had its part" parts
world "TUN" tun
check "TUN: each stack had its part" parts
UNDER=(setpriv --bounding-set -bpf,-sys_admin)
if "${UNDER[@]}" true 2> /dev/null; then
    world "TAP, the kernel refuses to steer" tap
    check "TAP, the kernel refuses to steer: it is said" says "$SCRATCH/cores.log" 'bk0 does not steer flows to their stacks'
    check "TAP, the kernel refuses to steer: frames that came to the wrong queue" crossed moves
else
    echo "setpriv cannot drop CAP_BPF: that the kernel refuses to steer is left out"
fi
UNDER=()
world "XDP" xdp
check "XDP: frames that came to the wrong queue" crossed stays
finish
