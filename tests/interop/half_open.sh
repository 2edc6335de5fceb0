#!/usr/bin/env bash
# Half-open connections (RFC 9293 3.5.1): one side has crashed and forgotten, the other does not know. Either side
# crashes, and either speaks first afterwards; each time a RST repairs it. Each case runs over IPv4 and IPv6.
. "$(dirname "$0")/lib.sh"
command -v nft > /dev/null || skip "needs nft, to let the kernel forget without a word"

pair() {
    namespace "$1"
    talk b beckon
    talk k kernel
}
beckon_crashes() {
    hush b
    talk b beckon # the same addresses, nothing remembered, another seed
}
# A crash of the kernel's side: its socket is gone, and the RST or FIN that would tell does not get out.
kernel_crashes() {
    in_ns nft -f - <<-END
	table inet crash {
	    chain out {
	        type filter hook output priority 0;
	        tcp flags & (fin | rst) != 0 drop
	    }
	}
	END
    say k reset
    expect_kernel 7000 none
    in_ns nft delete table inet crash
}
kernel_opens() {
    say b listen 7000
    say k connect "$BA" 7000 7001
    say k connected
    say b accept
}

# RFC 9293 figure 10: the side that has not crashed sends data, and the RST tells it.
beckon_crashed_kernel_sends() {
    pair "$1"
    kernel_opens
    beckon_crashes
    expect_kernel 7000 ESTAB # it does not know
    say k send data
    say k receive 1 = error ECONNRESET
    say b count SEND_RST_CLOSED = ok 1
    expect_kernel 7000 none
}

# RFC 9293 figure 9: the crashed side opens again with the same ports. The kernel answers the SYN with an ACK of what it
# knows, the RST that this draws clears its connection, and the SYN, sent again, opens the next one.
beckon_crashed_reopens() {
    pair "$1"
    say k listen 7000
    say b connect "$KA" 7000 7001
    say b connected
    say k accept
    beckon_crashes
    say b connect "$KA" 7000 7001
    say b wait SYN-SENT
    say b connected
    say b count SEND_RST_SYN_SENT_ACK = ok 1
    say b count SEND_SYN_AGAIN = ok 1
    say k receive 1 = error ECONNRESET # the old connection
    say k accept                       # the new one
    say b send hello
    say k receive 5 = ok hello
}

# The same with a listener on the crashed side: whoever was connected is told, and whoever comes is served.
beckon_crashed_listens() {
    pair "$1"
    kernel_opens
    beckon_crashes
    say b listen 7000
    say k send data
    say k receive 1 = error ECONNRESET
    say b count SEND_RST_LISTEN_ACK = ok 1
    say k close
    say k connect "$BA" 7000 7001
    say k connected
    say b accept
    say k send hello
    say b receive 5 = ok hello
}

kernel_crashed_beckon_sends() {
    pair "$1"
    kernel_opens
    kernel_crashes
    say b state = ok ESTABLISHED
    say b send data
    say b receive 1 = error ECONNRESET
    say b count ACCEPT_RST = ok 1
    say b close
    say b wait none
}

# The SYN on an established connection draws a challenge ACK (RFC 5961 4.2), the kernel's answer to that a RST.
kernel_crashed_reopens() {
    pair "$1"
    kernel_opens
    kernel_crashes
    say k connect "$BA" 7000 7001
    say k connected
    say b count ANSWER_CHALLENGE_SYN = ok 1
    say b receive 1 = error ECONNRESET
    say b close
    say b accept
    say k send hello
    say b receive 5 = ok hello
}

# Nobody speaks: keep-alive finds out (RFC 9293 3.8.4).
kernel_crashed_keepalive() {
    namespace "$1"
    talk b beckon --set keepalive_idle_s=1 --set keepalive_interval_s=1
    talk k kernel
    kernel_opens
    say b keepalive
    kernel_crashes
    say b receive 1 = error ECONNRESET
    say b count SEND_KEEPALIVE = ok 1
    say b close
    say b wait none
}

for family in 4 6; do
    if [ $family = 4 ]; then BA=$B4 KA=$K4; else BA=$B6 KA=$K6; fi
    for case in beckon_crashed_kernel_sends beckon_crashed_reopens beckon_crashed_listens kernel_crashed_beckon_sends \
        kernel_crashed_reopens kernel_crashed_keepalive; do
        check_later "IPv$family, ${case//_/ }" $case "$case$family"
    done
done
check_wait
finish
