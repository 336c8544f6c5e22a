//! The state of a view: the parameters of its address, and links to neighbouring states.
//!
//! Everything that a reader chooses is in the address, so that it can be sent and bookmarked, and the back button
//! works. A parameter that cannot be read counts as absent, and the page says so.

use base::number::real;

/// The parameters of an address, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// The parameters that every view keeps: the range of time, and whether the time line shows only that range.
const KEPT: [&str; 3] = ["from", "to", "zoom"];

impl Params {
    /// Of several parameters with the same name, the last counts. An empty one counts as absent.
    pub fn new(pairs: &[(String, String)]) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            params.set(name, value);
        }
        params
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(of, _)| of != name);
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The same with one parameter changed; an empty value removes it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut params = self.clone();
        params.set(name, value);
        params
    }

    /// The same without some parameters.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self(kept.cloned().collect())
    }

    /// Only the parameters that every view keeps.
    #[must_use]
    pub fn kept(&self) -> Self {
        let kept = self.0.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
        Self(kept.cloned().collect())
    }

    /// The name and value of each parameter.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The requested range in nanoseconds, half-open. `(None, None)` if it is empty or reversed.
    pub fn range(&self) -> (Option<i64>, Option<i64>) {
        match (self.time_ns("from"), self.time_ns("to")) {
            (Some(from), Some(to)) if from >= to => (None, None),
            range => range,
        }
    }

    /// Whether a range was requested that is empty, reversed or unreadable.
    pub fn is_range_refused(&self) -> bool {
        let asked = ["from", "to"].iter().any(|name| self.get(name).is_some());
        let unreadable =
            ["from", "to"].iter().any(|name| self.get(name).is_some() && self.time_ns(name).is_none());
        asked && (unreadable || self.range() == (None, None))
    }

    /// The address of a path with these parameters.
    pub fn href(&self, path: &str) -> String {
        let mut href = place(path).to_owned();
        for (at, (name, value)) in self.0.iter().enumerate() {
            href.push(if at == 0 { '?' } else { '&' });
            encode(name, &mut href);
            href.push('=');
            encode(value, &mut href);
        }
        href
    }

    /// A parameter as a finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.trim().parse::<f64>().ok().filter(|value| value.is_finite())
    }

    /// A parameter in seconds, as nanoseconds.
    pub fn time_ns(&self, name: &str) -> Option<i64> {
        /// So many seconds still fit into an `i64` of nanoseconds.
        const MAX_SECONDS: f64 = 9e9;
        let seconds = self.number(name)?.clamp(-MAX_SECONDS, MAX_SECONDS);
        #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
        let ns = (seconds * 1e9).round() as i64;
        Some(ns)
    }
}

/// A path as a relative link. All pages of an exhibit are in one folder, so the link works on each of them, and several
/// exhibits can be served side by side.
pub fn place(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => "./",
        name => name,
    }
}

/// Percent-encodes everything but unreserved characters.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend([format!("%{byte:02X}")]);
        }
    }
}

/// A time as a parameter: seconds with as many decimals as needed.
pub fn seconds(ns: i64) -> String {
    let text = format!("{:.9}", real(ns) / 1e9);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_any_text() {
        let params = Params::default().with("include", "A!B<C>&\"d\"").with("from", "1.5").with("to", "");
        assert_eq!(params.href("/stacks"), "stacks?include=A%21B%3CC%3E%26%22d%22&from=1.5");
        assert_eq!(params.kept().href("/gc"), "gc?from=1.5");
        assert_eq!(params.without(&["include", "from"]).href("/"), "./");
    }

    #[test]
    fn times_are_seconds_and_nonsense_is_absent() {
        let check = |text: &str, expected| {
            assert_eq!(Params::default().with("from", text).time_ns("from"), expected, "{text}");
        };
        check("1.25", Some(1_250_000_000));
        check("-1", Some(-1_000_000_000));
        check("1e300", Some(9_000_000_000_000_000_000));
        check("NaN", None);
        check("soon", None);
        let range = |from, to| {
            let params = Params::default().with("from", from).with("to", to);
            (params.range(), params.is_range_refused())
        };
        assert_eq!(range("1", "2"), ((Some(1_000_000_000), Some(2_000_000_000)), false));
        assert_eq!(range("", "2"), ((None, Some(2_000_000_000)), false));
        assert_eq!(range("", ""), ((None, None), false));
        assert_eq!(range("2", "2"), ((None, None), true));
        assert_eq!(range("soon", "2"), ((None, Some(2_000_000_000)), true));
        assert_eq!(seconds(1_250_000_000), "1.25");
        assert_eq!(seconds(3_000_000_000), "3");
        assert_eq!(seconds(1), "0.000000001");
    }
}
