#!/bin/bash
# How large a package may be, and what it may add to everybody's lists; sizes
# beside the hashes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

scp_to() { "$BUILD/bin/scp-to-orchestrator" -c conf "$@"; }
build_p() { dist build -r v0.3.4 --partial --from p "$@"; }

test_the_largest_package() {
    local n
    make_deb p veilid-cli 0.3.4 amd64
    n=$(stat -c %s p/*.deb)
    expect 65 "it has $n bytes, but \[release\] max-size is $((n - 1))" \
        build_p -o "release.max-size=$((n - 1))"
    expect 65 'but .release. max-size is 512' scp_to -o release.max-size=512 -r v0.3.4 p
    expect 78 'must be a size like' build_p -o release.max-size=4Z
    nothing_is_stored || die "something is stored"
    must build_p -o "release.max-size=$n"
}

# Refused before a byte is copied; whole files of zeros are no holes, and a file
# that was not yet written out has blocks later.
test_sparse_files() {
    make_deb p veilid-cli 0.3.4 amd64
    truncate -s 300M p/*.deb
    expect 65 'most of its 314572800 bytes are a hole' build_p
    expect 65 'most of its 314572800 bytes are a hole' scp_to -r v0.3.4 p
    nothing_is_stored || die "something is stored"
    rm -r p
    # zeros that are there
    make_deb p veilid-cli 0.3.4 amd64
    head -c 8M /dev/zero >>p/veilid-cli-0.3.4_amd64.deb
    expect 65 '' build_p
    ! grep -q hole err || die "$(cat err)"
    # a small hole in a large file
    rm -r p
    head -c 20M /dev/urandom >large
    mkdir -p root/DEBIAN root/usr/share/x
    cp large root/usr/share/x/
    printf 'Package: veilid-cli\nVersion: 0.3.4\nArchitecture: amd64\nMaintainer: L <l@example.org>\nDescription: x\n' \
        >root/DEBIAN/control
    head -c 4M /dev/zero >root/usr/share/x/zeros
    mkdir p
    dpkg-deb --root-owner-group -Znone -b root p/veilid-cli_0.3.4_amd64.deb >/dev/null
    fallocate -d p/*.deb
    must build_p
}

test_what_users_would_download() {
    local line
    make_deb p veilid-cli 0.3.4 amd64 xz "Enhances: $(seq -s ', ' -f 'lab-%06g' 30000)"
    expect 65 'veilid-cli 0.3.4: its control file has [0-9]* bytes.* at most 262144' build_p
    rm -r p
    make_deb p veilid-cli 0.3.4 amd64 xz "Enhances: $(seq -s ', ' -f 'lab-%06g' 10000)"
    must build_p
    use_builds amd64-rpm
    rm -r state
    # 300 KB of what XML writes as five bytes
    line=$(head -c 1000 /dev/zero | tr '\0' '&')
    { sed '/^%description/,$d' "$RPM_SPECS/plain.spec"; echo '%description'
        for _ in $(seq 300); do echo "$line"; done
        sed '1,/^%description/d' "$RPM_SPECS/plain.spec"; } >heavy.spec
    build_rpm r x86_64 heavy.spec --define 'name veilid-cli' --define 'version 0.3.4' \
        --define 'release 1'
    expect 65 'veilid-cli 0.3.4-1: what primary.xml would say of it has [0-9]* bytes' \
        dist build -r v0.3.4 --from r
}

test_sizes_beside_the_hashes() {
    local n=0 size path sizes
    make_release p 0.3.4
    publish v0.3.4 p
    read -ra sizes < <(sed -n 's/^# sizes//p' srv/SHA256SUMS | tr '\n' ' ')
    while read -r _ path; do
        size=$(stat -L -c %s "srv/$path")
        [ "${sizes[n]}" = "$size" ] || die "$path has $size bytes, not ${sizes[n]}"
        n=$((n + 1))
    done < <(grep -v '^#' srv/SHA256SUMS)
    [ "${#sizes[@]}" = "$n" ] || die "${#sizes[@]} sizes of $n files"
    (cd srv && must sha256sum -c --strict --quiet SHA256SUMS)
    must dist verify
    must deploy verify
    # a tree of before has none
    mkdir tree
    cp -rL srv/apt srv/gpg tree
    sign_tree tree 9
    ! grep -q sizes tree/SHA256SUMS || die "the test is of no use"
    must dist verify tree
}

run_tests
