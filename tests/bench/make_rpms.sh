#!/bin/bash
# Makes many small valid .rpms in one run of rpmbuild: all of them are
# sub-packages of one spec.
#
#   make_rpms.sh DIR FIRST COUNT
#
# Package i is bench-rpm-<i>-1.0-1.x86_64.rpm: eleven files, packed by gzip,
# dependencies, three changes. It is not signed. DIR must be there.
set -euo pipefail
export LC_ALL=C.UTF-8

dir=$(cd "$1" && pwd)
first=$2
count=$3
samples=16	# different sets of files
top=$(mktemp -d "${TMPDIR:-/tmp}/vb-rpms.XXXXXX")
trap 'rm -rf "$top"' EXIT
mkdir "$top/home" "$top/tmp"

# Of each set: a file of 14 KiB, links to it, two short files. rpmbuild looks
# into every regular file to find out what it is, which takes its time.
make_files() {
    local i j dir
    for ((i = 0; i < samples; i++)); do
        dir=$1/usr/share/bench/$i
        mkdir -p "$dir/lists"
        awk -v seed="$((i + 99))" 'BEGIN {
            for (x = seed; n < 1600; n++) {
                x = (x * 69069 + 1) % 4294967296
                printf "%x ", x
            } }' >"$dir/lists/all"
        for j in {1..8}; do
            ln -s all "$dir/lists/list-$j"
        done
        echo 'Read the lists.' >"$dir/README"
        echo 'MPL-2.0' >"$dir/LICENSE"
    done
}

write_spec() {
    cat <<SPEC
Name: bench-rpm
Version: 1.0
Release: 1
Summary: Packages for a benchmark
License: MPL-2.0
URL: https://packages.example.org/bench
AutoReqProv: no
%description
Not built itself.
%install
cp -a %{_topdir}/files/. %{buildroot}
SPEC
    awk -v first="$first" -v count="$count" -v samples="$samples" 'BEGIN {
        for (i = first; i < first + count; i++) {
            print "%package " i
            print "Summary: Number " i " of the packages for a benchmark"
            print "Provides: bench-service = 1.0, bench(number) = " i
            print "Requires: glibc >= 2.34, openssl-libs >= 3.0, zlib, /bin/sh"
            print "Recommends: ca-certificates"
            print "Suggests: bench-rpm-" i "-doc"
            print "Conflicts: bench-rpm-" i "-static < 1.0"
            print "%description " i
            print "Nobody installs it: it is one of many that a benchmark"
            print "makes, and it goes with the others. Number " i "."
            print "%files " i
            print "%dir /usr/share/bench/" i % samples
            print "%doc /usr/share/bench/" i % samples "/README"
            print "%license /usr/share/bench/" i % samples "/LICENSE"
            print "/usr/share/bench/" i % samples "/lists"
        }
        print "%changelog"
        for (i = 3; i > 0; i--) {
            print "* Tue Nov 14 2023 A. Packager <packager@example.org> - 1." i
            print "- change number " i ", with a line that says what it was"
        } }'
}

make_files "$top/files"
write_spec >"$top/bench.spec"
# Nothing here is compiled: the brp-* scripts have nothing to do.
HOME=$top/home SOURCE_DATE_EPOCH=1700000000 TZ=UTC OMP_WAIT_POLICY=passive \
    rpmbuild -bb --quiet --target x86_64-linux --dbpath "$top/db" \
    --buildroot "$top/root" \
    --define "_topdir $top" --define "_tmppath $top/tmp" \
    --define "_rpmdir $dir" \
    --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
    --define '_buildhost build.example.org' \
    --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' \
    --define '_binary_payload w6.gzdio' \
    --define '__os_install_post %{nil}' \
    --define '__check_files %{nil}' \
    "$top/bench.spec" >"$top/log" 2>&1 || {
    tail -n 20 "$top/log" >&2
    exit 1
}
