# What the web server shows to the clients: two releases, as the machines of the
# rehearsal publish them, and the second one spoilt in several ways. Sourced,
# after tests/world/release.sh.
#
#   publish_trees       fills $T/trees, one directory for each state; $WEB is
#                       where the rehearsal's server had them
#   web_at_last         serves them there
#   serve STATE         the state that is served from now on
# shellcheck shell=bash

# The states, all but the first with version 0.3.5, or what calls itself so:
#
#   v1 v2       as published
#   index       Packages and primary.xml are not what was signed
#   package     the packages are not what the indexes say
#   foreign     rpms signed with a key that nobody knows, though the metadata,
#               rightly signed, says that they belong there
#   stranger    the indexes are signed with that key
#   unsigned    no signature anywhere
BAD_STATES='index package foreign stranger unsigned'

serve() {
    ln -sfn "trees/$1" "$T/next"
    mv -T "$T/next" "$T/web-root"
}

publish_trees() {
    local state at=0
    mkdir "$T/trees"
    release_world
    WEB=$URL
    publish_version v1 0.3.4
    publish_version v2 0.3.5
    world_end
    for state in $BAD_STATES; do
        cp -r "$T/trees/v2" "$T/trees/$state"
        (cd "$T/trees/$state" && "spoil_$state") || die "no tree '$state'"
    done
    # A web server answers "not modified" by the second.
    for state in v1 v2 $BAD_STATES; do
        at=$((at + 5))
        find "$T/trees/$state" -exec touch -h -d "@$(($(date +%s) + at))" {} +
    done
}

# shellcheck disable=SC2034
# The steps of a release. What was built stays in built/VERSION; of the server's
# root the published tree alone, without what deploy-repo keeps beside it.
publish_version() {
    local build dir=/home/$WORLD_USER/builds/$2
    WITH=("CI_COMMIT_TAG=v$2" "CI_COMMIT_SHA=$2")
    for build in $WORLD_BUILDS; do
        checkout "$(place "build-$build" "$dir")" "$2"
        machine_owns "build-$build" "/home/$WORLD_USER/builds"
        IN=$(seen "build-$build" "$dir")
        must on "build-$build" earthly "+package-linux-$build"
        must on "build-$build" scp-to-orchestrator
        IN=
        mkdir -p "$T/built/$2"
        cp "$(place "build-$build" "$dir")"/target/packages/* "$T/built/$2"
    done
    must on "$ORCHESTRATOR" distribute-packages
    must on "$REPO" deploy-repo
    WITH=()
    cp -rL "$(place "$REPO" /srv)/.releases/current" "$T/trees/$1"
}

# The clients' files name the server that was; its address is of loopback now.
web_at_last() {
    local address=${WEB#http://}
    ip addr add "${address%:*}/32" dev lo || die 'no address'
    mkdir web
    cat >web/conf <<END
daemon off; master_process off; pid $T/web/pid; error_log $T/web/err info;
user root; worker_processes 1;
events { worker_connections 64; }
http { access_log $T/web/access; client_body_temp_path $T/web/a;
proxy_temp_path $T/web/b; fastcgi_temp_path $T/web/c; uwsgi_temp_path $T/web/d;
scgi_temp_path $T/web/e; default_type application/octet-stream;
server { listen $address; root $T/web-root; } }
END
    serve v1
    nginx -c "$T/web/conf" -e "$T/web/err" 2>/dev/null &
    PIDS+=($!)
    until curl -s -o /dev/null "$WEB/"; do
        kill -0 "${PIDS[-1]}" 2>/dev/null || die "nginx: $(tail -n 3 "$T/web/err")"
        sleep 0.1
    done
}

RPMS=rpm/stable/x86_64
DIST=apt/dists/stable

# The same size, the same names; for by-hash as well.
spoil_index() {
    local hash index
    for index in "$DIST"/main/binary-*/Packages; do
        sed 's/built for/build for/' "$index" >changed
        replace_index "$index" changed
        gzip -n changed
        replace_index "$index.gz" changed.gz
        rm -f changed changed.gz
    done
    for index in "$RPMS"/repodata/*-primary.xml.gz; do
        gunzip -c "$index" | sed 's/built for/build for/' | gzip -n >changed
        replace_index "$index" changed
        rm -f changed
    done
}

replace_index() {
    local hash
    ! cmp -s "$1" "$2" || die "$1 was not changed"
    hash=$(sha256sum <"$1" | cut -d ' ' -f 1)
    [ ! -e "$(dirname "$1")/by-hash" ] ||
        cp "$2" "$(dirname "$1")/by-hash/SHA256/$hash"
    cp "$2" "$1"
}

spoil_package() {
    local file
    for file in apt/pool/stable/main/*_0.3.5_*.deb "$RPMS"/*-0.3.5-*.rpm; do
        printf '\377' | dd of="$file" bs=1 conv=notrunc status=none \
            seek=$(($(stat -c %s "$file") - 20)) || return
        ! cmp -s "$file" "$T/trees/v2/$file" || die "$file was not changed"
    done
}

spoil_foreign() {
    cp "$T/built/0.3.5/"*.rpm $RPMS/
    sign_rpm stranger $RPMS/*-0.3.5-*.rpm >/dev/null 2>&1 || return
    describe_again
    sign_file main $RPMS/repodata/repomd.xml
    cp "$KEYS/main.asc" $RPMS/repodata/repomd.xml.key
}

# Even the key beside the metadata is theirs.
spoil_stranger() {
    local home=$KEYS/h.stranger
    make_key stranger
    sign_file stranger $RPMS/repodata/repomd.xml
    cp "$KEYS/stranger.asc" $RPMS/repodata/repomd.xml.key
    rm $DIST/InRelease $DIST/Release.gpg
    gpg --homedir "$home" --batch --quiet --clear-sign \
        -o $DIST/InRelease $DIST/Release
    gpg --homedir "$home" --batch --quiet --armor --detach-sign \
        -o $DIST/Release.gpg $DIST/Release
    gpgconf --homedir "$home" --kill all
}

spoil_unsigned() {
    rm $DIST/InRelease $DIST/Release.gpg
    cp "$T/built/0.3.5/"*.rpm $RPMS/
    describe_again
    rm -f $RPMS/repodata/repomd.xml.asc
}

# Metadata over the packages that lie there now.
describe_again() {
    rm -r $RPMS/repodata
    createrepo_c --quiet --no-database --general-compress-type=gz $RPMS ||
        die createrepo_c
}
