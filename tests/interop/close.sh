#!/usr/bin/env bash
# Opening and closing in every order, step by step, with both ends' states checked: Beckon's by its own table, the
# kernel's by ss. Each case runs over IPv4 and IPv6.
. "$(dirname "$0")/lib.sh"

# pair TAG [OPTIONS...]: both sides in commands mode.
pair() {
    namespace "$1"
    shift
    talk b beckon --set msl_ms=1000 "$@"
    talk k kernel
}

# The kernel connects to Beckon. BA and KA are the addresses of this case's family.
kernel_opens() {
    say b listen 7000
    say k connect "$BA" 7000
    say k connected
    say b accept
    say b state = ok ESTABLISHED
    expect_kernel 7000 ESTAB
}
beckon_opens() {
    say k listen 7000
    say b connect "$KA" 7000
    say b connected
    say k accept
    say b state = ok ESTABLISHED
    eventually 60 expect_kernel 7000 ESTAB
}

# ---- half-close, both ways -------------------------------------------------------------------------

kernel_half_closes() {
    pair "$1"
    kernel_opens
    say k send question
    say k shutdown
    say b receive 8 = ok question
    say b receive 1 = eof
    say b state = ok CLOSE-WAIT
    eventually 60 expect_kernel 7000 FIN-WAIT-2
    say b send-bytes 100000 # the other way stays open
    say b send-bytes 100000
    say b close
    say k receive-all = ok 200000
    say b wait none # LAST-ACK has ended: TIME-WAIT is the kernel's
    expect_kernel 7000 TIME-WAIT
    say k close
}

beckon_half_closes() {
    pair "$1"
    beckon_opens
    say b send question
    say b shutdown
    say k receive 8 = ok question
    say k receive 1 = eof
    say b wait FIN-WAIT-2
    expect_kernel 7000 CLOSE-WAIT
    say k send-bytes 200000
    say k close
    say b receive-all = ok 200000
    say b wait TIME-WAIT
    eventually 60 expect_kernel 7000 none # LAST-ACK has ended
    say b close
    say b wait none # 2MSL is over
}

# ---- closing, who first ----------------------------------------------------------------------------

kernel_closes_first() {
    pair "$1"
    kernel_opens
    say k close
    say b receive 1 = eof
    say b state = ok CLOSE-WAIT
    say b close
    say b wait none
    expect_kernel 7000 TIME-WAIT
    say b count SEND_RST_CLOSED = ok 0
}

beckon_closes_first() {
    pair "$1"
    kernel_opens
    say b close
    say k receive 1 = eof
    say b wait FIN-WAIT-2
    expect_kernel 7000 CLOSE-WAIT
    say k close
    say b wait TIME-WAIT
    eventually 60 expect_kernel 7000 none
    say b wait none
    say b count SEND_TIME_WAIT_ACK = ok 0
}

# With 150 ms on the wire each way, both FINs are out before either arrives.
both_close_at_once() {
    pair "$1" --delay-us 150000
    kernel_opens
    say b shutdown
    say k shutdown
    eventually 60 expect_kernel 7000 FIN-WAIT-1
    say b state = ok FIN-WAIT-1
    say b wait CLOSING # RFC 9293 figure 13: the FINs have crossed
    eventually 60 expect_kernel 7000 TIME-WAIT
    say b wait TIME-WAIT
    say b receive 1 = eof
    say b close
    say b wait none
    say b count ACCEPT_ACK_OF_FIN = ok 1
}

# ---- opening at once -------------------------------------------------------------------------------

both_open_at_once() {
    pair "$1" --delay-us 150000
    say k connect "$BA" 7000 7001
    say b connect "$KA" 7001 7000
    say b wait SYN-RECEIVED # RFC 9293 figure 8: the SYNs have crossed
    say b connected
    say k connected
    say b state = ok ESTABLISHED
    expect_kernel 7000 ESTAB
    say b send hello
    say k receive 5 = ok hello
    say k send world
    say b receive 5 = ok world
    say b count ACCEPT_SYN_SIMULTANEOUS = ok 1
}

# ---- resets and refusals ---------------------------------------------------------------------------

kernel_resets() {
    pair "$1"
    kernel_opens
    say k reset
    say b receive 1 = error ECONNRESET
    say b count ACCEPT_RST = ok 1
    say b close
    say b wait none
    expect_kernel 7000 none
}

# Data that arrived before the reset is still the user's to read or not; the error follows it.
beckon_aborts() {
    pair "$1"
    kernel_opens
    say b abort
    say k receive 1 = error ECONNRESET
    say b wait none
    expect_kernel 7000 none
    say b count SEND_RST_ABORT = ok 1
}

# RFC 9293 3.6.1: closing with data unread resets, so that the peer learns that it was lost.
beckon_closes_unread() {
    pair "$1"
    kernel_opens
    say k send unread
    eventually 60 expect_kernel 7000 ESTAB
    eventually 60 say b get receive_queued = ok 6
    say b close
    say k receive 1 = error ECONNRESET
    say b wait none
    say b count SEND_RST_UNREAD = ok 1
}

kernel_closes_unread() {
    pair "$1"
    kernel_opens
    say b send unread
    say k receive 1 = ok u
    say k close
    say b receive 1 = error ECONNRESET
    say b close
    say b wait none
}

kernel_sends_late() {
    pair "$1"
    kernel_opens
    say b close
    say k receive 1 = eof
    say k send late
    say k receive 1 = eof # its FIN was taken before the reset came
    say b wait none
    say b count SEND_RST_LATE_DATA = ok 1
}

kernel_is_refused() {
    pair "$1"
    say k connect "$BA" 7999
    say k connected = error ECONNREFUSED
    say b count SEND_RST_CLOSED = ok 1
    say b wait none
}

beckon_is_refused() {
    pair "$1"
    say b connect "$KA" 7999
    say b connected = error ECONNREFUSED
    say b count ACCEPT_RST_REFUSED = ok 1
    say b close
    say b wait none
}

# A close against a window that stays shut must end too: the kernel's program never reads, and Beckon's user is gone.
close_against_zero_window() {
    pair "$1" --set orphan_retries=3 --set rto_min_ms=200 --set rto_max_ms=400
    kernel_opens
    for _ in 1 2 3 4 5 6; do
        say b fill 1000000
        say b sleep 200
    done
    say b get snd_wnd = ok 0
    say b close
    say b wait none
    at_least "window probes" 1 "$(count_of b SEND_WINDOW_PROBE)"
    say b count NOTE_TIMEOUT = ok 1
}

for family in 4 6; do
    if [ $family = 4 ]; then BA=$B4 KA=$K4; else BA=$B6 KA=$K6; fi
    for case in kernel_half_closes beckon_half_closes kernel_closes_first beckon_closes_first both_close_at_once \
        both_open_at_once kernel_resets beckon_aborts beckon_closes_unread kernel_closes_unread kernel_sends_late \
        kernel_is_refused beckon_is_refused close_against_zero_window; do
        check_later "IPv$family, ${case//_/ }" $case "$case$family"
    done
    check_wait
done
finish
