//! Keeps pages small however long the texts of a recording are: a name may have a megabyte, and a page has thousands of
//! names. It also writes invisible characters as their code points, so that no name looks like another.
//!
//! It works on the finished page, so that no view can forget it. It cuts texts and attributes that only explain, and
//! says how many characters are missing. A link whose address is longer than the server takes loses its address. CSV
//! and SQL have the whole texts. The markup is always as [`maud`] writes it: attribute values stand between `"`, and
//! no text contains `<`, `>` or `"`.

use base::steering::visible;

/// The largest size of a page of one file in bytes, unless the texts of its tables alone are longer.
pub const FILE_BYTES: usize = 5_000_000;

/// The largest size of a page that is served, in bytes.
pub(crate) const PAGE_BYTES: usize = 5_000_000;

/// How long texts and addresses on a page may be.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Bytes of a text, and of an attribute that only explains.
    text: usize,
    /// Bytes of an address. The server takes addresses twice as long as the first limit.
    address: usize,
}

/// From generous to strict: the first that makes the page small enough is taken.
const LIMITS: [Limits; 4] = [
    Limits { text: 4_000, address: 8_000 },
    Limits { text: 500, address: 2_000 },
    Limits { text: 100, address: 500 },
    Limits { text: 20, address: 200 },
];

/// Attributes that only explain their element: cutting them changes nothing that a form sends.
const EXPLAIN: [&str; 3] = ["title", "aria-label", "alt"];

/// Elements whose content stays whole: what a reader typed, and data for script.
const KEPT: [&str; 3] = ["textarea", "script", "style"];

/// The page with its texts cut. `None` if it is larger than [`PAGE_BYTES`] even so.
pub(crate) fn page(html: &str) -> Option<String> {
    LIMITS.into_iter().map(|limits| shortened(html, limits)).find(|page| page.len() <= PAGE_BYTES)
}

/// A file with the longest texts cut.
pub(crate) fn file(html: &str) -> String {
    let [first, ..] = LIMITS;
    shortened(html, first)
}

/// A file with its texts cut until it has at most `most` bytes, if that is possible.
pub(crate) fn file_within(html: &str, most: usize) -> String {
    let mut file = String::new();
    for limits in LIMITS {
        file = shortened(html, limits);
        if file.len() <= most {
            break;
        }
    }
    file
}

fn shortened(html: &str, limits: Limits) -> String {
    let mut out = String::with_capacity(html.len().min(PAGE_BYTES));
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        cut(text, limits.text, &mut out);
        out.push('<');
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        self::tag(tag, limits, &mut out);
        out.push('>');
        rest = after;
        let name = tag.split(' ').next().unwrap_or_default();
        if KEPT.contains(&name) {
            let end = rest.find(&format!("</{name}")).unwrap_or(rest.len());
            let (kept, after) = rest.split_at(end);
            out.push_str(kept);
            rest = after;
        }
    }
    cut(rest, limits.text, &mut out);
    out
}

/// Copies a tag without its brackets.
fn tag(tag: &str, limits: Limits, out: &mut String) {
    let mut rest = tag;
    while let Some((before, value)) = rest.split_once("=\"") {
        let (value, after) = value.split_once('"').unwrap_or((value, ""));
        let (space, name) = before.rsplit_once(' ').unwrap_or(("", before));
        rest = after;
        if name == "href" && value.len() > limits.address && !value.starts_with('#') {
            out.push_str(space);
            continue;
        }
        out.extend([before, "=\""]);
        if EXPLAIN.contains(&name) {
            cut(value, limits.text, out);
        } else {
            out.push_str(value);
        }
        out.push('"');
    }
    out.push_str(rest);
}

/// Copies a text up to a limit, makes its invisible characters visible, and says how many characters are missing.
fn cut(text: &str, most: usize, out: &mut String) {
    if text.len() <= most {
        return out.push_str(&visible(text));
    }
    let end = text.floor_char_boundary(most);
    // An entity such as `&lt;` is not cut in the middle.
    let begun = text.get(..end).and_then(|kept| kept.rfind('&').filter(|at| !kept[*at..].contains(';')));
    let (kept, more) = text.split_at(begun.unwrap_or(end));
    out.extend([&visible(kept), " … ", &characters(more).to_string(), " characters more"]);
}

/// Counts the characters of a text; an entity such as `&lt;` is one.
fn characters(text: &str) -> usize {
    let mut is_entity = false;
    let counted = text.chars().filter(|c| {
        let is_first = !is_entity;
        is_entity = *c == '&' || (is_entity && *c != ';');
        is_first
    });
    counted.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Limits = Limits { text: 4, address: 10 };

    #[test]
    fn texts_are_cut_with_what_is_left_out_and_their_markup_stays_whole() {
        let check = |html: &str, expected: &str| assert_eq!(shortened(html, SHORT), expected);
        check("<p>abcd</p>", "<p>abcd</p>");
        check("<p>abcdef</p>e", "<p>abcd … 2 characters more</p>e");
        check("<p>a&lt;b&lt;c</p>", "<p>a … 4 characters more</p>");
        check("<p>ééé</p>", "<p>éé … 1 characters more</p>");
        check("<b title=\"abcdef\" id=\"abcdef\">", "<b title=\"abcd … 2 characters more\" id=\"abcdef\">");
        check("<input value=\"abcdef\" checked>", "<input value=\"abcdef\" checked>");
        check("<textarea>abcdef</textarea>abcdef", "<textarea>abcdef</textarea>abcd … 2 characters more");
        check("<script type=\"a\">abc<def</script>", "<script type=\"a\">abc<def</script>");
        check("abcdef", "abcd … 2 characters more");
        check("", "");
        check("<p", "<p>");
    }

    #[test]
    fn a_link_that_is_too_long_to_ask_for_leads_nowhere() {
        let check = |html: &str, expected: &str| assert_eq!(shortened(html, SHORT), expected);
        check("<a class=\"x\" href=\"0123456789\">a</a>", "<a class=\"x\" href=\"0123456789\">a</a>");
        check("<a class=\"x\" href=\"0123456789a\" title=\"a\">a</a>", "<a class=\"x\" title=\"a\">a</a>");
        check("<a href=\"#0123456789\">a</a>", "<a href=\"#0123456789\">a</a>");
    }

    #[test]
    fn a_page_of_many_long_texts_is_cut_further_and_one_of_too_many_is_none() {
        let row = |len: usize| format!("<td>{}</td>", "a".repeat(len));
        let check = |len: usize, count: usize, more: &str| {
            assert!(page(&row(len).repeat(count)).unwrap().contains(&format!(" … {more} characters more")));
        };
        check(10_000, 10, "6000");
        check(1_000, 9_000, "500");
        check(1_000, 30_000, "900");
        assert_eq!(page(&row(1).repeat(600_000)), None);
    }
}
