#!/usr/bin/env bash
# The same programs of segments and user calls, many of them wrong by little, to Beckon and to the kernel: each difference in what they answer
# is of a class that docs/differences-from-linux.md explains. See src/lab/differ.h.
#
#     tests/interop/differ.sh                     the seeds of the test
#     tests/interop/differ.sh --seeds 1..100000   more of them
#     tests/interop/differ.sh --seed 7            one, with all that both sides answered
. "$(dirname "$0")/lib.sh"

# What can be had alike, is: no ECN or fast open, SACK without probes and without ACKs that wait, no limits on answers, every ACK at once, and timers far away.
alike() {
    local setting
    for setting in tcp_timestamps=1 tcp_window_scaling=1 tcp_sack=1 tcp_dsack=1 tcp_comp_sack_nr=0 tcp_ecn=0 tcp_fastopen=0 tcp_syncookies=0 tcp_rfc1337=1 \
        tcp_invalid_ratelimit=0 tcp_challenge_ack_limit=2147483647 tcp_early_retrans=0 tcp_moderate_rcvbuf=0 \
        tcp_max_syn_backlog=4096 tcp_autocorking=0 tcp_fin_timeout=60 ip_local_port_range="65000 65535"; do
        in_ns sysctl -qw "net.ipv4.$setting" || return 1
    done
    ip -n "$NS" route change 10.77.0.0/24 dev bk0 src $K4 quickack 1 rto_min 10s &&
        ip -n "$NS" -6 route add fd77::/64 dev bk0 metric 100 quickack 1 rto_min 10s
}

namespace differ tun && alike || skip "cannot set this kernel's TCP"
if [ $# -gt 0 ]; then
    in_ns "$HELPERS/differ" --device bk0 "$@"
    exit
fi
# Kernels differ among themselves: what another one than the classes were made with answers otherwise is worth a look, but no failure. Any
# other end than with findings (status 1) is.
seeds() {
    local status=0
    in_ns "$HELPERS/differ" --device bk0 --seeds 1..4000 || status=$?
    [ "$status" != 1 ] || case $(uname -r) in
        6.18.*) ;;
        *) touch "$SCRATCH/other-kernel"; return 0 ;;
    esac
    return "$status"
}
check "the seeds of the test" seeds
[ ! -e "$SCRATCH/other-kernel" ] || skip "Linux $(uname -r) is not the reference, 6.18, and answers otherwise"
finish
