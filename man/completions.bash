# bash completion for distribute-packages and deploy-repo: one file, installed
# under the name of each tool.

_veilid_cicd() {
    local tool=${1##*/} cur=$2 prev=$3 word verb='' verbs options words=''
    local common='-c --config -o --set -n --dry-run -q --quiet -v --verbose
        --json --help --version'

    case $tool in
    distribute-packages)
        verbs='build export list remove revert refresh verify'
        options='-r --release --suite --from --partial
            --change-release-fields'
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
    -c | --config)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --from)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --suite) words='stable nightly' ;;
    -o | --set | -r | --release) return ;;
    *)
        if [[ $cur == -* ]]; then
            words="$common $options"
        elif [[ -z $verb ]]; then
            words=$verbs
        elif [[ $tool:$verb == distribute-packages:verify ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _veilid_cicd distribute-packages deploy-repo
