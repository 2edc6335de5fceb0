#!/usr/bin/env bash
# Bulk data over a clean link, both ways, both families, TAP and TUN, with offloads and without: each side as client and as server,
# and curl as the client.
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

# What was agreed on, and that it was used: with offloads the segments are more than the frames.
offload_report() {
    local wanted=1 way segments frames
    [ "$OFFLOAD" = on ] || wanted=0
    for way in units checksums merged; do expect "offload of $way" $wanted "$(field "$1" "offload.$way")"; done
    expect "refused" 0 "$(field "$1" offload.refused)"
    for way in in out; do
        segments=$(field "$1" mib.${way}_segs) frames=$(field "$1" link.frames_$way)
        echo "$way: $segments segments in $frames frames, $(((BYTES + 524288) / 1048576)) MB each way"
        [ "$OFFLOAD" = off ] || at_least "segments $way beside twice the frames" $((2 * frames)) "$segments"
        [ "$OFFLOAD" = on ] || at_least "frames $way beside the segments" "$segments" "$frames"
    done
}

both_ways_equal() {
    same "$SCRATCH/to-kernel" "$WORK/at-kernel"
    same "$SCRATCH/to-beckon" "$WORK/at-beckon"
    rm "$WORK/at-kernel" "$WORK/at-beckon"
}

B_FILES=(--send "$SCRATCH/to-kernel" --connections 1 --timeout-s 300)
K_FILES=(--send "$SCRATCH/to-beckon" --timeout-s 300)

# beckon_serves TAG KIND ADDRESS on|off
beckon_serves() {
    OFFLOAD=$4
    namespace "$1" "$2"
    start beckon.json beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" listen 7000
    (kernel "${K_FILES[@]}" --receive "$WORK/at-kernel" connect "$3" 7000)
    wait "$PID"
    clean_report "$WORK/beckon.json"
    offload_report "$WORK/beckon.json"
    both_ways_equal
}

# kernel_serves TAG KIND ADDRESS on|off
kernel_serves() {
    OFFLOAD=$4
    namespace "$1" "$2"
    start kernel.json kernel "${K_FILES[@]}" --receive "$WORK/at-kernel" listen 7000
    local server=$PID
    (beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" connect "$3" 7000) > "$WORK/beckon.json"
    wait "$server"
    clean_report "$WORK/beckon.json"
    offload_report "$WORK/beckon.json"
    both_ways_equal
}

# curl_transfers TAG HOST on|off: a download and an upload over one kept-alive connection.
curl_transfers() {
    OFFLOAD=$3
    namespace "$1"
    start beckon.json beckon "${B_FILES[@]}" --receive "$WORK/at-beckon" http 8080
    in_ns curl -sS --fail --max-time 300 -o "$WORK/at-kernel" "http://$2:8080/file" \
        --next -sS --fail --max-time 300 -o /dev/null -T "$SCRATCH/to-beckon" "http://$2:8080/file"
    wait "$PID"
    clean_report "$WORK/beckon.json"
    expect "connections" 1 "$(field "$WORK/beckon.json" opened)"
    both_ways_equal
}

EACH="$BYTES bytes each way"
check "$EACH, TAP, IPv4, Beckon serves" beckon_serves s4 tap $B4 on
check "$EACH, TAP, IPv6, Beckon serves, no offload" beckon_serves s6p tap $B6 off
check "$EACH, TAP, IPv6, the kernel serves" kernel_serves c6 tap $K6 on
check "$EACH, TAP, IPv4, the kernel serves, no offload" kernel_serves c4p tap $K4 off
check "$EACH, TUN, IPv6, Beckon serves" beckon_serves t6 tun $B6 on
check "$EACH, TUN, IPv4, Beckon serves, no offload" beckon_serves t4p tun $B4 off
check "$EACH, TUN, IPv4, the kernel serves" kernel_serves u4 tun $K4 on
check "$EACH, TUN, IPv6, the kernel serves, no offload" kernel_serves u6p tun $K6 off
check "$EACH, IPv4, curl" curl_transfers h4 $B4 on
check "$EACH, IPv6, curl, no offload" curl_transfers h6p "[$B6]" off
finish
