//! Texts within Markdown. Texts of recordings come from anyone, and a page may be pasted into an issue: none of them becomes
//! markup, HTML, a link, a mention of a person, or a reference to another issue.
//!
//! What a forge turns into links (`@name`, `#1`, an address) cannot be escaped, since it looks for them after Markdown. It leaves
//! code alone, so such a word becomes code.

use crate::page::printable;

/// A text in a paragraph, a heading or a list. Words between backticks stay code, as our own texts mark names.
pub(crate) fn inline(text: &str) -> String {
    written(text, Place::Paragraph)
}

/// The same in a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    written(text, Place::Cell)
}

/// A name in a cell of a table: as a whole code, if a forge would make more of a part of it.
pub(crate) fn name_in_cell(name: &str) -> String {
    let name = one_line(name);
    if !name.split(' ').any(is_reference) {
        return written(&name, Place::Cell);
    }
    let mut out = String::new();
    push_code(&mut out, &name, Place::Cell);
    out
}

/// A name as code.
pub(crate) fn code(name: &str) -> String {
    let mut out = String::new();
    push_code(&mut out, &one_line(name), Place::Paragraph);
    out
}

/// Lines as a block of code, indented by two spaces as part of a list item.
pub(crate) fn block_in_item(language: &str, lines: &str) -> String {
    let fence = "`".repeat(longest_run(lines).saturating_add(1).max(3));
    let mut block = format!("  {fence}{language}\n");
    for line in lines.lines() {
        block.extend(["  ", &printable(line), "\n"]);
    }
    block.extend(["  ", &fence, "\n"]);
    block
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Paragraph,
    /// In a table, where a pipe ends the cell even within code.
    Cell,
}

fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn written(text: &str, place: Place) -> String {
    let text = one_line(text);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, code, behind)) = next_code(rest) {
        push_plain(&mut out, before, place);
        push_code(&mut out, code, place);
        rest = behind;
    }
    push_plain(&mut out, rest, place);
    without_block_start(out)
}

/// The first words between backticks, and what is around them. A backtick within a word is part of a name (``List`1``).
fn next_code(text: &str) -> Option<(&str, &str, &str)> {
    for (at, _) in text.match_indices('`') {
        let (before, from) = (text.get(..at)?, text.get(at.saturating_add(1)..)?);
        let begins = before.chars().next_back().is_none_or(|c| c == ' ' || c == '(');
        if let Some((code, behind)) = from.split_once('`').filter(|_| begins)
            && behind.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '`')
            && !code.trim().is_empty()
        {
            return Some((before, code, behind));
        }
    }
    None
}

/// Appends text that is not code, word by word.
fn push_plain(out: &mut String, text: &str, place: Place) {
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            out.push(' ');
        }
        if is_reference(word) {
            let core = word.trim_end_matches(['.', ',', ';', ':', ')']);
            push_code(out, core, place);
            push_escaped(out, word.get(core.len()..).unwrap_or_default());
        } else {
            push_escaped(out, word);
        }
    }
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '|' | '~' | '#' | '$' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
}

/// Appends code. Its fence is longer than any row of backticks in it.
fn push_code(out: &mut String, text: &str, place: Place) {
    if text.is_empty() {
        return;
    }
    // Two fences side by side would be a longer one.
    if out.ends_with('`') {
        out.push(' ');
    }
    let fence = "`".repeat(longest_run(text).saturating_add(1));
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    let text = if place == Place::Cell { text.replace('|', "\\|") } else { text.to_owned() };
    out.extend([&fence, pad, &text, pad, &fence]);
}

/// The length of the longest row of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Whether a forge makes more of a word: a mention, a reference, an address, an emoji.
fn is_reference(word: &str) -> bool {
    let lower = word.to_lowercase();
    let has_address = ["://", "www.", "mailto:", "xmpp:", "gh-"].iter().any(|part| lower.contains(part));
    // Signs of references by GitHub and GitLab: issues, merge requests, labels, snippets, epics, milestones.
    let next = lower.chars().skip(1);
    let has_sign = lower.chars().zip(next).any(|(sign, c)| "#!~$&%".contains(sign) && c.is_alphanumeric());
    let is_commit = |part: &str| {
        part.len() >= 7
            && part.chars().all(|c| c.is_ascii_hexdigit())
            && part.chars().any(|c| c.is_ascii_digit())
            && part.chars().any(|c| c.is_ascii_alphabetic())
    };
    let has_commit = lower.split(|c: char| !c.is_alphanumeric()).any(is_commit);
    // `:tada:`, but not a time.
    let (colons, between) = (lower.matches(':').count(), lower.split(':').skip(1));
    let has_emoji = colons > 1
        && (word.starts_with(':')
            || between.into_iter().any(|of| !of.starts_with(|c: char| c.is_ascii_digit())));
    word.contains('@') || has_address || has_sign || has_commit || has_emoji
}

/// Escapes what would begin a list, a quote or a heading at the start of a paragraph.
fn without_block_start(mut text: String) -> String {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let mut behind = text.chars().skip(digits);
    let (sign, next) = (behind.next(), behind.next());
    let is_item = digits > 0 && matches!(sign, Some('.' | ')')) && next.is_none_or(|c| c == ' ');
    if is_item || digits == 0 && matches!(sign, Some('-' | '+' | '=')) {
        text.insert(digits, '\\');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup_or_html() {
        let check = |text: &str, expected: &str| assert_eq!(inline(text), expected);
        check("p99 of 5 ms, 2.36 % of all", "p99 of 5 ms, 2.36 % of all");
        check("<img src=x> & **bold** _it_", "&lt;img src=x&gt; &amp; \\*\\*bold\\*\\* \\_it\\_");
        check("[a](b) ![c](d) a|b ~ x", "\\[a\\](b) !\\[c\\](d) a\\|b \\~ x");
        check("a\\`b\r\n\r\n# title", "a\\\\\\`b \\# title");
        check("- item", "\\- item");
        check("12. item", "12\\. item");
        check("2.5 ms at 17:13:06.855Z", "2.5 ms at 17:13:06.855Z");
        check("", "");
    }

    #[test]
    fn a_word_that_a_forge_would_link_is_code() {
        let check = |text: &str, expected: &str| assert_eq!(inline(text), expected);
        check("ask @octocat, or (see #12).", "ask `@octocat`, or (see `#12`).");
        check("https://evil.example/x is www.evil.example", "`https://evil.example/x` is `www.evil.example`");
        check("a@b.example owner/repo#7 GH-7 !7 :tada:", "`a@b.example` `owner/repo#7` `GH-7` `!7` `:tada`:");
        check("of commit 460b513, 1234567 rows", "of commit `460b513`, 1234567 rows");
        check("/x/@a`b in Module!Type.Method", "``/x/@a`b`` in `Module!Type.Method`");
    }

    #[test]
    fn a_name_with_a_signature_is_one_span_of_code() {
        let check = |text: &str, expected: &str| assert_eq!(name_in_cell(text), expected);
        check("GET /orders", "GET /orders");
        check("List`1 and more", "List\\`1 and more");
        let name = "app!Type`2[A|B].Get(class KeyValuePair`2<class !0,class !1&>)";
        check(name, &format!("``{}``", name.replace('|', "\\|")));
    }

    #[test]
    fn our_own_code_stays_code_and_a_name_with_backticks_does_not_end_it() {
        let check = |text: &str, expected: &str| assert_eq!(inline(text), expected);
        check("calls `.Result` or (`.Wait()`).", "calls `.Result` or (`.Wait()`).");
        check("List`1 and Dictionary`2", "List\\`1 and Dictionary\\`2");
        check("a `b", "a \\`b");
        check("`@a``b`", "``` `@a``b` ```");
        assert_eq!(code("List`1<T>|x"), "``List`1<T>|x``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(cell("a|b Module!A|B"), "a\\|b `Module!A\\|B`");
        assert_eq!(
            block_in_item("sql", "select '```'\nfrom a"),
            "  ````sql\n  select '```'\n  from a\n  ````\n"
        );
    }
}
