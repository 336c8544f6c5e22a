# Completions of casebook for bash, written by `casebook completions`. The program itself knows what fits, so this file stays
# the same when the program is updated.
_casebook() {
    local line kind='' listed=()
    COMPREPLY=()
    # Descriptions are shown only where bash lists what fits, never where it inserts a word.
    case ${COMP_TYPE-} in
    33 | 63 | 64) listed=(--listed "${COLUMNS:-80}") ;;
    esac
    while IFS= read -r line; do
        if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
    done < <(command casebook complete bash "${listed[@]}" -- "${COMP_WORDS[@]:0:COMP_CWORD}" "$2" 2>/dev/null </dev/null)
    case $kind in
    words) compopt +o default +o bashdefault ;;
    recordings)
        compopt -o filenames
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done < <(
            compgen -d -- "$2"
            for line in nettrace nettrace.zst nettrace.gz nettrace.zip netperf json json.zst json.gz; do compgen -f -X "!*.$line" -- "$2"; done
        )
        ;;
    esac 2>/dev/null
}
# Without words of ours, bash completes names of files. The program's order has a meaning, but old versions of bash sort.
complete -o bashdefault -o default -o nosort -F _casebook casebook 2>/dev/null ||
    complete -o bashdefault -o default -F _casebook casebook
