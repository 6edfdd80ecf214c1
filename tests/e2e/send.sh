#!/bin/bash
# distribute-packages send, and build and send without a verb: through a real
# sshd, to a real deploy-repo; and which drops of packages go afterwards.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"
. "$(dirname "$0")/sshd.sh"

# A repository server, and two releases to be built: p (v0.3.4), q (v0.3.5).
prepare() {
    sshd_start repo-server "$@"
    sshd_conf repo-server
    sed -i "s|^inbox = $T/inbox|inbox = $SSHD_INBOX|" conf
    make_release p 0.3.4
    make_release q 0.3.5
}

live() { readlink srv/.releases/current; }

# the_drop SERIAL: the one complete drop there; sets DROP and NAME.
the_drop() {
    NAME=$(cd "$SSHD_INBOX" && ls -d generation.*)
    DROP=$SSHD_INBOX/$NAME
    [ "$NAME" = "generation.$1.$(sha256sum <"state/generations/$1/SHA256SUMS" |
        cut -c1-16)" ] || die "not one drop: $NAME"
}

files_in() { find "$1" -type f | wc -l; }

# said SERIAL RELEASE FILES: the record, but for the bytes and the name.
said() {
    [ "$(cut -f1-3 out)" = "$(printf '%s\t%s\t%s' "$@")" ] || die "$(cat out)"
}

test_what_the_server_lacks() {
    prepare
    must dist build -r v0.3.4 --from p
    must dist send
    the_drop 1
    # each directory is made once, however many files are in it
    [ "$(grep -c mkdir "$SSHD_FILES")" = "$(find "$DROP" -type d | wc -l)" ] ||
        die "$(grep -c mkdir "$SSHD_FILES") directories were made"
    said 1 v0.3.4 "$(files_in "$DROP")"
    [ "$(cut -f5 out)" = "$NAME" ] || die "$(cat out)"
    [ "$(cut -f4 out)" = "$(find "$DROP" -type f -printf '%s\n' |
        awk '{n += $1} END {print n}')" ] || die "bytes: $(cat out)"
    # what is twice in the tree travels once
    [ "$(find "$DROP" -type f -exec sha256sum {} + | cut -c1-64 | sort | uniq -d)" = '' ] ||
        die "something was sent twice"
    must deploy
    must deploy verify
    [ "$(live)" = 1 ] || die "not live"
    must dist build -r v0.3.5 --from q
    must dist send
    the_drop 2
    said 2 v0.3.5 "$(files_in "$DROP")"
    # four packages, two new Packages with their .gz, three Release files, the pair
    [ "$(files_in "$DROP")" = 13 ] || die "$(find "$DROP" -type f)"
    [ -z "$(find "$DROP" -name '*0.3.4*')" ] || die "an old package travels"
    must deploy
    must deploy verify
    [ "$(live)" = 2 ] || die "not live"
}

test_again_and_again() {
    prepare
    expect 66 'no generation yet' dist send
    must dist build -r v0.3.4 --from p
    expect 0 'dry run: would send generation 1 as generation\.1\.[0-9a-f]{16}: [0-9]+ files, [0-9]+ bytes' \
        dist -n send
    [ ! -s out ] && [ -z "$(ls "$SSHD_INBOX")" ] || die "$(ls "$SSHD_INBOX")"
    must dist send
    the_drop 1
    sshd_forget
    expect 0 "waits in the inbox already: $NAME" dist send
    said 1 v0.3.4 0
    must deploy
    expect 0 'generation 1 is live already: nothing to send' dist send
    said 1 v0.3.4 0
    must dist --json send
    jq -e '.[0].serial == 1 and .[0].files == 0 and .[0].bytes == 0' out >/dev/null ||
        die "$(cat out)"
    [ "$(ls "$SSHD_INBOX")" = LIVE ] || die "$(ls "$SSHD_INBOX")"
    # several wait: each has a drop of its own, and the newest goes live
    must dist build -r v0.3.5 --from q
    must dist send
    must dist refresh
    must dist send
    [ "$(find "$SSHD_INBOX" -maxdepth 1 -name 'generation.*' | wc -l)" = 2 ] || die drops
    must deploy
    [ "$(live)" = 3 ] && [ "$(ls "$SSHD_INBOX")" = LIVE ] || die "$(ls "$SSHD_INBOX")"
    must deploy verify
}

test_what_was_cut_off_is_resumed() {
    prepare
    must dist build -r v0.3.4 --from p
    must dist send
    the_drop 1
    # as a connection that broke off leaves it
    mv "$DROP" "$DROP.part"
    f=$(find "$DROP.part" -name 'veilid-server_*_arm64.deb')
    head -c 100 "$f" >half && cat half >"$f"
    rm "$DROP.part/SHA256SUMS.asc"
    must dist send
    [ "$(cut -f4 out)" -lt 20000 ] || die "all was sent again: $(cat out)"
    must deploy
    must deploy verify
}

test_live_that_is_not_ours() {
    prepare
    must dist build -r v0.3.4 --from p
    must dist send
    must deploy
    must dist refresh
    cp -a "$SSHD_INBOX/LIVE" live
    # changed, of another key, unreadable: everything is sent
    sed -i 's/^# release.*/# release v9/' "$SSHD_INBOX/LIVE/SHA256SUMS"
    expect 0 'LIVE/ in the inbox is not trusted, so all files are sent: .*bad signature' dist send
    the_drop 2
    [ -n "$(find "$DROP" -name '*.deb')" ] || die "not all"
    rm -rf "$DROP" "$SSHD_INBOX/LIVE"
    cp -a live "$SSHD_INBOX/LIVE"
    make_key other
    sign_file other "$SSHD_INBOX/LIVE/SHA256SUMS"
    expect 0 'LIVE/ in the inbox is not trusted.*not trusted' dist send
    rm -rf "$DROP"
    : >"$SSHD_INBOX/LIVE/SHA256SUMS"
    expect 0 'LIVE/ in the inbox is not trusted' dist send
    rm -rf "$DROP" "$SSHD_INBOX/LIVE/SHA256SUMS.asc"
    must dist send
    the_drop 2
    [ -n "$(find "$DROP" -name '*.deb')" ] || die "not all"
    # with another key from now on, what the old one has signed is not trusted
    rm -rf "$DROP" "$SSHD_INBOX/LIVE"
    cp -a live "$SSHD_INBOX/LIVE"
    use_key other
    must dist refresh
    expect 0 'LIVE/ in the inbox is not trusted' dist send
    must deploy
    must deploy verify
}

test_an_old_state() {
    prepare
    must dist build -r v0.3.4 --from p
    cp -a state old
    must dist build -r v0.3.5 --from q
    must dist send
    must deploy
    mv state new
    cp -a old state
    expect 77 'generation 2 is live, but the newest of the state is 1: .* distribute-packages pull' dist send
    must dist refresh
    expect 77 'another generation 2 is live' dist send
    [ "$(ls "$SSHD_INBOX")" = LIVE ] || die "$(ls "$SSHD_INBOX")"
    # pull is the way
    web_start "$T/srv"
    rm -rf state
    must dist -o "repository.url=$WEB" pull
    expect 0 'is live already' dist send
}

test_servers_that_refuse() {
    prepare
    must dist build -r v0.3.4 --from p
    expect 78 '\[repo-server\] host' dist -c <(sed '/^\[repo-server/,$d' conf) send
    expect 75 '' dist -o repo-server.port=1 send
    : >"$T/none"
    expect 77 '' dist -o "repo-server.known-hosts=$T/none" send
    expect 66 'inbox' dist -o repo-server.inbox=elsewhere send
    exec 9>state/lock
    flock 9
    expect 75 'lock' dist send
    exec 9>&-
    [ -z "$(ls "$SSHD_INBOX")" ] || die "$(ls "$SSHD_INBOX")"
}

# ------------------------------------------------------ without a verb

drop_all() {
    local arch
    for arch in amd64 arm64; do
        make_drop "$HOME/incoming" "$1" "$arch-deb" x1 "$2"/*_"$arch.deb"
    done
}

test_without_a_verb() {
    prepare
    expect 64 "without a verb: build and send: which release" dist
    expect 64 "unknown verb 'sned'" dist sned
    expect 78 '\[repo-server\] host' dist -c <(sed '/^\[repo-server/,$d' conf) -r v0.3.4
    drop_all v0.3.4 p
    expect 0 'dry run: would then send generation 1 to 127.0.0.1' dist -n -r v0.3.4
    nothing_is_stored || die "something is stored"
    CI_COMMIT_TAG=v0.3.4 must dist
    the_drop 1
    said 1 v0.3.4 "$(files_in "$DROP")"
    [ "$(wc -l <out)" = 1 ] || die "$(cat out)"
    # the build has nothing to do, and a drop that got lost is sent again
    rm -rf "$DROP"
    expect 0 'nothing to do: generation 1 is up to date' dist -r v0.3.4
    the_drop 1
    must deploy
    # the options of build
    expect 0 'dry run: would publish this as generation 2' dist -n --release v0.3.5 \
        --suite nightly --partial --from q
    grep -q 'would then send generation 2' err || die "$(cat err)"
    DEB_EXTRA=x make_deb o veilid-cli 0.3.4 amd64
    expect 65 'was published with different contents' dist -r v0.3.4 --partial --from o
    must dist --json -r v0.3.5 --from q
    jq -e 'length == 1 and .[0].serial == 2' out >/dev/null || die "$(cat out)"
    must deploy
    must deploy verify
}

# ------------------------------------------------- drops of packages

drops() { find "$HOME/incoming" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort; }

test_drops_go_when_they_are_live() {
    prepare
    drop_all v0.3.4 p
    must dist -r v0.3.4
    [ "$(cat state/generations/1/drops)" = "$(drops)" ] || die "$(cat state/generations/1/drops)"
    # it waits, and is not live
    must dist send
    [ "$(drops | wc -l)" = 2 ] || die "$(drops)"
    must deploy
    # one that came later is of the same release and was not built yet
    make_drop "$HOME/incoming" v0.3.4 amd64-deb x2 p/veilid-cli-0.3.4_amd64.deb
    drop_all v0.3.5 q
    expect 0 'dry run: would remove drop v0.3.4.amd64-deb.x1' dist -n send
    [ "$(drops | wc -l)" = 5 ] || die "$(drops)"
    # with it goes a try to send it again, which did not get to its end
    mkdir "$HOME/incoming/v0.3.4.arm64-deb.x1.part"
    echo half >"$HOME/incoming/v0.3.4.arm64-deb.x1.part/veilid-cli-0.3.4_arm64.deb"
    expect 0 'removed drop v0.3.4.arm64-deb.x1 \(its generation is live\)' dist -r v0.3.5
    [ "$(drops | tr '\n' ' ')" = 'v0.3.4.amd64-deb.x2 v0.3.5.amd64-deb.x1 v0.3.5.arm64-deb.x1 ' ] ||
        die "$(drops)"
    must deploy
    must dist send
    [ "$(drops)" = v0.3.4.amd64-deb.x2 ] || die "$(drops)"
}

# It is signed, and public to whoever may write there.
test_a_waiting_manifest_copied_to_LIVE() {
    prepare
    must dist build -r v0.3.4 --from p
    must dist send
    must deploy
    must dist build -r v0.3.5 --from q
    must dist send
    cp "$SSHD_INBOX"/generation.2.*/SHA256SUMS* "$SSHD_INBOX/LIVE/"
    expect 0 'waits in the inbox already' dist send
    grep -q 'LIVE/ in the inbox is not believed.*generation 2 is live' err || die "$(cat err)"
    must deploy
    expect 0 'generation 2 is live already: nothing to send' dist send
    must deploy verify
}

test_drops_go_when_they_are_old() {
    local in=$T/home/incoming
    make_release p 0.3.4
    make_release q 0.3.5
    drop_all v0.3.4 p
    drop_all v0.3.5 q
    mkdir -p "$in/v0.3.6.amd64-deb.x1.part" "$in/v0.3.6.arm64-deb.x1.part" \
        "$in/v0.3.6.amd64-deb.grows.part" "$in/generation.7.x.part" "$in/LIVE.part" \
        "$in/notes" "$in/x.y.z"
    echo half >"$in/v0.3.6.amd64-deb.grows.part/a.deb"
    touch -d '13 days ago' "$in"/v0.3.4.amd64*
    touch -d '15 days ago' "$in"/v0.3.4.arm64* "$in"/v0.3.5.* "$in"/notes "$in"/x.y.z \
        "$in"/LIVE.part "$in"/generation.7.x.part
    touch -d '25 hours ago' "$in"/v0.3.6.amd64*.part
    must dist -o repository.drop-age=0 build -r v0.3.5
    [ "$(drops | wc -l)" = 10 ] || die "$(drops)"
    # those of this release stay, so that the same call works again
    expect 0 'removed drop v0.3.4.arm64-deb.x1 \(older than drop-age\)' dist build -r v0.3.5
    [ "$(drops | tr '\n' ' ')" = 'LIVE.part generation.7.x.part notes v0.3.4.amd64-deb.x1 '\
'v0.3.5.amd64-deb.x1 v0.3.5.arm64-deb.x1 v0.3.6.amd64-deb.grows.part v0.3.6.arm64-deb.x1.part x.y.z ' ] ||
        die "$(drops)"
    must dist -o repository.drop-age=12d build -r v0.3.5
    [ ! -e "$in/v0.3.4.amd64-deb.x1" ] || die "$(drops)"
    # a link is no way out of the inbox
    mkdir -p elsewhere/x
    ln -s "$T/elsewhere" "$in/v0.3.3.amd64-deb.x1"
    touch -h -d '30 days ago' "$in/v0.3.3.amd64-deb.x1"
    must dist build -r v0.3.5
    [ -d elsewhere/x ] || die "followed a link"
}

run_tests
