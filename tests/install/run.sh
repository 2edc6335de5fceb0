#!/bin/sh
# Installs the built library under a directory of its own (by DESTDIR, and by another prefix), and builds and runs a program that knows
# nothing of the source tree: by pkg-config, by the CMake package, shared and static. tests/install/run.sh BUILD CC
set -eu
build=$1
cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

fail() {
    echo "failed: $*"
    exit 1
}

DESTDIR=$work/stage cmake --install "$build" --prefix /opt/beckon >"$work/log" || { cat "$work/log"; fail "make install"; }
# A staged tree is moved to its place: so must this one be, and still be found.
mv "$work/stage/opt/beckon" "$work/moved"
root=$work/moved
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name beckon.pc)")
export PKG_CONFIG_PATH
pkg-config --exists beckon || fail "pkg-config does not find beckon.pc"
libdir=$(pkg-config --variable=libdir beckon)
version=$(pkg-config --modversion beckon)
strict="-std=c11 -Wall -Wextra -Wpedantic -Werror"

cp "$here/program.c" "$here/CMakeLists.txt" "$work"
cd "$work"
"$cc" $strict program.c $(pkg-config --cflags --libs beckon) -o shared || fail "compile against the shared library"
"$cc" $strict program.c $(pkg-config --cflags beckon) "$libdir/libbeckon.a" -o static || fail "compile against the static library"

# An embedder's own names must not meet ours.
strangers=$(nm -g --defined-only "$libdir/libbeckon.a" | awk 'NF == 3 && $3 !~ /^bk_/ {print $3}')
[ -z "$strangers" ] || fail "the static library shows inner names:" $strangers

readelf -d shared | grep -q 'NEEDED.*\[libbeckon\.so\.0\]' || fail "the shared program does not ask for libbeckon.so.0"
if readelf -d static | grep -q 'NEEDED.*libbeckon'; then
    fail "the static program asks for the shared library"
fi
LD_LIBRARY_PATH=$libdir ./shared >said.shared || fail "the shared program says: $(cat said.shared)"
./static >said.static || fail "the static program says: $(cat said.static)"
cmp said.shared said.static || fail "the two libraries behave differently"
case $(cat said.shared) in
"$version: "*) ;;
*) fail "pkg-config says version $version, the library: $(cat said.shared)" ;;
esac

cmake -S . -B package -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$root" >"$work/log" 2>&1 &&
    cmake --build package >>"$work/log" 2>&1 || { cat "$work/log"; fail "build by the CMake package"; }
./package/with_static | cmp - said.static || fail "the program built by the CMake package (static)"
./package/with_shared | cmp - said.static || fail "the program built by the CMake package (shared)"

if [ -e "$build/beckon" ]; then
    "$root/bin/beckon" --version >/dev/null || fail "the installed program does not run"
fi
if command -v c++ >/dev/null 2>&1; then
    for header in "$root"/include/beckon/*.h; do
        echo "#include <beckon/$(basename "$header")>"
    done >headers.cc
    c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags beckon) headers.cc ||
        fail "the headers do not compile as C++"
fi
echo "installed, moved, found by pkg-config and CMake, linked both ways: $(cat said.static)"
