#!/usr/bin/env bash
# 200,000 connections opened one after the other by a kernel client to one port, Beckon closing first, MSL 30 s, a
# TIME-WAIT pool of 10,000. The client has 15,000 ports, so each 4-tuple comes back a dozen times, well within 2MSL:
# most find a TIME-WAIT, which their SYN ends (RFC 6191), the others one that had to go because the pool was full.
# BECKON_TIME_WAIT_CONNECTIONS sets another number, of at least 60,000.
. "$(dirname "$0")/lib.sh"
CONNECTIONS=${BECKON_TIME_WAIT_CONNECTIONS:-200000}
POOL=10000 PORTS=15000
RANGE="20000 49999" # connect(2) takes every other port of the range

# Of the namespace's kernel: a counter of /proc/net/netstat or snmp by its name.
kernel_counter() { in_ns cat /proc/net/netstat /proc/net/snmp | awk -v name="$1" '
    $1 != title { title = $1; split($0, names); next }
    { for (i in names) if (names[i] == name) print $i; title = "" }'; }

# storm TAG ADDRESS CONNECTIONS TIMESTAMPS
storm() {
    local total=$3 pool=time_waits_ipv4
    [ "$2" = $B4 ] || pool=time_waits_ipv6
    namespace "$1"
    in_ns sysctl -qw net.ipv4.ip_local_port_range="$RANGE" net.ipv4.tcp_timestamps="$4"
    start beckon.json beckon --set msl_ms=30000 --set $pool=$POOL --set connections=64 --close first \
        --connections "$total" --warm-after $((2 * PORTS)) --timeout-s 240 listen 7000
    (kernel flood "$2" 7000 "$total") > "$WORK/kernel.json" || cat "$WORK/kernel.json"
    wait "$PID"
    local b=$WORK/beckon.json k=$WORK/kernel.json
    cat "$k"

    # None was refused wrongly, and none had to knock twice.
    expect "connections done" "$total" "$(field "$k" "done")"
    expect "connections failed" 0 "$(field "$k" failed)"
    expect "connections that waited" 0 "$(field "$k" slow)"
    expect "SYNs sent again" 0 "$(kernel_counter TCPSynRetrans)"
    expect "segments sent again" 0 "$(kernel_counter RetransSegs)"
    expect "Beckon's view of it" "$total" "$(field "$b" finished)"
    expect "Beckon's passive opens" "$total" "$(field "$b" mib.passive_opens)"
    expect "resets" 0 "$(field "$b" mib.out_rsts)"

    # The ports came back within 2MSL.
    at_least "ports used" $((PORTS / 2)) "$(field "$k" ports)"
    expect "first uses and uses again" "$total" $(($(field "$k" ports) + $(field "$k" reused)))
    expect "uses again after 2MSL" 0 "$(field "$k" reused_later)"

    # The pool was full, never more, and each record that left it is accounted for: ended by a SYN, evicted, or still
    # there (none has lived to its end, 60 s, unless this machine is slower than that).
    expect "TIME-WAIT records, high water" $POOL "$(field "$b" pool.$pool.high_water)"
    local reused evicted left
    reused=$(field "$b" reason.NOTE_TIME_WAIT_REUSED)
    evicted=$(field "$b" reason.NOTE_TIME_WAIT_EVICTED)
    left=$(field "$b" pool.$pool.in_use)
    echo "reused $reused, evicted $evicted, left $left"
    at_least "TIME-WAITs ended by a SYN" $((total / 4)) "$reused"
    at_least "TIME-WAITs evicted" 1 "$evicted"
    expect "SYNs that ended one" "$reused" "$(field "$b" reason.ACCEPT_SYN_TIME_WAIT)"
    [ "$(field "$b" milliseconds)" -ge 60000 ] || expect "all accounted for" "$total" $((reused + evicted + left))

    # Memory: what the pools needed once warm is enough for all the rest. How many frames come in at a time is the
    # machine's affair, so a few more chunks may be touched later; a single byte kept for each connection would show.
    local growth=$(($(field "$b" used_extent) - $(field "$b" used_extent_warm)))
    echo "used extent $(field "$b" used_extent), grown by $growth since $((2 * PORTS)) connections"
    at_least "used extent when warm" 1 "$(field "$b" used_extent_warm)"
    at_least "growth since then, bound less figure" 0 $((total - 2 * PORTS - 1 - growth))
    [ "$(field "$b" used_extent)" -le "$(field "$b" region_size)" ]
    expect "connections left" 0 "$(field "$b" pool.connections.in_use)"
    at_least "TIME-WAIT record's size, bound less figure" 0 \
        $(($([ "$2" = $B4 ] && echo 64 || echo 96) - $(field "$b" pool.$pool.object_size)))
    echo "$(field "$k" milliseconds) ms"
}

check "$CONNECTIONS connections, IPv4" storm v4 $B4 "$CONNECTIONS" 1
check "60000 connections, IPv6" storm v6 $B6 60000 1
check "60000 connections, IPv4, without timestamps" storm plain $B4 60000 0
finish
