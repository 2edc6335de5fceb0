#!/bin/bash
# Shows that the kernel can ping a stack over TAP, with offloads and without, over TUN, and over a TAP with virtio_net_hdr whose descriptor is
# handed in, IPv4 and IPv6, in packets up to the MTU, and larger ones if the kernel's side has a larger MTU, and that the capture
# of it is one that tshark reads without complaint, each packet with its reason.
set -eu

program=${BECKON_HELPERS:-build/tests/interop}/tap_ping
[ -x "$program" ] || { echo "tap_ping.sh: $program is not built"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "skipped: needs root, to make a network namespace"; exit 77; }
[ -c /dev/net/tun ] || { echo "skipped: needs /dev/net/tun"; exit 77; }
command -v ip > /dev/null || { echo "skipped: needs ip (iproute2)"; exit 77; }

work=$(mktemp -d)
netns=beckon-ping-$$
ip netns add "$netns" || { echo "skipped: cannot make a network namespace"; exit 77; }
stack=
cleanup() {
    [ -z "$stack" ] || kill "$stack" 2> /dev/null || true
    ip netns del "$netns"
    rm -rf "$work"
}
trap cleanup EXIT

# start tap|tun|vnet|plain: the stack on a device of that kind in the namespace, and the kernel's addresses on it.
start() {
    local enter=()
    [ "$1" != vnet ] || enter=(ip netns exec "$netns")
    "${enter[@]}" "$program" stack "$netns" "bk-$1" "$1" "$work/$1.pcapng" > "$work/$1.out" &
    stack=$!
    for _ in $(seq 100); do
        [ -s "$work/$1.out" ] && break
        kill -0 "$stack" || { echo "failed: the stack did not start"; exit 1; }
        sleep 0.1
    done
    ip netns exec "$netns" sysctl -qw net.ipv6.conf."bk-$1".accept_dad=0
    ip -n "$netns" addr add 10.77.1.1/24 dev "bk-$1"
    ip -n "$netns" addr add fd77:1::1/64 dev "bk-$1" nodad
    ip -n "$netns" link set "bk-$1" up
}

# check_capture FILE [BUT]: every frame (but those that BUT leaves out: one that was cut to a chunk) well-formed, checksums right, a reason for each; requests accepted, replies sent.
check_capture() {
    command -v tshark > /dev/null || { echo "tshark is not here: the capture is not looked at"; return; }
    local bad
    bad=$(tshark -r "$1" -o ip.check_checksum:TRUE -Y '(_ws.malformed || ip.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || !frame.comment) '"${2:-}" 2> /dev/null)
    [ -z "$bad" ] || { echo "failed: $1: $bad"; exit 1; }
    for comment in '[SEND_ECHO_REPLY]' '[ACCEPT_ECHO]'; do
        [ "$(tshark -r "$1" -Y "frame.comment contains \"$comment\"" 2> /dev/null | wc -l)" -ge 30 ] ||
            { echo "failed: $1: fewer than 30 frames with $comment"; exit 1; }
    done
    tshark -r "$1" -N n 2> /dev/null | grep -q 'kernel' || { echo "failed: $1: names are not resolved"; exit 1; }
}

for kind in tap tun vnet plain; do
    start $kind
    for address in 10.77.1.2 fd77:1::2; do
        for bytes in 0 1 56 1400 1452; do
            ip netns exec "$netns" "$program" ping $address 5 $bytes ||
                { echo "failed: $kind $address, $bytes bytes"; exit 1; }
        done
        echo "passed: $kind $address"
    done
    # Frames larger than ours: the first is lost where nothing was ready for it, and those that follow are whole.
    ip -n "$netns" link set "bk-$kind" mtu 9000
    if ! ip netns exec "$netns" "$program" ping 10.77.1.2 1 3000; then
        [ "$kind" = plain ] || { echo "failed: $kind, a frame larger than the MTU"; exit 1; }
    fi
    ip netns exec "$netns" "$program" ping 10.77.1.2 5 3000 ||
        { echo "failed: $kind, frames larger than the MTU"; exit 1; }
    kill "$stack"
    wait "$stack" || { echo "failed: the stack ended badly"; exit 1; }
    stack=
    check_capture "$work/$kind.pcapng" "$([ "$kind" != plain ] || echo '&& frame.len != 2048')"
done
