#!/usr/bin/env bash
# AF_XDP on one end of a veth pair, the kernel on the other in a namespace of its own: echoes, bulk both ways and curl, both families, with the checksums
# that veth leaves unfinished and without, and what is refused aloud.
. "$(dirname "$0")/lib.sh"
BYTES=${BECKON_BULK_BYTES:-20000000}
for tool in curl ping python3; do
    command -v $tool > /dev/null || skip "needs $tool"
done
python3 -c 'import socket; socket.socket(44, socket.SOCK_RAW)' 2> "$SCRATCH/why" ||
    skip "this kernel gives no AF_XDP sockets: $(tail -n 1 "$SCRATCH/why")"
data "$SCRATCH/to-kernel" "$BYTES"
data "$SCRATCH/to-beckon" "$BYTES"

# pair TAG: $NS with the kernel's end, and $NS-x with the other, which is Beckon's.
pair() {
    NS=bk$$-$1 WORK=$SCRATCH/$1 KIND=xdp
    mkdir -p "$WORK"
    local ns
    for ns in "$NS" "$NS-x"; do
        : > "$SCRATCH/ns.$ns"
        ip netns add "$ns"
        ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    done
    ip -n "$NS" link add bk0 type veth peer name bk1 netns "$NS-x"
    ip netns exec "$NS-x" sysctl -qw net.ipv6.conf.bk1.disable_ipv6=1
    ip -n "$NS-x" link set bk1 up
    ip -n "$NS" addr add $K4/24 dev bk0
    ip -n "$NS" addr add $K6/64 dev bk0 nodad
    ip -n "$NS" link set bk0 up
}
xdp() { exec ip netns exec "$NS-x" "$PEER" --device bk1 --xdp --local $B4 --local $B6 --connections 1 --timeout-s 120 "$@"; }

# Has the kernel finish its checksums from now on: SIOCETHTOOL (0x8946) with ETHTOOL_STXCSUM (0x17).
finish_checksums() {
    in_ns python3 -c '
import array, fcntl, socket, struct
value = array.array("B", struct.pack("II", 0x17, 0))
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP", b"bk0", value.buffer_info()[0]) + bytes(16))'
}

transfers() {
    pair "$1"
    start beckon.json xdp --send "$SCRATCH/to-kernel" --receive "$WORK/at-beckon" http 8080
    in_ns ping -q -c 3 -i 0.01 -W 5 "$2" > /dev/null
    in_ns curl -sS --fail --max-time 100 -o "$WORK/at-kernel" "http://$3:8080/file" \
        --next -sS --fail --max-time 100 -o /dev/null -T "$SCRATCH/to-beckon" "http://$3:8080/file"
    wait "$PID"
    expect outcome "done" "$(field "$WORK/beckon.json" outcome)"
    expect "segments in error" 0 "$(field "$WORK/beckon.json" mib.in_errs)"
    same "$SCRATCH/to-kernel" "$WORK/at-kernel"
    same "$SCRATCH/to-beckon" "$WORK/at-beckon"
}

connects() {
    pair "$1"
    start kernel.json kernel --send "$SCRATCH/to-beckon" --timeout-s 120 --receive "$WORK/at-kernel" listen 7000
    local server=$PID
    (xdp --send "$SCRATCH/to-kernel" --receive "$WORK/at-beckon" connect "$2" 7000) > "$WORK/beckon.json"
    wait "$server"
    expect outcome "done" "$(field "$WORK/beckon.json" outcome)"
    same "$SCRATCH/to-kernel" "$WORK/at-kernel"
    same "$SCRATCH/to-beckon" "$WORK/at-beckon"
}

# With --verify an unfinished checksum is wrong, and a finished one is right.
verifies() {
    pair "$1"
    start beckon.json xdp --verify --send "$SCRATCH/to-kernel" --receive "$WORK/at-beckon" http 8080
    local status=0
    in_ns curl -sS --max-time 2 -o /dev/null "http://$B4:8080/file" || status=$?
    expect "curl's status (timeout)" 28 "$status"
    finish_checksums
    in_ns curl -sS --fail --max-time 100 -o "$WORK/at-kernel" "http://$B4:8080/file"
    wait "$PID"
    same "$SCRATCH/to-kernel" "$WORK/at-kernel"
    at_least "segments in error" 1 "$(field "$WORK/beckon.json" mib.in_errs)"
}

# refused REASON OPTIONS...
refused() {
    local reason=$1 status=0
    shift
    (xdp "$@" listen 7000) > "$WORK/refused" 2>&1 || status=$?
    expect "exit status" 2 "$status"
    grep -q "$reason" "$WORK/refused" || { cat "$WORK/refused"; return 1; }
}
refusals() {
    pair "$1"
    refused 'chunk_size must be' --set chunk_size=1024
    refused 'has no zero-copy' --zero-copy
    start first.json xdp listen 7001
    refused 'bind: take\|BPF_LINK_CREATE'
    ip -n "$NS-x" link set bk1 mtu 3000
    kill "$PID"
    wait "$PID" || true
    refused 'do not fit into a chunk'
}

check "echoes, and $BYTES bytes each way by curl, IPv4" transfers h4 $B4 $B4
check "echoes, and $BYTES bytes each way by curl, IPv6" transfers h6 $B6 "[$B6]"
check "$BYTES bytes each way at once, IPv4, the kernel serves" connects c4 $K4
check "$BYTES bytes each way at once, IPv6, the kernel serves" connects c6 $K6
check "unfinished checksums are dropped if asked" verifies v4
check "what cannot be is refused aloud" refusals r
finish
