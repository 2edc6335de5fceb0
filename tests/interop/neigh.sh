#!/usr/bin/env bash
# Finding the neighbour: the kernel resolves Beckon's address and Beckon the kernel's (ARP, neighbour discovery); the
# kernel's cache is flushed, and its MAC changes, while data flows; strangers do not get into Beckon's cache.
. "$(dirname "$0")/lib.sh"

kernel_neighbour() { in_ns ip neigh show dev bk0 to "$1" | awk '{ for (i = 1; i < NF; i++) if ($i == "lladdr") print $(i + 1) }'; }

# The kernel asks first.
kernel_resolves() {
    namespace "kr-${1//[.:]/}"
    talk b beckon
    talk k kernel
    say b listen 7000
    say k connect "$1" 7000
    say k connected
    expect "what the kernel learnt" "02:62:65:63:6b:6e" "$(kernel_neighbour "$1")"
}

# Beckon asks first, and the SYN that it was for is not lost while it waits.
beckon_resolves() {
    namespace "br-${1//[.:]/}"
    talk b beckon
    talk k kernel
    say k listen 7000
    say b connect "$1" 7000
    say b connected
    say k accept
    say b count "$2" = ok 1
    say b count SEND_SYN_AGAIN = ok 0
}

# transfer TAG ADDRESS DISTURBANCE...: 20 MB each way at a pace that leaves time for the disturbance, made 20 times.
transfer() {
    local tag=$1 address=$2 i
    shift 2
    namespace "$tag"
    data "$WORK/to-kernel" 20000000
    data "$WORK/to-beckon" 20000000
    start beckon.json beckon --send "$WORK/to-kernel" --receive "$WORK/at-beckon" --connections 1 --delay-us 5000 listen 7000
    (kernel --send "$WORK/to-beckon" --receive "$WORK/at-kernel" connect "$address" 7000) &
    local client=$!
    for i in $(seq 20); do
        sleep 0.03
        "$@" "$i"
    done
    wait "$client"
    wait "$PID"
    same "$WORK/to-kernel" "$WORK/at-kernel"
    same "$WORK/to-beckon" "$WORK/at-beckon"
}

# ip(8) gives up, and says so, when the data makes entries again as fast as it flushes them: flushed they were.
flush() { in_ns ip neigh flush dev bk0 2> /dev/null || true; }
# The kernel announces its new address by itself for IPv4 (arp_notify) and when Beckon asks.
new_mac() {
    [ "$1" = 5 ] || return 0
    in_ns ip link set bk0 address 02:00:00:00:00:99
}

flushed() {
    transfer "$1" "$2" flush
    at_least "answers to the kernel's questions" 2 "$(field "$WORK/beckon.json" "$3")"
}
moved() { transfer "$1" "$2" new_mac; }

# ARP between others, and from an address that is not on the link, changes nothing.
strangers() {
    namespace strangers
    talk b beckon --set neighbours=4
    talk k kernel
    say b listen 7000
    # Addresses of the kernel's own that ask for somebody else: Beckon overhears the broadcast.
    local i
    for i in $(seq 20 60); do
        in_ns ip addr add 10.77.0.$i/32 dev bk0
        (kernel ping 10.77.0.$((100 + i)) 1 0 10.77.0.$i) > /dev/null || true &
    done
    # The requests come when the machine gets round to them; a minute is for a machine that is busy with other things.
    local overheard=0
    for i in $(seq 600); do
        overheard=$(count_of b DROP_ARP_STRANGER)
        [ "$overheard" -lt 10 ] || break
        sleep 0.1
    done
    at_least "ARP overheard" 10 "$overheard"
    say k connect $B4 7000
    say k connected
    say b accept
    say k send hello
    say b receive 5 = ok hello
}

check_later "the kernel resolves, ARP" kernel_resolves $B4
check_later "the kernel resolves, neighbour discovery" kernel_resolves $B6
check_later "Beckon resolves, ARP" beckon_resolves $K4 SEND_ARP_REQUEST
check_later "Beckon resolves, neighbour discovery" beckon_resolves $K6 SEND_NEIGHBOR_SOLICITATION
check_later "strangers" strangers
check_wait
check "the kernel's cache is flushed mid-transfer, IPv4" flushed flush4 $B4 reason.SEND_ARP_REPLY
check "the kernel's cache is flushed mid-transfer, IPv6" flushed flush6 $B6 reason.SEND_NEIGHBOR_ADVERTISEMENT
check "the kernel's MAC changes mid-transfer, IPv4" moved moved4 $B4
check "the kernel's MAC changes mid-transfer, IPv6" moved moved6 $B6
finish
