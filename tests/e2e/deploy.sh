#!/bin/bash
# deploy-repo: from a tar and from drops, what it refuses, what it swaps.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Two generations, exported: 1.tar, 2.tar; nothing deployed yet.
two_generations() {
    make_release p 0.3.4
    make_release q 0.3.5
    must dist build -r v0.3.4 --from p
    must dist export; mv out 1.tar
    must dist build -r v0.3.5 --from q
    must dist export; mv out 2.tar
}

live() { readlink srv/.releases/current; }

# refused STATUS REGEX TAR: the live tree stays as it is, to the byte.
refused() {
    (cd srv && find . -type f ! -name lock -exec sha256sum {} + | sort) >before
    find srv -type l -printf '%p %l\n' | sort >>before
    expect "$1" "$2" deploy - <"$3"
    (cd srv && find . -type f ! -name lock -exec sha256sum {} + | sort) >after
    find srv -type l -printf '%p %l\n' | sort >>after
    cmp before after || die "something changed: $(diff before after | head -3)"
}

# A copy of the live tree, to be spoilt and packed again.
spoil() {
    rm -rf tree
    mkdir tree
    tar -C tree -xf "${1:-2.tar}"
}

test_from_a_tar() {
    two_generations
    mkdir -p srv/keep.me
    must deploy - <1.tar
    [ "$(cut -f1,2,4 "$T/out")" = "$(printf '1\tv0.3.4\t17')" ] || die "$(cat out)"
    must deploy - <2.tar
    [ "$(live)" = 2 ] && [ -d srv/keep.me ] || die "$(live)"
    must deploy verify
    must deploy list
    [ "$(cut -f1,2,6 "$T/out")" = "$(printf '2\tv0.3.5\tlive\n1\tv0.3.4\t')" ] ||
        die "$(cat out)"
    # shared files are shared
    [ "$(stat -c %h srv/.releases/1/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb)" = 2 ] ||
        die "copied what was there"
    [ "$(stat -c %a srv/.releases/2/apt/dists/stable/InRelease)" = 644 ] || die mode
}

test_plain_directories_are_exchanged() {
    two_generations
    mkdir -p srv/apt/dists srv/rpm/stable srv/gpg
    echo old >srv/apt/dists/x
    echo mine >srv/robots.txt
    expect 0 "'$T/srv/apt' is now a link" deploy - <1.tar
    [ -L srv/apt ] && [ -L srv/gpg ] && [ -L srv/SHA256SUMS ] || die "no links"
    [ -d srv/rpm/stable ] && [ ! -L srv/rpm ] || die "rpm is not ours"
    [ "$(cat srv/robots.txt)" = mine ] || die "robots.txt"
    [ "$(cat srv/.releases/replaced.1/apt/dists/x)" = old ] || die "old tree lost"
    must deploy prune
    [ ! -e srv/.releases/replaced.1 ] || die "prune"
    must deploy - <2.tar
    [ "$(find srv/.releases -maxdepth 1 -name 'replaced*')" = '' ] || die "again"
}

test_a_drop_brings_only_what_is_new() {
    two_generations
    must deploy - <1.tar
    local d=inbox/generation.2.abc
    mkdir -p $d.part && tar -C $d.part -xf 2.tar
    # what the server has already need not be sent
    (cd $d.part && rm apt/pool/stable/main/*_0.3.4_* gpg/* apt/*.sources)
    (cd $d.part && rm apt/dists/stable/main/binary-*/by-hash/SHA256/*)
    expect 0 'nothing to do: no drop waits, generation 1 is live' deploy
    mv $d.part $d
    must deploy status
    grep -q "$(printf 'waiting\t2')" out || die "$(cat out)"
    expect 0 'taking drop generation.2.abc' deploy
    [ "$(live)" = 2 ] && [ ! -e $d ] || die "not consumed"
    must deploy verify
    [ "$(cat inbox/LIVE/SHA256SUMS)" = "$(cat srv/SHA256SUMS)" ] || die "no LIVE"
    must gpg --homedir "$KEYS/h.main" --verify inbox/LIVE/SHA256SUMS.asc inbox/LIVE/SHA256SUMS
    expect 0 'nothing to do' deploy
    expect 0 'nothing to do' deploy 2
    expect 66 'no complete drop of generation 7' deploy 7
    expect 64 'neither a verb nor a serial' deploy bogus
}

# as_nobody COMMAND...
as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# Whoever cannot look does not say that there is nothing.
test_an_inbox_that_is_closed() {
    two_generations
    must deploy - <1.tar
    expect 66 "\[deploy\] inbox: .*$T/typo" deploy -o "deploy.inbox=$T/typo"
    expect 66 "$T/typo" deploy -o "deploy.inbox=$T/typo" 1
    # an archive comes by itself
    must deploy -o "deploy.inbox=$T/typo" - <1.tar
    [ "$(id -u)" = 0 ] || { echo '# skip this needs root, to become another'; return; }
    local n d=inbox/generation.2.abc tool=("$T/deploy-repo" -c "$T/conf")
    # another user may not be able to look where the tool was built
    cp "$BUILD/bin/deploy-repo" "$T/"
    mkdir -p $d && tar -C $d -xf 2.tar
    chmod 755 "$T" "$HOME"
    chown -R 65534 srv inbox
    chmod 0 $d
    expect 77 "look for '${d#*/}/SHA256SUMS': Permission denied" as_nobody "${tool[@]}"
    chmod 755 $d
    chmod 0 $d/SHA256SUMS
    expect 77 "${d#*/}.*SHA256SUMS.*: Permission denied" as_nobody "${tool[@]}"
    chmod 0 inbox
    expect 77 "\[deploy\] inbox: .*$T/inbox.*Permission denied" as_nobody "${tool[@]}"
    must as_nobody "${tool[@]}" - <1.tar
    grep -q 'warning: \[deploy\] inbox' err || die "$(cat err)"
    chmod 755 inbox
    chmod 644 $d/SHA256SUMS
    # before gpg, which needs many, has to do with it
    for n in 4 5 6 7; do
        as_nobody bash -c "ulimit -n $n"'; exec "$@"' - "${tool[@]}" >out 2>err
        [ $? = 71 ] || die "with $n descriptors: $(cat err)"
    done
    must as_nobody "${tool[@]}"
    [ "$(live)" = 2 ] || die "$(live)"
}

# The root may hold a web site as well: no manifest takes its place.
test_a_manifest_that_names_more_than_a_tree() {
    local name
    two_generations
    must deploy - <1.tar
    mkdir srv/www
    echo ours >srv/www/index.html
    mkdir t && tar -C t -xf 2.tar
    for name in www/index.html aptx apt README x-release.rpm/x; do
        mkdir -p bad
        cp -a t/. bad
        [ $name != apt ] || rm -r bad/apt
        mkdir -p "bad/$(dirname $name)"
        echo theirs >bad/$name
        sign_tree bad 2
        tar_tree bad >bad.tar
        expect 65 "lists '$name', which no repository has" deploy - <bad.tar
        rm -r bad
    done
    [ "$(cat srv/www/index.html)" = ours ] || die "taken over"
    must deploy - <2.tar
}

# bring SERIAL NAME: its tar as a drop of that name.
bring() {
    mkdir -p "inbox/$2" && tar -C "inbox/$2" -xf "$1.tar"
}

# Who may write into the inbox chooses the names there, and no more than that.
test_a_name_is_not_believed() {
    local huge=generation.999999999999999999.x
    two_generations
    must deploy - <1.tar
    # a copy of what is live, named as if it were the newest
    mkdir inbox/$huge
    cp inbox/LIVE/SHA256SUMS* inbox/$huge
    expect 65 "drop '$huge' is passed over.*manifest is that of generation 1" deploy
    [ "$(live)" = 1 ] || die "$(live)"
    bring 2 generation.2.good
    expect 65 "drop '$huge' is passed over" deploy
    [ "$(live)" = 2 ] && [ ! -e inbox/generation.2.good ] || die "$(live)"
    [ -e inbox/$huge ] || die 'what nobody has read is gone'
    rm -r inbox/$huge
    must deploy
    must dist refresh
    must dist export; mv out 3.tar
    # junk beside it: of the same serial, of another, unsigned, and half
    bring 3 generation.3.m
    bring 3 generation.3.zz
    echo >>inbox/generation.3.zz/SHA256SUMS
    mkdir inbox/generation.4.x
    echo junk >inbox/generation.4.x/SHA256SUMS
    expect 77 '2 drops failed' deploy
    grep -q "generation.3.zz' is passed over" err && grep -q "generation.4.x' is passed" err ||
        die "$(cat err)"
    [ "$(live)" = 3 ] || die "$(live)"
    expect 77 '2 drops failed' deploy
    # and an archive comes as it is
    must dist refresh
    must dist export; mv out 4.tar
    expect 0 'warning: drop .* is passed over' deploy - <4.tar
    [ "$(live)" = 4 ] || die "$(live)"
}

test_the_newest_drop_is_taken_and_older_ones_go() {
    two_generations
    mkdir -p inbox/generation.{1.a,2.b,2.c.part,x.d,03.e}
    tar -C inbox/generation.1.a -xf 1.tar
    tar -C inbox/generation.2.b -xf 2.tar
    must deploy
    [ "$(live)" = 2 ] || die "$(live)"
    [ "$(ls inbox | tr '\n' ' ')" = 'LIVE generation.03.e generation.2.c.part generation.x.d ' ] ||
        die "inbox: $(ls inbox)"
}

test_a_drop_with_something_else() {
    two_generations
    must deploy - <1.tar
    local d=inbox/generation.2.abc
    mkdir $d && tar -C $d -xf 2.tar
    echo x >$d/apt/extra
    expect 65 "'apt/extra' is not listed" deploy
    rm $d/apt/extra
    mkfifo $d/apt/fifo
    expect 65 "'apt/fifo' is not a regular file" deploy
    rm $d/apt/fifo
    local f=$d/apt/pool/stable/main/veilid-cli_0.3.5_amd64.deb
    mv $f saved
    ln -s "$T/saved" $f
    expect 65 'not a regular file' deploy
    rm $f
    expect 65 'listed, but neither sent nor in a generation' deploy
    # before a byte of it is taken
    truncate -s 1T $f
    expect 65 "cli_0.3.5_amd64.deb' has 1099511627776 bytes, but $(stat -c %s saved) are listed" \
        deploy
    rm $f
    head -c "$(stat -c %s saved)" /dev/zero >$f
    expect 65 'does not have the hash' deploy
    cp saved $f
    rm -rf srv/.releases/2
    [ "$(live)" = 1 ] || die "went live"
    must deploy
}

test_a_lost_file_is_found_under_another_name() {
    two_generations
    must deploy - <1.tar
    local d=inbox/generation.2.abc
    mkdir $d && tar -C $d -xf 2.tar
    # Packages and its name by hash have the same content: once is enough
    rm -r $d/apt/dists/stable/main/binary-*/by-hash
    must deploy
    must deploy verify
}

test_signature_and_trust() {
    two_generations
    must deploy - <1.tar
    spoil
    sed -i '1s/2/3/' tree/SHA256SUMS
    tar_tree tree >t.tar
    refused 77 'bad signature' t.tar
    spoil
    : >tree/SHA256SUMS.asc
    tar_tree tree >t.tar
    refused 77 'SHA256SUMS.asc' t.tar
    spoil
    sign_tree tree 2 ed25519
    tar_tree tree >t.tar
    refused 77 'not trusted' t.tar
    mkdir inbox/generation.2.foreign
    tar -C inbox/generation.2.foreign -xf t.tar
    expect 77 'generation.2.foreign.*not trusted' deploy
    rm -r inbox/generation.2.foreign
    rm trusted.asc
    refused 66 'trusted-key' 2.tar
    sed -i '/^trusted-key/d' conf
    refused 78 '\[deploy\] trusted-key is not set' 2.tar
    make_key expired
    spoil
    sed -i "\$atrusted-key = $KEYS/expired.asc" conf
    (cd tree && gpg --homedir "$KEYS/h.expired" --batch --quiet --yes --armor \
        --faked-system-time 20250101T100000 --pinentry-mode loopback \
        --passphrase '' --detach-sign SHA256SUMS)
    gpgconf --homedir "$KEYS/h.expired" --kill all
    tar_tree tree >t.tar
    refused 77 'expired' t.tar
}

test_serials() {
    two_generations
    must deploy - <2.tar
    refused 77 'serial 1 is older than the live 2' 1.tar
    expect 0 'live already' deploy - <2.tar
    must deploy --allow-older - <1.tar
    [ "$(live)" = 1 ] || die "$(live)"
    refused 77 'generation 2 was withdrawn' 2.tar
    must deploy --allow-older - <2.tar
    # another tree under a serial that is taken
    make_release other 0.3.6
    must dist -o "repository.state=$T/s2" build -r v0.3.6 --from other
    must dist -o "repository.state=$T/s2" refresh
    must dist -o "repository.state=$T/s2" export
    mv out other.tar
    refused 65 'generation 2 is kept already, with different contents' other.tar
    must dist -o "repository.state=$T/s2" refresh
    must dist -o "repository.state=$T/s2" export
    mv out other.tar
    expect 0 'does not name the live one as its predecessor' deploy - <other.tar
}

# The signer was fooled, or the signing key stolen: the tree must still be one
# that clients accept, and nothing may leave its directory.
test_signed_but_wrong() {
    two_generations
    must deploy - <1.tar
    local index=apt/dists/stable/main/binary-amd64/Packages
    spoil; sed -i 's/^Size: .*/Size: 7/' tree/$index; sign_tree tree
    tar_tree tree >t.tar
    refused 65 'binary-amd64/Packages.*not the file that Release lists' t.tar
    spoil; echo x >>tree/apt/dists/stable/Release; sign_tree tree
    tar_tree tree >t.tar
    refused 77 'Release.gpg: bad signature|failed' t.tar
    spoil; cp tree/apt/dists/stable/Release tree/apt/dists/stable/InRelease
    sign_tree tree; tar_tree tree >t.tar
    refused 77 'InRelease' t.tar
    spoil; rm tree/apt/pool/stable/main/veilid-cli_0.3.5_arm64.deb; sign_tree tree
    tar_tree tree >t.tar
    refused 65 "lists 'apt/pool/stable/main/veilid-cli_0.3.5_arm64.deb', which is missing" t.tar
    spoil; rm -r tree/apt/dists/stable/main/binary-arm64/by-hash; sign_tree tree
    tar_tree tree >t.tar
    refused 65 'by-hash' t.tar
    spoil; mv tree/apt/dists/stable tree/apt/dists/unstable; sign_tree tree
    tar_tree tree >t.tar
    refused 65 "neither Suite nor Codename is 'unstable'" t.tar
    spoil; echo x >tree/apt/pool/stable/main/veilid-cli_0.3.5_arm64.deb; sign_tree tree
    tar_tree tree >t.tar
    refused 65 "a different SHA256 for" t.tar
}

# manifest LINE...: a signed manifest with just these lines.
manifest() {
    rm -rf tree; mkdir tree
    printf '%s\n' "$@" >tree/SHA256SUMS
    (cd tree && sign_file main SHA256SUMS)
    tar -C tree -cf t.tar SHA256SUMS SHA256SUMS.asc
}

test_manifests() {
    two_generations
    must deploy - <1.tar
    local h=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    local head=('# serial 9' '# release v9' '# date 2026-01-02T03:04:05Z')
    local path
    for path in /etc/passwd ../x apt/../../x apt//x ./x apt/./x .releases/current \
        apt/.hidden apt/ 'a b' "apt/x\\y" '-rf' SHA256SUMS "$(printf 'a%.0s' {1..300})"; do
        manifest "${head[@]}" "$h  $path"
        refused 65 "unsafe path|is not 'sha256  path'" t.tar
    done
    manifest "${head[@]}" "$h  b" "$h  a"
    refused 65 "'a' is out of order" t.tar
    manifest "${head[@]}" "$h  a" "$h  a"
    refused 65 "'a' is out of order" t.tar
    manifest "${head[@]}" "$h  a" "$h  a/b"
    refused 65 "'a/b' is in 'a', which is a file" t.tar
    manifest "${head[@]}"
    refused 65 'lists no files' t.tar
    manifest "$h  a"
    refused 65 'no serial, release or date' t.tar
    manifest '# serial -1' "$h  a"
    refused 65 'bad line' t.tar
    manifest '# serial 99999999999999999999' "$h  a"
    refused 65 'bad line' t.tar
    manifest "${head[@]}" "zz$h  a"
    refused 65 'file 1' t.tar
    printf '%s\n%s\n%s\n%s  a' "${head[@]}" "$h" >tree/SHA256SUMS
    (cd tree && sign_file main SHA256SUMS)
    tar -C tree -cf t.tar SHA256SUMS SHA256SUMS.asc
    refused 65 'file 1' t.tar
}

test_tars() {
    two_generations
    must deploy - <1.tar
    local n
    for n in 0 100 512 1000 5000 20000 $(($(stat -c %s 2.tar) / 2)) \
        $(($(stat -c %s 2.tar) - 2000)) $(($(stat -c %s 2.tar) - 1024)); do
        head -c "$n" 2.tar >t.tar
        refused 65 "truncated after $n bytes" t.tar
    done
    # one more member than the manifest lists, of each hostile kind
    spoil
    echo x >evil
    cp 2.tar t.tar
    tar -rf t.tar -P --transform 's,^evil,../../evil,' evil
    refused 65 'unsafe path' t.tar
    cp 2.tar t.tar
    tar -rf t.tar -P "$T/evil"
    refused 65 'unsafe path' t.tar
    ln -s /etc/passwd link
    cp 2.tar t.tar
    tar -rf t.tar link
    refused 65 "'link' is a symbolic link" t.tar
    cp 2.tar t.tar
    tar -rf t.tar evil
    refused 65 "'evil' is not listed" t.tar
    ln evil evil2
    cp 2.tar t.tar
    tar -rf t.tar evil evil2
    refused 65 'not listed|link' t.tar
    if mknod dev c 1 3 2>/dev/null; then
        cp 2.tar t.tar
        tar -rf t.tar dev
        refused 65 "'dev' is a device" t.tar
    fi
    cp 2.tar t.tar
    tar -C tree -rf t.tar apt/dists/stable/Release
    refused 65 'appears twice' t.tar
    # a link in the place of a listed file
    spoil
    ln -sf /etc/passwd tree/apt/dists/stable/Release
    tar_tree tree >t.tar
    refused 65 "'apt/dists/stable/Release' is a symbolic link" t.tar
    spoil
    tar -C tree -cf t.tar apt SHA256SUMS SHA256SUMS.asc gpg
    refused 65 "'SHA256SUMS' is not where it should be" t.tar
    head -c 100000 /dev/urandom >t.tar
    refused 65 'not a tar archive|compressed by' t.tar
    gzip -k 2.tar
    refused 65 'compressed by gzip: send it uncompressed' 2.tar.gz
    # what follows the end is read, so that the sender sees no broken pipe
    { cat 2.tar; echo x; } >t.tar
    refused 65 'something follows the end' t.tar
    { cat 2.tar; head -c 3000000 /dev/zero; } | must deploy -
    [ "${PIPESTATUS[*]}" = '0 0' ] || die "the sender: ${PIPESTATUS[*]}"
}

test_rollback_and_what_apt_sees() {
    two_generations
    web_start "$T/srv"
    must deploy - <1.tar
    apt_root r "$WEB"
    must apt r update
    must apt r install veilid-cli
    must deploy - <2.tar
    must apt r update
    must apt r upgrade
    expect 0 'generation 1 is live; clients that have seen the newer date' deploy rollback
    [ "$(live)" = 1 ] || die "$(live)"
    must deploy verify
    # an old client stays with the index that it saw, without a word, and does
    # not find that index's packages; a new one gets the old state
    must apt r update
    grep -q 'Version: 0.3.5' r/var/lib/apt/lists/*Packages || die "went back"
    ! apt r install veilid-server || die "where is 0.3.5 from?"
    grep -q '404 ' "$T/apt.out" "$T/apt.err" || die "no 404"
    apt_root r2 "$WEB"
    must apt r2 update
    must apt r2 install veilid-cli
    [ "$(installed r2)" = 'veilid-cli:amd64=0.3.4 ' ] || die "$(installed r2)"
    expect 66 'no generation before' deploy rollback
    must deploy rollback 2
    [ "$(live)" = 2 ] || die "$(live)"
    expect 66 'generation 9 is not kept' deploy rollback 9
    must dist revert 1
    must export_and_deploy
    must apt r update
    must apt r install --allow-downgrades veilid-cli=0.3.4
}

# withdrawn N TAR: neither an archive nor a drop of it goes live by itself.
withdrawn() {
    local d=inbox/generation.$1.abc
    expect 77 "generation $1 was withdrawn by a rollback" deploy - <"$2"
    rm -rf "$d" && mkdir -p "$d"
    tar -C "$d" -xf "$2"
    expect 77 "generation $1 was withdrawn by a rollback: deploy-repo deploy $1" deploy
    [ "$(live)" = 1 ] || die "$(live)"
}

test_what_was_withdrawn_stays_so() {
    two_generations
    must deploy - <1.tar
    must deploy - <2.tar
    must deploy rollback
    # all of it is public: who copies it needs no key
    withdrawn 2 2.tar
    must deploy 2
    [ "$(live)" = 2 ] && [ ! -e inbox/generation.2.abc ] || die "not by its serial"
    must deploy - <2.tar
    must deploy rollback
    must deploy --allow-older - <2.tar
    [ "$(live)" = 2 ] || die "$(live)"
    must deploy rollback
    must deploy rollback 2
    must deploy - <2.tar
    must deploy rollback
    must dist build -r v0.3.5 --from q
    must dist refresh
    must dist export; mv out 3.tar
    must deploy -o deploy.keep=5 - <3.tar
    must deploy rollback 1
    withdrawn 2 2.tar
    withdrawn 3 3.tar
    # only a newer one
    must dist refresh
    must export_and_deploy
    [ "$(live)" = 4 ] || die "$(live)"
    [ "$(ls -A inbox)" = LIVE ] || die "$(ls -A inbox)"
}

test_the_highest_serial_is_known_without_the_link() {
    two_generations
    must deploy - <1.tar
    must deploy - <2.tar
    rm srv/.releases/current
    expect 66 "current' is missing.*deploy-repo rollback 2" deploy - <1.tar
    expect 66 "current' is missing" deploy --allow-older - <1.tar
    must dist refresh
    must dist export; mv out 3.tar
    expect 66 "current' is missing" deploy - <3.tar
    expect 66 'nothing is live: give the serial' deploy rollback
    must deploy rollback 2
    [ "$(live)" = 2 ] || die "$(live)"
    # nothing is kept either
    rm -r srv/.releases/current srv/.releases/[12]
    expect 77 'serial 1 is older than 2, which was here' deploy - <1.tar
    must deploy - <2.tar
    echo 'highest two' >srv/.releases/mark
    expect 65 "mark' is damaged" deploy - <3.tar
    must deploy list
    echo 'highest 2' >srv/.releases/mark
    must deploy - <3.tar
    [ "$(cat srv/.releases/mark)" = 'highest 3' ] || die "$(cat srv/.releases/mark)"
}

# Whoever can open it can hold it.
test_nobody_else_can_hold_the_lock() {
    two_generations
    mkdir srv/.releases
    touch srv/.releases/lock
    chmod 644 srv/.releases/lock
    must deploy - <1.tar
    [ "$(stat -c %a srv/.releases/lock state/lock | tr '\n' ' ')" = '600 600 ' ] ||
        die "$(stat -c '%a %n' srv/.releases/lock state/lock)"
}

# The first one may go on, whatever was left of it.
test_a_first_deployment_that_fails() {
    two_generations
    expect 75 'swapped back' deploy -o deploy.url=http://127.0.0.1:9 - <1.tar
    [ ! -e srv/.releases/current ] || die "$(live)"
    must deploy - <1.tar
    rm srv/.releases/current srv/.releases/mark
    must deploy - <1.tar
    rm srv/.releases/current
    must deploy - <1.tar
    expect 75 'swapped back' deploy -o deploy.url=http://127.0.0.1:9 - <2.tar
    [ "$(live)" = 1 ] || die "$(live)"
    must deploy - <2.tar
    [ "$(live)" = 2 ] || die "$(live)"
}

test_keep_and_prune() {
    two_generations
    sed -i 's/^\[deploy\]/&\nkeep = 2/' conf
    must deploy - <1.tar
    must deploy - <2.tar
    for _ in 3 4; do
        must dist refresh
        must export_and_deploy
    done
    must deploy list
    [ "$(cut -f1 out | tr '\n' ' ')" = '4 3 ' ] || die "$(cat out)"
    must deploy rollback
    must deploy -o deploy.keep=1 prune
    must deploy list
    [ "$(cut -f1 out | tr '\n' ' ')" = '4 3 ' ] || die "the live one went: $(cat out)"
    must deploy verify
}

test_the_look_through_the_web_server() {
    two_generations
    web_start "$T/srv"
    sed -i "s|^\[deploy\]|&\nurl = $WEB|" conf
    must deploy - <1.tar
    must deploy - <2.tar
    # the web server serves something else: everything goes back
    mkdir -p elsewhere
    cp -rL srv/.releases/1/apt elsewhere/
    kill "${PIDS[-1]}"; wait "${PIDS[-1]}" 2>/dev/null
    web_start "$T/elsewhere"
    must dist refresh
    must dist export; mv out 3.tar
    expect 76 'swapped back.*is not what was deployed' \
        deploy -o "deploy.url=$WEB" - <3.tar
    [ "$(live)" = 2 ] || die "$(live)"
    expect 76 'status 404' deploy -o "deploy.url=$WEB/nowhere" - <3.tar
    expect 75 'swapped back' deploy -o deploy.url=http://127.0.0.1:9 - <3.tar
    [ "$(live)" = 2 ] || die "$(live)"
    must deploy -o "deploy.url=$WEB/../srv" verify
}

test_a_first_deployment_that_goes_back() {
    two_generations
    mkdir -p srv/apt other
    echo old >srv/apt/x
    web_start "$T/other"
    expect 76 'swapped back' deploy -o "deploy.url=$WEB" - <1.tar
    [ "$(cat srv/apt/x)" = old ] && [ ! -L srv/apt ] && [ ! -e srv/gpg ] ||
        die "not as before: $(ls -la srv)"
    [ -z "$(find srv/.releases -mindepth 1 -maxdepth 1 ! -name lock ! -name 1)" ] ||
        die "left: $(ls -A srv/.releases)"
    must deploy - <1.tar
}

test_dry_run() {
    two_generations
    must deploy - <1.tar
    find srv ! -name lock -printf '%p %i\n' | sort >before
    expect 0 'dry run: generation 2, v0.3.5, is good and would go live' deploy -n - <2.tar
    spoil; echo x >>tree/apt/dists/stable/InRelease; tar_tree tree >t.tar
    expect 65 "InRelease' has .* bytes, but .* are listed" deploy -n - <t.tar
    spoil; sed -i 's/^Suite: st/Suite: ST/' tree/apt/dists/stable/InRelease; tar_tree tree >t.tar
    expect 65 'does not have the hash' deploy -n - <t.tar
    find srv ! -name lock -printf '%p %i\n' | sort | cmp - before || die "changed"
    must deploy - <2.tar
    expect 0 'would make generation 1, v0.3.4, live' deploy -n rollback
    [ "$(live)" = 2 ] || die "rolled back"
}

test_verify_sees_damage() {
    two_generations
    expect 66 'nothing is live' deploy verify
    must deploy - <2.tar
    must deploy verify
    printf x | dd of=srv/apt/pool/stable/main/veilid-cli_0.3.5_amd64.deb \
        conv=notrunc status=none
    expect 65 'veilid-cli_0.3.5_amd64.deb.*hash' deploy verify
}

test_owner() {
    two_generations
    [ "$(id -u)" = 0 ] || { echo '# skip needs root'; return; }
    must deploy -o deploy.owner=nobody:nogroup - <1.tar
    [ "$(stat -L -c %U:%G srv/apt/dists/stable/InRelease)" = nobody:nogroup ] || die owner
    expect 78 'no such user' deploy -o deploy.owner=nobody-here - <2.tar
}

# A generation that falls off the end becomes the next one: whatever has
# happened to it meanwhile, the next one is whole.
test_the_spare_generation_is_used_again() {
    local i spare=srv/.releases/spare
    sed -i 's/^\[deploy\]/&\nkeep = 2/' conf
    for i in 1 2 3; do
        make_release p$i 0.$i.0
        publish v0.$i.0 p$i
    done
    [ -e $spare/SHA256SUMS ] || die "no spare one"
    must dist remove veilid-cli=0.1.0
    expect 0 'reused [0-9]+ files of the spare generation' deploy -v - < <(dist -q export)
    must deploy verify
    [ ! -e $spare/apt/extra ] && [ -e $spare ] || die "no spare one again"
    # foreign things in it, a file gone, a directory emptied
    echo x >$spare/apt/extra
    ln -s /etc/passwd $spare/gpg/link
    mkdir -p $spare/deep/er && echo x >$spare/deep/er/y
    rm $spare/apt/pool/stable/main/veilid-server_0.1_amd64.deb
    must dist refresh
    must export_and_deploy
    must deploy verify
    (cd srv/.releases/current/ && find . -type f ! -name 'SHA256SUMS*' -printf '%P\n' |
        LC_ALL=C sort) >there
    grep -v '^#' srv/SHA256SUMS | cut -c67- | cmp - there || die "something else is in it"
    [ ! -e srv/.releases/current/deep ] && [ ! -L srv/.releases/current/gpg/link ] || die left
    # one without a manifest
    rm $spare/SHA256SUMS
    must dist refresh
    must export_and_deploy
    must deploy verify
    must deploy prune
    [ ! -e $spare ] || die "prune"
    must deploy list
    [ "$(cut -f1 out | tr '\n' ' ')" = '6 5 ' ] || die "$(cat out)"
}

# What an older version left when it was killed, or a disk has lost.
test_a_generation_that_cannot_be_read_is_left_out() {
    local i left_out='generation 2: open .SHA256SUMS.: No such file.*left out'
    for i in 1 2 3 4 5; do
        make_release p 0.$i.0
        must dist build -r v0.$i.0 --from p
        rm -r p
        must dist export; mv out $i.tar
    done
    for i in 1 2 3; do must deploy - <$i.tar; done
    rm srv/.releases/2/SHA256SUMS
    expect 0 "$left_out" deploy list
    [ "$(cut -f1,6 out | tr '\n\t' ' .')" = '3.live 1. ' ] || die "$(cat out)"
    must deploy status
    expect 0 "$left_out" deploy verify
    # needs the files of those that are kept
    mkdir inbox/generation.4.x
    tar -C inbox/generation.4.x -xf 4.tar
    rm -r inbox/generation.4.x/apt/dists/stable/main/binary-*/by-hash
    expect 0 "$left_out" deploy
    [ "$(live)" = 4 ] || die "$(live)"
    must deploy rollback 3
    expect 0 "$left_out" deploy rollback
    [ "$(live)" = 1 ] || die "went back to $(live)"
    expect 66 'generation 2: open' deploy rollback 2
    # 4, 3 and 1 are three that can be gone back to
    must deploy rollback 4
    expect 0 "$left_out" deploy -o deploy.keep=3 prune
    [ -e srv/.releases/1 ] || die "2 counts as one that is kept"
    expect 0 "$left_out" deploy -o deploy.keep=3 - <5.tar
    [ "$(ls srv/.releases | tr '\n' ' ')" = '3 4 5 current lock mark spare ' ] ||
        die "$(ls srv/.releases)"
    must deploy verify
}

# One of these comes again, and is made again, even while it is live.
test_a_generation_that_cannot_be_read_is_replaced() {
    two_generations
    must deploy - <1.tar
    must deploy - <2.tar
    rm srv/.releases/1/SHA256SUMS.asc
    expect 0 'generation 1: .*it is replaced' deploy --allow-older - <1.tar
    must deploy verify
    must deploy --allow-older - <2.tar
    truncate -s 100 srv/.releases/2/SHA256SUMS
    expect 0 'generation 2: SHA256SUMS' deploy status
    grep -qx "$(printf 'live\t2')" out || die "$(cat out)"
    expect 65 'generation 2: SHA256SUMS' deploy verify
    expect 65 'generation 2: SHA256SUMS' deploy
    expect 0 'generation 2: .*it is replaced' deploy - <2.tar
    must deploy verify
    must deploy list
    [ "$(cut -f1,6 out | tr '\n\t' ' .')" = '2.live 1. ' ] || die "$(cat out)"
    # a later one finds nothing in the live one that it could use
    cp srv/.releases/1/SHA256SUMS srv/.releases/2/
    must dist refresh
    must dist export; mv out 3.tar
    expect 0 'generation 2: SHA256SUMS is that of generation 1: none of its files are reused' \
        deploy - <3.tar
    must deploy verify
    [ "$(ls -A srv/.releases | tr '\n' ' ')" = '1 2 3 current lock mark ' ] ||
        die "$(ls -A srv/.releases)"
}

run_tests
