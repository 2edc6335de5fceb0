#!/usr/bin/env bash
# Shows that `beckon serve` serves the kernel's clients, and that `beckon ss` lists their connections as the kernel's own ss sees
# them from the other end: in ss's and netstat's columns and as JSON, of one stack and of several.
# shellcheck source=tests/interop/lib_serve.sh
. "$(dirname "$0")/lib_serve.sh"
need ss python3 sha256sum

NS=bkss$$
SOCKETS=$SCRATCH/beckon
ss_says() {
    local arguments=$1
    shift
    # shellcheck disable=SC2086  # options
    exits 0 "$BECKON" ss $arguments > "$SCRATCH/ss.txt"
    says "$SCRATCH/ss.txt" "$@"
}

# ---- the world: a namespace with two TAPs, a server behind each, connections of the kernel's

# hold NAME ADDRESS: a kernel connection that stays open, idle.
hold() {
    in_ns bash -c "exec 5<>/dev/tcp/$2/80 && echo open && exec sleep 120" > "$SCRATCH/$1.hold" 2>&1 &
    eventually 60 grep -q open "$SCRATCH/$1.hold"
}

mkdir "$SCRATCH/site" "$SCRATCH/site/sub"
head -c 20000000 /dev/urandom > "$SCRATCH/site/large.bin"
echo "the index" > "$SCRATCH/site/index.html"
ln -s /etc/passwd "$SCRATCH/site/outside"
mkfifo "$SCRATCH/site/fifo"

if ! ip netns add "$NS" || ! in_ns ip link set lo up ||
    ! device bk0 10.78.0.1/24 fd78::1/64 || ! device bk1 10.79.0.1/24 fd79::1/64; then
    skip "cannot set up a network namespace"
fi
serve one --tap bk0 --addr 10.78.0.2/24 --addr fd78::2/64 --root "$SCRATCH/site" --pcap "$SCRATCH/one.pcapng" || exit 1

# ---- serving

large_file() {
    fetch http://10.78.0.2/large.bin | sha256sum > "$SCRATCH/got"
    expect "SHA-256" "$(sha256sum < "$SCRATCH/site/large.bin")" "$(cat "$SCRATCH/got")"
}
large_file_ipv6() {
    eventually 60 fetch -o /dev/null "http://[fd78::2]/" # its address is tentative at first
    fetch "http://[fd78::2]/large.bin" | sha256sum > "$SCRATCH/got6"
    expect "SHA-256" "$(sha256sum < "$SCRATCH/site/large.bin")" "$(cat "$SCRATCH/got6")"
}
many_at_once() {
    local i urls=()
    for i in $(seq 40); do urls+=(-o "$SCRATCH/many.$i" "http://10.78.0.2/index.html?$i"); done
    fetch --parallel --parallel-max 40 --parallel-immediate "${urls[@]}"
    for i in $(seq 40); do expect "page $i" "the index" "$(cat "$SCRATCH/many.$i")"; done
}
status_of() { expect "status of $2" "$1" "$(fetch --path-as-is -o /dev/null -w '%{http_code}' "http://10.78.0.2$2")"; }
pipelined() {
    local wanted="HTTP/1.1 200 HTTP/1.1 404 HTTP/1.1 200" got
    got=$(in_ns timeout 10 bash -c 'exec 5<>/dev/tcp/10.78.0.2/80
        printf "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /no HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.0\r\n\r\n" >&5
        cat <&5' | grep -Eo 'HTTP/1.1 [0-9]+' | xargs)
    expect "answers" "$wanted" "$got"
}
check "20 MB, IPv4" large_file
check "20 MB, IPv6" large_file_ipv6
check "40 clients at once" many_at_once
check "the index of a directory" status_of 200 /
check "a directory without one" status_of 404 /sub
check "a path upwards" status_of 404 /../../../../../../etc/passwd
check "a path upwards, escaped" status_of 404 /%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd
check "a link outwards" status_of 404 /outside
check "no regular file" status_of 404 /fifo
check "pipelined requests" pipelined

# ---- ss

hold first 10.78.0.2 && hold second 10.78.0.2 && hold third fd78::2 || exit 1

# The kernel's connections to the stack, as "local peer", from its end.
mirrored() {
    in_ns ss -Htn state established "( dport = :80 )" | awk '{ print $4, $3 }' | sort > "$SCRATCH/seen.kernel"
    "$BECKON" ss -Ht | awk '{ print $4, $5 }' | sort > "$SCRATCH/seen.beckon"
    expect "connections" 3 "$(wc -l < "$SCRATCH/seen.kernel")"
    diff "$SCRATCH/seen.kernel" "$SCRATCH/seen.beckon"
}
families() {
    expect "IPv4" 2 "$("$BECKON" ss -H4 | wc -l)"
    expect "IPv6" 1 "$("$BECKON" ss -H6 | wc -l)"
}
# The server closes first when asked to, and so has the TIME-WAIT.
time_wait() {
    fetch -o /dev/null -H 'Connection: close' http://10.78.0.2/
    ss_says "-a -o" '^TIME-WAIT +0 +0 +10.78.0.2:80 +10.78.0.1:[0-9]+ +timer:\(timewait,'
    expect "TIME-WAIT without -a" "" "$("$BECKON" ss | grep TIME-WAIT || true)"
}
json_lines() {
    exits 0 "$BECKON" ss -a --json > "$SCRATCH/json.txt"
    python3 - "$SCRATCH/json.txt" "$PID_one" << 'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
text = [json.dumps(row) for row in rows]
assert sum("ESTABLISHED" in t for t in text) == 3, text
assert sum("LISTEN" in t for t in text) >= 1, text
assert sum("TIME-WAIT" in t for t in text) >= 1, text
assert all(str(row["stack"]) == sys.argv[2] for row in rows), rows[0]
END
}
check "the kernel's ss sees the same connections" mirrored
check "ss's columns" ss_says "" '^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port' \
    '^ESTAB +0 +0 +10\.78\.0\.2:80 +10\.78\.0\.1:[0-9]+' '^ESTAB +0 +0 +\[fd78::2\]:80 +\[fd78::1\]:[0-9]+'
check "by family" families
check "TIME-WAIT and its timer" time_wait
check "listeners" ss_says "-lt" '^LISTEN +0 +256 +[^ ]+:80 '
check "internals" ss_says "-i" 'rto:[0-9.]+.*rtt:[0-9.]+/[0-9.]+.*mss:[0-9]+.*cwnd:[0-9]+'
check "netstat's columns" ss_says "-a --netstat" '^Proto +Recv-Q +Send-Q +Local Address +Foreign Address +State' \
    '^tcp +0 +0 +10\.78\.0\.2:80 +10\.78\.0\.1:[0-9]+ +ESTABLISHED' '^tcp6? .*TIME_WAIT' '^tcp6? .* LISTEN'
check "JSON" json_lines
check "by process" ss_says "$PID_one" '^ESTAB '

# ---- several stacks, and the control socket itself

serve two --tap bk1 --addr 10.79.0.2/24 --port 8080 || exit 1
# raw BYTES: what the control socket answers to them.
raw() {
    python3 - "$SOCKETS/$PID_two" "$1" << 'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
try:
    s.sendall(eval(sys.argv[2]))
    while part := s.recv(65536):
        sys.stdout.write(part.decode())
except (BrokenPipeError, ConnectionResetError):
    pass
END
}
raw_says() {
    raw "$1" > "$SCRATCH/raw.txt"
    says "$SCRATCH/raw.txt" "$2"
    ss_says "-l $PID_two" LISTEN # and it lives on
}
# Clients that say nothing hold nobody up.
silent_clients() {
    python3 - "$SOCKETS/$PID_two" "$BECKON" "$PID_two" << 'END'
import socket, subprocess, sys
held = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
subprocess.run([sys.argv[2], "ss", "-l", sys.argv[3]], check=True, timeout=20)
END
}
private() { expect "mode" "drwx------" "$(stat -c %A "$SOCKETS")"; }
check "two stacks" ss_says -a "^stack $PID_one \(beckon serve\)" "^stack $PID_two \(beckon serve\)" \
    '^LISTEN .*:80 ' '^LISTEN .*:8080 '
check "only this user may ask" private
check "a request" raw_says 'b"{\"get\": \"connections\"}\n"' '^\{"end":\{"count":1,"truncated":false\}\}'
check "no JSON" raw_says 'b"GET / HTTP/1.1\r\n\r\n"' '^\{"error":"the request is no JSON object'
check "JSON, but no object" raw_says 'b"[1,2]\n"' '^\{"error":'
check "an unknown request" raw_says 'b"{\"get\": [\"connections\"]}\n"' '^\{"error":"unknown request'
check "bytes of any kind" raw_says 'bytes(range(256)) + b"\n"' '^\{"error":'
check "deep nesting" raw_says 'b"[" * 900 + b"\n"' '^\{"error":'
check "a request without end" raw_says 'b"x" * 100000' '^\{"error":"the request is too long'
check "silent clients" silent_clients

# ---- the end

stops() {
    kill -TERM "$PID_one"
    eventually 60 grep -q '^served [0-9]* requests on [0-9]* connections' "$SCRATCH/one.log"
    [ ! -e "$SOCKETS/$PID_one" ] || { echo "its socket is still there"; return 1; }
    expect "connections of the kernel's that live on" "" "$(in_ns ss -Htn state established "( dport = :80 )")"
}
sound_capture() {
    local bad
    bad=$(tshark -r "$SCRATCH/one.pcapng" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -Y '_ws.malformed || tcp.checksum.status == "Bad" || ip.checksum.status == "Bad"' 2> /dev/null | head -n 3)
    expect "frames with something wrong" "" "$bad"
}
# A process that was killed leaves its socket behind: the next one who looks removes it.
killed() {
    kill -KILL "$PID_two"
    eventually 60 sh -c "! kill -0 $PID_two 2> /dev/null"
    [ -e "$SOCKETS/$PID_two" ] || { echo "no socket was left"; return 1; }
    exits 0 "$BECKON" ss 2> "$SCRATCH/err.txt"
    says "$SCRATCH/err.txt" 'no stack .* is running'
    expect "sockets" "" "$(ls "$SOCKETS")"
}
check "a signal ends it in good order" stops
if command -v tshark > /dev/null; then check "its capture" sound_capture; fi
check "what a killed process leaves" killed
finish
