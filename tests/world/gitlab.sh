# GitLab, as far as a pipeline needs it: gitlab-ci-local runs .gitlab-ci.yml and
# gives each job to tests/world/runner, which enters the machine that the job's
# tag asks for. Sourced, after release.sh.
#
#   gitlab_begin             $PROJECT, a repository with .gitlab-ci.yml in it
#   gitlab_commit VERSION    all its packages have that version
#   pipeline PATH [OPTION...]
#                            release (of the version), nightly, dryrun, test; or
#                            of one of these only the jobs that are named. What
#                            it says: $W/gitlab/log
# shellcheck shell=bash

GCL=$ROOT/build/gitlab-ci-local

# Once for a checkout; `npm ci` takes the very files that the lock names.
gitlab_install() {
    local pinned=$ROOT/tests/world/gitlab-ci-local
    mkdir -p "$GCL"
    (
        flock 9
        cmp -s "$pinned/package-lock.json" "$GCL/installed" && exit
        cp "$pinned"/package*.json "$GCL" &&
            npm ci --prefix "$GCL" --no-audit --no-fund --ignore-scripts \
                >"$GCL/log" 2>&1 || { tail -n 5 "$GCL/log" >&2; exit 1; }
        /usr/bin/python3 -B "$ROOT/tests/world/patch_gitlab_ci_local.py" \
            "$GCL/node_modules/gitlab-ci-local/dist/index.js" &&
            cp "$pinned/package-lock.json" "$GCL/installed"
    ) 9>"$GCL/lock"
}

gitlab_begin() {
    gitlab_install || die 'gitlab-ci-local cannot be installed'
    PROJECT=$W/gitlab/veilid
    mkdir -p "$W/gitlab/bin" "$W/gitlab/home" "$PROJECT"
    ln -s "$ROOT/tests/world/runner" "$W/gitlab/bin/bash"
    project_git init -q -b main
    project_git remote add origin git@gitlab.example:rehearsal/veilid.git
    cp "$ROOT/.gitlab-ci.yml" "$PROJECT"
    cat >"$PROJECT/.gitlab-ci-local-variables.yml" <<END
GITLAB_CI: "true"
CI_PROJECT_ID: "$CLOUD_PROJECT"
CI_API_V4_URL: $CLOUD/api/v4
CI_JOB_TOKEN: $JOB_TOKEN
CI_DEFAULT_BRANCH: main
$(for variable in "${JOB_VARIABLES[@]}"; do
        echo "${variable%%=*}: \"${variable#*=}\""
    done)
END
    gitlab_state
}

# What the runner has to know.
gitlab_state() {
    declare -p ROOT W T WORLD WORLD_NET MACHINE_PID MACHINE_ADDRESS CLOUD \
        CLOUD_WAY >"$W/gitlab/state"
}

project_git() {
    HOME=$W/gitlab/home git -C "$PROJECT" -c user.name=dev \
        -c user.email=dev@example.org -c advice.detachedHead=false "$@"
}

gitlab_commit() {
    VERSION=$1
    checkout "$PROJECT" "$VERSION"
    echo '.gitlab-ci-local*' >>"$PROJECT/.gitignore"
    project_git add -A
    project_git commit -q --allow-empty -m "Version $1"
}

pipeline() {
    local path=$1 how=() ours=CI_COMMIT_REF_NAME
    shift
    case $path in
    release) how=(--variable "CI_COMMIT_TAG=v$VERSION"
        --variable "CI_COMMIT_REF_NAME=v$VERSION" --unset-variable CI_COMMIT_BRANCH) ;;
    nightly)
        how=(--variable IS_NIGHTLY=true --variable CI_PIPELINE_SOURCE=schedule)
        ours=CI_PIPELINE_SOURCE ;;
    dryrun)
        how=(--variable 'CI_COMMIT_MESSAGE=try it [ci dryrun]')
        ours=CI_COMMIT_MESSAGE ;;
    test) ours= ;;
    esac
    how+=(--ignore-predefined-vars
        "GITLAB_CI,CI_PROJECT_ID,CI_API_V4_URL,CI_JOB_TOKEN,CI_DEFAULT_BRANCH${ours:+,$ours}")
    # a service is a container, and there are none here
    sed -e '/^ *services:/,/^ *- docker/d' "$PROJECT/.gitlab-ci.yml" \
        >"$PROJECT/.gitlab-ci-local.yml"
    # each pipeline begins in fresh checkouts
    rm -rf "$PROJECT/.gitlab-ci-local"
    [ "$W/gitlab/jobs.$path" -nt "$PROJECT/.gitlab-ci.yml" ] ||
        gitlab_jobs "$path" "${how[@]}"
    cp "$W/gitlab/jobs.$path" "$W/gitlab/jobs"
    gitlab "${how[@]}" --force-shell-executor --shell-isolation \
        --no-artifacts-to-source "$@" >"$W/gitlab/log" 2>&1
}

# By its arguments in the project's directory, in an environment of its own. One
# of its parts refuses Node.js 18, which is Debian 12's, unless it is told that
# this will do; it does.
gitlab() {
    env -i -C "$PROJECT" "PATH=$W/gitlab/bin:$PATH" "HOME=$W/gitlab/home" \
        LC_ALL=C.UTF-8 NO_COLOR=1 YARGS_MIN_NODE_VERSION=18 \
        "WORLD_STATE=$W/gitlab/state" \
        node "$GCL/node_modules/gitlab-ci-local/dist/index.js" \
        --file .gitlab-ci-local.yml --no-json-schema-validation "$@"
}

# gitlab_jobs PATH OPTION...: "job tag": who takes which; and how often an exit
# status of 75 is tried again.
gitlab_jobs() {
    local path=$1
    shift
    gitlab --preview "$@" 2>"$W/gitlab/preview.err" | awk '
        /^[^ #]/ { job = $1; sub(/:$/, "", job) }
        /^  [a-z_]+:/ { part = $1 }
        part == "tags:" && /^    - / { print job, $2 }' >"$W/gitlab/jobs.$path"
    awk '/^[^ #]/ { part = $1 }
        part == "default:" && $1 == "max:" { max = $2 }
        part == "default:" && /exit_codes: \[75\]/ { print max }' \
        "$PROJECT/.gitlab-ci.yml" >"$W/gitlab/retries"
}
