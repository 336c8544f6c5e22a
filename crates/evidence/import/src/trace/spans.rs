//! Spans and log lines: what libraries say of their work, as texts.
//!
//! A span comes with its stop event as a list of key and value, all of them texts (`Id`, `ParentId`, `DisplayName`,
//! `Kind`, `Duration`, `Tags`); the list is read in place, since a busy service sends thousands a second.

use super::budget::{MAP, of};
use super::builder::{Builder, Seen};
use base::bytes::{Cursor, ReadError, utf16_text};
use base::seeded::SeededMap;
use model::{LogRow, NO_INT, SpanRow, Strings, Sym, or_none};

/// Texts of 16-bit units that were seen, most of which come again and again, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct SeenTexts {
    texts: SeededMap<Box<[u8]>, Sym>,
    tags: SeededMap<Box<[u8]>, Tags>,
    /// Bytes of both.
    bytes: usize,
}

/// Digits of a trace's and of a span's id. Nothing else is taken for one, since ids are looked up, linked and compared.
const TRACE_DIGITS: usize = 32;
const SPAN_DIGITS: usize = 16;
const NO_ID_TEXT: &str = "id of a trace or span that is none";

/// The span of a whole request.
const REQUEST_SPAN: &str = "Microsoft.AspNetCore.Hosting.HttpRequestIn";
/// Texts remembered at most; beyond that they are worked out anew each time.
const MOST_REMEMBERED: usize = 1 << 16;

/// The tags of a span.
#[derive(Debug, Clone, Copy)]
struct Tags {
    json: Sym,
    route: Sym,
    status: i64,
}

impl SeenTexts {
    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        of(self.texts.len().saturating_add(self.tags.len()), MAP * 41).saturating_add(self.bytes)
    }

    /// The text's number; none for an empty one.
    pub(crate) fn text(&mut self, bytes: &[u8], strings: &mut Strings) -> Sym {
        if bytes.is_empty() {
            return Sym::NONE;
        }
        if let Some(known) = self.texts.get(bytes) {
            return *known;
        }
        let sym = strings.intern(&text_of(bytes));
        if self.texts.len() < MOST_REMEMBERED {
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.texts.insert(bytes.into(), sym);
        }
        sym
    }

    fn tags(&mut self, bytes: &[u8], strings: &mut Strings) -> Tags {
        if let Some(known) = self.tags.get(bytes) {
            return *known;
        }
        let text = text_of(bytes);
        let pairs = tag_pairs(&text);
        let tag = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let status = tag("http.response.status_code").and_then(|status| status.parse().ok());
        let tags = Tags {
            json: strings.intern(&tags_json(&pairs)),
            route: tag("http.route").map_or(Sym::NONE, |route| strings.intern(route)),
            status: or_none(status),
        };
        if self.tags.len() < MOST_REMEMBERED {
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.tags.insert(bytes.into(), tags);
        }
        tags
    }
}

/// The arguments of a span's stop, as far as they are looked at, as they lie in the payload.
#[derive(Debug, Default)]
struct Arguments<'a> {
    source: &'a [u8],
    activity_name: &'a [u8],
    id: &'a [u8],
    parent_id: &'a [u8],
    display_name: &'a [u8],
    kind: &'a [u8],
    duration: &'a [u8],
    tags: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// Where the value of a key belongs.
    fn place(&mut self, key: &[u8]) -> Option<&mut &'a [u8]> {
        let is = |name: &str| {
            let units = key.as_chunks::<2>().0;
            units.len() == name.len() && units.iter().zip(name.bytes()).all(|(unit, byte)| *unit == [byte, 0])
        };
        // By length first: most of a list's keys are none of these.
        Some(match key.len() / 2 {
            2 if is("Id") => &mut self.id,
            4 if is("Kind") => &mut self.kind,
            4 if is("Tags") => &mut self.tags,
            8 if is("ParentId") => &mut self.parent_id,
            8 if is("Duration") => &mut self.duration,
            11 if is("DisplayName") => &mut self.display_name,
            _ => return None,
        })
    }
}

impl Builder {
    pub(crate) fn span(&mut self, seen: &Seen<'_>) {
        let Ok(arguments) = read_arguments(Cursor::new(seen.payload, 0)) else {
            // Counted with the events that cannot be read, unless it is described as something else than a span.
            if seen.fields.is_whole() {
                self.note_damage("span that cannot be read", seen.offset);
            }
            return;
        };
        if arguments.id.is_empty() && arguments.duration.is_empty() {
            return;
        }
        let (id, parent_id) = (text_of(arguments.id), text_of(arguments.parent_id));
        let ((trace_id, span_id), (_, parent_id)) = (self.ids(&id, seen), self.ids(&parent_id, seen));
        let dur_ns = duration_ns(&text_of(arguments.duration));
        let strings = &mut self.recording.strings;
        let texts = &mut self.texts;
        let tags = texts.tags(arguments.tags, strings);
        let activity_name = texts.text(arguments.activity_name, strings);
        let display_name = texts.text(arguments.display_name, strings);
        let (source, kind) = (texts.text(arguments.source, strings), texts.text(arguments.kind, strings));
        let mut id = |text: Option<&str>| text.map_or(Sym::NONE, |text| strings.intern(text));
        let row = SpanRow {
            start_ns: seen.ns.saturating_sub(dur_ns.unwrap_or(0)),
            dur_ns: dur_ns.unwrap_or(NO_INT),
            source,
            name: if display_name == Sym::NONE { activity_name } else { display_name },
            kind,
            span_id: id(span_id),
            parent_id: id(parent_id),
            trace_id: id(trace_id),
            tags: tags.json,
        };
        self.recording.spans.push(row);
        if self.recording.strings.text(activity_name) == REQUEST_SPAN {
            self.request_span(seen, row.span_id, tags.route, tags.status, row.trace_id);
        }
    }

    /// Trace and span of an id; one that cannot be is counted.
    fn ids<'a>(&mut self, id: &'a str, seen: &Seen<'_>) -> (Option<&'a str>, Option<&'a str>) {
        let ids = w3c(id);
        if ids.is_none() {
            self.recording.lost.damage.note(NO_ID_TEXT, seen.offset);
        }
        ids.unwrap_or_default()
    }

    /// The span of a request starts right behind the request, on its thread: that joins the two.
    pub(crate) fn span_start(&mut self, seen: &Seen<'_>) {
        let Ok(arguments) = read_arguments(Cursor::new(seen.payload, 0)) else { return };
        let strings = &mut self.recording.strings;
        let name = self.texts.text(arguments.activity_name, strings);
        if strings.text(name) != REQUEST_SPAN {
            return;
        }
        let id = text_of(arguments.id);
        if let Some(span_id) = w3c(&id).and_then(|(_, span_id)| span_id) {
            let span_id = self.recording.strings.intern(span_id);
            self.request_span_start(seen, span_id);
        }
    }

    pub(crate) fn log(&mut self, seen: &Seen<'_>) {
        const LEVELS: [&str; 6] = ["Trace", "Debug", "Information", "Warning", "Error", "Critical"];
        let level = seen.fields.int("Level").and_then(|level| LEVELS.get(usize::try_from(level).ok()?));
        let trace_id = seen.fields.text("ActivityTraceId").filter(|id| !id.is_empty());
        let trace_id = trace_id.filter(|id| {
            let is_id = is_hex(id, TRACE_DIGITS);
            if !is_id {
                self.recording.lost.damage.note(NO_ID_TEXT, seen.offset);
            }
            is_id
        });
        let row = LogRow {
            ts_ns: seen.ns,
            level: level.map_or(Sym::NONE, |level| self.recording.strings.intern(level)),
            logger: self.text(seen, "LoggerName"),
            message: self.text(seen, "FormattedMessage"),
            template: Sym::NONE,
            trace_id: trace_id.map_or(Sym::NONE, |id| self.recording.strings.intern(&id)),
        };
        self.recording.logs.push(row);
    }
}

fn read_arguments(mut cursor: Cursor<'_>) -> Result<Arguments<'_>, ReadError> {
    let mut arguments = Arguments {
        source: cursor.utf16z("SourceName")?,
        activity_name: cursor.utf16z("ActivityName")?,
        ..Arguments::default()
    };
    let count = cursor.u16("Arguments count")?;
    for _ in 0..count {
        let key = cursor.utf16z("Arguments Key")?;
        let value = cursor.utf16z("Arguments Value")?;
        if let Some(place) = arguments.place(key) {
            *place = value;
        }
    }
    Ok(arguments)
}

fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    utf16_text(bytes, &mut text);
    text
}

/// Trace and span of a W3C id, `00-TRACE-SPAN-01`. An id of another form (`|a.b.`, as before W3C's) has neither; `None` if it
/// looks like one and is none.
fn w3c(id: &str) -> Option<(Option<&str>, Option<&str>)> {
    if let Some((trace, span)) = trace_and_span(id) {
        return Some((Some(trace), Some(span)));
    }
    let mut parts = id.split('-');
    let is_like_one = match (parts.next(), parts.nth(2), parts.next()) {
        (Some(version), Some(_), None) => version.len() == 2,
        _ => id.starts_with("00-"),
    };
    (!is_like_one).then_some((None, None))
}

fn trace_and_span(id: &str) -> Option<(&str, &str)> {
    let (version, rest) = id.split_at_checked(2)?;
    let (trace, rest) = rest.strip_prefix('-')?.split_at_checked(TRACE_DIGITS)?;
    let (span, rest) = rest.strip_prefix('-')?.split_at_checked(SPAN_DIGITS)?;
    let flags = rest.strip_prefix('-')?;
    let are_digits =
        is_hex(trace, TRACE_DIGITS) && is_hex(span, SPAN_DIGITS) && is_hex(version, 2) && is_hex(flags, 2);
    are_digits.then_some((trace, span))
}

/// Whether a text is so many digits of a number in lower case, and nothing else.
fn is_hex(text: &str, digits: usize) -> bool {
    // Without an early end, so that many digits are looked at at once.
    let is_digit = |byte: u8| byte.is_ascii_digit() | (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().fold(true, |are_digits, byte| are_digits & is_digit(byte))
}

/// Nanoseconds of a .NET time span, `[d.]hh:mm:ss[.fffffff]`.
fn duration_ns(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let number = |text: &str| text.parse::<i64>().ok();
    let whole = ((number(days)?.checked_mul(24)?.checked_add(number(hours)?)?).checked_mul(60)?)
        .checked_add(number(minutes)?)?
        .checked_mul(60)?
        .checked_add(number(seconds)?)?;
    let nanos = format!("{fraction:0<9}").get(..9).and_then(number)?;
    whole.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// `[key, value],[key, value]` as pairs.
fn tag_pairs(text: &str) -> Vec<(&str, &str)> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    inner.split("],[").filter_map(|pair| pair.split_once(", ")).collect()
}

/// The tags as a JSON object, in their order.
fn tags_json(pairs: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (key, value) in pairs {
        let separator = if text.len() > 1 { "," } else { "" };
        // Texts always can be written as JSON.
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        text.extend([separator, quoted(key).as_str(), ":", quoted(value).as_str()]);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_of_dotnet() {
        assert_eq!(duration_ns("00:00:00.0032748"), Some(3_274_800));
        assert_eq!(duration_ns("00:00:00"), Some(0));
        assert_eq!(duration_ns("1.02:03:04.5"), Some(93_784_500_000_000));
        assert_eq!(duration_ns("soon"), None);
    }

    #[test]
    fn ids_of_a_fixed_form_hold_nothing_else() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let check = |id: &str, expected| assert_eq!(w3c(id), expected, "{id}");
        check(&format!("00-{trace}-{span}-01"), Some((Some(trace), Some(span))));
        // Ids of before W3C's are ids of their own form, and none is no fault.
        check("", Some((None, None)));
        check("|7e4a.1.", Some((None, None)));
        check("a-b-c-d", Some((None, None)));
        check("a-b-c-d-00-", Some((None, None)));
        for wrong in [
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-x"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}'--{span}-01"),
            format!("00-<b>-{span}-01"),
            format!("00-{trace}-{}-01", &span[1..]),
        ] {
            check(&wrong, None);
        }
    }

    #[test]
    fn tags_of_a_span() {
        assert_eq!(tag_pairs("[a, 1],[b, x, y]"), [("a", "1"), ("b", "x, y")]);
        assert_eq!(tag_pairs(""), []);
    }
}
