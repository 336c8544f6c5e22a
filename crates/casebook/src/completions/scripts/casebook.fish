# Completions of casebook for fish, written by `casebook completions`. The program itself knows what fits, so this file stays
# the same when the program is updated.
function __casebook_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    set -l lines (command casebook complete fish -- $words "$word" 2>/dev/null </dev/null)
    switch "$lines[1]"
        case words
            printf '%s\n' $lines[2..]
        case recordings
            __fish_complete_suffix .nettrace .nettrace.zst .nettrace.gz .netperf .json
        case '*'
            __fish_complete_path "$word"
    end
end
complete --command casebook --no-files --keep-order --arguments '(__casebook_complete)'
