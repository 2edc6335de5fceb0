#!/usr/bin/env bash
# Data both ways through an impaired wire: loss, duplication, reordering, delay, single-bit flips on frames that are
# already cut and checksummed, each alone and all at once, both families. BECKON_IMPAIRED_BYTES is how much goes each
# way; the default is 3 MB. BECKON_IMPAIRED_LONG_BYTES is how much goes each way through loss, duplication and reordering in the
# long transfer; the default is 20 MB, and 100000000 is what a release is tried with. BECKON_IMPAIRED_SEED chooses another fate for each frame.
. "$(dirname "$0")/lib.sh"
BYTES=${BECKON_IMPAIRED_BYTES:-3000000}
LONG_BYTES=${BECKON_IMPAIRED_LONG_BYTES:-20000000}
SEED=${BECKON_IMPAIRED_SEED:-1}
# A transfer may take long, and what hangs is to be found.
PATIENCE=$((300 + LONG_BYTES / 100000))

data "$SCRATCH/to-kernel" "$BYTES"
data "$SCRATCH/to-beckon" "$BYTES"
data "$SCRATCH/long-to-kernel" "$LONG_BYTES"
data "$SCRATCH/long-to-beckon" "$LONG_BYTES"

# A counter of the impairment that must have moved, or the case shows nothing.
# `errors` are segments that Beckon's checksum refused: TCP carries nearly all the bits, so most flips end there.
hit() {
    if [ "$2" = errors ]; then
        at_least "segments in error" 1 "$(field "$1" mib.in_errs)"
        return
    fi
    at_least "frames $2" 1 $(($(field "$1" "impair.in.$2") + $(field "$1" "impair.out.$2")))
}

# transfer FILES TAG ADDRESS COUNTERS OPTIONS...: the kernel connects to Beckon behind the impaired wire.
transfer() {
    local files=$SCRATCH/$1 tag=$2 address=$3 counters=$4
    shift 4
    namespace "$tag"
    # A short smallest RTO, as the kernel's, or repair of the tail by timeout alone would take most of the time.
    start beckon.json beckon --send "${files}to-kernel" --receive "$WORK/at-beckon" --connections 1 --timeout-s $PATIENCE \
        --linger-ms 1000 --set rto_min_ms=200 --seed "$SEED" "$@" listen 7000
    (kernel --send "${files}to-beckon" --receive "$WORK/at-kernel" --timeout-s $PATIENCE connect "$address" 7000)
    wait "$PID"
    same "${files}to-kernel" "$WORK/at-kernel"
    same "${files}to-beckon" "$WORK/at-beckon"
    for counter in $counters; do hit "$WORK/beckon.json" "$counter"; done
    echo "$(field "$WORK/beckon.json" milliseconds) ms, $(field "$WORK/beckon.json" mib.retrans_segs) of" \
        "$(field "$WORK/beckon.json" mib.out_segs) segments sent again, $(field "$WORK/beckon.json" reason.NOTE_RTO) timeouts"
    expect "chunks left" 0 "$(field "$WORK/beckon.json" pool.chunks.in_use)"
}

LOSS=(--loss 50000)
DUPLICATE=(--duplicate 10000)
REORDER=(--reorder 100000 --reorder-us 3000)
DELAY=(--delay-us 5000)
CORRUPT=(--corrupt 1000)
CORRUPT_MORE=(--corrupt 10000)

for family in 4 6; do
    address=$([ $family = 4 ] && echo $B4 || echo $B6)
    check_later "IPv$family, 5 % loss" transfer "" "loss$family" $address lost "${LOSS[@]}"
    check_later "IPv$family, 1 % duplication" transfer "" "dup$family" $address duplicated "${DUPLICATE[@]}"
    check_later "IPv$family, 10 % reordering" transfer "" "reo$family" $address reordered "${REORDER[@]}"
    check_later "IPv$family, 5 ms delay" transfer "" "del$family" $address passed "${DELAY[@]}"
    check_later "IPv$family, 0.1 % bit flips" transfer "" "bit$family" $address corrupted "${CORRUPT[@]}"
    check_later "IPv$family, 1 % bit flips" transfer "" "bits$family" $address "corrupted errors" "${CORRUPT_MORE[@]}"
    check_later "IPv$family, all at once" transfer "" "all$family" $address "lost duplicated reordered corrupted errors" \
        "${LOSS[@]}" "${DUPLICATE[@]}" "${REORDER[@]}" "${DELAY[@]}" "${CORRUPT_MORE[@]}"
    check_later "IPv$family, $LONG_BYTES bytes each way, 5 % loss, 1 % duplication, 10 % reordering" transfer long- "long$family" \
        $address "lost duplicated reordered" "${LOSS[@]}" "${DUPLICATE[@]}" "${REORDER[@]}"
done
check_wait
finish
