#!/bin/bash
# The web server that examples/ ships, before trees that deploy-repo has made:
# what may be kept and what may not, across swaps; and what is not to be had.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

# What an administrator may have set for all servers; ours must not mind.
HOSTILE='gzip on; gzip_types *; gzip_min_length 1; gzip_static on;
    open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;
    open_file_cache_errors on; autoindex on; expires 1d; charset utf-8;'

# A server with these settings around it; sets $WEB.
hostile_start() {
    on_a_port hostile_try "$@" || die "nginx does not start: $(tail -n 3 "$T/web/err")"
    WEB=http://127.0.0.1:$PORT
    sed -i "s|^url = .*|url = $WEB|" "$T/conf"
}
hostile_try() {
    web_run web < <(echo "$HOSTILE"; web_site "127.0.0.1:$PORT" "$T/srv" "$@")
}

# make_both DIR VERSION: of both formats; different sizes hide mistakes.
make_both() {
    make_deb "$1" veilid-server "$2" amd64
    make_deb "$1" veilid-cli "$2" amd64
    make_rpm "$1" veilid-server "$2"
    make_rpm "$1" veilid-cli "$2"
}

prepare() {
    hostile_start
    use_builds amd64-deb amd64-rpm
    sed -i 's/^\[suite stable\]/&\narchitectures = amd64/' conf
    make_both p 0.3.4
    make_both q 0.3.5
    publish v0.3.4 p
}

urls() { (cd srv && find -L . -path ./.releases -prune -o -type f -printf '%P\n' | sort); }

# headers URL [OPTION...]: of an answer to GET, in lower case.
headers() {
    local url=$1
    shift
    curl -s -o body -D - "$@" "$WEB/$url" | tr -d '\r' |
        sed 's/^\([A-Za-z-]*\):/\L\1:/'
}

header() { sed -n "s/^$1: //p" "$T/h"; }

test_what_may_be_kept() {
    local url kept=0 asked=0
    prepare
    publish v0.3.5 q
    for url in $(urls); do
        headers "$url" >h
        head -n 1 h | grep -q ' 200' || die "$url: $(cat h)"
        cmp -s body "srv/$url" || die "$url: other bytes"
        [ "$(header content-length)" = "$(stat -Lc %s "srv/$url")" ] || die "$url: $(cat h)"
        [ "$(header accept-ranges)" = bytes ] || die "$url: $(cat h)"
        [ -n "$(header etag)" ] && [ -n "$(header last-modified)" ] || die "$url: $(cat h)"
        ! grep -qE '^(content-encoding|expires|vary):' h || die "$url: $(cat h)"
        case $url in
        */by-hash/*|*/pool/*|*/repodata/*.xml.gz)
            kept=$((kept + 1))
            [ "$(header cache-control)" = 'public, max-age=31536000, immutable' ] ;;
        *)
            asked=$((asked + 1))
            [ "$(header cache-control)" = no-cache ] ;;
        esac || die "$url: $(cat h)"
    done
    # by hash: two indexes, plain and gzip, of two generations; two releases
    [ "$kept" = $((4 + 4 + 6)) ] && [ "$asked" -gt 14 ] || die "$kept kept, $asked not: $(urls)"
    for url in apt/dists/stable/InRelease rpm/stable/x86_64/repodata/repomd.xml \
        rpm/stable/x86_64/repodata/repomd.xml.asc apt/veilid-stable.sources \
        "$REPO_FILE" gpg/veilid-packages-key.public SHA256SUMS \
        rpm/stable/x86_64/veilid-cli-0.3.4-1.x86_64.rpm; do
        headers "$url" -H 'Accept-Encoding: gzip' >h
        [ "$(header cache-control)" = no-cache ] || die "$url: $(cat h)"
    done
}

test_types() {
    local url type
    prepare
    while read -r type url; do
        headers "$url" >h
        [ "$(header content-type)" = "$type" ] || die "$url: $(cat h)"
    done <<END
text/plain apt/dists/stable/InRelease
text/plain apt/dists/stable/Release.gpg
text/plain apt/dists/stable/main/binary-amd64/Packages
application/gzip apt/dists/stable/main/binary-amd64/Packages.gz
application/vnd.debian.binary-package apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
application/x-rpm rpm/stable/x86_64/veilid-cli-0.3.4-1.x86_64.rpm
application/xml rpm/stable/x86_64/repodata/repomd.xml
text/plain rpm/stable/x86_64/repodata/repomd.xml.asc
text/plain $REPO_FILE
text/plain apt/veilid-stable.sources
text/plain gpg/veilid-packages-key.public
text/plain SHA256SUMS
text/plain SHA256SUMS.asc
END
}

# Whatever way the name is written.
test_what_is_not_to_be_had() {
    local path
    prepare
    mkdir -p srv/.well-known srv/.git
    echo x >srv/.well-known/x
    echo x >srv/.git/config
    for path in .releases .releases/ .releases/lock .releases/current/SHA256SUMS \
        .releases/1/SHA256SUMS apt/../.releases/1/SHA256SUMS ./.releases/1/SHA256SUMS \
        %2ereleases/1/SHA256SUMS .%72eleases/1/SHA256SUMS //.releases/1/SHA256SUMS \
        apt/%2e%2e/.releases/1/SHA256SUMS .git/config .well-known/x \
        .well-known/acme-challenge/../../.releases/1/SHA256SUMS; do
        headers "$path" --path-as-is >h
        head -n 1 h | grep -q ' 404' || die "$path: $(cat h)"
        [ "$(header cache-control)" = no-store ] || die "$path: $(cat h)"
    done
    for path in '' apt/ apt/pool/stable/main/; do
        headers "$path" >h
        head -n 1 h | grep -q ' 403' || die "$path: $(cat h)"
    done
    # what is not there may be there tomorrow
    headers apt/pool/stable/main/veilid-cli_0.3.5_amd64.deb >h
    head -n 1 h | grep -q ' 404' && [ "$(header cache-control)" = no-store ] || die "$(cat h)"
    curl -s -X POST -o body -w '%{http_code}' "$WEB/SHA256SUMS" | grep -q 405 || die POST
}

# asked_again BEFORE: each URL once more, as a cache does that holds what was
# there before: 304 where that is still the same, else what is there now.
asked_again() {
    local url status n=0
    for url in $(cd "$1" && ls -- *.etag); do
        url=${url%.etag}
        for how in "If-None-Match: $(cat "$1/$url.etag")" \
            "If-Modified-Since: $(cat "$1/$url.since")"; do
            status=$(curl -s -o body -w '%{http_code}' -H "$how" "$WEB/${url//!//}")
            case $status in
            304) cmp -s "$1/$url" "srv/${url//!//}" || die "304, and it is another: ${url//!//}, $how" ;;
            200) cmp -s body "srv/${url//!//}" || die "$url: other bytes"
                n=$((n + 1)) ;;
            404) [ ! -e "srv/${url//!//}" ] || die "404: $url" ;;
            *) die "$url: $status" ;;
            esac
        done
    done
    [ "$n" -gt 0 ] || die "nothing has changed"
}

# remember DIR: what a cache holds.
remember() {
    local url
    mkdir -p "$1"
    for url in $(urls); do
        headers "$url" >h
        mv body "$1/${url//\//!}"
        header etag >"$1/${url//\//!}.etag"
        header last-modified >"$1/${url//\//!}.since"
    done
}

# Two generations within a second, forwards and back. Files have the date of
# their generation as time, which is never that of another.
test_nothing_old_survives_a_swap() {
    prepare
    remember 1
    must dist build -r v0.3.5 --from q
    must dist refresh
    must export_and_deploy
    asked_again 1
    remember 3
    must deploy rollback
    asked_again 3
    must deploy rollback 3
    must dist revert 1
    must export_and_deploy
    asked_again 1
    asked_again 3
}

# The newest generation as send sends it: without what is live in any place.
drop_and_deploy() {
    local d=inbox/generation.$1.x hash name
    mkdir "$d.part"
    dist export 2>/dev/null | tar -x -C "$d.part"
    while read -r hash name; do
        ! grep -q "^$hash" inbox/LIVE/SHA256SUMS || rm "$d.part/$name"
    done < <(grep -v '^#' "$d.part/SHA256SUMS")
    mv "$d.part" "$d"
    must deploy
}

# A lost server is filled again: all files come with one date. Then an index
# goes back to what it was, which the tree still has by its hash: the same size,
# the same date, other bytes. nginx made 304 of that, and rsync left it out.
test_names_whose_content_changes() {
    prepare
    sed -i 's/^\[suite stable\]/&\nkeep = 1/' conf
    publish v0.3.5 q
    rm -rf srv inbox
    mkdir srv inbox
    must export_and_deploy
    remember 2
    must dist revert 1
    drop_and_deploy 3
    cmp -s 2/apt!dists!stable!main!binary-amd64!Packages \
        srv/apt/dists/stable/main/binary-amd64/Packages && die "the same index"
    [ "$(stat -c %s 2/apt!dists!stable!main!binary-amd64!Packages)" = \
        "$(stat -Lc %s srv/apt/dists/stable/main/binary-amd64/Packages)" ] ||
        die "of other sizes: this shows nothing"
    asked_again 2
    # still one file where one is enough
    [ "$(stat -Lc %h srv/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb)" = 2 ] ||
        die "packages were copied"
}

test_large_files_and_pieces() {
    local url=apt/pool/stable/main/veilid-server_0.3.6_amd64.deb i
    prepare
    mkdir -p big/DEBIAN r
    head -c 6000000 /dev/urandom >big/blob
    printf 'Package: veilid-server\nVersion: 0.3.6\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nDescription: x\n' \
        >big/DEBIAN/control
    must dpkg-deb --root-owner-group -b big r/veilid-server_0.3.6_amd64.deb
    must dist build -r v0.3.6 --partial --from r
    must export_and_deploy
    # in pieces, as a client that was cut off
    for i in 0 1000000 3333333; do
        curl -s -r "$i-$((i + 999999))" -o piece -w '%{http_code}' "$WEB/$url" >code
        [ "$(cat code)" = 206 ] || die "$(cat code)"
        cmp piece <(tail -c +$((i + 1)) "srv/$url" | head -c 1000000) || die "piece $i"
    done
    head -c 2000000 "srv/$url" >half
    must curl -fsS -C - -o half "$WEB/$url"
    cmp half "srv/$url" || die "not the same"
    # the piece of a file that has changed is all of it
    headers apt/dists/stable/InRelease >h
    must dist refresh
    must export_and_deploy
    curl -s -r 100-200 -H "If-Range: $(header last-modified)" -o piece -w '%{http_code}' \
        "$WEB/apt/dists/stable/InRelease" >code
    [ "$(cat code)" = 200 ] && cmp piece srv/apt/dists/stable/InRelease || die "$(cat code)"
    # apt goes on with half a package
    apt_root a "$WEB"
    must apt a update
    head -c 3000000 "srv/$url" >a/var/cache/apt/archives/partial/veilid-server_0.3.6_amd64.deb
    touch -r "srv/$url" a/var/cache/apt/archives/partial/*.deb
    must apt a install veilid-server
    grep -q ' 206 ' web/access || die "$(tail -n 2 web/access)"
}

# The file as it is, but for addresses and paths.
both_try() {
    sed -e "s|listen 80;|listen 127.0.0.1:$PORT;|" \
        -e "s|listen 443|listen 127.0.0.1:$((PORT + 1))|" \
        -e "/\[::\]/d" -e "s|/etc/veilid-cicd/tls|$T|" -e "s|root /srv;|root $T/srv;|" \
        "$ROOT/examples/nginx/veilid-cicd.conf" >site
    web_run tls <site
}

test_both_protocols() {
    local p
    openssl req -x509 -newkey rsa:2048 -nodes -keyout privkey.pem -out fullchain.pem \
        -days 2 -subj /CN=packages.example.org \
        -addext subjectAltName=DNS:packages.example.org 2>/dev/null || die openssl
    sed -i 's|^url = .*|url = https://packages.example.org|' conf
    make_release p 0.3.4
    publish v0.3.4 p
    on_a_port both_try || die "nginx does not start: $(tail -n 3 tls/err)"
    p=$PORT
    ! grep -E '\[(warn|emerg)\]' tls/err || die "$(cat tls/err)"
    must curl -fsS --cacert fullchain.pem --resolve "packages.example.org:$((p + 1)):127.0.0.1" \
        -o body -D h "https://packages.example.org:$((p + 1))/apt/dists/stable/InRelease"
    cmp body srv/apt/dists/stable/InRelease || die https
    grep -qi '^cache-control: no-cache' h || die "$(cat h)"
    must curl -fsS -o body "http://127.0.0.1:$p/apt/dists/stable/InRelease"
    # what it looks like to deploy-repo
    must dist refresh
    must dist export
    mv out 2.tar
    must deploy -o "deploy.url=http://127.0.0.1:$p" - <2.tar
}

# ---------------------------------------------- a cache between us and the world

# cache_start [LINE]: a proxy that keeps what it may keep; sets $PROXY.
cache_start() {
    on_a_port cache_try "$@" || die "nginx does not start: $(tail -n 3 "$T/cache/err")"
    PROXY=http://127.0.0.1:$PORT
    sed -i "s|^url = .*|url = $PROXY|" "$T/conf"
}
cache_try() {
    web_run cache <<END
proxy_cache_path $T/kept keys_zone=kept:1m inactive=1h;
log_format said '\$upstream_cache_status \$status \$uri';
server { listen 127.0.0.1:$PORT; access_log $T/cache/said said;
location / { proxy_pass $WEB; proxy_cache kept; proxy_cache_revalidate on;
proxy_cache_valid 404 1h; ${1:-} } }
END
}

# apt and dnf behind it, all the time, while generations come and go.
apt_loop() {
    local n=0
    while [ ! -e stop ]; do
        apt loop update && apt loop clean &&
            apt loop -d --reinstall install veilid-cli ||
            { cp apt.err failed; exit 1; }
        n=$((n + 1))
        echo "$n" >rounds
    done 2>/dev/null
}

two_more_rounds() { [ -e failed ] || [ "$(cat rounds)" -ge $(($1 + 2)) ]; }

test_clients_behind_a_cache() {
    local i client
    prepare
    cache_start
    must dist refresh
    must export_and_deploy
    apt_root loop "$PROXY"
    must apt loop update
    must apt loop install veilid-cli
    WEB=$PROXY dnf_root d
    must dnf d install veilid-cli
    echo 0 >rounds
    apt_loop &
    client=$!
    PIDS+=("$client")
    for i in 5 6 7 8; do
        make_both "r$i" "0.3.$i"
        publish "v0.3.$i" "r$i"
        must dnf d --refresh upgrade
        [ "$(installed_rpms d)" = "veilid-cli=0.3.$i-1 " ] || die "$(installed_rpms d)"
        [ ! -e failed ] || die "apt: $(cat failed)"
    done
    i=$(cat rounds)
    wait_for two_more_rounds "$i" || die "apt: no more rounds"
    touch stop
    wait "$client"
    [ ! -e failed ] || die "apt: $(cat failed)"
    must apt loop update
    must apt loop upgrade
    [ "$(installed loop)" = 'veilid-cli:amd64=0.3.8 ' ] || die "$(installed loop)"
    # it kept what it may, and asked for the rest
    grep -q '^HIT 200 .*\.deb$' cache/said || die "no package was kept"
    ! grep -E '^(HIT|STALE|UPDATING|REVALIDATED) .*(InRelease|repomd\.xml|\.repo|\.rpm)' cache/said ||
        die "kept what changes"
    # another key signs the same rpms, under the same names
    must dnf d install veilid-server
    use_key rsa4096
    must dist refresh
    cat "$KEYS/main.asc" >>trusted.asc
    must export_and_deploy
    WEB=$PROXY dnf_root d2
    must dnf d2 install veilid-server veilid-cli
    [ "$(installed_rpms d2)" = 'veilid-cli=0.3.8-1 veilid-server=0.3.8-1 ' ] ||
        die "$(installed_rpms d2)"
}

# It is the headers that this rests on: a cache that does not heed them shows
# the old release, and after another key packages that do not fit.
test_a_cache_that_does_not_care() {
    prepare
    cache_start 'proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1h;'
    must dist refresh
    must export_and_deploy
    apt_root r "$PROXY"
    must apt r update
    publish v0.3.5 q
    apt_root r2 "$PROXY"
    must apt r2 update
    must apt r2 install veilid-cli
    [ "$(installed r2)" = 'veilid-cli:amd64=0.3.4 ' ] || die "$(installed r2)"
}

run_tests
