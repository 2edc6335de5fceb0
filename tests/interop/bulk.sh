#!/usr/bin/env bash
# Bulk data over a clean link, both ways, both families: each side as client and as server, and curl as the client.
# BECKON_BULK_BYTES is how much goes each way; the default is 100 MB.
. "$(dirname "$0")/lib.sh"
BYTES=${BECKON_BULK_BYTES:-100000000}
command -v curl > /dev/null || skip "needs curl"

# The two files are different, so that an echo cannot pass for a transfer.
data "$SCRATCH/to-kernel" "$BYTES"
data "$SCRATCH/to-beckon" "$BYTES"

# What a clean link must not show: damaged or unanswered segments.
clean_report() {
    expect outcome "done" "$(field "$1" outcome)"
    expect "segments in error" 0 "$(field "$1" mib.in_errs)"
    expect "resets sent" 0 "$(field "$1" mib.out_rsts)"
    expect "chunks left" 0 "$(field "$1" pool.chunks.in_use)"
    expect "extents left" 0 "$(field "$1" pool.extents.in_use)"
    echo "$1: $(field "$1" milliseconds) ms, $(field "$1" mib.retrans_segs) retransmitted of $(field "$1" mib.out_segs)"
}

both_ways_equal() {
    same "$SCRATCH/to-kernel" "$WORK/at-kernel"
    same "$SCRATCH/to-beckon" "$WORK/at-beckon"
    rm "$WORK/at-kernel" "$WORK/at-beckon"
}

B_FILES=(--send "$SCRATCH/to-kernel" --connections 1 --timeout-s 300)
K_FILES=(--send "$SCRATCH/to-beckon" --timeout-s 300)

# beckon_serves TAG KIND ADDRESS
beckon_serves() {
    namespace "$1" "$2"
    start beckon.json beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" listen 7000
    (kernel "${K_FILES[@]}" --receive "$WORK/at-kernel" connect "$3" 7000)
    wait "$PID"
    clean_report "$WORK/beckon.json"
    both_ways_equal
}

# kernel_serves TAG KIND ADDRESS
kernel_serves() {
    namespace "$1" "$2"
    start kernel.json kernel "${K_FILES[@]}" --receive "$WORK/at-kernel" listen 7000
    local server=$PID
    (beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" connect "$3" 7000) > "$WORK/beckon.json"
    wait "$server"
    clean_report "$WORK/beckon.json"
    both_ways_equal
}

# curl_transfers TAG HOST: a download and an upload over one kept-alive connection.
curl_transfers() {
    namespace "$1"
    start beckon.json beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" http 8080
    in_ns curl -sS --fail --max-time 300 -o "$WORK/at-kernel" "http://$2:8080/file" \
        --next -sS --fail --max-time 300 -o /dev/null -T "$SCRATCH/to-beckon" "http://$2:8080/file"
    wait "$PID"
    clean_report "$WORK/beckon.json"
    expect "connections" 1 "$(field "$WORK/beckon.json" opened)"
    both_ways_equal
}

check "$BYTES bytes each way, IPv4, Beckon serves" beckon_serves s4 tap $B4
check "$BYTES bytes each way, IPv6, Beckon serves" beckon_serves s6 tap $B6
check "$BYTES bytes each way, IPv4, the kernel serves" kernel_serves c4 tap $K4
check "$BYTES bytes each way, IPv6, the kernel serves" kernel_serves c6 tap $K6
check "$BYTES bytes each way, IPv4 over TUN, Beckon serves" beckon_serves t4 tun $B4
check "$BYTES bytes each way, IPv6 over TUN, the kernel serves" kernel_serves t6 tun $K6
check "$BYTES bytes each way, IPv4, curl" curl_transfers h4 $B4
check "$BYTES bytes each way, IPv6, curl" curl_transfers h6 "[$B6]"
finish
