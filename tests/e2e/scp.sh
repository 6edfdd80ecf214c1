#!/bin/bash
# scp-to-orchestrator: what it sends, to a real sshd; what it refuses, before a
# byte is sent; and whom it trusts.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"
. "$(dirname "$0")/sshd.sh"

send() { "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" "$@"; }

# An orchestrator and, in target/packages, what a build of amd64-deb leaves.
prepare() {
    sshd_start orchestrator "$@"
    sshd_conf
    make_debs target/packages 0.3.4
}

# make_debs DIR VERSION [ARCH]
make_debs() {
    make_deb "$1" veilid-server "$2" "${3:-amd64}" zstd
    make_deb "$1" veilid-cli "$2" "${3:-amd64}"
}

# An orchestrator that is not there: whoever connects has failed (69).
nowhere() {
    cat >>conf <<END
[orchestrator]
host = orchestrator.invalid
user = nobody
END
}

inbox_is_empty() {
    [ -z "$(ls -A "$SSHD_INBOX")" ] || die "in the inbox: $(ls -A "$SSHD_INBOX")"
}

# the_drop RELEASE BUILD: the only thing in the inbox is a drop of these, its
# name tells its content, and sha256sum agrees with all of it. Sets DROP.
the_drop() {
    local name unique
    name=$(ls -A "$SSHD_INBOX")
    DROP=$SSHD_INBOX/$name
    [ -d "$DROP" ] || die "not one drop: $name"
    unique=$(sha256sum <"$DROP/SHA256SUMS" | cut -c1-16)
    [ "$name" = "$1.$2.$unique" ] || die "its name is $name, not ...$unique"
    check_drop "$DROP"
}

check_drop() {
    (cd "$1" && sha256sum --quiet --strict -c SHA256SUMS) || die "hashes"
    (cd "$1" && find . -mindepth 1 ! -name SHA256SUMS -printf '%P\n') |
        LC_ALL=C sort >there
    cut -c67- "$1/SHA256SUMS" | cmp - there || die "unlisted: $(cat there)"
}

# same_files DROP FILE...: they arrived, byte for byte, and nothing else.
same_files() {
    local drop=$1 file
    shift
    for file in "$@"; do
        cmp "$file" "$drop/${file##*/}" || die "$file did not arrive"
    done
    [ "$(find "$drop" -type f | wc -l)" = $(($# + 1)) ] || die "$(ls "$drop")"
}

# ------------------------------------------------------------------- usual

test_debs_arrive() {
    prepare
    expect 0 'sent v0.3.4.amd64-deb.[0-9a-f]{16}: 2 packages' send -r v0.3.4
    cp out printed
    the_drop v0.3.4 amd64-deb
    same_files "$DROP" target/packages/*
    # the result: what sha256sum and stat say of the files, sorted by name
    for file in target/packages/*; do
        printf '%s\t%s\t%s\n' "$(sha256sum <"$file" | cut -c1-64)" \
            "$(stat -c %s "$file")" "${file##*/}"
    done | LC_ALL=C sort -k 3 | cmp - printed || die "$(cat printed)"
    # others may read it, nobody else may write
    [ "$(stat -c '%a %u' "$DROP" "$DROP"/* | sort -u | xargs)" = \
        "644 $SSHD_UID 755 $SSHD_UID" ] || die "$(stat -c '%a %u %n' "$DROP"/*)"
}

test_rpms_arrive() {
    sshd_start orchestrator
    sshd_conf
    make_rpm target/packages veilid-server 0.3.4
    make_rpm target/packages veilid-cli 0.3.4
    make_rpm target/packages lab-data 0.3.4 1 noarch
    must send --release v0.3.4 --build amd64-rpm --json
    /usr/bin/python3 -c 'import json, sys
rows = json.load(open("out"))
assert [r["name"] for r in rows] == sorted(r["name"] for r in rows)
assert all(set(r) == {"sha256", "size", "name"} for r in rows), rows
assert len(rows) == 3 and all(type(r["size"]) is int for r in rows)' ||
        die "$(cat out)"
    the_drop v0.3.4 amd64-rpm
    same_files "$DROP" target/packages/*
}

test_the_same_again_sends_nothing() {
    prepare
    must send -r v0.3.4
    cp out first
    the_drop v0.3.4 amd64-deb
    find "$SSHD_INBOX" -type f -printf '%P %i %C@\n' >before
    sshd_forget
    expect 0 'there already: v0.3.4.amd64-deb.* 2 packages' send -r v0.3.4
    cmp out first || die "another answer: $(cat out)"
    # but for the time, which a directory tells: drop-age begins again
    grep -vE ' set ".*" modtime |-clock\.part"' "$SSHD_FILES" |
        grep -E 'flags [A-Z,]*(WRITE|CREATE|TRUNCATE)|mkdir|rename|set' &&
        die 'it has written'
    # no more is read than the list
    grep -q 'close ".*SHA256SUMS" bytes read [1-9]' "$SSHD_FILES" ||
        die "$(cat "$SSHD_FILES")"
    grep 'close ".*deb" bytes read [1-9]' "$SSHD_FILES" && die 'it reads debs'
    find "$SSHD_INBOX" -type f -printf '%P %i %C@\n' | cmp - before || die 'touched'
}

test_dry_run() {
    prepare
    expect 0 'would send v0.3.4.amd64-deb' send -n -r v0.3.4
    inbox_is_empty
    grep -E 'mkdir|WRITE|CREATE' "$SSHD_FILES" && die 'it has written'
    must send -q -r v0.3.4
    expect 0 'there already' send --dry-run -r v0.3.4
    the_drop v0.3.4 amd64-deb
    # a refusal stays one
    rm -r "$SSHD_INBOX"
    expect 66 "no inbox 'incoming'" send -n -r v0.3.4
}

test_two_contents_are_two_drops() {
    prepare
    must send -r v0.3.4
    DEB_EXTRA=rebuilt make_debs target/packages 0.3.4
    must send -r v0.3.4
    [ "$(ls -A "$SSHD_INBOX" | wc -l)" = 2 ] || die "$(ls "$SSHD_INBOX")"
    for drop in "$SSHD_INBOX"/*; do check_drop "$drop"; done
}

# ---------------------------------------------------------------- arguments

test_which_packages() {
    prepare
    make_debs elsewhere 0.3.4 arm64
    # the job's directory comes first
    mkdir -p project
    mv target project/
    CI_PROJECT_DIR=$T/project must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    same_files "$DROP" project/target/packages/*
    rm -r "$DROP"
    # that is set, and empty, is none
    expect 66 "packages in 'target/packages'" \
        env CI_PROJECT_DIR= "$BUILD/bin/scp-to-orchestrator" -c conf -r v0.3.4
    # a directory
    must send -r v0.3.4 elsewhere
    the_drop v0.3.4 arm64-deb
    same_files "$DROP" elsewhere/*
    rm -r "$DROP"
    # files
    must send -r v0.3.4 elsewhere/veilid-cli-0.3.4_arm64.deb
    the_drop v0.3.4 arm64-deb
    same_files "$DROP" elsewhere/veilid-cli-0.3.4_arm64.deb
    rm -r "$DROP"
    # names on standard input, one a line, the last one without an end
    printf '%s\n\n%s' elsewhere/veilid-cli-0.3.4_arm64.deb \
        elsewhere/veilid-server-0.3.4_arm64.deb >names
    must send -r v0.3.4 - <names
    the_drop v0.3.4 arm64-deb
    same_files "$DROP" elsewhere/*
    rm -r "$DROP"
    # both
    echo elsewhere/veilid-server-0.3.4_arm64.deb |
        must send -r v0.3.4 elsewhere/veilid-cli-0.3.4_arm64.deb -
    the_drop v0.3.4 arm64-deb
    same_files "$DROP" elsewhere/*
}

test_which_release() {
    prepare
    CI_COMMIT_TAG=v0.3.4 must send
    the_drop v0.3.4 amd64-deb
    # -r comes before that
    CI_COMMIT_TAG=v9.0.0 expect 0 'there already' send -r v0.3.4
    make_debs night 2026.11.22
    IS_NIGHTLY=true CI_PIPELINE_CREATED_AT=2026-11-22T23:59:59Z must send night
    [ -n "$(ls -d "$SSHD_INBOX"/nightly-20261122.amd64-deb.*)" ] ||
        die "$(ls "$SSHD_INBOX")"
}

test_which_build() {
    prepare
    must send -r v0.3.4 -b amd64-deb
    the_drop v0.3.4 amd64-deb
    rm -r "$DROP"
    make_deb all veilid-cli 0.3.4 all
    must send -r v0.3.4 -b arm64-deb all
    the_drop v0.3.4 arm64-deb
}

# ---------------------------------------------------------------- refusals

test_refused_before_a_connection() {
    nowhere
    make_debs target/packages 0.3.4
    expect 64 'which release' send
    expect 64 'is not a valid release id' send -r ../x
    expect 64 "'amd64' is not a build" send -r v0.3.4 -b amd64
    expect 64 "'vax-rpm' is not a build" send -r v0.3.4 -b vax-rpm
    expect 65 'but the build is of vax' send -r v0.3.4 -b vax-deb
    IS_NIGHTLY=true expect 64 'CI_PIPELINE_CREATED_AT is not a date' send
    expect 65 'architecture is amd64, but the build is of arm64' \
        send -r v0.3.4 -b arm64-deb
    expect 65 'it is a .deb, but the build is amd64-rpm' \
        send -r v0.3.4 -b amd64-rpm
    # both are told
    expect 65 'veilid-cli-.*version is 0.3.4, but the release is v0.3.5' \
        send -r v0.3.5
    grep -q 'veilid-server-.*version is 0.3.4' err || die 'only one is told'
    make_deb all veilid-cli 0.3.4 all
    expect 64 'name the build with -b' send -r v0.3.4 all
    expect 66 'no-such-dir' send -r v0.3.4 no-such-dir
    mkdir empty
    expect 66 "no packages in 'empty'" send -r v0.3.4 empty
    expect 66 'no packages were named' send -r v0.3.4 - </dev/null
    CI_PROJECT_DIR=$T/empty expect 66 'target/packages' send -r v0.3.4
    [ ! -s out ] || die "a result: $(cat out)"
    # else it would have connected
    expect 69 'orchestrator.invalid' send -r v0.3.4
}

test_interrupted_while_it_waits_for_names() {
    nowhere
    mkfifo names
    env --default-signal=INT "$BUILD/bin/scp-to-orchestrator" -c conf \
        -r v0.3.4 - <names >out 2>err &
    local pid=$!
    PIDS+=("$pid")
    exec 7>names
    wait_for -p "$pid" hears INT "$pid" || die "$(cat err)"
    kill -INT "$pid"
    wait "$pid"
    [ $? = 130 ] || die "$(cat err)"
    exec 7>&-
}

test_bad_packages_are_refused() {
    nowhere
    make_debs p 0.3.4
    cp -r p renamed
    mv renamed/veilid-cli-0.3.4_amd64.deb renamed/veilid-gui-0.3.4_amd64.deb
    expect 65 'veilid-cli 0.3.4 of amd64, but its name does not match' send -r v0.3.4 renamed
    cp -r p renamed2
    mv renamed2/veilid-cli-0.3.4_amd64.deb renamed2/veilid-cli-0.3.5_amd64.deb
    expect 65 'its name does not match' send -r v0.3.4 renamed2
    # the version goes on, and the architecture is another, in either's words
    for name in 0.3.45_amd64 0.3.4.1_amd64 0.3.4+b1_amd64 0.3.4~rc1_amd64 \
        0.3.4_arm64 0.3.4-aarch64 0.3.4-1.aarch64; do
        rm -r renamed2
        cp -r p renamed2
        mv renamed2/veilid-cli-0.3.4_amd64.deb "renamed2/veilid-cli-$name.deb"
        expect 65 "veilid-cli 0.3.4 of amd64, but its name does not match" \
            send -r v0.3.4 renamed2
    done
    for name in veilid-cli_0.3.4_amd64 veilid-cli-0.3.4 veilid-cli-0.3.4-x86_64 \
        veilid-cli_0.3.4.amd64 veilid-cli_0.3.4-linux; do
        rm -r renamed2
        cp -r p renamed2
        mv renamed2/veilid-cli-0.3.4_amd64.deb "renamed2/$name.deb"
        expect 69 'orchestrator.invalid' send -r v0.3.4 renamed2
    done
    cp -r p mixed
    make_deb mixed lab-x 0.3.4 arm64
    expect 65 'send one build at a time' send -r v0.3.4 mixed
    cp -r p formats
    make_rpm formats lab-x 0.3.4
    expect 65 'send one build at a time' send -r v0.3.4 formats
    cp -r p stray
    echo x >stray/README
    expect 65 "'stray/README' is not a package" send -r v0.3.4 stray
    cp -r p unlisted
    make_deb unlisted other-tool 0.3.4 amd64
    expect 65 "'other-tool' is not on the list" send -r v0.3.4 unlisted
    cp -r p old
    make_deb old lab-x 0.3.3 amd64
    expect 65 'version is 0.3.3, but the release is v0.3.4' send -r v0.3.4 old
    expect 65 'is neither a .deb nor an .rpm' send -r v0.3.4 conf
    mkdir -p twice/a twice/b
    cp p/veilid-cli-* twice/a
    cp p/veilid-cli-* twice/b
    expect 65 'are the same package' send -r v0.3.4 twice
    ln -s /nowhere p/lab-link-0.3.4_amd64.deb
    expect 65 '' send -r v0.3.4 p
}

test_damaged_packages_are_refused() {
    nowhere
    make_debs p 0.3.4
    make_rpm r veilid-cli 0.3.4
    local deb=p/veilid-cli-0.3.4_amd64.deb rpm size
    rpm=$(ls r/*)
    mkdir bad
    # cut short at several places
    size=$(stat -c %s $deb)
    for n in 0 7 100 $((size / 2)) $((size - 3)); do
        head -c "$n" $deb >bad/veilid-cli-0.3.4_amd64.deb
        expect 65 '' send -r v0.3.4 bad
    done
    rm bad/*
    size=$(stat -c %s "$rpm")
    for n in 0 50 200 $((size - 3)); do
        head -c "$n" "$rpm" >"bad/${rpm##*/}"
        expect 65 '' send -r v0.3.4 bad
    done
    cp "$rpm" bad/
    printf '\377' | dd of="bad/${rpm##*/}" bs=1 conv=notrunc \
        seek=$((size - 20)) status=none
    expect 65 '' send -r v0.3.4 bad
    # and what is a package under the other's ending
    rm bad/*
    cp $deb bad/veilid-cli-0.3.4.rpm
    expect 65 '' send -r v0.3.4 bad
}

test_no_host_is_configured() {
    make_debs target/packages 0.3.4
    expect 78 '\[orchestrator\] host is not set' send -r v0.3.4
    expect 78 '' send -o orchestrator.port=http -r v0.3.4
}

# -------------------------------------------------------------------- trust

fingerprint() { ssh-keygen -l -f "$1" | cut -d ' ' -f 2; }

test_host_keys() {
    local own other name
    prepare
    own=$(fingerprint "$SSHD_PLACE/host.pub")
    other=$(cut -d ' ' -f 1,2 "$SSHD_PLACE/other.pub")
    name="[127.0.0.1]:$SSHD_PORT"
    cp "$SSHD_HOSTS" right
    # nobody knows it
    : >"$SSHD_HOSTS"
    expect 77 "host key of '\[127.0.0.1\]:$SSHD_PORT' is not known" send -r v0.3.4
    grep -qF -- "$own" err || die "no fingerprint: $(cat err)"
    [ ! -s "$SSHD_HOSTS" ] || die 'it was added'
    rm "$SSHD_HOSTS"
    expect 77 'is not known' send -r v0.3.4
    [ ! -e "$SSHD_HOSTS" ] || die 'it was made'
    # the key without the port is that of another server
    sed 's/^[^ ]*/127.0.0.1/' right >"$SSHD_HOSTS"
    expect 77 'is not known' send -r v0.3.4
    # changed
    echo "$name $other" >"$SSHD_HOSTS"
    expect 77 'it has changed to' send -r v0.3.4
    grep -qF -- "$own" err || die "no fingerprint: $(cat err)"
    # revoked, before and after the line that knows it
    { cat right; sed 's/^/@revoked /' right; } >"$SSHD_HOSTS"
    expect 77 'is revoked' send -r v0.3.4
    { sed 's/^/@revoked /' right; cat right; } >"$SSHD_HOSTS"
    expect 77 'is revoked' send -r v0.3.4
    # known by another type only
    echo "$name $(cut -d ' ' -f 1,2 "$SSHD_PLACE/host-ecdsa.pub")" >"$SSHD_HOSTS"
    expect 77 '' send -r v0.3.4
    # an authority vouches for nobody
    sed 's/^/@cert-authority /' right >"$SSHD_HOSTS"
    expect 77 'certificates are not supported' send -r v0.3.4
    inbox_is_empty
    grep -q 'Accepted publickey' "$SSHD_LOG" && die 'it has logged in'
    # hashed names are fine
    cp right "$SSHD_HOSTS"
    ssh-keygen -q -H -f "$SSHD_HOSTS" 2>/dev/null
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
}

# What ~/.ssh/config says of trust counts for nothing.
test_ssh_config_cannot_weaken_it() {
    prepare
    rm -f "$SSHD_HOSTS"
    mkdir -p "$SSHD_PLACE/home/.ssh"
    cat >"$SSHD_PLACE/home/.ssh/config" <<END
Host *
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
END
    expect 77 'is not known' send -r v0.3.4
    rm -r "$SSHD_PLACE/home/.ssh"
    inbox_is_empty
}

test_ssh_config_finds_the_host() {
    prepare
    mkdir -p "$SSHD_PLACE/home/.ssh"
    cat >"$SSHD_PLACE/home/.ssh/config" <<END
Host orchestration
    HostName 127.0.0.1
    User $SSHD_USER
    IdentityFile $SSHD_KEY
    Port 1
END
    sed -i -e 's/^host = .*/host = orchestration/' -e '/^user = /d' \
        -e '/^identity-file/d' conf
    must send -r v0.3.4
    rm -r "$SSHD_PLACE/home/.ssh"
    the_drop v0.3.4 amd64-deb
}

# The default of our port must not come before what it says.
test_ssh_config_knows_the_port() {
    prepare
    mkdir -p "$SSHD_PLACE/home/.ssh"
    printf 'Host orchestration\nHostName 127.0.0.1\nPort %s\n' \
        "$SSHD_PORT" >"$SSHD_PLACE/home/.ssh/config"
    sed -i -e 's/^host = .*/host = orchestration/' -e '/^port = /d' conf
    expect 0 sent send -r v0.3.4
    rm -r "$SSHD_PLACE/home/.ssh"
}

test_logins() {
    prepare
    # a key that nobody has let in
    cp "$SSHD_PLACE/stranger" "$SSHD_KEY"
    expect 77 'the server refuses the login' send -r v0.3.4
    grep -qF "$(fingerprint "$SSHD_PLACE/stranger.pub")" err ||
        die "which key? $(cat err)"
    cp "$SSHD_PLACE/client" "$SSHD_KEY"
    chmod 644 "$SSHD_KEY"
    expect 77 "client-key" send -r v0.3.4
    chmod 600 "$SSHD_KEY"
    echo 'no key' >"$SSHD_KEY"
    expect 65 'not a private key' send -r v0.3.4
    rm "$SSHD_KEY"
    expect 66 'client-key' send -r v0.3.4
    # an account that the key is not for
    (umask 077; cp "$SSHD_PLACE/client" "$SSHD_KEY")
    expect 77 'the server refuses the login' send -r v0.3.4 -o orchestrator.user=root
    inbox_is_empty
    must send -r v0.3.4
    # nothing of a secret at any verbosity
    expect 0 '' send -v -v -r v0.3.4
    sed -n 2p "$SSHD_PLACE/client" >secret
    grep -qF -f secret out err && die 'it tells the key'
    find . -name '*.pub' | grep . && die 'it has made a public key'
    return 0
}

test_keys_by_an_agent() {
    prepare
    sed -i '/^identity-file/d' conf
    env -u SSH_AUTH_SOCK ssh-agent -D -a "$T/agent" >/dev/null 2>&1 &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -S agent || die 'no agent'
    SSH_AUTH_SOCK=$T/agent expect 77 '' send -r v0.3.4
    # more keys than sshd lets anyone try
    for i in 1 2 3 4 5 6 7; do
        ssh-keygen -q -t ed25519 -N '' -C "$i" -f "other.$i"
    done
    SSH_AUTH_SOCK=$T/agent ssh-add -q "$SSHD_KEY"
    SSH_AUTH_SOCK=$T/agent must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    SSH_AUTH_SOCK=$T/agent ssh-add -q -D
    SSH_AUTH_SOCK=$T/agent ssh-add -q other.*[0-9]
    SSH_AUTH_SOCK=$T/agent expect 77 '' send -r v0.3.4
    # none
    unset SSH_AUTH_SOCK
    expect 77 'no key to log in with' send -r v0.3.4
}

# --------------------------------------------------------------- the far side

test_nobody_listens() {
    prepare
    kill "$SSHD_PID"
    wait "$SSHD_PID"
    expect 75 '127.0.0.1' send -r v0.3.4
}

# The account of the shipped example can do nothing else.
test_the_account_can_do_nothing_else() {
    local ssh
    prepare
    ssh=(ssh -F none -n -i "$SSHD_KEY" -p "$SSHD_PORT" -o BatchMode=yes
        -o "UserKnownHostsFile=$SSHD_HOSTS" -l "$SSHD_USER" 127.0.0.1)
    timeout 300 "${ssh[@]}" 'id >/incoming/it-ran; id' >out 2>&1
    grep -q uid= out && die "a command ran: $(cat out)"
    inbox_is_empty
    # a forwarded port is refused
    timeout 300 "${ssh[@]/-n/-nT}" -o ExitOnForwardFailure=yes -W "127.0.0.1:$SSHD_PORT" \
        >out 2>&1 && die "it forwards: $(cat out)"
    grep -q OpenSSH_ out && die "it forwards: $(cat out)"
    # by sftp, it sees the chroot alone, and owns nothing but the inbox
    printf '%s\n' 'pwd' 'ls -a /' '-put conf /x' '-put conf /../../../x' |
        timeout 300 sftp -F none -b - -i "$SSHD_KEY" -P "$SSHD_PORT" \
            -o "UserKnownHostsFile=$SSHD_HOSTS" -o "User=$SSHD_USER" \
            127.0.0.1 >out 2>&1
    grep -q 'working directory: /$' out || die "$(cat out)"
    grep -qE '^/?etc' out && die 'it sees /etc'
    [ "$(cd "$SSHD_CHROOT" && echo *)" = 'dev incoming' ] ||
        die "$(ls "$SSHD_CHROOT")"
}

test_no_inbox() {
    prepare
    rmdir "$SSHD_INBOX"
    expect 66 "no inbox 'incoming'" send -r v0.3.4
    mkdir "$SSHD_INBOX"
    expect 66 "no inbox 'elsewhere'" send -r v0.3.4 -o orchestrator.inbox=elsewhere
    # there, but root's
    expect 77 '' send -r v0.3.4
    inbox_is_empty
}

test_another_drop_under_that_name() {
    prepare
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    echo '# x' >>"$DROP/SHA256SUMS"
    expect 65 "named 'incoming/.*' exists with different or missing contents" send -r v0.3.4
}

# Somebody's file where the drop is to be made, and a damaged leftover.
test_a_leftover_that_differs_is_sent_again() {
    prepare
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    mv "$DROP" "$DROP.part"
    printf x | dd of="$DROP.part/veilid-cli-0.3.4_amd64.deb" bs=1 seek=500 \
        conv=notrunc status=none
    echo more >>"$DROP.part/veilid-server-0.3.4_amd64.deb"
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    same_files "$DROP" target/packages/*
}

# What another try has left in it would make the drop a bad one.
test_a_stray_file_in_a_leftover() {
    prepare
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    mv "$DROP" "$DROP.part"
    touch "$DROP.part/stray"
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    [ ! -e "$DROP/stray" ] || die 'a bad drop counts'
}

# A directory was taken for a file, could not be removed, and every later run
# ended with 74.
test_a_stray_directory_in_a_leftover() {
    prepare
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    mv "$DROP" "$DROP.part"
    mkdir -p "$DROP.part/stray/deep/er"
    echo x >"$DROP.part/stray/deep/file"
    ln -s / "$DROP.part/stray/link"
    chown -hR "$SSHD_UID:$SSHD_UID" "$DROP.part"
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    [ ! -e "$DROP/stray" ] || die 'a bad drop counts'
}

test_full_disk() {
    prepare
    mount -t tmpfs -o "size=128k,uid=$SSHD_UID" tmpfs "$SSHD_INBOX" ||
        { echo '# skip cannot mount a tmpfs'; return; }
    head -c 200000 /dev/urandom >noise
    big_deb target/packages lab-big 0.3.4 noise
    expect 74 '' send -r v0.3.4
    [ -z "$(find "$SSHD_INBOX" -name '*[0-9a-f]' -type d)" ] || die 'it counts'
    mount -o remount,size=8m "$SSHD_INBOX"
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    same_files "$DROP" target/packages/*
    umount "$SSHD_INBOX"
}

# big_deb DIR NAME VERSION FILE: with FILE in it, uncompressed.
big_deb() {
    local d
    d=$(mktemp -d "$T/deb.XXXXXX")
    mkdir -p "$d/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\n' "$2" "$3" \
        >"$d/DEBIAN/control"
    printf 'Maintainer: Lab <lab@example.org>\nDescription: big\n' \
        >>"$d/DEBIAN/control"
    cp "$4" "$d/data"
    chmod 755 "$d"
    dpkg-deb --root-owner-group -Znone -b "$d" "$1/$2-$3_amd64.deb" >/dev/null
    rm -rf "$d"
}

# ------------------------------------------------------------ the whole way

test_distribute_packages_takes_what_was_sent() {
    prepare
    make_debs arm 0.3.4 arm64
    sed -i "s,^inbox = $T/home/incoming,inbox = $SSHD_INBOX," conf
    must send -r v0.3.4
    expect 66 'arm64-deb' dist build -r v0.3.4
    must send -r v0.3.4 arm
    # of two drops of one build, the one that the sender's job has named
    DEB_EXTRA=rebuilt make_debs target/packages 0.3.4
    must send -r v0.3.4 --output-dotenv drop.env
    [ "$(ls "$SSHD_INBOX" | wc -l)" = 3 ] || die "$(ls "$SSHD_INBOX")"
    expect 65 'has two drops' dist build -r v0.3.4
    [ -d "$SSHD_INBOX/$(sed -n 's/^DROP_AMD64_DEB=\(v0.3.4.amd64-deb\.\)/\1/p' drop.env)" ] &&
        [ "$(wc -l <drop.env)" = 1 ] || die "$(cat drop.env)"
    must dist build -r v0.3.4 --drop "$(. ./drop.env && echo "$DROP_AMD64_DEB")"
    must export_and_deploy
    for file in target/packages/* arm/*; do
        sha256sum <"$file" | cut -c1-64
    done | sort >sent
    find srv/apt/pool/ -name '*.deb' -exec sha256sum {} + | cut -c1-64 | sort |
        cmp - sent || die 'other packages are published'
}

# Jobs of several releases and of one build at once, and one that is retried;
# names that begin alike. Each release gets its own.
test_several_releases_at_one_time() {
    local release drop pids=()
    prepare
    sed -i "s,^inbox = $T/home/incoming,inbox = $SSHD_INBOX," conf
    use_builds amd64-deb
    for release in v0.3.0 v0.3.4 v0.3.41 v0.3.5 nightly-20261122; do
        make_debs "of.$release" "$(echo "${release#v}" | tr -d -c 0-9.)"
        send -r "$release" "of.$release" >"out.$release" 2>"err.$release" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || die "$(cat err.*)"; done
    [ "$(ls "$SSHD_INBOX" | wc -l)" = 5 ] || die "$(ls "$SSHD_INBOX")"
    # the job of v0.3.4 is retried, with other bytes; half of a third try
    DEB_EXTRA=retried make_debs of.v0.3.4 0.3.4
    must send -r v0.3.4 of.v0.3.4
    drop=$(sed -n 's/.*sent \(v0.3.4.amd64-deb.[0-9a-f]*\):.*/\1/p' err)
    [ -d "$SSHD_INBOX/$drop" ] || die "$(cat err)"
    mkdir "$SSHD_INBOX/v0.3.4.amd64-deb.0123456789abcdef.part"
    drop=(--drop "$drop")
    for release in v0.3.4 v0.3.5; do
        must dist build -r "$release" "${drop[@]}"
        grep -qE "build amd64-deb: drop $release.amd64-deb.[0-9a-f]{16}$" err ||
            die "which one? $(cat err)"
        [ "$release" != v0.3.4 ] || grep -qF "drop ${drop[1]}" err || die "$(cat err)"
        drop=()
        must export_and_deploy
        cmp "of.$release"/veilid-cli-* \
            srv/apt/pool/stable/main/veilid-cli_"${release#v}"_amd64.deb || die "$release"
    done
    [ "$(ls srv/apt/pool/stable/main/ | wc -l)" = 4 ] || die "$(ls srv/apt/pool/stable/main)"
}

# No other library goes before that of a sanitizer: there, it is today.
two_days_ago() {
    local lib
    for lib in /usr/lib/*/faketime/libfaketimeMT.so.1; do :; done
    if nm "$BUILD/bin/scp-to-orchestrator" | grep -q '__[at]san_init'; then
        "$@"
    else
        LD_PRELOAD=$lib FAKETIME=-2d "$@"
    fi
}

# Sent again after another: both lie there, and the job's name for it counts.
test_the_first_content_sent_again() {
    prepare
    sed -i "s,^inbox = $T/home/incoming,inbox = $SSHD_INBOX," conf
    use_builds amd64-deb
    must send -r v0.3.4
    the_drop v0.3.4 amd64-deb
    mv target first
    DEB_EXTRA=rebuilt make_debs target/packages 0.3.4
    must send -r v0.3.4
    # by the clock of the far side, whatever ours says
    expect 0 'there already' two_days_ago send -r v0.3.4 --output-dotenv drop.env first/packages
    [ "$(find "$SSHD_INBOX" -name '*.part')" = '' ] || die "$(ls "$SSHD_INBOX")"
    [ "$(cat drop.env)" = "DROP_AMD64_DEB=$(basename "$DROP")" ] || die "$(cat drop.env)"
    expect 65 'has two drops' dist build -r v0.3.4
    must dist build -r v0.3.4 --drop "$(basename "$DROP")"
    must export_and_deploy
    cmp first/packages/veilid-cli-* "$(find srv/apt/pool/ -name 'veilid-cli_*')" ||
        die 'not what was named'
}

run_tests
