#!/usr/bin/env bash
# Shows that every workload of `beckon bench` runs and carries its payload intact, that its JSON is as documented, that
# --check judges by the targets, and that a guard run is the same work each time.
# shellcheck source=tests/interop/lib_cmd.sh
. "$(dirname "$0")/lib_cmd.sh"
need python3

# Reads the lines of JSON on standard input and prints the cases in them; fails if a field is missing or makes no sense.
cases() {
    python3 -c '
import json, sys
seen = []
for text in sys.stdin:
    line = json.loads(text)
    assert list(line) == ["workload", "case", "metric", "unit", "median", "min", "max", "runs", "target", "met"], text
    assert all(isinstance(line[name], str) and line[name] for name in ("workload", "case", "metric", "unit")), text
    assert 0 <= line["min"] <= line["median"] <= line["max"], text
    assert line["min"] > 0 or line["metric"] in sys.argv[2].split(","), text
    assert line["runs"] == int(sys.argv[1]), text
    assert (line["target"] is None) == (line["met"] is None), text
    case = line["workload"] + "/" + line["case"]
    if case not in seen:
        seen.append(case)
print("\n".join(seen))' "$1" "$may_be_none"
}
may_be_none="sent again,SYNs taken,time per SYN,memory taken,snapshot"
listed() { "$BECKON" bench --list | sed -n 's/^    \([a-z]*\/[^:]*\): .*/\1/p'; }

in_memory() {
    exits 0 "$BECKON" bench --quick --json bulk connections latency/memory memory flood limits > "$SCRATCH/memory.json" &&
        cases 1 < "$SCRATCH/memory.json" > "$SCRATCH/cases" &&
        expect "cases" "$(listed | grep '^\(bulk\|connections\|memory\|flood\|limits\)/\|^latency/memory')" "$(cat "$SCRATCH/cases")"
}
# All cases of a workload that has the kernel for a peer; `ratio` is what one of them is compared with, if any is.
against_the_kernel() {
    local workload=$1 ratio=${2:-}
    exits 0 "$BECKON" bench --quick --json "$workload" > "$SCRATCH/$workload.json" &&
        cases 1 < "$SCRATCH/$workload.json" > "$SCRATCH/cases" &&
        expect "cases" "$(listed | grep "^$workload/")" "$(cat "$SCRATCH/cases")" || return 1
    [ -z "$ratio" ] || says "$SCRATCH/$workload.json" "\"ratio to $ratio\", \"unit\": \"ratio\""
}
# The document gets a table for each workload between its markers, and keeps the rest.
documents() {
    local document="$SCRATCH/performance.md"
    cp "$BECKON_SOURCE/docs/performance.md" "$document" && { echo "a machine"; cat "$SCRATCH/memory.json"; } > "$SCRATCH/lines" &&
        exits 0 "$BECKON_SOURCE/tools/bench-document" --from "$SCRATCH/lines" --document "$document" --date "a day" > "$SCRATCH/out" &&
        says "$document" '^a machine; a day\.$' '^### bulk$' '^### limits$' '^\| time-wait-ipv4 \| memory touched \|' &&
        says "$SCRATCH/out" '^memory/time-wait-ipv4 +of it, the record .* at most 64 +(met|missed)$' &&
        expect "the rest" "$(outside < "$BECKON_SOURCE/docs/performance.md")" "$(outside < "$document")"
}
outside() { sed '/^<!-- written by .* begin -->$/,/^<!-- written by .* end -->$/d'; }
# One path of the workload, which would take long as a whole.
beside_the_kernel() {
    local names=(path/20ms-1-kernels path/20ms-1-sends path/20ms-1-receives)
    exits 0 "$BECKON" bench --quick --json "${names[@]}" > "$SCRATCH/path.json" &&
        cases 1 < "$SCRATCH/path.json" > "$SCRATCH/cases" &&
        expect "cases" "$(printf '%s\n' "${names[@]}")" "$(cat "$SCRATCH/cases")" &&
        says "$SCRATCH/path.json" '"ratio to 20ms-1-kernels", "unit": "ratio"'
}
# One case of a workload, three rounds, for people.
one_case() {
    exits 0 "$BECKON" bench --quick --runs 3 bulk/64K > "$SCRATCH/table" &&
        says "$SCRATCH/table" '^bulk: ' '\(3 runs\)$' '^  64K +throughput +[0-9.]+ +[0-9.]+ +[0-9.]+  Gbit/s per core$' &&
        expect "rows of other cases" 0 "$(grep -c '^  1M' "$SCRATCH/table")"
}
# What --check says is what the JSON of the same kind of run says: the status follows from the lines.
check_judges() {
    local status=0
    "$BECKON" bench --quick --check tap > "$SCRATCH/check" || status=$?
    says "$SCRATCH/check" '^(met|missed) +tap/kernel-to-stack: ratio to kernel-to-kernel [0-9.]+ ratio, target at least' &&
        expect "lines" 2 "$(grep -c '^\(met\|missed\) ' "$SCRATCH/check")" &&
        expect "exit status" "$(grep -c '^missed' "$SCRATCH/check" | sed 's/2/1/')" "$status"
}
refuses() {
    local pattern=$1
    shift
    exits 2 "$BECKON" bench "$@" 2> "$SCRATCH/err" > "$SCRATCH/out" && says "$SCRATCH/err" "$pattern"
}
# Without root, the workload that needs it is skipped aloud; asked for by name, that is an error.
without_root() {
    local as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    cp "$BECKON" "$SCRATCH/beckon" && chmod 755 "$SCRATCH/beckon"
    exits 2 "${as[@]}" "$SCRATCH/beckon" bench --quick tap 2> "$SCRATCH/err" && says "$SCRATCH/err" 'tap is skipped: it needs root' &&
        exits 2 "${as[@]}" "$SCRATCH/beckon" bench --quick latency > "$SCRATCH/out" 2> "$SCRATCH/err" &&
        says "$SCRATCH/err" 'latency/tap is skipped: it needs root' && says "$SCRATCH/out" '^  memory +round trip, p50 +[0-9]+' &&
        exits 2 "${as[@]}" "$SCRATCH/beckon" bench --quick --check tap 2> "$SCRATCH/err" > "$SCRATCH/out" &&
        expect "lines" 2 "$(grep -c '^skipped' "$SCRATCH/out")"
}
guards() { exits 0 "$BECKON" bench --guard "$1" 200; }
# Instructions of a guard run, twice.
count() {
    valgrind --tool=none --log-file=/dev/null true || return 1
    valgrind --tool=callgrind --callgrind-out-file="$SCRATCH/callgrind" "$BECKON" bench --guard "$1" 100 > "$SCRATCH/out" 2>&1 &&
        sed -n 's/^totals: //p' "$SCRATCH/callgrind"
}
repeats() {
    local first second
    first=$(count "$1") && second=$(count "$1") && [ -n "$first" ] && expect "instructions" "$first" "$second"
}

check "in memory" in_memory
check "a document" documents
check "one case, three rounds" one_case
check "no such workload" refuses "no workload or case 'bluk'" bluk
check "no such case" refuses "no workload or case 'bulk/63K'" bulk/63K
check "nothing to guard" refuses "'limits' is no guarded workload" --guard limits 100
check "guard without a number" refuses "wants a number" --guard bulk
for workload in bulk connections latency flood tap; do
    check "guard of $workload" guards $workload
    # A sanitized program does not run under valgrind.
    if command -v valgrind > /dev/null && ! nm "$BECKON" 2> /dev/null | grep -q __asan_init; then
        check "guard of $workload repeats" repeats $workload
    fi
done
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then check "without root" without_root; fi
if (need_tap > /dev/null); then
    check "against the kernel" against_the_kernel tap kernel-to-kernel
    check "latency" against_the_kernel latency veth-spinning
    check "HTTP" against_the_kernel http short-kernel
    check "the kernel's own" against_the_kernel kernel
    check "AF_XDP" against_the_kernel xdp answered-tap
    check "beside the kernel" beside_the_kernel
    check "--check" check_judges
else
    echo "the workloads beside the kernel were not run: they need root and a TAP device"
fi
finish
