//! Texts with places for values: `/orders/{{order}}`.
//!
//! `{{name}}` stands for a value, `{{sequence}}` for the number of the arrival, `{{random.int 1 100}}` for a random whole number, and
//! `{{{{` for two braces. Constants are part of the text once it is compiled, so that only what changes is filled in later.

use super::choice;
use std::borrow::Cow;
use std::fmt::Write;

/// The most places of a text.
const MAX_PLACES: usize = 1_000;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The same for all requests.
    Constant(String),
    /// A column of a CSV file: the number of the file, and of the column.
    Column(usize, usize),
    /// Extracted from an earlier response of the flow: the number of the value.
    Extracted(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(usize, usize),
    Extracted(usize),
    Sequence,
    /// A whole number between two, both included. The last number tells it from other places of the same request.
    Random(i64, i64, u64),
}

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("`{{{{` without `}}}}`: write `{{{{{{{{` for two braces")]
    Open,
    #[error(
        "`{{{{{0}}}}}` has no source: it is not among the variables, not a column of a CSV file, and no earlier step of the flow extracts it"
    )]
    NoSource(String),
    #[error("`{{{{{0}}}}}`: expected two whole numbers, the smaller first: {{{{random.int 1 100}}}}")]
    Random(String),
    #[error("more than {MAX_PLACES} values in one text")]
    TooMany,
}

/// Where a value is put, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Percent-encoded. A path that begins with a value has that value as it is.
    Path,
    Header,
    Body,
}

/// The values of one request.
pub(super) trait Values {
    fn column(&self, csv: usize, column: usize) -> &str;
    fn extracted(&self, number: usize) -> &str;
    fn arrival(&self) -> u64;
    /// A random number that only depends on the seed, the arrival, the step and this number.
    fn random(&self, place: u64) -> u64;
}

impl Template {
    /// Reads a text. `places` counts the random numbers of a request.
    pub(super) fn parse(
        text: &str,
        place: Place,
        places: &mut u64,
        source: &dyn Fn(&str) -> Option<Source>,
    ) -> Result<Self, TemplateError> {
        let mut of = Self { pieces: Vec::new() };
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let (before, after) =
                (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default());
            of.text(before);
            if let Some(after) = after.strip_prefix("{{") {
                of.text("{{");
                rest = after;
                continue;
            }
            let (name, after) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let name = name.trim();
            let piece = match source(name) {
                Some(Source::Constant(value)) => {
                    let is_whole = place == Place::Path && of.pieces.is_empty();
                    let written = if is_whole { Cow::Borrowed(&*value) } else { write(&value, place) };
                    of.text(&written);
                    None
                }
                Some(Source::Column(csv, column)) => Some(Piece::Column(csv, column)),
                Some(Source::Extracted(number)) => Some(Piece::Extracted(number)),
                None => Some(built_in(name, places)?),
            };
            of.pieces.extend(piece);
            if of.pieces.len() > 2 * MAX_PLACES {
                return Err(TemplateError::TooMany);
            }
            rest = after;
        }
        of.text(rest);
        Ok(of)
    }

    fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// The text, if it has no places.
    pub(super) fn constant(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The parts of the text between its values.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The text that it begins with. `None` if it begins with a value.
    pub(super) fn beginning(&self) -> Option<&str> {
        match self.pieces.first() {
            None => Some(""),
            Some(Piece::Text(text)) => Some(text),
            Some(_) => None,
        }
    }

    /// Without so many bytes of the text that it begins with.
    pub(super) fn without(mut self, bytes: usize) -> Self {
        if let Some(Piece::Text(text)) = self.pieces.first_mut() {
            *text = text.get(bytes..).unwrap_or_default().to_owned();
        }
        self
    }

    /// Fills in values.
    pub(super) fn fill<V: Values>(&self, place: Place, values: &V) -> Cow<'_, str> {
        if let Some(text) = self.constant() {
            return Cow::Borrowed(text);
        }
        let mut text = String::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            let place = if at == 0 && place == Place::Path { Place::Header } else { place };
            match piece {
                Piece::Text(of) => text.push_str(of),
                Piece::Column(csv, column) => text.push_str(&write(values.column(*csv, *column), place)),
                Piece::Extracted(number) => text.push_str(&write(values.extracted(*number), place)),
                Piece::Sequence => number(&mut text, values.arrival()),
                Piece::Random(low, high, place) => {
                    let span = high.abs_diff(*low).saturating_add(1);
                    let above = choice::below(values.random(*place), span);
                    number(&mut text, i128::from(*low) + i128::from(above));
                }
            }
        }
        Cow::Owned(text)
    }
}

fn number(text: &mut String, number: impl std::fmt::Display) {
    if write!(text, "{number}").is_err() {
        unreachable!("writing to a text does not fail");
    }
}

fn built_in(name: &str, places: &mut u64) -> Result<Piece, TemplateError> {
    if name == "sequence" {
        return Ok(Piece::Sequence);
    }
    let Some(range) = name.strip_prefix("random.int") else {
        return Err(TemplateError::NoSource(name.to_owned()));
    };
    let mut numbers = range.split_whitespace().map(|word| word.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next()) {
        (Some(low), Some(high), None) if low <= high => {
            *places += 1;
            Ok(Piece::Random(low, high, *places))
        }
        _ => Err(TemplateError::Random(name.to_owned())),
    }
}

/// A value as it stands in a place.
fn write(value: &str, place: Place) -> Cow<'_, str> {
    if place != Place::Path || value.bytes().all(is_unreserved) {
        return Cow::Borrowed(value);
    }
    percent_encoded(value).into()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Percent-encodes a value for a path, a query or the field of a form.
pub(crate) fn percent_encoded(value: &str) -> String {
    encoded(value, is_unreserved)
}

/// Percent-encodes the bytes that are not among these.
pub(crate) fn encoded(value: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if is_kept(byte) {
            text.push(char::from(byte));
        } else {
            number(&mut text, format_args!("%{byte:02X}"));
        }
    }
    text
}

/// A text as a template that is filled to the same text.
pub(crate) fn escaped(text: &str) -> String {
    text.replace("{{", "{{{{")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Some2;

    impl Values for Some2 {
        fn column(&self, _: usize, _: usize) -> &'static str {
            "a b/ü"
        }
        fn extracted(&self, _: usize) -> &'static str {
            "/x?y=1"
        }
        fn arrival(&self) -> u64 {
            7
        }
        fn random(&self, place: u64) -> u64 {
            choice::mix(place)
        }
    }

    fn source(name: &str) -> Option<Source> {
        match name {
            "constant" => Some(Source::Constant("c/d".to_owned())),
            "column" => Some(Source::Column(0, 0)),
            "extracted" => Some(Source::Extracted(0)),
            _ => None,
        }
    }

    fn filled(text: &str, place: Place) -> Result<String, TemplateError> {
        Template::parse(text, place, &mut 0, &source).map(|of| of.fill(place, &Some2).into_owned())
    }

    #[test]
    fn values_are_encoded_in_paths_only() {
        let check = |text: &str, place, expected: &str| {
            assert_eq!(filled(text, place).as_deref(), Ok(expected), "{text}");
        };
        check("/p/{{column}}?q={{ constant }}", Place::Path, "/p/a%20b%2F%C3%BC?q=c%2Fd");
        check("{{extracted}}/{{extracted}}", Place::Path, "/x?y=1/%2Fx%3Fy%3D1");
        check("{{column}}/{{constant}}", Place::Header, "a b/ü/c/d");
        check(r#"{"a":{"b":"{{column}}","n":{{sequence}}}}"#, Place::Body, r#"{"a":{"b":"a b/ü","n":7}}"#);
        check("{{{{sequence}} {{{{", Place::Body, "{{sequence}} {{");
        check("{{random.int 5 5}}", Place::Body, "5");
    }

    #[test]
    fn what_has_no_source_is_an_error() {
        assert_eq!(filled("{{other}}", Place::Body), Err(TemplateError::NoSource("other".to_owned())));
        assert_eq!(filled("a {{b", Place::Body), Err(TemplateError::Open));
        for text in ["{{random.int}}", "{{random.int 2 1}}", "{{random.int 1 x}}", "{{random.int 1 2 3}}"] {
            assert!(matches!(filled(text, Place::Body), Err(TemplateError::Random(_))), "{text}");
        }
        let of = filled("{{x}}", Place::Body).unwrap_err().to_string();
        assert!(of.starts_with("`{{x}}` has no source"), "{of}");
    }

    proptest! {
        #[test]
        fn an_escaped_text_is_filled_to_itself(text in "[{}a-c]{0,12}") {
            prop_assert_eq!(filled(&escaped(&text), Place::Body), Ok(text));
        }

        #[test]
        fn random_numbers_are_within_their_range(low in any::<i64>(), high in any::<i64>()) {
            let (low, high) = (low.min(high), low.max(high));
            let number: i64 = filled(&format!("{{{{random.int {low} {high}}}}}"), Place::Body).unwrap().parse().unwrap();
            prop_assert!((low..=high).contains(&number));
        }
    }
}
