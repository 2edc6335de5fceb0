#!/usr/bin/env bash
# Packetdrill's own scripts: all of them can be read, and those that fail are the ones that expected-failures.txt lists. They are no part of
# this tree: BECKON_PACKETDRILL names the folder that holds linux/ and google/tcp/, or it stands beside the tree as shared/packetdrill.
#
# To write the list anew: `WRITE=1 tests/script/packetdrill.sh`, with BECKON naming the program.
set -u

source_dir=${BECKON_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
beckon=${BECKON:-$source_dir/build/beckon}
root=${BECKON_PACKETDRILL:-$source_dir/../shared/packetdrill}
list=$source_dir/tests/script/expected-failures.txt

folders=()
for folder in linux google/tcp; do
    [ -d "$root/$folder" ] && folders+=("$root/$folder")
done
if [ ${#folders[@]} -ne 2 ]; then
    echo "skipped: packetdrill's scripts are not there; BECKON_PACKETDRILL may name their folder"
    exit 77
fi

if [ "${WRITE:-0}" = 1 ]; then
    exec "$beckon" script --root "$root" --write-expected "$list" "${folders[@]}"
fi

"$beckon" script --check --root "$root" "${folders[@]}" || exit 1
against=()
[ -f "$root/passes-on-linux.txt" ] && against=(--against "$root/passes-on-linux.txt")
"$beckon" script --root "$root" --expected "$list" "${against[@]}" "${folders[@]}" | sed 's/^\( *[0-9.]* %.*\)/note: \1/'
exit "${PIPESTATUS[0]}"
