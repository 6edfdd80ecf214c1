#!/bin/bash
# [rpm] builder = container. Rocky Linux cannot be had on a machine without a
# network, so the image here is made of this machine's own rpmsign, createrepo_c
# and gpg; what runs in it, and all that runs it, is what users have.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/rpms.sh
. "$(dirname "$0")/rpms.sh"

IMAGE=veilid-cicd-rpm-builder
STORE=$(mktemp -d /tmp/vc-podman.XXXXXX)
trap 'rm -rf "$STORE"' EXIT

# podman, with its store in a directory of ours. A container may not have more
# open files than we; and podman 4 cannot make sense of two versions of cgroups
# at once, so it does not see the second.
cat >"$STORE/podman" <<EOF
#!/bin/sh
export CONTAINERS_CONF=$STORE/conf
exec unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null
    exec podman --root $STORE/store --runroot $STORE/run "\$@"' podman "\$@"
EOF
chmod +x "$STORE/podman"
cat >"$STORE/conf" <<EOF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)","nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
EOF

# add_file ROOT FILE: with what the dynamic linker will look for
add_file() {
    local lib
    mkdir -p "$1${2%/*}"
    cp -aL --no-preserve=ownership "$2" "$1$2"
    ldd "$2" 2>/dev/null | awk '/=> \// {print $3} $1 ~ /^\// {print $1}' |
        while IFS= read -r lib; do
            lib=/usr${lib#/usr}
            [ -e "$1$lib" ] || {
                mkdir -p "$1${lib%/*}"
                cp -aL --no-preserve=ownership "$lib" "$1$lib"
            }
        done
}

# make_image SCRIPT TAG
make_image() {
    local root=$STORE/root dir command file
    if [ ! -e "$root" ]; then
        mkdir -p "$root"/{tmp,rpms,keys,etc,proc,dev,sys,run,var/tmp} \
            "$root"/usr/{bin,sbin,lib,lib64,local/bin}
        for dir in bin sbin lib lib64; do
            [ ! -L /$dir ] || cp -a /$dir "$root/$dir"
        done
        for command in bash timeout gpg gpg-agent rpmsign rpm createrepo_c \
            awk rm mkdir touch chmod cp cat sleep; do
            file=$(readlink -f "$(command -v $command)")
            add_file "$root" "$file"
            [ "$file" = /usr/bin/$command ] ||
                ln -sf "$file" "$root/usr/bin/$command"
        done
        cp -a /usr/lib/rpm "$root/usr/lib/"
    fi
    cp "$1" "$root/usr/local/bin/sign-rpms"
    tar -C "$root" -c . | "$STORE/podman" import -q \
        --change 'ENTRYPOINT ["/usr/local/bin/sign-rpms"]' - \
        "localhost/$IMAGE:$2" >"$STORE/log" 2>&1
}

# Some machines forbid what a container needs.
runs() {
    "$STORE/podman" run --rm --network=none --entrypoint /usr/bin/cat \
        $IMAGE:latest /dev/null >>"$STORE/log" 2>&1
}
SCRIPT=$ROOT/distribute-packages/container/sign-rpms.sh
NO_CONTAINERS=
make_image "$SCRIPT" latest && runs || NO_CONTAINERS=$(tail -n 1 "$STORE/log")

use_container() {
    if [ -n "$NO_CONTAINERS" ]; then
        echo "# skip containers do not run here: $NO_CONTAINERS"
        exit 0
    fi
    cat >>conf <<EOF
[rpm]
builder = container
container-command = $STORE/podman
EOF
    sed -i 's/^builds = .*/builds = amd64-rpm/' conf
}

make_rpms() {
    make_rpm "$1" veilid-server "$2" && make_rpm "$1" veilid-cli "$2"
}

containers_left() {
    "$STORE/podman" ps -aq 2>/dev/null
}

test_signs_what_rpmkeys_accepts() {
    use_container
    make_rpms in 0.3.4
    must dist build -r v0.3.4 --from in
    must dist verify
    must export_and_deploy
    mkdir db
    must rpmkeys --dbpath "$T/db" --import trusted.asc
    must rpmkeys --dbpath "$T/db" -D '_pkgverify_level all' -K \
        srv/rpm/stable/x86_64/*.rpm
    [ "$(grep -c 'signatures OK' out)" = 2 ] || die "rpmkeys: $(cat out)"
    [ ! -e state/container ] || die "the work directory stayed"
    [ -z "$(containers_left)" ] || die "a container stayed"
    grep -rqa 'PRIVATE KEY' state srv && die "the key was written"
    # the same once more
    expect 0 'nothing to do' dist build -r v0.3.4 --from in
}

# Both builders sign, so hashes differ; every other word must be the same. But
# rpmsign of rpm 4.20 leaves the reserved space alone and lets the file grow, so
# of sizes and places only the length of the header is compared; and
# createrepo_c 1.2 sees a "pre" in two kinds of scripts more than 0.17 and we.
words() {
    python3 -c 'import sys, re, xml.etree.ElementTree as E
text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", sys.stdin.read())
text = re.sub(r"start=\"(\d+)\" end=\"(\d+)\"",
    lambda m: "length=\"%d\"" % (int(m[2]) - int(m[1])), text)
text = re.sub(r"(\"in-(?:pre|post)trans\") pre=\"1\"", r"\1", text)
text = re.sub(r"<size package=\"\d+\"", "<size", text)
print(E.canonicalize(text, strip_text=True).replace("><", ">\n<"))'
}

test_says_what_the_native_builder_says() {
    use_container
    local list any
    make_odd_rpms in
    rm -f in/*odd-control* in/*aarch64*
    export SOURCE_DATE_EPOCH=1767225600
    any=(-o 'release.packages=*' build --suite stable -r nightly-20260101
        --partial --from in)
    must dist "${any[@]}"
    must dist -o rpm.builder=native -o "repository.state=$T/native" "${any[@]}"
    must export_and_deploy
    mkdir srv2
    dist -o "repository.state=$T/native" export |
        deploy -o "deploy.root=$T/srv2" - || die "not deployed"
    for list in primary filelists other; do
        zcat srv/rpm/stable/x86_64/repodata/*-$list.xml.gz | words >"$list.theirs"
        zcat srv2/rpm/stable/x86_64/repodata/*-$list.xml.gz | words >"$list.ours"
        [ "$(wc -l <"$list.theirs")" -gt 50 ] || die "$list is nearly empty"
        diff "$list.ours" "$list.theirs" >differs || die "$list: $(head -n 20 differs)"
    done
}

primary_elements() {
    zcat "srv/rpm/stable/x86_64/$(sed -n \
        's/.*href="\(repodata.*primary.xml.gz\)".*/\1/p' \
        srv/rpm/stable/x86_64/repodata/repomd.xml)" |
        sed -n '/<package/,/<\/package>/p'
}

test_a_later_native_run_keeps_its_elements() {
    use_container
    make_rpms in 0.3.4
    must dist build -r v0.3.4 --from in
    must export_and_deploy
    primary_elements >before
    make_rpms in2 0.3.5
    must dist -o rpm.builder=native build -r v0.3.5 --from in2
    must dist verify
    must dist remove veilid-server=0.3.5 veilid-cli=0.3.5
    must export_and_deploy
    primary_elements >after
    grep -q veilid-cli before || die "no elements"
    cmp before after || die "elements changed"
}

test_a_passphrase_and_a_subkey() {
    use_container
    make_rpms in 0.3.4
    use_key passphrase
    echo opensesame >pass
    chmod 600 pass
    must dist -o "signing.passphrase-file=$T/pass" build -r v0.3.4 --from in
    use_key subkey
    must dist -o "repository.state=$T/state2" build -r v0.3.4 --from in
    must dist -o "repository.state=$T/state2" verify
}

test_a_missing_image_names_the_remedy() {
    use_container
    make_rpms in 0.3.4
    expect 66 'build -t no-such-image .*rpm-builder' dist \
        -o rpm.container-image=no-such-image build -r v0.3.4 --from in
    expect 66 'no-such-engine' dist \
        -o rpm.container-command=no-such-engine build -r v0.3.4 --from in
    nothing_is_stored || die "something was stored"
}

test_a_key_ring_cannot_be_given_away() {
    use_container
    make_rpms in 0.3.4
    sed -i '/^key-file/d' conf
    expect 78 'needs .*key-file' dist -o signing.key=0123 build -r v0.3.4 \
        --from in
}

# A container that fails, and one that claims success, as docker's client does
# with podman's service behind it.
test_a_container_that_fails_publishes_nothing() {
    use_container
    make_rpms in 0.3.4
    printf '#!/bin/bash\ncat >/dev/null; echo no space >&2; exit 3\n' >fails
    printf '#!/bin/bash\ncat >/dev/null; exit 0\n' >lies
    chmod +x fails lies
    make_image fails fails
    make_image lies lies
    expect 69 'no space' dist -o "rpm.container-image=$IMAGE:fails" \
        build -r v0.3.4 --from in
    grep -q 'container failed .status 3' err || die "which: $(cat err)"
    expect 69 'container failed' dist -o "rpm.container-image=$IMAGE:lies" \
        build -r v0.3.4 --from in
    [ -z "$(ls state/generations)" ] || die "there is a generation"
    [ -z "$(containers_left)" ] || die "a container stayed"
    must dist build -r v0.3.4 --from in
    must dist verify
}

# One that returns another package under the name of the one that went in, and
# one that forgets to sign.
test_what_comes_back_is_checked() {
    use_container
    make_rpms in 0.3.4
    sed 's,^cd /rpms$,cd /rpms; cp veilid-cli-*.rpm veilid-server-*.rpm,' \
        "$SCRIPT" >swaps
    sed '/^quietly rpmsign --define/,/--addsign/d' "$SCRIPT" >forgets
    chmod +x swaps forgets
    make_image swaps swaps
    make_image forgets forgets
    expect 65 'not the package that went' dist \
        -o "rpm.container-image=$IMAGE:swaps" build -r v0.3.4 --from in
    expect 77 'not signed' dist -o "rpm.container-image=$IMAGE:forgets" \
        build -r v0.3.4 --from in
    [ -z "$(ls state/generations)" ] || die "there is a generation"
}

no_container() { [ -z "$(containers_left)" ]; }

test_killed_in_between_leaves_no_container() {
    use_container
    local pid signal
    make_rpms in 0.3.4
    sed 's,^cd /rpms$,cd /rpms; touch here; sleep 1000,' "$SCRIPT" >slow
    chmod +x slow
    make_image slow slow
    for signal in KILL TERM; do
        "$BUILD/bin/distribute-packages" -c conf \
            -o "rpm.container-image=$IMAGE:slow" build -r v0.3.4 --from in \
            >/dev/null 2>&1 &
        pid=$!
        wait_for -p "$pid" test -e state/container/rpm/signed/all/here ||
            die "never started"
        kill -$signal "$pid"
        wait "$pid" 2>/dev/null
        wait_for no_container || die "a container outlived $signal"
    done
    must dist build -r v0.3.4 --from in
    [ ! -e state/container ] || die "the work directory stayed"
    must dist verify
}

run_tests
