# bash completion for build-machine-ctl, scp-to-orchestrator,
# distribute-packages and deploy-repo: one file, installed under the name of
# each tool.

_veilid_cicd() {
    local tool=${1##*/} cur=$2 prev=$3 word verb='' verbs options words=''
    local common='-c --config -o --set -n --dry-run -q --quiet -v --verbose
        --json --help --version'

    case $tool in
    build-machine-ctl)
        verbs='create delete list reap check user-data'
        options='--wait --timeout --replace --keep --all --older-than
            --expired'
        ;;
    scp-to-orchestrator)
        verbs=''
        options='-b --build -r --release --output-dotenv
            --allow-older-version'
        ;;
    distribute-packages)
        verbs='build export list remove revert refresh send pull verify'
        options='-r --release --suite --from --drop --partial
            --allow-older-version --change-release-fields'
        ;;
    deploy-repo)
        verbs='deploy list status rollback verify prune'
        options='--allow-older'
        ;;
    *) return 1 ;;
    esac
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ -z $verb && " $verbs " == *" $word "* ]] && verb=$word
    done

    case $prev in
    -c | --config | --output-dotenv)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --from)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    -b | --build) words='amd64-deb arm64-deb amd64-rpm arm64-rpm' ;;
    --suite) words='stable nightly' ;;
    --wait) words='none active ssh runner' ;;
    -o | --set | -r | --release | --drop | --timeout | --older-than) return ;;
    *)
        if [[ $cur == -* ]]; then
            words="$common $options"
        elif [[ -z $verb ]]; then
            words=$verbs
        elif [[ $tool == build-machine-ctl ]]; then
            case $verb in
            create | delete | list | user-data)
                words='amd64-deb arm64-deb amd64-rpm arm64-rpm'
                ;;
            esac
        elif [[ $tool:$verb == distribute-packages:verify ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _veilid_cicd build-machine-ctl distribute-packages deploy-repo
# which takes names of files, wherever nothing else is due
complete -o default -F _veilid_cicd scp-to-orchestrator
