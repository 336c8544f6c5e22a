#compdef casebook
# Completions of casebook for zsh, written by `casebook completions`. The program itself knows what fits, so this file stays
# the same when the program is updated.
_casebook() {
    local line kind
    local -a lines described
    lines=("${(@f)$(command casebook complete zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
    kind=$lines[1]
    case $kind in
    words)
        for line in "${(@)lines[2,-1]}"; do
            # The description is behind a tab, and behind a colon for _describe.
            described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        done
        (( $#described )) && _describe -V casebook described
        ;;
    recordings)
        compset -P '*='
        _files -g '*.(nettrace|nettrace.zst|nettrace.gz|nettrace.zip|netperf|json|json.zst|json.gz)'
        ;;
    *)
        compset -P '*='
        _files
        ;;
    esac
}
if [[ $funcstack[1] == _casebook ]]; then
    _casebook "$@"
else
    compdef _casebook casebook
fi
