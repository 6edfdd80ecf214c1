#!/bin/bash
# Runs inside the container: signs /rpms/*.rpm and describes them in
# /rpms/repodata. The first line of standard input is the key's
# passphrase, or empty; the armoured secret key follows. Neither is ever in
# anything but /keys, which is memory, and ends with the container.
#
#   sign-rpms FINGERPRINT DATE
set -euo pipefail
umask 077

# A container whose caller died must not stay.
# timeout is no process 1: that of coreutils 9.10 ends at once where it is.
if [ "${1-}" != --bounded ]; then
    timeout --foreground --kill-after=10 1800 "$0" --bounded "$@" <&0 &
    bounded=$!
    trap 'kill -TERM "$bounded" 2>/dev/null || :' TERM INT HUP
    status=0
    wait "$bounded" || status=$?
    # a signal ends the wait before the other has ended
    while kill -0 "$bounded" 2>/dev/null; do
        status=0
        wait "$bounded" || status=$?
    done
    exit "$status"
fi
fingerprint=$2
date=$3

export HOME=/keys GNUPGHOME=/keys/gnupg LC_ALL=C TZ=UTC
mkdir -m 700 "$GNUPGHOME"
printf 'pinentry-mode loopback\nbatch\nno-tty\n' >"$GNUPGHOME/gpg.conf"
printf 'allow-loopback-pinentry\n' >"$GNUPGHOME/gpg-agent.conf"
IFS= read -r passphrase
printf '%s\n' "$passphrase" >/keys/passphrase
unset passphrase
gpg --quiet --passphrase-file /keys/passphrase --import

# gpg would sign with the newest signing subkey; rpm wants the primary key.
gpg --with-colons --with-keygrip --list-secret-keys "$fingerprint" |
    awk -F: '$1 == "ssb" { sub_key = 1 } $1 == "sec" { sub_key = 0 }
        $1 == "grp" && sub_key { print $10 }' |
    while IFS= read -r grip; do
        rm -f "$GNUPGHOME/private-keys-v1.d/$grip.key"
    done

cd /rpms
# rpmsign is talkative, and warns of the terminal that there is none of.
quietly() {
    "$@" >/tmp/log 2>&1 || { cat /tmp/log >&2; exit 1; }
}
# Signatures that are there already go: there is one, and it is ours.
quietly rpmsign --delsign -- *.rpm
quietly rpmsign --define '__gpg /usr/bin/gpg' \
    --define "_gpg_name $fingerprint" --define '_gpg_digest_algo sha512' \
    --define '_gpg_sign_cmd_extra_args --passphrase-file /keys/passphrase' \
    --addsign -- *.rpm
touch -d "@$date" -- *.rpm
createrepo_c --quiet --no-database --general-compress-type gz .
chmod -R u+rwX,go+rX .
# Not every engine passes the exit status on: this says that all was done.
touch finished
