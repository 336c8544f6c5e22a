//! Escapes texts, so that they never become markup.

/// A text as markup, for content and for attributes in double quotes. Characters with a meaning in HTML or XML become
/// references, and characters that XML does not allow become `�`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// The first `most` letters of a text; a cut text ends with `…`.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_sign_of_a_text_is_markup() {
        let hostile = "</title><script>alert('1')</script>\" onload=\"x&lt;\0\u{1b}\u{ffff}";
        let expected =
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x&amp;lt;���";
        assert_eq!(escape(hostile), expected);
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!(["", "abc", "abcd", "ößäü"].map(|text| clipped(text, 3)), ["", "abc", "ab…", "öß…"]);
    }

    proptest! {
        #[test]
        fn what_is_escaped_holds_no_sign_of_markup(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\0']));
            for (at, _) in escaped.match_indices('&') {
                let rest = &escaped[at..];
                prop_assert!(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|of| rest.starts_with(of)));
            }
        }
    }
}
