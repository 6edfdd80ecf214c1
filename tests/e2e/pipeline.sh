#!/bin/bash
# .gitlab-ci.yml, run by gitlab-ci-local: every way through it, every job twice,
# and killed after each job in turn.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../world/release.sh"
. "$(dirname "$0")/../world/gitlab.sh"

PUBLISHERS=stand-ins
WORK_JOBS='release_job create_build_machines package_amd64_deb package_arm64_deb
    package_amd64_rpm publish_crates publish_python build_repositories
    deploy_repos delete_build_machines'

begin() {
    trap 'cleanup; world_end' EXIT
    release_world
    gitlab_begin
    gitlab_commit "${1:-0.3.4}"
    cp "$KEYS/main.asc" "$T/trusted.asc"
    if [ "$WORLD" = namespaces ]; then
        CLIENT=(nsenter -t "${MACHINE_PID[$USER_MACHINE]}" -n)
    fi
}

runs() {
    pipeline "$@" && return
    sed 's/^/# /' "$W/gitlab/log"
    die "the pipeline failed: $*"
}

fails() {
    if pipeline "$@"; then die "the pipeline passed: $*"; fi
}

says() {
    grep -qE -- "$1" "$W/gitlab/log" && return
    sed 's/^/# /' "$W/gitlab/log"
    die "nothing like '$1' in the log"
}

# public: the manifest of what is served, or "none".
public() { cat "$(place $REPO /srv)/SHA256SUMS" 2>/dev/null || echo none; }
serial() { public | sed -n 's/^# serial //p'; }
nothing_is_left() {
    [ -z "$(cloud_droplets)" ] && [ -z "$(cloud_runners)" ] ||
        die "left: $(cloud_droplets; cloud_runners)"
}

# A rehearsal for people is a test as well: release, night, a build that fails.
test_rehearsed() {
    bash "$ROOT/tests/rehearse-pipeline.sh" >"$T/log" 2>&1 && return
    sed 's/^/# /' "$T/log"
    die 'the rehearsal failed'
}

test_gitlab_takes_the_file() {
    begin
    sed '/^ *services:/,/^ *- docker/d' "$PROJECT/.gitlab-ci.yml" \
        >"$PROJECT/.gitlab-ci-local.yml"
    # with the JSON schema of GitLab's own editor
    gitlab --json-schema-validation --list >list 2>err || die "$(cat err)"
    grep -q 'json schema validated' err list || die "$(cat err)"
}

# Two pipelines never share the machines, nor what is public.
test_one_at_a_time() {
    (cd "$ROOT/tests/world" && python3 -B - "$ROOT/.gitlab-ci.yml") <<'END' || die 'see above'
import sys
import yaml
from job_text import merged
file = yaml.safe_load(open(sys.argv[1]))
jobs = {name: merged(file, name) for name in file
        if isinstance(file[name], dict) and 'script' in file[name]}
alone = {name for name in jobs
         if jobs[name].get('resource_group') == 'release'}
touching = {name for name in jobs if any(
    tool in line for line in jobs[name]['script']
    for tool in ('build-machine-ctl', 'distribute-packages', 'deploy-repo'))}
if len(touching) < 5 or touching != alone:
    sys.exit('# %s and %s' % (sorted(touching), sorted(alone)))
END
}

# Which commits are released, and which are not.
test_ways() {
    local ref
    begin
    listed() {
        gitlab --list "$@" 2>/dev/null |
            awk 'on {print $1} /^name +description/ {on = 1}' | sort | tr '\n' ' '
    }
    sed '/^ *services:/,/^ *- docker/d' "$PROJECT/.gitlab-ci.yml" \
        >"$PROJECT/.gitlab-ci-local.yml"
    [ "$(listed)" = 'test ' ] || die "a commit: $(listed)"
    for ref in v1 xv1.0.0 v1.0.0x v1.0 v1.0.0-rc1; do
        # GitLab makes no pipeline of it; gitlab-ci-local does not know that
        [ "$(listed --variable "CI_COMMIT_TAG=$ref" --unset-variable CI_COMMIT_BRANCH)" = 'test ' ] ||
            die "the tag $ref is released"
    done
    [[ $(listed --variable CI_COMMIT_TAG=v10.20.30) == *'release_job test ' ]] ||
        die "$(listed --variable CI_COMMIT_TAG=v10.20.30)"
    [[ $(listed --variable IS_NIGHTLY=true) != *release_job* ]] || die 'a nightly release_job'
    runs test
    says 'PASS +test'
    [ "$(public)" = none ] || die 'something is public'
}

# The whole pipeline for the same tag, then each job by itself: success, and what
# is public stays as it is, to the byte.
test_everything_twice() {
    local before job
    begin
    runs release
    before=$(public)
    runs release
    says 'The release v0.3.4 is there already'
    says 'nothing to do: generation 1 is up to date'
    [ "$(public)" = "$before" ] || die 'the second run changed what is public'
    nothing_is_left
    for job in $WORK_JOBS; do
        case $job in package_*) continue ;; esac    # its machine is gone
        runs release "$job"
        [ "$(public)" = "$before" ] || die "$job changed what is public"
    done
    runs release delete_build_machines
    nothing_is_left
}

# Nothing becomes public, and nothing is sent; all that can be checked is.
test_dry_run() {
    begin
    runs dryrun
    says 'package_amd64_deb .*would'
    says 'build_repositories .*\+ nightly veilid-cli'
    [ "$(public)" = none ] || die 'it is public'
    [ -z "$(ls "$(place $ORCHESTRATOR $INBOX/orchestrator/incoming)")" ] ||
        die 'a drop was sent'
    [ -z "$(ls "$(place $REPO $INBOX/repo-server/incoming)")" ] ||
        die 'a generation was sent'
    [ ! -e "$(place $ORCHESTRATOR "/home/$WORLD_USER/veilid-cicd/generations/1")" ] ||
        die 'a generation was made'
    nothing_is_left
    # and it finds what a release would find
    echo +package-linux-amd64-rpm >"$(place build-amd64-rpm /etc/earthly-fails)"
    fails dryrun
    nothing_is_left
}

# A pipeline that still names the scripts runs as it is, executed or by bash.
test_names_of_the_scripts() {
    begin
    must make -s -C "$ROOT" install-scripts "DIR=$PROJECT/scripts/cicd"
    sed -i -e 's,- build-machine-ctl,- scripts/cicd/build-orchestration/build-machine-ctl.sh,' \
        -e 's,- scp-to-orchestrator,- bash scripts/cicd/build-machine/scp-to-orchestrator.sh,' \
        -e 's,^\( *\)distribute-packages ",\1scripts/cicd/build-orchestration/distribute-packages.sh ",' \
        -e 's,) deploy-repo,) bash scripts/cicd/repo-server/deploy-repo.sh,' \
        "$PROJECT/.gitlab-ci.yml"
    grep -E '^ *(- |.*\) )?(build-machine-ctl|scp-to|distribute-packages "\$@" 9|deploy-repo) ' \
        "$PROJECT/.gitlab-ci.yml" && die 'a tool is still named'
    gitlab_commit 0.3.4
    runs release
    [ "$(serial)" = 1 ] || die 'not public'
    nothing_is_left
    # their errors come through
    fails release delete_build_machines --variable BUILDS=--nonsense
    says 'FAIL 64'
}

# The key is a secure file of GitLab's: no disk of the machine ever has it.
test_secure_file() {
    local home=/home/$WORLD_USER
    mkdir secure
    trap 'cleanup; world_end' EXIT
    SECURE_FILES=$T/secure release_world
    gitlab_begin
    gitlab_commit 0.3.4
    mv "$(place $ORCHESTRATOR $home/veilid-packages-key.private)" secure
    echo x >secure/another.file
    runs release
    [ "$(serial)" = 1 ] || die 'not public'
    grep -rl 'PRIVATE KEY BLOCK' "$W" && die 'the key is on a disk'
    grep -E 'PRIVATE KEY|glcbt-|dop_v1_|glpat-|cio0|pypi-0' "$W/gitlab/log" &&
        die 'a secret is in the log'
    # GitLab is down: once more, three times in all
    gitlab_commit 0.3.5
    cloud_fault gitlab-down
    fails release build_repositories
    [ "$(grep -c 'status 75: once more' "$W/gitlab/log")" = 2 ] || die 'no retry'
    says 'run this job again'
    return 0
}

# The repository server is not there: tried again, then said; nothing is lost.
test_a_machine_that_is_down() {
    begin
    runs release
    gitlab_commit 0.3.5
    machine_sshd $REPO STOP
    fails release
    says 'build_repositories .*status 75: once more'
    says 'what to do: run this job again'
    [ "$(serial)" = 1 ] || die 'what is public has changed'
    nothing_is_left
    machine_sshd $REPO START
    # as somebody would press it: the jobs that failed or were skipped
    runs release build_repositories deploy_repos
    [ "$(serial)" = 2 ] || die 'the release is not complete'
}

# Builds that differ each time: a version that is published stays what it is, and
# the message says how to go on.
test_builds_that_differ() {
    begin
    runs release
    for build in $WORLD_BUILDS; do
        sed -i 's/commit %s\\n/commit %s '"$RANDOM$RANDOM"'\\n/' \
            "$(place "build-$build" /usr/local/bin/earthly)"
    done
    fails release
    says 'different contents'
    [ "$(serial)" = 1 ] || die 'what is public has changed'
    nothing_is_left
    runs release deploy_repos
}

# What a user sees all the time while pipelines are killed.
watch_the_public() {
    apt_root watcher "$URL"
    while :; do
        if ! apt watcher update >"$T/watch.log" 2>&1; then
            cat "$T/watch.log" >>"$T/watch.failed"
        fi
        tree=$(readlink -f "$(place $REPO /srv)/.releases/current") &&
            ! (cd "$tree" && sha256sum --strict --quiet -c SHA256SUMS) >>"$T/watch.failed" 2>&1 &&
            [ -d "$tree" ] && echo "bad: $tree" >>"$T/watch.failed"
        echo . >>"$T/watched"
        pause 2
    done
}

# kill_after JOB: as soon as it has ended, everything of the pipeline is killed.
kill_after() {
    local pid pids i
    pipeline release &
    pids=($!)
    wait_for -p "${pids[0]}" grep -qsE "^$1 +finished in" "$W/gitlab/log" ||
        die "ended before $1: $(cat "$W/gitlab/log")"
    for ((i = 0; i < ${#pids[@]}; i++)); do
        for pid in $(pgrep -P "${pids[i]}"); do pids+=("$pid"); done
    done
    kill -9 "${pids[@]}" 2>/dev/null
    wait "${pids[0]}" 2>/dev/null
}

test_killed_after_each_job() {
    local job n=4
    begin 0.3.4
    runs release
    watch_the_public >/dev/null 2>&1 &
    PIDS+=($!)
    for job in $WORK_JOBS; do
        n=$((n + 1))
        gitlab_commit "0.3.$n"
        rm -f "$W/gitlab/log"
        kill_after "$job"
        runs release
        [ "$(public | sed -n 's/^# release //p')" = "v0.3.$n" ] ||
            die "killed after $job: v0.3.$n is not public"
        nothing_is_left
    done
    [ "$(wc -l <"$T/watched")" -gt 10 ] || die 'nobody watched'
    [ ! -s "$T/watch.failed" ] || die "$(cat "$T/watch.failed")"
}

gitlab_install || { echo "not ok 1 - gitlab-ci-local cannot be installed"; exit 1; }
PARALLEL=2
run_tests
