#!/bin/bash
# The pipeline itself, rehearsed: gitlab-ci-local runs .gitlab-ci.yml in the
# world of tests/rehearse.sh, each job on the machine that its tag asks for. A
# release, a night, and a release of which one build fails; real clients look at
# what is public.
#
#   BUILD=build tests/rehearse-pipeline.sh
set -u
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
    exec sudo env "BUILD=${BUILD:-build}" ${NO_COLOR:+NO_COLOR=1} \
        ${WORLD:+"WORLD=$WORLD"} bash "$0"
fi
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
# shellcheck source=tests/world/release.sh
. tests/world/release.sh
# shellcheck source=tests/world/gitlab.sh
. tests/world/gitlab.sh
# shellcheck source=tests/world/transcript.sh
. tests/world/transcript.sh

# piped STATUS PATH: a pipeline, with what its jobs print.
piped() {
    local wanted=$1 status
    shift
    prompt gitlab "pipeline: $*"
    pipeline "$@"
    status=$?
    [ $status = "$wanted" ] || { cat "$W/gitlab/log"; failed "the pipeline: status $status"; }
    sed -n -e 's/\x1b\[[0-9;]*m//g' -e "s|$PROJECT/||g" -e "s|$W||g" -e 's/^\([a-z0-9_]* *\) \([$>]\)/      \1 \2/p' \
        -e 's/^ \(PASS\|FAIL\) /      \1/p' "$W/gitlab/log"
}

no_machine_is_left() {
    [ -z "$(cloud_droplets)" ] && [ -z "$(cloud_runners)" ] ||
        failed "there are: $(cloud_droplets; cloud_runners)"
}

# registered N: so many files are in the registries.
registered() {
    [ "$( (registry_state "$CRATES"; registry_state "$PYTHON") | wc -l)" = "$1" ] ||
        failed "in the registries: $(registry_state "$CRATES"; registry_state "$PYTHON")"
}

rehearsal_begin 'The pipeline, rehearsed'

step 'The machines'
release_world
gitlab_begin
# shellcheck disable=SC2034  # for the clients of lib.sh
WEB=$URL
cp "$KEYS/main.asc" "$T/trusted.asc"
[ "$WORLD" = loopback ] ||
    CLIENT=(nsenter -t "${MACHINE_PID[$USER_MACHINE]}" -n)
proven 'eleven jobs, and the machines that their tags ask for'

step 'v0.3.4 is tagged'
gitlab_commit 0.3.4
piped 0 release
no_machine_is_left
registered 4
apt_root client "$URL"
here apt client update
here apt client install veilid-server veilid-cli:arm64
[[ $(installed client) == 'veilid-cli:arm64=0.3.4 veilid-server:amd64=0.3.4 ' ]] ||
    failed "installed is $(installed client)"
dnf_root fedora
here dnf fedora -q install veilid-server veilid-cli
[ "$(installed_rpms fedora)" = 'veilid-cli=0.3.4-1 veilid-server=0.3.4-1 ' ] ||
    failed "installed is $(installed_rpms fedora)"
proven 'apt-get, dnf: 0.3.4; two crates, a sdist, a wheel; no machine left'

step 'The night'
piped 0 nightly
no_machine_is_left
apt_root night "$URL" nightly
here apt night update
here apt night install veilid-server
[[ $(installed night) == "veilid-server:amd64=$(date -u +%Y%m%d) " ]] ||
    failed "installed is $(installed night)"
proven 'apt-get installs the night from its own suite'

step 'v0.3.5 is tagged, and one build fails'
gitlab_commit 0.3.5
before=$(on $USER_MACHINE curl -fsS "$URL/SHA256SUMS" | sha256sum)
echo '+package-linux-arm64-deb' \
    >"$(place build-arm64-deb /etc/earthly-fails)"
piped 1 release
grep -q 'failed_pipeline_actions.*is deleted' "$W/gitlab/log" ||
    failed 'the clean-up job did not run'
no_machine_is_left
registered 4
[ "$(on $USER_MACHINE curl -fsS "$URL/SHA256SUMS" | sha256sum)" = "$before" ] ||
    failed 'what is public has changed'
proven 'everything public is as before, registries too; no machine left'

step 'Mended; the pipeline runs again'
rm "$(place build-arm64-deb /etc/earthly-fails)"
piped 0 release
no_machine_is_left
registered 8
here apt client update
here apt client upgrade
[[ $(installed client) == 'veilid-cli:arm64=0.3.5 veilid-server:amd64=0.3.5 ' ]] ||
    failed "installed is $(installed client)"
here dnf fedora -q --refresh upgrade
[ "$(installed_rpms fedora)" = 'veilid-cli=0.3.5-1 veilid-server=0.3.5-1 ' ] ||
    failed "installed is $(installed_rpms fedora)"
proven 'apt-get upgrade, dnf upgrade: 0.3.4 to 0.3.5'

rehearsal_end
