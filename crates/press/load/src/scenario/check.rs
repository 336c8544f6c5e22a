//! What a response must be, and which values are taken from it.

use super::answer::{Answer, Wanted};
use super::file::{ExpectFile, ExtractFile, Statuses};
use super::json_path::JsonPath;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest value that is extracted, in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// The memory that a compiled pattern may take, in bytes.
const MAX_PATTERN: usize = 1024 * 1024;
/// The most checks of a request.
const MAX_CHECKS: usize = 100;

/// A pattern. Two are equal if they are written the same.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Status(Vec<u16>),
    /// The body must not be larger than what is kept.
    BodySize,
    Contains(String),
    Matches(Pattern),
    Json(JsonPath, Value),
    /// The number of the value, and where it comes from.
    Extract(usize, From),
}

#[derive(Debug, Clone, PartialEq)]
enum From {
    Json(JsonPath),
    Header(String),
    /// The first group of the pattern, or all of it if it has none.
    Regex(Pattern),
}

/// All checks of a request, in the order in which they are made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Checks {
    checks: Vec<(String, Kind)>,
}

/// Why the checks of a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CheckError {
    #[error("`{0}` is not a path into JSON: expected for example $.items[0].id")]
    Path(String),
    #[error("`{0}` is not a regular expression, or too large a one")]
    Pattern(String),
    #[error("`{0}` is not a status: expected 100 to 999")]
    Status(u16),
    #[error("`expect.status` is an empty list")]
    NoStatus,
    #[error("`extract.{0}`: expected one of `json`, `header` and `regex`")]
    From(String),
    #[error("`expect.json.\"{0}\"`: JSON has no such value")]
    NoJson(String),
    #[error("more than {MAX_CHECKS} checks")]
    TooMany,
}

impl Checks {
    /// Reads what a request expects and extracts. `slot` returns the number of an extracted value.
    pub(super) fn compile(
        expect: Option<&ExpectFile>,
        extract: &BTreeMap<String, ExtractFile>,
        mut slot: impl FnMut(&str) -> usize,
    ) -> Result<Self, CheckError> {
        let mut checks = Vec::new();
        let mut body = Vec::new();
        if let Some(of) = expect {
            if let Some(statuses) = &of.status {
                checks.push(("status".to_owned(), Kind::Status(read_statuses(statuses)?)));
            }
            if let Some(text) = &of.body_contains {
                body.push(("body_contains".to_owned(), Kind::Contains(text.clone())));
            }
            if let Some(text) = &of.body_matches {
                body.push(("body_matches".to_owned(), Kind::Matches(pattern(text)?)));
            }
            for (path, value) in &of.json {
                let parsed = json_path(path)?;
                let value = json(value).ok_or_else(|| CheckError::NoJson(path.clone()))?;
                body.push((format!("json {path}"), Kind::Json(parsed, value)));
            }
        }
        for (name, of) in extract {
            let from = match (&of.json, &of.header, &of.regex) {
                (Some(path), None, None) => From::Json(json_path(path)?),
                (None, Some(header), None) => From::Header(header.clone()),
                (None, None, Some(text)) => From::Regex(pattern(text)?),
                _ => return Err(CheckError::From(name.clone())),
            };
            body.push((format!("extract {name}"), Kind::Extract(slot(name), from)));
        }
        if body.iter().any(|(_, kind)| kind.wanted().body) {
            checks.push(("body too large".to_owned(), Kind::BodySize));
        }
        checks.append(&mut body);
        if checks.len() > MAX_CHECKS { Err(CheckError::TooMany) } else { Ok(Self { checks }) }
    }

    /// The names of the checks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().map(|(name, _)| name.as_str())
    }

    /// What of a response must be kept for them.
    pub(crate) fn wanted(&self) -> Wanted {
        self.checks.iter().fold(Wanted::default(), |all, (_, kind)| {
            let of = kind.wanted();
            Wanted { headers: all.headers || of.headers, body: all.body || of.body }
        })
    }

    /// Makes the checks, and puts extracted values where they belong. Returns the number of the first check that fails; those behind
    /// it are not made.
    pub(super) fn make(&self, status: u16, answer: &Answer, values: &mut [String]) -> Result<(), usize> {
        let mut parsed: Option<Option<Value>> = None;
        for (number, (_, kind)) in self.checks.iter().enumerate() {
            let body = answer.body();
            let mut at = |path: &JsonPath| {
                let json = parsed.get_or_insert_with(|| serde_json::from_slice(body?).ok());
                json.as_ref().and_then(|json| path.find(json)).cloned()
            };
            let holds = match kind {
                Kind::Status(statuses) => statuses.contains(&status),
                Kind::BodySize => body.is_some(),
                Kind::Contains(text) => {
                    body.is_some_and(|body| memchr::memmem::find(body, text.as_bytes()).is_some())
                }
                Kind::Matches(pattern) => body.is_some_and(|body| pattern.0.is_match(body)),
                Kind::Json(path, expected) => at(path).is_some_and(|found| is_same(&found, expected)),
                Kind::Extract(slot, from) => {
                    let found = match from {
                        From::Json(path) => at(path).and_then(text_of),
                        From::Header(name) => answer.header(name).and_then(text),
                        From::Regex(pattern) => body.and_then(|body| group(&pattern.0, body)),
                    };
                    match (found.filter(|value| value.len() <= MAX_VALUE), values.get_mut(*slot)) {
                        (Some(value), Some(slot)) => {
                            *slot = value;
                            true
                        }
                        _ => false,
                    }
                }
            };
            if !holds {
                return Err(number);
            }
        }
        Ok(())
    }
}

impl Kind {
    fn wanted(&self) -> Wanted {
        match self {
            Self::Status(_) => Wanted::default(),
            Self::Extract(_, From::Header(_)) => Wanted { headers: true, body: false },
            _ => Wanted { headers: false, body: true },
        }
    }
}

fn read_statuses(of: &Statuses) -> Result<Vec<u16>, CheckError> {
    let statuses = match of {
        Statuses::One(status) => vec![*status],
        Statuses::Several(statuses) => statuses.clone(),
    };
    match statuses.iter().find(|status| !(100..1000).contains(*status)) {
        Some(status) => Err(CheckError::Status(*status)),
        None if statuses.is_empty() => Err(CheckError::NoStatus),
        None => Ok(statuses),
    }
}

fn json_path(path: &str) -> Result<JsonPath, CheckError> {
    JsonPath::parse(path).ok_or_else(|| CheckError::Path(path.to_owned()))
}

fn pattern(text: &str) -> Result<Pattern, CheckError> {
    let built = RegexBuilder::new(text).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build();
    built.map(Pattern).map_err(|_invalid| CheckError::Pattern(text.to_owned()))
}

/// A value of TOML as one of JSON. `None` for numbers that JSON does not have.
fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(of) => of.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        toml::Value::Table(of) => {
            let members = of.iter().map(|(name, value)| Some((name.clone(), json(value)?)));
            Value::Object(members.collect::<Option<_>>()?)
        }
    })
}

/// Whether two values are the same. 1 and 1.0 are.
fn is_same(found: &Value, expected: &Value) -> bool {
    let is_real = found.is_f64() || expected.is_f64();
    found == expected
        || is_real && found.as_f64().zip(expected.as_f64()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
}

/// A value of JSON as it is put into a request. `null` does not count as one.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn group(pattern: &Regex, body: &[u8]) -> Option<String> {
    let found = pattern.captures(body)?;
    text(found.get(1).or_else(|| found.get(0))?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the checks of a file on a response. Returns the name of the check that fails, or the values.
    fn check(file: &str, status: u16, body: &[u8]) -> Result<Vec<String>, String> {
        #[derive(serde::Deserialize)]
        struct File {
            expect: Option<ExpectFile>,
            #[serde(default)]
            extract: BTreeMap<String, ExtractFile>,
        }
        let file: File = toml::from_str(file).unwrap();
        let mut count = 0;
        let checks = Checks::compile(file.expect.as_ref(), &file.extract, |_| {
            count += 1;
            count - 1
        });
        let checks = checks.map_err(|error| error.to_string())?;
        let mut answer = Answer::new(checks.wanted());
        answer.add_header("location", b"/orders/7");
        for piece in body.chunks(4_000) {
            answer.add_body(piece);
        }
        let mut values = vec![String::new(); count];
        match checks.make(status, &answer, &mut values) {
            Ok(()) => Ok(values),
            Err(number) => Err(checks.names().nth(number).unwrap().to_owned()),
        }
    }

    fn fails(file: &str, status: u16, body: &[u8], expected: &str) {
        assert_eq!(check(file, status, body), Err(expected.to_owned()), "{file}");
    }

    const JSON: &[u8] = br#"{"id": 7, "state": "paid", "sum": 2.0, "of": {"a": [true, null]}}"#;

    #[test]
    fn values_come_from_json_headers_and_patterns() {
        let all = "[extract]\na = { json = '$.id' }\nb = { header = 'Location' }\nc = { regex = '\"state\": \"(\\w+)\"' }\n\
                   d = { regex = 'pa.d' }\ne = { json = '$.of' }";
        let expected = ["7", "/orders/7", "paid", "paid", r#"{"a":[true,null]}"#];
        assert_eq!(check(all, 200, JSON).unwrap(), expected);
        for from in ["json = '$.none'", "json = '$.of.a[1]'", "header = 'ETag'", "regex = 'x(y)'"] {
            fails(&format!("[extract]\na = {{ {from} }}"), 200, JSON, "extract a");
        }
        let long = format!("x{}", "y".repeat(MAX_VALUE));
        fails("[extract]\na = { regex = 'x.*' }", 200, long.as_bytes(), "extract a");
    }

    #[test]
    fn the_first_check_that_fails_is_named() {
        let file = "[expect]\nstatus = [200, 201]\nbody_contains = 'paid'\nbody_matches = 'i.\"'\n\
                    json = { '$.state' = 'paid', '$.sum' = 2, '$.of.a[0]' = true }";
        assert_eq!(check(file, 201, JSON), Ok(vec![]));
        fails(file, 404, JSON, "status");
        fails(file, 200, b"{}", "body_contains");
        fails(file, 200, b"paid", "body_matches");
        fails(file, 200, br#"{"id":"paid"}"#, "json $.state");
        fails("[expect]\njson = { '$.a' = 1 }", 200, b"not json", "json $.a");
        fails("[expect]\nstatus = 200", 201, b"", "status");
    }

    #[test]
    fn a_body_that_is_too_large_fails_although_its_beginning_would_do() {
        let mut body = b"paid".to_vec();
        body.resize(MAX_BODY, b' ');
        assert_eq!(check("[expect]\nbody_contains = 'paid'", 200, &body), Ok(vec![]));
        body.push(b' ');
        fails("[expect]\nbody_contains = 'paid'", 200, &body, "body too large");
        assert_eq!(check("[expect]\nstatus = 200", 200, &body), Ok(vec![]));
    }

    const MAX_BODY: usize = 1024 * 1024;

    #[test]
    fn checks_that_cannot_be_made_are_refused() {
        for file in [
            "[expect]\nstatus = []",
            "[expect]\nstatus = 99",
            "[expect]\nbody_matches = '('",
            "[expect]\nbody_matches = '(a{1000}){1000}'",
            "[expect]\njson = { 'state' = 1 }",
            "[expect]\njson = { '$.a' = nan }",
            "[extract]\na = {}",
            "[extract]\na = { json = '$.a', header = 'b' }",
        ] {
            assert!(check(file, 200, b"").is_err_and(|error| error.contains('`')), "{file}");
        }
    }
}
