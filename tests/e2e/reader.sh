#!/bin/bash
# Packages are opened by a process that can do nothing else (lib/sys/reader.h):
# not even where libarchive is in the hands of who made the package. A library
# that is loaded first stands in for that: exploit.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

PARALLEL=2
DEB=veilid-cli-0.3.4_amd64.deb

setup() {
    must "${CC:-cc}" -O1 -D_GNU_SOURCE -shared -fPIC \
        -o exploit.so "$ROOT/tests/e2e/exploit.c" -ldl
    make_deb p veilid-cli 0.3.4 amd64
}

# attacked ATTACK COMMAND...
attacked() {
    local attack=$1
    shift
    ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$T/exploit.so \
        ATTACK=$attack KEY=$T/key MADE=$T/made IN_TOOL=$T/in-tool \
        CI_JOB_TOKEN=glpat-needle "$@"
}

dist_attacked() {
    local attack=$1
    shift
    attacked "$attack" "$BUILD/bin/distribute-packages" -c conf "$@"
}

# refused HOW ATTACK...: each, in a build, with what the tool says of it.
refused() {
    local how=$1 attack status=${STATUS:-65}
    shift
    for attack in "$@"; do
        expect "$status" "$DEB.*$how" dist_attacked "$attack" \
            build -r v0.3.4 --from p --partial
        nothing_is_stored || die "$attack: something was stored"
        [ ! -e made ] || die "$attack: has made a file"
        [ ! -e in-tool ] || die "the tool itself opens the package"
        wait_for nobody_reads || die "$attack: left: $(of_this_test)"
    done
}

# Readers and where they come from, of this test.
readers() { ps -eo pid=,stat=,comm= | awk '$2 !~ /Z/ && $3 == "reader"'; }
of_this_test() {
    local pid
    for pid in $(readers | awk '{print $1}'); do
        [ "$(readlink "/proc/$pid/cwd")" = "$T" ] && echo "$pid"
    done
}
somebody_reads() { [ -n "$(of_this_test)" ]; }
nobody_reads() { [ -z "$(of_this_test)" ]; }

test_an_exploit_can_do_nothing() {
    setup
    # the attack is at work there, and stands where it should
    refused 'ended with status 98' 'nothing'
    refused "the reader of '$DEB' was killed by SIGSYS" directory remove \
        rename socket 'unix socket' connect signal 'look for' 'abort another' \
        trace peek fork exec send receive 'write elsewhere' 'read elsewhere' \
        filter
    [ "${BUILD##*/}" != build ] || refused 'killed by SIGSYS' code limits
    refused 'ended with status 98' key file stat token
    [ -e key ] || die "the key is gone"
}

test_a_reader_that_dies_is_the_package_s_fault() {
    setup
    refused "the reader of '$DEB' was killed by SIGABRT" abort
    [ "${BUILD##*/}" != build ] || {
        refused "the reader of '$DEB' was killed by SIGSEGV" crash
        refused 'ended with status 98' memory
    }
    # what it says is not believed
    refused "the reader of '$DEB' says what makes no sense" noise
    refused "the reader of '$DEB' says more than 1048576 bytes" much
    refused 'control file lacks the field Package' 'all is well'
    refused 'lie' 'other kind'
    # the same library, without an attack
    must dist_attacked '' build -r v0.3.4 --from p --partial
    [ ! -e in-tool ] || die "the tool itself opens the package"
}

test_rpms_and_build_machines() {
    setup
    use_builds amd64-rpm
    make_rpm r veilid-cli 0.3.4
    expect 65 "veilid-cli.*the reader of .* was killed by SIGSYS" \
        dist_attacked fork build -r v0.3.4 --from r --partial
    nothing_is_stored || die "something was stored"
    must dist_attacked '' build -r v0.3.4 --from r --partial
    local file
    for file in p/* r/*; do
        expect 65 "the reader of '$file' was killed by SIGSYS" attacked fork \
            "$BUILD/bin/scp-to-orchestrator" -c conf -r v0.3.4 \
            -o orchestrator.host=orchestrator.invalid "$file"
        expect 69 'orchestrator.invalid' attacked '' \
            "$BUILD/bin/scp-to-orchestrator" -c conf -r v0.3.4 \
            -o orchestrator.host=orchestrator.invalid "$file"
    done
    [ ! -e in-tool ] || die "the tool itself opens the package"
}

# All else of the run is judged and named, too.
test_others_are_read_as_well() {
    setup
    make_deb p veilid-server 0.3.6 amd64
    expect 65 '2 of 2 failed' dist_attacked fork build -r v0.3.4 --from p --partial
    [ "$(grep -c 'was killed by SIGSYS' err)" = 2 ] || die "$(cat err)"
}

test_a_tool_that_ends_ends_its_readers() {
    local pid signal
    setup
    for signal in TERM KILL; do
        (
            export ATTACK=hang LD_PRELOAD=$T/exploit.so \
                ASAN_OPTIONS=verify_asan_link_order=0
            exec "$BUILD/bin/distribute-packages" -c conf \
                build -r v0.3.4 --from p --partial
        ) >out 2>err &
        pid=$!
        PIDS+=("$pid")
        wait_for somebody_reads || die "nobody reads"
        kill -"$signal" "$pid"
        { wait "$pid"; } 2>/dev/null
        wait_for nobody_reads || die "$signal: left: $(of_this_test)"
    done
    nothing_is_stored || die "something was stored"
}

# With what there is: as an ordinary user; where the kernel, or a container's
# own filter, has neither seccomp nor Landlock for us, which -v says.
test_less_of_a_sandbox_is_told() {
    setup
    must dist_attacked 'no sandbox' -v build -r v0.3.4 --from p --partial
    grep -q 'no seccomp: readers' err || die "$(cat err)"
    grep -q 'no Landlock: readers' err || die "$(cat err)"
    must dist verify
}

test_an_ordinary_user() {
    setup
    [ "$(id -u)" = 0 ] || { must dist build -r v0.3.4 --from p --partial; return; }
    mkdir bin
    cp "$BUILD/bin/distribute-packages" bin
    chown -R 1000:1000 "$T"
    local user=(setpriv --reuid=1000 --regid=1000 --clear-groups)
    must "${user[@]}" bin/distribute-packages -c conf build -r v0.3.4 --from p --partial
    rm -rf state
    expect 65 'was killed by SIGSYS' attacked fork "${user[@]}" \
        bin/distribute-packages -c conf build -r v0.3.4 --from p --partial
}

# root of its own names, as in a container without privileges: nobody is not
# there to become.
test_a_container_without_privileges() {
    setup
    unshare -Ur true 2>/dev/null || { echo '# skip no user namespaces'; return; }
    must unshare -Ur "$BUILD/bin/distribute-packages" -c conf build -r v0.3.4 \
        --from p --partial
}

# ------------------------------------------------------- payloads, in build

# put_together DIR FILE: the members of parts/ as a package.
put_together() {
    mkdir -p "$1"
    rm -f "$1/$2"
    (cd parts && ar qc "../$1/$2" debian-binary control.tar* data.tar*)
}

spoilt_payloads() {
    local arch name
    for name in cut climbs sum; do
        rm -rf parts good
        make_deb good "lab-$name" 0.3.4 amd64
        mkdir parts
        (cd parts && ar x ../good/*.deb)
        xz -d parts/data.tar.xz
        case $name in
        cut)
            truncate -s 2048 parts/data.tar
            xz parts/data.tar ;;
        climbs)
            echo x >x
            tar -P --owner=0 --group=0 --transform='s,^x$,../../etc/x,' \
                -cf parts/data.tar x
            xz parts/data.tar ;;
        sum)
            gzip parts/data.tar
            printf '\0\0\0\0' | dd of=parts/data.tar.gz bs=1 conv=notrunc status=none \
                seek=$(($(stat -c %s parts/data.tar.gz) - 8)) ;;
        esac
        put_together bad "lab-$name-0.3.4_amd64.deb"
    done
    make_deb bad veilid-server 0.3.6 amd64
    make_deb bad veilid-cli 0.3.4 amd64
}

all_are_named() {
    grep -q 'lab-cut.*data.tar.xz: the archive ends early' err || die "cut"
    grep -q "lab-climbs.*data.tar.xz: '../../etc/x' is not a path" err || die "climbs"
    grep -q 'lab-sum.*data.tar.gz: damaged gzip data' err || die "sum"
    grep -q 'veilid-server.*version is 0.3.6' err || die "version"
    # of what was good there may be an object, until the next run
    [ -z "$(ls state/generations)" ] || die "published"
}

test_payloads_are_opened() {
    spoilt_payloads
    expect 65 '4 of 5 failed' dist build -r v0.3.4 --from bad --partial
    all_are_named
    expect 65 '4 of 5 failed' dist -n build -r v0.3.4 --from bad --partial
    make_drop home/incoming v0.3.4 amd64-deb x bad/*.deb
    expect 65 '4 of 5 failed' dist build -r v0.3.4 --partial
    all_are_named
}

# with_payload: in place of its own, and with its digests.
with_payload() {
    must python3 "$ROOT/tests/e2e/rpm_patch.py" payload "$1" "$2"
}

test_payloads_of_rpms_are_opened() {
    local name
    use_builds amd64-rpm
    for name in cut climbs text; do
        make_rpm r "lab-$name" 0.3.4
    done
    make_rpm r veilid-cli 0.3.4
    mkdir -p d/e
    echo x >d/x
    (cd d/e && echo ../x | cpio -o -H newc --quiet) >climbs
    (cd d && echo x | cpio -o -H newc --quiet) | head -c 100 >"cut"
    echo 'no archive at all' >text
    gzip -n climbs text 'cut'
    for name in cut climbs text; do
        with_payload "r/lab-$name-0.3.4-1.x86_64.rpm" "$name.gz"
    done
    expect 65 '3 of 4 failed' dist build -r v0.3.4 --from r --partial
    grep -q "lab-climbs.*payload: '../x' is not in the header" err || die "climbs"
    grep -q 'lab-cut.*payload: ' err || die "cut"
    grep -q 'lab-text.*payload: ' err || die "text"
    make_drop home/incoming v0.3.4 amd64-rpm x r/*.rpm
    expect 65 '3 of 4 failed' dist build -r v0.3.4
    [ -z "$(ls state/generations)" ] || die "published"
}

run_tests
