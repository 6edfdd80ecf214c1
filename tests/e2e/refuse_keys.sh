#!/bin/bash
# Keys that clients would not accept are refused before anything is built,
# and no kind of end leaves a secret behind.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/killed.sh"

# refused STATUS REGEX KIND
refused() {
    make_key "$3"
    cp "$KEYS/$3" "$T/key"
    [ -d p ] || make_release p 0.3.4
    expect "$1" "$2" dist build -r v0.3.4 --from p
    nothing_is_stored || die "built something"
}

test_expired() { refused 77 'it expired on 2025-01-02' expired; }
test_expires_soon() {
    refused 77 'it expires on .* and \[signing\] min-days is 30' soon
    must dist -o signing.min-days=5 build -r v0.3.4 --from p
}
test_revoked() { refused 77 'it was revoked' revoked; }
test_sha1_self_signature() { refused 77 'its own signature is SHA-1' sha1; }
test_rsa_2048() { refused 77 'RSA of 2048 bits is too weak: 3072' rsa2048; }
test_dsa() { refused 77 'DSA is too weak' dsa; }
test_subkeys_only() { refused 77 'no secret primary key' subkeyonly; }

test_missing() {
    make_release p 0.3.4
    rm key
    expect 66 "open '$T/key': No such file" dist build -r v0.3.4 --from p
    sed -i '/^key-file/d' conf
    expect 66 'veilid-packages-key.private' dist build -r v0.3.4 --from p
    # where a GitLab secure file comes to lie
    cp "$KEYS/main" veilid-packages-key.private
    must dist build -r v0.3.4 --from p
    rm -rf state
    mv veilid-packages-key.private home/
    must dist build -r v0.3.4 --from p
}

test_open_to_others() {
    make_release p 0.3.4
    chmod 640 key
    expect 77 "chmod 600 '$T/key'" dist build -r v0.3.4 --from p
}

test_not_a_secret_key() {
    make_release p 0.3.4
    cp trusted.asc key
    chmod 600 key
    expect 66 'it holds no secret key' dist build -r v0.3.4 --from p
    (umask 077; echo rubbish >key)
    expect 65 'read the key' dist build -r v0.3.4 --from p
    make_key passphrase
    (umask 077; cat "$KEYS/main" "$KEYS/passphrase" >key)
    expect 65 'more than one secret key' dist build -r v0.3.4 --from p
}

test_passphrases() {
    make_release p 0.3.4
    use_key passphrase
    expect 77 'has a passphrase: set \[signing\] passphrase-file' \
        dist build -r v0.3.4 --from p
    (umask 077; echo wrong >pass)
    expect 77 'wrong passphrase' dist -o "signing.passphrase-file=$T/pass" \
        build -r v0.3.4 --from p
    [ -z "$(ls state/generations)" ] || die "built"
    echo opensesame >pass
    expect 0 '' dist -vv -o "signing.passphrase-file=$T/pass" build -r v0.3.4 --from p
    ! grep -q opensesame out err || die "the passphrase is in the output"
    chmod 644 pass
    expect 77 'chmod 600' dist -o "signing.passphrase-file=$T/pass" refresh
}

test_the_primary_key_signs_although_there_is_a_subkey() {
    make_release p 0.3.4
    use_key subkey
    publish v0.3.4 p
    local fpr
    fpr=$(gpg --show-keys --with-colons trusted.asc | awk -F: '$1 == "fpr" {print $10; exit}')
    gpg --homedir "$KEYS/h.subkey" --batch --status-fd 1 --verify \
        srv/SHA256SUMS.asc srv/SHA256SUMS 2>/dev/null >status
    grep -q "VALIDSIG $fpr " status || die "signed by $(grep VALIDSIG status)"
}

test_a_key_in_the_own_key_ring() {
    make_release p 0.3.4
    make_key subkey
    sed -i '/^key-file/d' conf
    cp -r "$KEYS/h.main" "$T/g"
    local fpr
    fpr=$(gpg --show-keys --with-colons trusted.asc | awk -F: '$1 == "fpr" {print $10; exit}')
    GNUPGHOME=$T/g must dist -o "signing.key=$fpr" build -r v0.3.4 --from p
    must export_and_deploy
    GNUPGHOME=$T/g gpgconf --kill all
    cp -r "$KEYS/h.subkey" "$T/gs"
    fpr=$(gpg --show-keys --with-colons "$KEYS/subkey.asc" | awk -F: '$1 == "fpr" {print $10; exit}')
    GNUPGHOME=$T/gs expect 77 'signed with the subkey' \
        dist -o "signing.key=$fpr" refresh
    GNUPGHOME=$T/gs gpgconf --kill all
}

# Of the caller's gpg.conf: a repository that nobody can use after a week, or
# that nobody could from the beginning.
test_what_the_own_gpg_conf_does_to_signatures() {
    local fpr
    make_release p 0.3.4
    sed -i '/^key-file/d' conf
    cp -r "$KEYS/h.main" "$T/g"
    fpr=$(gpg --show-keys --with-colons trusted.asc | awk -F: '$1 == "fpr" {print $10; exit}')
    export GNUPGHOME=$T/g
    echo 'default-sig-expire 7d' >>g/gpg.conf
    expect 77 'signatures that expire.*remove default-sig-expire' \
        dist -o "signing.key=$fpr" build -r v0.3.4 --from p
    sed -i 's/^default-sig-expire.*/digest-algo SHA1/' g/gpg.conf
    expect 77 'a signature of SHA-1.*remove digest-algo' \
        dist -o "signing.key=$fpr" build -r v0.3.4 --from p
    nothing_is_stored || die "something is stored"
    sed -i '/^digest-algo/d' g/gpg.conf
    must dist -o "signing.key=$fpr" build -r v0.3.4 --from p
    gpgconf --kill all
}

test_a_key_from_a_descriptor() {
    make_release p 0.3.4
    must dist -o signing.key-file=/dev/fd/7 build -r v0.3.4 --from p 7< <(cat key)
}

# Nothing of the secret is in the state, the home or /tmp; kill -9 included.
test_no_secret_on_any_disk() {
    make_release p 0.3.4
    local needle
    # RSA's secret numbers follow the 384 bytes of its public one
    needle=$(sed -n 18p key)
    must dist build -r v0.3.4 --from p
    mv key key.away
    ! grep -rqF "$needle" state home out err || die "the key was written"
    mv key.away key
    local i n
    calls_of "$BUILD/bin/distribute-packages" -c conf refresh
    n=${#MOMENTS[@]}
    for i in 0 1 2 3 4 5; do
        killed_at $((i * n / 6)) "$BUILD/bin/distribute-packages" -c conf refresh
    done
    check_nothing_left
    must dist refresh
    ! find state home /tmp/*.gpg /dev/shm -newer conf -type f -print0 2>/dev/null |
        xargs -0r grep -lF "$needle" | grep -q . || die "left on a disk"
}

# What a keeper that was killed, too, has left, the next run removes.
test_the_next_run_removes_a_left_over_key_ring() {
    make_release p 0.3.4
    local left=/dev/shm/veilid-cicd-keys.test$$
    mkdir -m 700 "$left"
    touch "$left/lock" "$left/secret"
    must dist build -r v0.3.4 --from p
    [ ! -e "$left" ] || { rm -rf "$left"; die "still there"; }
}

test_the_environment_is_not_handed_on() {
    make_release p 0.3.4
    mkdir bin
    cat >bin/gpg <<EOF
#!/bin/sh
env >>$T/env
exec /usr/bin/gpg "\$@"
EOF
    chmod 755 bin/gpg
    PATH=$T/bin:$PATH CI_JOB_TOKEN=tok3n DIGITALOCEAN_ACCESS_TOKEN=t0k \
        must dist build -r v0.3.4 --from p
    if [ -s env ]; then ! grep -qE 'tok3n|t0k' env || die "a token reached gpg"; fi
}

run_tests
