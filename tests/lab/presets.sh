#!/bin/bash
# Each preset of `beckon sim` runs clean, also from another seed.
set -eu
status=0
for name in $("$BECKON" sim --list | cut -d' ' -f1); do
    for seed in 0 1; do
        if ! output=$("$BECKON" sim --preset "$name" --seed "$seed" --no-shrink); then
            printf '%s, seed %s:\n%s\n' "$name" "$seed" "$output"
            status=1
        fi
    done
done
exit $status
