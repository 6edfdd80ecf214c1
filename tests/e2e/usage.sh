#!/bin/bash
# Options, configuration, output: what every tool promises.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

TOOLS='build-machine-ctl scp-to-orchestrator distribute-packages deploy-repo'

test_help_and_version() {
    local t
    for t in $TOOLS; do
        must "$BUILD/bin/$t" --help
        grep -q "^usage: $t" out || die "$t"
        must "$BUILD/bin/$t" --version
        grep -qE "^$t [0-9.]+$" out || die "$(cat out)"
    done
}

test_usage_errors() {
    expect 64 'without a verb: build and send: which release' dist
    expect 64 "unknown verb 'biuld' \(did you mean 'build'\?\)" dist biuld
    expect 64 "unknown verb 'frobnicate': see --help" cloud_tool frobnicate
    expect 64 "unknown verb 'deleet' \(did you mean 'delete'\?\)" cloud_tool deleet
    expect 64 'usage: distribute-packages revert SERIAL' dist revert
    expect 64 'usage' dist export x
    expect 64 'which release' dist build --from p
    expect 64 'is not a valid release id' dist build -r ../x --from p
    IS_NIGHTLY=true expect 64 'CI_PIPELINE_CREATED_AT is not a date' dist build --from p
    expect 64 'neither a verb nor a serial' deploy nonsense
}

# What is wrong with an option is said in its name, however it was written.
test_wrong_options() {
    expect 64 "unknown option '--form' \(did you mean '--from'\?\)" dist build --form x
    expect 64 "unknown option '--quite' \(did you mean '--quiet'\?\)" dist list --quite
    expect 64 "unknown option '--prtial' \(did you mean" dist build --prtial=x
    expect 64 "unknown option '--frobnicate': see --help" dist list --frobnicate=1
    expect 64 "unknown option '-z': see --help" dist list -z
    expect 64 "unknown option '-z': see --help" dist list -vzq
    expect 64 "option '--s' may be '--set' or '--suite'" dist list --s x
    expect 64 "option '-c' needs an argument: -c FILE" dist -c
    expect 64 "option '-o' needs an argument: -o SECTION.KEY=VALUE" dist list -qo
    expect 64 "option '--from' needs an argument: --from DIR" dist build --from
    expect 64 "option '--quiet' takes no argument" dist list --quiet=yes
    expect 64 "option '--quiet' takes no argument" dist list --qui=yes
    expect 64 "option '--from' belongs to build: refresh does not take it" \
        dist refresh --from x
    expect 64 "option '--suite' belongs to build, list, refresh, remove, revert: verify" \
        dist --suite stable verify
    expect 64 "option '--expired' belongs to reap: list does not take it" cloud_tool list --expired
    expect 64 "unknown option '--biuld' \(did you mean '--build'\?\)" \
        "$BUILD/bin/scp-to-orchestrator" --biuld amd64-deb
}

cloud_tool() {
    "$BUILD/bin/build-machine-ctl" "$@"
}

# In a job of GitLab, messages fold, and a failure ends with what to do.
test_a_job_folds_what_the_tools_say() {
    local e=$'\033[0K' t
    make_release p 0.3.4
    dist build -r v0.3.4 --from p 2>here || die "$(cat here)"
    grep -q section here && die 'sections, and this is no job'
    export GITLAB_CI=true
    must dist refresh
    [[ $(head -n 1 err) == "${e}section_start:"[0-9]*":distribute-packages."*$'\r'"${e}distribute-packages refresh" ]] ||
        die "$(head -n 1 err)"
    [[ $(tail -n 1 err) == "${e}section_end:"[0-9]*":$(
        sed -n '1s/.*section_start:[0-9]*:\([^\r]*\).*/\1/p' err)"$'\r'"$e" ]] ||
        die "$(tail -n 1 err)"
    must dist -q list
    [ ! -s err ] || die "-q says $(cat err)"
    expect 66 '' deploy
    t=$(tail -n 2 err)
    [[ $t == 'deploy-repo: error: '*$'\n''deploy-repo: what to do: run the job that makes'* ]] ||
        die "$t"
    # both halves of what CI runs, and the second fails
    expect 78 '' env CI_COMMIT_TAG=v0.3.5 "$BUILD/bin/distribute-packages" -c conf \
        -o 'release.builds=amd64-deb'
    grep -q 'what to do: correct the configuration' err || die "$(cat err)"
}

test_configuration_errors() {
    local line
    printf '[suit stable]\norigin = x\n' >bad
    expect 78 'bad:1: unknown section \[suit stable\]: did you mean \[suite NAME\]' dist -c bad list
    printf '[repository]\n\nstat = x\n' >bad
    expect 78 "bad:3: unknown key 'stat' in \[repository\]: did you mean 'state'" dist -c bad list
    printf '[deploy]\nkeep = five\n' >bad
    expect 78 "bad:2: \[deploy\] keep = 'five': must be a number" deploy -c bad list
    printf '[deploy]\nkeep = 1\nkeep = 2\n' >bad
    expect 78 'bad:3: .keep. in \[deploy\] is already set in line 2' deploy -c bad list
    printf '[deploy]\nnonsense\n' >bad
    expect 78 'bad:2: neither' deploy -c bad list
    printf '[deploy]\nroot = /%0300d\n' 1 >bad
    expect 78 'bad:2: the line is longer' deploy -c bad list
    expect 78 'open configuration' deploy -c missing list
    for line in 'suite stable.grace=soon' 'repository.url=ftp://x' \
        'rpm.builder=both' nonsense 'x.y=1'; do
        expect 78 '' dist -o "$line" list
    done
    sed -i '/^url/d' conf
    make_release p 0.3.4
    expect 78 '\[repository\] url is not set: set it in' dist build -r v0.3.4 --from p
    expect 78 "cannot be part of a file's name" dist -o repository.url=http://x \
        -o repository.prefix=../x build -r v0.3.4 --from p
    expect 78 "suite 'beta' is not configured" dist -o repository.url=http://x \
        build -r v0.3.4 --suite beta --from p
    expect 78 'origin is not set' dist -o repository.url=http://x \
        -o 'suite beta.keep=1' build -r v0.3.4 --suite beta --from p
}

test_where_the_configuration_comes_from() {
    make_release p 0.3.4
    mkdir -p home/.config
    cp conf home/.config/veilid-cicd.conf
    must "$BUILD/bin/distribute-packages" build -r v0.3.4 --from p
    sed "s|^state.*|state = $T/elsewhere|" conf >other
    VEILID_CICD_CONF=$T/other must "$BUILD/bin/distribute-packages" build \
        --release v0.3.4 --from p
    [ -d elsewhere/generations/1 ] || die "not by the variable"
    must "$BUILD/bin/distribute-packages" --config other \
        --set "repository.state=$T/third" --verbose build --release v0.3.4 --from p
    [ -d third/generations/1 ] || die "not by --set"
    expect 0 'dry run' "$BUILD/bin/distribute-packages" --config other --dry-run \
        build --release v0.3.4 --suite nightly --from p
    must "$BUILD/bin/deploy-repo" --config other status
}

# Each long option once, on every verb that takes it.
test_long_options() {
    local d=$BUILD/bin/distribute-packages r=$BUILD/bin/deploy-repo i
    make_release p 0.3.4
    rm p/veilid-cli-0.3.4_arm64.deb p/veilid-server-0.3.4_arm64.deb
    expect 0 'dry run' "$d" --config conf --dry-run --verbose build \
        --release v0.3.4 --suite stable --from p --partial
    must "$d" --config conf --quiet --json build --release v0.3.4 \
        --suite stable --from p --partial
    [ ! -s err ] && grep -q '"serial"' out || die "$(cat out err)"
    expect 78 'change-release-fields' "$d" --config conf \
        --set 'suite stable.origin=other.example.org' refresh
    for i in 2 3; do
        "$d" --config conf export >$((i - 1)).tar || die "export"
        must "$d" --config conf --set 'suite stable.origin=other.example.org' \
            refresh --change-release-fields
    done
    for i in 2 1; do
        must "$r" --config conf --set deploy.keep=9 --quiet --json \
            deploy --allow-older - <$i.tar
        [ ! -s err ] && [ "$(readlink srv/.releases/current)" = $i ] ||
            die "generation $i: $(cat err)"
    done
    expect 0 'would' "$r" --config conf --verbose --dry-run rollback 2
    for i in "$d" "$r"; do
        must "$i" --version
        must "$i" --help
    done
}

test_results_on_stdout_and_nothing_else() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    [ "$(wc -l <out)" = 1 ] && [ "$(awk -F'\t' '{print NF}' out)" = 4 ] || die "$(cat out)"
    must dist list
    [ "$(awk -F'\t' '{print NF}' out | sort -u)" = 8 ] || die "list"
    must dist -q refresh
    [ ! -s err ] || die "-q says $(cat err)"
    must dist --quiet --json list
    must export_and_deploy
    must deploy list
    [ "$(awk -F'\t' '{print NF}' out | sort -u)" = 6 ] || die "deploy list"
}

test_json() {
    make_release p 0.3.4
    must dist --json build -r v0.3.4 --from p
    grep -q '"serial":	1' out && grep -q '"release":	"v0.3.4"' out || die "$(cat out)"
    must dist --json list
    [ "$(grep -c '"sha256"' out)" = 4 ] || die "$(cat out)"
    must export_and_deploy
    must deploy --json list
    grep -q '"live":	true' out || die "$(cat out)"
    must deploy --json status
    must deploy --json verify
    must dist -o "repository.state=$T/none" --json build -n -r v0.3.4 --from p
}

# On a terminal: a header, and text from outside with its teeth drawn.
test_a_terminal() {
    script -qec true /dev/null >/dev/null 2>&1 ||
        { echo '# skip no pseudo-terminal is to be had here'; return; }
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    script -qec "$BUILD/bin/distribute-packages -c conf list" typescript >/dev/null
    grep -qE '^suite +format +arch' typescript || die "no header: $(head -2 typescript)"
    script -qec "$BUILD/bin/distribute-packages -c conf build -r v9.0.0 --from nowhere" \
        typescript >/dev/null
    grep -q "$(printf '\033')" typescript || die "no colour on a terminal"
    NO_COLOR=1 script -qec \
        "$BUILD/bin/distribute-packages -c conf build -r v9.0.0 --from nowhere" typescript >/dev/null
    sed 1d typescript | sed '$d' | grep -q "$(printf '\033')\[1" && die "NO_COLOR"
    expect 66 'x\\x1b\[31my' dist build -r v9.0.0 --from "$(printf 'x\033[31my')"
}

# expect_installed: under dest, which has PREFIX=$1, and for that prefix.
expect_installed() {
    local f prefix=$1 path
    for f in bin/{build-machine-ctl,scp-to-orchestrator,distribute-packages,deploy-repo} \
        share/man/man1/{build-machine-ctl,scp-to-orchestrator,distribute-packages}.1 \
        share/man/man8/deploy-repo.8 share/man/man5/veilid-cicd{.conf,-drop}.5 \
        share/man/man7/veilid-cicd{,-recovery}.7 \
        share/doc/veilid-cicd/{veilid-cicd.conf.example,examples/gitlab-ci.yml} \
        share/doc/veilid-cicd/{README.md,CHANGES,LICENSE} \
        share/doc/veilid-cicd/examples/nginx/veilid-cicd.conf \
        share/doc/veilid-cicd/examples/veilid-cicd-{deploy,refresh}.{service,timer} \
        share/veilid-cicd/rpm-builder/{Dockerfile,sign-rpms.sh} \
        share/bash-completion/completions/deploy-repo; do
        [ -s "dest$prefix/$f" ] || die "no $f"
    done
    # What texts name of ours is where they say; "*" stands for several.
    grep -rhoE --exclude-dir=rpm-builder "$prefix/(bin|share)/[a-z][^ ;\"')]*" "dest$prefix/share" | sort -u >named
    [ "$(wc -l <named)" -gt 12 ] || die "few paths are named: $(cat named)"
    while IFS= read -r path; do
        case $path in
        */share/doc/veilid-cicd* | */share/veilid-cicd* | */bin/*-*) ;;
        *) continue ;;
        esac
        compgen -G "dest$path" >/dev/null || die "$path is named, and not there"
    done <named
    [ -z "$(find dest -type f ! -perm -444)" ] || die 'not for all to read'
}

test_install() {
    must make -s -C "$ROOT" DEPS=no install DESTDIR="$T/dest" PREFIX=/usr
    expect_installed /usr
    [ -z "$(find dest -path '*/local*')" ] || die "in /usr/local"
    # Paths of other machines (a build machine, the image of a container), and
    # the default in README.md.
    grep -rhoE '[^ "]*/usr/local[^ "]*' dest/usr/share | sort -u >stray
    cmp stray - <<'END' || die "stray: $(cat stray)"
/usr/local/bin/sign-rpms
/usr/local/sbin/build-machine-enrol
PREFIX=/usr/local
END
    must dest/usr/bin/deploy-repo --version
    expect 66 '' "$BUILD/bin/distribute-packages" \
        -c dest/usr/share/doc/veilid-cicd/veilid-cicd.conf.example \
        -o "repository.state=$T/none" list
    # a message names what is installed
    use_builds amd64-rpm
    make_rpm in veilid-server 0.3.4
    expect 66 "$T/dest/usr/share/veilid-cicd/rpm-builder$" \
        dest/usr/bin/distribute-packages -c conf -o rpm.builder=container \
        -o rpm.container-command=false build -r v0.3.4 --from in
}

test_install_where_make_says() {
    must make -s -C "$ROOT" DEPS=no install DESTDIR="$T/dest"
    expect_installed /usr/local
    must make -s -C "$ROOT" DEPS=no install DESTDIR="$T/opt" PREFIX=/opt/cicd
    grep -qx 'ExecStart=/opt/cicd/bin/deploy-repo' \
        opt/opt/cicd/share/doc/veilid-cicd/examples/veilid-cicd-deploy.service ||
        die 'the unit starts another one'
}

# Fixes come by the security archive: who has not got them is told.
test_versions_of_libraries() {
    local ours=libssh-4
    must deploy --version -v
    grep -qx "$ours $(dpkg-query -W -f '${Version}' $ours)" out || die "$(cat out)"
    grep 'too old' out && die 'of what deps.sh has installed'
    [ "$VC_PRIVATE" = yes ] || { echo '# skip this needs a mount'; return; }
    sed "/^Package: $ours\$/,/^Version:/s/^Version: .*/Version: 0.9.8-0/" /var/lib/dpkg/status >status
    must unshare -m bash -c 'mount --bind status /var/lib/dpkg/status && exec "$@"' - \
        "$BUILD/bin/deploy-repo" --version -v
    grep -q "^$ours 0.9.8-0 (too old: .*CVE-2026-59847)" out || die "$(cat out)"
    [ "$(grep -c 'too old' out)" = 1 ] || die "$(cat out)"
}

run_tests
