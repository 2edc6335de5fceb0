#!/usr/bin/env bash
# ICMP with the kernel: echo, also in fragments; port unreachable; and a path MTU behind a router that is smaller than
# the link's (RFC 1191, RFC 8201), learnt from its message while data flows. Both families.
. "$(dirname "$0")/lib.sh"

# echo_answered ADDRESS
echo_answered() {
    namespace "echo-${1//[.:]/}"
    start beckon.json beckon --connections 0 listen 7000
    (kernel ping "$1" 5 56)
    (kernel ping "$1" 2 4000) # three fragments each
    (kernel ping "$1" 2 0)
    kill "$PID"
    wait "$PID"
    expect "echoes" 9 "$(field "$WORK/beckon.json" reason.ACCEPT_ECHO)"
    expect "reassemblies left" 0 "$(field "$WORK/beckon.json" pool.reassemblies.in_use)"
}

# The kernel's UDP socket hears of a port where nobody is.
port_unreachable() {
    namespace "udp-${1//[.:]/}"
    start beckon.json beckon --connections 0 listen 7000
    local heard
    heard=$(in_ns bash -c "exec 3<> /dev/udp/$1/9; for i in {1..600}; do echo x >&3 || exit; sleep 0.1; done" 2>&1) || true
    kill "$PID"
    wait "$PID"
    case $heard in *refused*) ;; *) expect "what the sender heard" "Connection refused" "$heard" ;; esac
    at_least "answers" 1 "$(field "$WORK/beckon.json" reason.ANSWER_PORT_UNREACHABLE)"
}

# Beckon -- 1500 -- kernel as router -- 1280 -- kernel as receiver, which offers an MSS for 1500.
# path_mtu TAG RECEIVER ROUTER
path_mtu() {
    local far=bk$$-$1-far
    namespace "$1"
    : > "$SCRATCH/ns.$far"
    ip netns add "$far"
    in_ns sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "$NS" link add far0 type veth peer name near0 netns "$far"
    ip -n "$NS" addr add 10.78.0.1/24 dev far0
    ip -n "$NS" addr add fd78::1/64 dev far0 nodad
    ip -n "$NS" link set far0 mtu 1280 up
    ip -n "$far" addr add 10.78.0.2/24 dev near0
    ip -n "$far" addr add fd78::2/64 dev near0 nodad
    ip -n "$far" link set near0 up
    ip -n "$far" route add default via 10.78.0.1
    ip -n "$far" -6 route add default via fd78::1

    data "$WORK/sent" 1000000
    (NS=$far kernel --receive "$WORK/received" --timeout-s 30 listen 7000) > "$WORK/kernel.json" &
    local receiver=$!
    eventually 60 grep -q ready "$WORK/kernel.json"
    (beckon --gateway $K4 --gateway $K6 --send "$WORK/sent" --connections 1 connect "$2" 7000) > "$WORK/beckon.json"
    wait "$receiver"
    same "$WORK/sent" "$WORK/received"
    at_least "messages heeded" 1 "$(field "$WORK/beckon.json" reason.ACCEPT_ICMP_ERROR)"
    # Once told, it keeps to it: what was too big is a flight's worth at most, far from a thousand segments.
    at_least "segments sent again, bound less figure" 0 $((100 - $(field "$WORK/beckon.json" mib.retrans_segs)))
    expect outcome "done" "$(field "$WORK/beckon.json" outcome)"
}

check_later "echo, IPv4" echo_answered $B4
check_later "echo, IPv6" echo_answered $B6
check_later "port unreachable, IPv4" port_unreachable $B4
check_later "port unreachable, IPv6" port_unreachable $B6
check_later "path MTU, IPv4" path_mtu mtu4 10.78.0.2
check_later "path MTU, IPv6" path_mtu mtu6 fd78::2
check_wait
finish
