#!/usr/bin/env bash
# Shows that `beckon demo` fetches both pages intact over one connection, from the kernel's curl and between two stacks, that it
# tells the story in full, and that tshark finds nothing wrong with its capture.
# shellcheck source=tests/interop/lib_cmd.sh
. "$(dirname "$0")/lib_cmd.sh"
need python3

# What every run tells, whoever the client is.
told() {
    says "$1" \
        'GET / +200 .* intact +new connection' 'GET /reasons +200 .* intact +same connection' \
        'SYN-ACK answers a SYN' 'RFC 9293 3\.10\.7\.2' 'data that the user sent|last data, with our FIN' \
        'FIN' 'ESTABLISHED' 'FIN-WAIT-1' 'TIME-WAIT' \
        '^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port' '^LISTEN ' '^TIME-WAIT .*timer:\(timewait,' \
        "fetched both pages, [0-9]+ bytes, intact over one connection of [0-9]+ segments"
    # Three snapshots a second apart, with less left each time.
    local left
    left=$(grep -Eo '^TIME-WAIT .*timer:\(timewait,[0-9.]+' "$1" | sed 's/.*,//')
    expect "snapshots" 3 "$(echo "$left" | wc -l)"
    expect "snapshots count down" "$left" "$(echo "$left" | sort -rnu)"
}

# Each frame is well-formed to an independent reader, and the connection has the shape that it should. On a machine that stands still for some
# milliseconds a tail loss probe of ours may go, for nothing: its reason is in the frame's comment.
fields() { tshark -r "$SCRATCH/$1" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE "${@:2}" 2> "$SCRATCH/tshark.err"; }
capture_is_sound() {
    local file=$1 family=$2 server=$3
    expect "frames with something wrong" "" \
        "$(fields "$file" -Y '_ws.malformed || tcp.checksum.status == "Bad" || ip.checksum.status == "Bad" ||
            icmpv6.checksum.status == "Bad" ||
            (tcp.analysis.retransmission && !(frame.comment contains "SEND_TAIL_PROBE")) || tcp.analysis.lost_segment || tcp.flags.reset == 1')"
    local segments good
    segments=$(fields "$file" -Y tcp | wc -l)
    good=$(fields "$file" -Y 'tcp.checksum.status == "Good"' | wc -l)
    [ "$segments" -ge 10 ] || { echo "only $segments segments"; return 1; }
    expect "segments with a checksum that was verified" "$segments" "$good"
    expect "segments with a reason" "$segments" "$(fields "$file" -Y 'tcp && frame.comment' | wc -l)"
    expect "connections" 1 "$(fields "$file" -Y tcp -T fields -e tcp.stream | sort -u | wc -l)"
    expect "pages" "200 200" "$(fields "$file" -Y http.response -T fields -e http.response.code | xargs)"
    expect "who closes first" "$server" "$(fields "$file" -Y 'tcp.flags.fin == 1' -T fields -e "$family.src" | head -n 1)"
}

kernel() {
    local name=$1 family=$2 server=$3
    shift 3
    exits 0 "$BECKON" demo --pcap "$SCRATCH/$name.pcapng" "$@" > "$SCRATCH/$name.txt"
    told "$SCRATCH/$name.txt"
    says "$SCRATCH/$name.txt" "the kernel's TCP" '^curl [0-9.]+ fetched both pages' "wireshark $SCRATCH/$name.pcapng"
    capture_is_sound "$name.pcapng" "$family" "$server"
}

memory() {
    local name=$1 family=$2 server=$3
    shift 3
    exits 0 "$BECKON" demo --no-tap --pcap "$SCRATCH/$name.pcapng" "$@" > "$SCRATCH/$name.txt"
    told "$SCRATCH/$name.txt"
    says "$SCRATCH/$name.txt" 'a second stack, at' 'SYN of an active open' 'SYN-SENT' 'SYN-RECEIVED' 'CLOSE-WAIT' 'LAST-ACK'
    capture_is_sound "$name.pcapng" "$family" "$server"
}

# With an MSL of a second the end of TIME-WAIT is seen.
to_the_end() {
    exits 0 "$BECKON" demo "$@" --msl 1 > "$SCRATCH/end.txt"
    says "$SCRATCH/end.txt" '^TIME-WAIT ' 'TIME-WAIT of 2 x 1 s is over'
    tail -n 4 "$SCRATCH/end.txt" > "$SCRATCH/last.txt"
    if grep -q '^TIME-WAIT' "$SCRATCH/last.txt"; then
        echo "still there:"
        cat "$SCRATCH/last.txt"
        return 1
    fi
}

json() {
    exits 0 "$BECKON" demo "$@" --json > "$SCRATCH/json.txt"
    python3 - "$SCRATCH/json.txt" << 'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
result = lines[-1]
assert result["result"] == "worked" and result["time_wait_left_s"] > 50, result
assert [p["intact"] for p in result["pages"]] == [True, True], result
assert [p["new_connection"] for p in result["pages"]] == [True, False], result
assert any("SEND_SYN_ACK" in str(line) for line in lines), "no SYN-ACK among the events"
END
}

# Where there is no TAP to be had, it says so and goes on without.
no_tap() {
    exits 0 unshare -m sh -c "mount --bind /dev/null /dev/net/tun && exec '$BECKON' demo" > "$SCRATCH/none.txt"
    told "$SCRATCH/none.txt"
    says "$SCRATCH/none.txt" '^The kernel cannot be at the other end here \(.*Inappropriate ioctl' 'modprobe tun'
}
# A PATH on which nothing is to be found.
no_curl() {
    exits 0 env PATH="$SCRATCH" "$BECKON" demo > "$SCRATCH/curl.txt"
    told "$SCRATCH/curl.txt"
    says "$SCRATCH/curl.txt" '^The kernel cannot be .*finding curl' 'apt-get install curl'
}
# Without root it is the kernel all the same, where user namespaces may be made and everybody may open /dev/net/tun.
no_root() {
    cp "$BECKON" "$SCRATCH/beckon"
    exits 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$SCRATCH/beckon" demo > "$SCRATCH/user.txt"
    told "$SCRATCH/user.txt"
    says "$SCRATCH/user.txt" 'sudo beckon demo|^curl [0-9.]+ fetched'
}
user_namespace() {
    mknod -m 666 "$SCRATCH/tun" c 10 200
    exits 0 unshare -m sh -c "mount --bind '$SCRATCH/tun' /dev/net/tun &&
        exec setpriv --reuid=65534 --regid=65534 --clear-groups '$SCRATCH/beckon' demo" > "$SCRATCH/userns.txt"
    told "$SCRATCH/userns.txt"
    if setpriv --reuid=65534 --regid=65534 --clear-groups \
        sh -c "unshare -Un true && exec 3<> '$SCRATCH/tun'" 2> /dev/null; then
        says "$SCRATCH/userns.txt" '^curl [0-9.]+ fetched both pages'
    fi
}

no_such_directory() {
    exits 2 "$BECKON" demo --no-tap --pcap "$SCRATCH/nowhere/x.pcapng" 2> "$SCRATCH/err.txt"
    says "$SCRATCH/err.txt" '^beckon: cannot write the capture to .*nowhere/x.pcapng: No such file'
}

# A signal ends it in good order: status 2, and nothing of it is left.
interrupted() {
    rm -f "$SCRATCH/signal.txt" # the one of the case before says TIME-WAIT, too
    "$BECKON" demo --msl 5 "$@" > "$SCRATCH/signal.txt" 2>&1 & # which takes 10 s
    local pid=$! status=0
    eventually 60 grep -q '^TIME-WAIT' "$SCRATCH/signal.txt"
    kill -TERM $pid
    wait $pid || status=$?
    expect "exit status" 2 $status
    says "$SCRATCH/signal.txt" 'Stopped by signal 15'
    expect "processes left" "" "$(pgrep -P $pid || true)"
}

if command -v tshark > /dev/null; then
    check "two stacks, IPv4" memory memory4 ip 192.0.2.2
    check "two stacks, IPv6" memory memory6 ipv6 2001:db8::2 --ipv6
else
    echo "SKIP: the captures: needs tshark"
fi
check "two stacks, to the end of TIME-WAIT" to_the_end --no-tap
check "two stacks, JSON" json --no-tap
check "a capture that cannot be written" no_such_directory
check "two stacks, interrupted" interrupted --no-tap
if [ $FAILURES -gt 0 ]; then finish; fi

need_tap
need curl tshark setpriv
check "the kernel, IPv4" kernel kernel4 ip 192.0.2.2
check "the kernel, IPv6" kernel kernel6 ipv6 2001:db8::2 --ipv6
check "the kernel, to the end of TIME-WAIT" to_the_end
check "the kernel, JSON" json
check "no TAP device" no_tap
check "no curl" no_curl
check "no root" no_root
check "no root, but a user namespace" user_namespace
check "the kernel, interrupted" interrupted
finish
