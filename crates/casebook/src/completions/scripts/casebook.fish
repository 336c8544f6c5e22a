# Completions of casebook for fish, written by `casebook completions`. The program itself knows what fits, so this file stays
# the same when the program is updated.
function __casebook_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l token (commandline --current-token --cut-at-cursor)
    # Without its quotes, of which the last one may not be typed yet.
    set -l word (string unescape -- "$token"; or string unescape -- "$token'"; or string unescape -- "$token\""; or echo "$token")
    set -l lines (command casebook complete fish -- $words "$word" 2>/dev/null </dev/null)
    switch "$lines[1]"
        case words
            printf '%s\n' $lines[2..]
        case '*'
            # A path may be the value of --option=PATH, or of NAME=PATH in `query`.
            set -l before (string match --regex -- '^(?:--)?[\w-]+=' "$token")
            set -l paths "$before"(complete --do-complete "'' "(string replace -- "$before" '' "$token"))
            set -l recordings (string match --regex -- '^[^\t]*(?:/|\.nettrace|\.nettrace\.zst|\.nettrace\.gz|\.netperf|\.json|\.json\.zst|\.json\.gz)(?:\t.*)?$' $paths)
            # If there is no recording, any file may be one.
            if test "$lines[1]" = recordings; and set -q recordings[1]
                set paths $recordings
            end
            printf '%s\n' $paths
    end
end
complete --command casebook --no-files --keep-order --arguments '(__casebook_complete)'
