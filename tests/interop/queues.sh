#!/usr/bin/env bash
# Two stacks behind one TAP device with two queues: the kernel gives each flow to one of them and stays with it, with and without
# offloads.
. "$(dirname "$0")/lib.sh"
CLIENTS=40 BYTES=200000
command -v curl > /dev/null || skip "needs curl"

queues_namespace() {
    namespace "$1" && ip -n "$NS" link del bk0 && ip -n "$NS" tuntap add dev bk0 mode tap multi_queue &&
        ip -n "$NS" addr add $K4/24 dev bk0 && ip -n "$NS" link set bk0 up
}

# Stops a server and leaves what it has to report.
report() {
    kill -TERM "$1"
    wait "$1" || true
}

# two_stacks TAG on|off
two_stacks() {
    local one two i
    OFFLOAD=$2
    queues_namespace "$1"
    data "$WORK/file" $BYTES
    start one.json beckon --multi-queue --send "$WORK/file" http 8080
    one=$PID
    start two.json beckon --multi-queue --send "$WORK/file" http 8080
    two=$PID
    for i in $(seq $CLIENTS); do
        in_ns curl -sS --fail --max-time 60 -o "$WORK/got" "http://$B4:8080/file"
        same "$WORK/file" "$WORK/got"
    done
    report "$one"
    report "$two"
    one=$(field "$WORK/one.json" opened) two=$(field "$WORK/two.json" opened)
    expect "connections in all" $CLIENTS $((one + two))
    at_least "connections of the first stack" 1 "$one"
    at_least "connections of the second stack" 1 "$two"
    for i in one two; do
        expect "resets sent" 0 "$(field "$WORK/$i.json" mib.out_rsts)"
        expect "offload" "$([ "$OFFLOAD" = on ] && echo 1 || echo 0)" "$(field "$WORK/$i.json" offload.merged)"
    done
}

check "two stacks, $CLIENTS connections" two_stacks on on
check "two stacks, $CLIENTS connections, no offload" two_stacks off off
finish
