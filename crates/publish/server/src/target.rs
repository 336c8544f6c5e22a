//! The target of a request: its path and query.
//!
//! Escapes are decoded as the URL standard says: a `%` without two hexadecimal digits is itself, and in a query `+`
//! is a space. A result that is not UTF-8 is refused rather than repaired, since a repaired name would be another
//! name.

/// Decodes a path. An escaped slash is a slash like the others. `None` if it does not begin with a slash or is not
/// text.
pub(crate) fn path(raw: &str) -> Option<String> {
    if raw.starts_with('/') { decode(raw, false) } else { None }
}

/// A pair of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    /// As it was sent.
    pub(crate) raw: &'a str,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Decodes the pairs of a query, in order. A name without `=` has an empty value; empty pairs are skipped. `None` if
/// one of them is not text.
pub(crate) fn query(raw: &str) -> Option<Vec<Pair<'_>>> {
    raw.split('&')
        .filter(|raw| !raw.is_empty())
        .map(|raw| {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            Some(Pair { raw, name: decode(name, true)?, value: decode(value, true)? })
        })
        .collect()
}

fn decode(raw: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = if byte == b'%' { escape(after) } else { None };
        rest = escaped.map_or(after, |(_, after)| after);
        out.push(match escaped {
            Some((value, _)) => value,
            None if byte == b'+' && plus_is_space => b' ',
            None => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// The byte that two hexadecimal digits encode, and what follows them.
fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = after.split_first_chunk::<2>()?;
    let [high, low] =
        digits.map(|digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    Some((high? << 4 | low?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_only_looks_like_one_stays() {
        let check = |raw: &str, expected: &str| assert_eq!(path(raw).as_deref(), Some(expected), "{raw}");
        check("/", "/");
        check("/a%20b+c", "/a b+c");
        check("/%E2%82%AC%f0%9f%98%80", "/€😀");
        check("/100%", "/100%");
        check("/%4", "/%4");
        check("/%zz%2", "/%zz%2");
        check("/%+1%-1", "/%+1%-1");
        check("/%25%32%30", "/%20");
        check("/%00%2e%2E%2f", "/\0../");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert_eq!(path("/%ff"), None);
        assert_eq!(path("/%e2%82"), None);
        assert_eq!(path("*"), None);
        assert_eq!(query("a=1&b=%c3%28"), None);
        assert_eq!(query("%80=1"), None);
    }

    #[test]
    fn pairs_keep_their_order_and_their_doubles() {
        let check = |raw: &str, expected: &[(&str, &str)]| {
            let pairs = query(raw).unwrap();
            let pairs: Vec<_> = pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())).collect();
            assert_eq!(pairs, expected, "{raw}");
        };
        check("", &[]);
        check("&&", &[]);
        check("b=2&a=1&b=", &[("b", "2"), ("a", "1"), ("b", "")]);
        check("flag&x=a=b", &[("flag", ""), ("x", "a=b")]);
        check("q=a+b%2Bc%26d", &[("q", "a b+c&d")]);
        check("=v", &[("", "v")]);
    }
}
