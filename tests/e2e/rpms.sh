# Packages to publish: made with rpmbuild, in a scratch directory that goes
# again. Nothing is read from or written to the caller's home, and the same
# call makes the same header, byte for byte. Sourced.
#
#   make_rpm DIR NAME VERSION [RELEASE [ARCH]]    one that can be installed
#   make_odd_rpms DIR                             one for each rule of the
#                                                 metadata; see tests/e2e/rpms
# shellcheck shell=bash

RPM_SPECS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/rpms

# build_rpm DIR ARCH SPEC [OPTION...]: for options of rpmbuild, --define above
# all. Quiet, unless it fails.
build_rpm() {
    local dir=$1 arch=$2 spec=$3 top status=0
    shift 3
    mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || return
    top=$(mktemp -d /tmp/vc-rpmbuild.XXXXXX) || return
    mkdir "$top/home" "$top/tmp"
    # Nothing here is compiled, so the brp-* scripts, which want binutils, and
    # check-files have nothing to do.
    HOME=$top/home SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8 TZ=UTC \
        rpmbuild -bb --target "$arch-linux" --dbpath "$top/db" \
        --define "_topdir $top" --define "_tmppath $top/tmp" \
        --define "_rpmdir $dir" \
        --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
        --define '_buildhost build.example.org' \
        --define 'use_source_date_epoch_as_buildtime 1' \
        --define 'clamp_mtime_to_source_date_epoch 1' \
        --define '_binary_payload w1.gzdio' \
        --define '_invalid_encoding_terminates_build 0' \
        --define '_changelog_trimage 0' --define '_changelog_trimtime 0' \
        --define '__os_install_post %{nil}' --define '__check_files %{nil}' \
        "$@" "$spec" >"$top/log" 2>&1 || status=$?
    [ $status -eq 0 ] || cat "$top/log" >&2
    rm -rf "$top"
    return $status
}

make_rpm() {
    build_rpm "$1" "${5:-x86_64}" "$RPM_SPECS/plain.spec" \
        --define "name $2" --define "version $3" --define "release ${4:-1}"
}

# Each file of tests/e2e/rpms, and plain ones of every architecture.
make_odd_rpms() {
    local arch spec
    for arch in x86_64 aarch64 noarch; do
        make_rpm "$1" plain 1.0 1 "$arch" || return
    done
    make_rpm "$1" plain '1.0~rc1' 1 && make_rpm "$1" plain '1.0^git2' 0.1 ||
        return
    for spec in "$RPM_SPECS"/odd-*.spec; do
        build_rpm "$1" x86_64 "$spec" || return
    done
}
