#!/bin/bash
# A machine that knows the repository from before, by another line and another
# key, and whose root works under umask 077.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# follow_comment: what the .sources file says, to the letter, but that /etc is
# the one of the client's root.
follow_comment() {
    curl -fsS "$WEB/apt/veilid-stable.sources" | sed -n 's/^# //p' |
        grep -E '^(grep|install|curl|chmod) ' | sed "s,/etc/apt/,$T/r/etc/apt/,g" >commands
    [ "$(wc -l <commands)" = 5 ] || die "$(cat commands)"
    (umask 077 && bash -e commands) || die "$(cat commands)"
    sed -i "s,/etc/apt/,$T/r/etc/apt/,g" r/etc/apt/sources.list.d/veilid-stable.sources
}

# Can the user that apt's methods are have it? gpgv reads the key as _apt.
readable_by_apt() {
    local f
    for f in r/etc/apt/keyrings/veilid-packages-key.asc \
        r/etc/apt/sources.list.d/veilid-stable.sources; do
        case $(stat -c %A "$f") in ???????r*) ;; *) die "$(ls -l "$f")" ;; esac
    done
    [ "$(stat -c %a r/etc/apt/keyrings)" = 755 ] || die "$(ls -ld r/etc/apt/keyrings)"
    [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1 || return 0
    chmod 711 "$T"
    must setpriv --reuid _apt --regid nogroup --clear-groups \
        cat "$T/r/etc/apt/keyrings/veilid-packages-key.asc"
    # and so does apt-get itself
    chown -R _apt r/var/lib/apt/lists/partial r/var/cache/apt/archives/partial
    sed -i 's/^APT::Sandbox::User .*/APT::Sandbox::User "_apt";/' r/apt.conf
}

test_the_instructions_to_the_letter() {
    local old
    make_release p 0.3.4
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB|" conf
    publish v0.3.4 p
    make_key ed25519
    for old in list sources; do
        rm -rf r
        (umask 022 && apt_root r "$WEB")
        cp "$KEYS/ed25519.asc" r/etc/apt/old.asc
        chmod 644 r/etc/apt/old.asc
        rm r/etc/apt/sources.list
        if [ $old = list ]; then
            echo "deb [arch=amd64 signed-by=$T/r/etc/apt/old.asc] $WEB/apt stable main"
        else
            printf 'Types: deb\nURIs: %s/apt\nSuites: stable\nComponents: main\n' "$WEB"
            echo "Signed-By: $T/r/etc/apt/old.asc"
        fi >"r/etc/apt/sources.list.d/veilid.$old"
        # somebody else's stays
        printf 'Types: deb\nEnabled: no\nURIs: http://127.0.0.1:1/\nSuites: x\nComponents: y\n' \
            >r/etc/apt/sources.list.d/other.sources
        # without the first step, apt is dead: that is what it is for
        mkdir -p r/etc/apt/keyrings
        cp trusted.asc r/etc/apt/keyrings/veilid-packages-key.asc
        curl -fsS "$WEB/apt/veilid-stable.sources" | sed "s,/etc/apt/,$T/r/etc/apt/,g" \
            >r/etc/apt/sources.list.d/veilid-stable.sources
        ! apt r update 2>/dev/null || die "there is no conflict"
        grep -q 'Conflicting values set for option Signed-By' apt.err || die "$(cat apt.err)"
        rm -r r/etc/apt/keyrings r/etc/apt/sources.list.d/veilid-stable.sources
        follow_comment
        [ -e r/etc/apt/sources.list.d/other.sources ] || die "another source went"
        readable_by_apt
        must apt r update
        must apt r install veilid-cli
        [ "$(installed r)" = 'veilid-cli:amd64=0.3.4 ' ] || die "$(installed r)"
    done
}

# The manual says the same as the file does.
test_the_manual_says_the_same() {
    make_release p 0.3.4
    sed -i "s|^url = .*|url = https://packages.example.org/|" conf
    publish v0.3.4 p
    sed -n 's/^# //p' srv/apt/veilid-stable.sources |
        grep -E '^(grep|install|curl|chmod) ' >commands
    sed -n '/^\.\\" shown: tests.e2e.old_source/,/^\.Ed/p' "$ROOT/man/veilid-cicd.7" |
        grep -v '^\.' | sed 's/\\e$/\\/' | sed -e ':a' -e '/[\\|]$/{N;s/ *\\\{0,1\}\n */ /;ta' -e '}' >said
    diff commands said || die "the manual says otherwise"
    tr -s ' \n\\' ' ' <"$ROOT/README.md" | sed 's/ # / /g; s/-fsSo/-fsS -o/g' >readme
    for line in 2 3 4 5; do
        grep -qF -- "$(sed -n ${line}p commands)" readme || die "README: $(sed -n ${line}p commands)"
    done
}

run_tests
