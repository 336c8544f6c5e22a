//! Spans and log lines: what libraries report about their work, as texts.
//!
//! A span comes with its stop event as a list of key and value, all of them texts (`Id`, `ParentId`, `DisplayName`,
//! `Kind`, `Duration`, `Tags`); the list is read in place, since a busy service sends thousands per second.

use super::budget::{MAP, of};
use super::seen::Seen;
use super::texts::{MAX_REMEMBERED, SeenTexts, text_of};
use base::bytes::{Cursor, ReadError};
use base::seeded::SeededMap;
use model::{LogRow, Logs, Lost, SpanRow, Spans, Strings, Sym, or_none};

/// Digits of the id of a trace and of a span. Nothing else counts as one, since ids are looked up, linked and compared.
const TRACE_DIGITS: usize = 32;
const SPAN_DIGITS: usize = 16;
const NO_ID_TEXT: &str = "id of a trace or span that is none";

/// The span of a whole request.
const REQUEST_SPAN: &str = "Microsoft.AspNetCore.Hosting.HttpRequestIn";

/// The tags of a span.
#[derive(Debug, Clone, Copy)]
struct Tags {
    json: Sym,
    route: Sym,
    status: i64,
}

/// Lists of tags that were seen, most of which come again and again, each read once.
#[derive(Debug, Default)]
pub(crate) struct SeenTags {
    tags: SeededMap<Box<[u8]>, Tags>,
    bytes: usize,
}

impl SeenTags {
    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        of(self.tags.len(), MAP * 41).saturating_add(self.bytes)
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
        if self.tags.len() < MAX_REMEMBERED {
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

/// The tables that spans and log lines fill, and what is remembered of their texts.
#[derive(Debug)]
pub(crate) struct SpanTables<'a> {
    pub(crate) texts: &'a mut SeenTexts,
    pub(crate) tags: &'a mut SeenTags,
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
    pub(crate) spans: &'a mut Spans,
    pub(crate) logs: &'a mut Logs,
}

/// What the span of a whole request says about the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestSpan {
    pub(crate) span_id: Sym,
    pub(crate) trace_id: Sym,
    pub(crate) route: Sym,
    pub(crate) status: i64,
}

impl SpanTables<'_> {
    /// Adds a span that has ended. Returns what it says about a request, if it is the span of one.
    pub(crate) fn span(&mut self, seen: &Seen<'_>) -> Option<RequestSpan> {
        let Ok(arguments) = read_arguments(Cursor::new(seen.payload, 0)) else {
            // Counted with the events that cannot be read, unless it is described as something else than a span.
            if seen.fields.is_whole() {
                self.lost.damage.note("span that cannot be read", seen.offset);
            }
            return None;
        };
        if arguments.id.is_empty() && arguments.duration.is_empty() {
            return None;
        }
        let (id, parent_id) = (text_of(arguments.id), text_of(arguments.parent_id));
        let ((trace_id, span_id), (_, parent_id)) = (self.ids(&id, seen), self.ids(&parent_id, seen));
        let dur_ns = duration_ns(&text_of(arguments.duration));
        let Self { texts, strings, .. } = self;
        let tags = self.tags.tags(arguments.tags, strings);
        let activity_name = texts.text(arguments.activity_name, strings);
        let display_name = texts.text(arguments.display_name, strings);
        let (source, kind) = (texts.text(arguments.source, strings), texts.text(arguments.kind, strings));
        let mut id = |text: Option<&str>| text.map_or(Sym::NONE, |text| strings.intern(text));
        let row = SpanRow {
            // Of a span whose duration is not known, the end stands for the start.
            start_ns: seen.ns.saturating_sub(dur_ns.unwrap_or(0)),
            dur_ns: or_none(dur_ns),
            source,
            name: if display_name == Sym::NONE { activity_name } else { display_name },
            kind,
            span_id: id(span_id),
            parent_id: id(parent_id),
            trace_id: id(trace_id),
            tags: tags.json,
        };
        self.spans.push(row);
        let Tags { route, status, .. } = tags;
        let SpanRow { span_id, trace_id, .. } = row;
        let is_of_request = strings.text(activity_name) == REQUEST_SPAN;
        is_of_request.then_some(RequestSpan { span_id, trace_id, route, status })
    }

    /// Trace and span of an id; one that is not possible is counted.
    fn ids<'t>(&mut self, id: &'t str, seen: &Seen<'_>) -> (Option<&'t str>, Option<&'t str>) {
        let ids = w3c(id);
        if ids.is_none() {
            self.lost.damage.note(NO_ID_TEXT, seen.offset);
        }
        ids.unwrap_or_default()
    }

    /// The id of a span that has started, if it is the span of a request.
    pub(crate) fn request_started(&mut self, seen: &Seen<'_>) -> Option<Sym> {
        let arguments = read_arguments(Cursor::new(seen.payload, 0)).ok()?;
        let name = self.texts.text(arguments.activity_name, self.strings);
        if self.strings.text(name) != REQUEST_SPAN {
            return None;
        }
        let id = text_of(arguments.id);
        let (_, span_id) = w3c(&id)?;
        span_id.map(|span_id| self.strings.intern(span_id))
    }

    /// Adds a log line.
    pub(crate) fn log(&mut self, seen: &Seen<'_>) {
        const LEVELS: [&str; 6] = ["Trace", "Debug", "Information", "Warning", "Error", "Critical"];
        let level = seen.fields.int("Level").and_then(|level| LEVELS.get(usize::try_from(level).ok()?));
        let trace_id = seen.fields.text("ActivityTraceId").filter(|id| !id.is_empty());
        let trace_id = trace_id.filter(|id| {
            let is_id = is_hex(id, TRACE_DIGITS);
            if !is_id {
                self.lost.damage.note(NO_ID_TEXT, seen.offset);
            }
            is_id
        });
        let Self { texts, strings, .. } = self;
        let row = LogRow {
            ts_ns: seen.ns,
            level: level.map_or(Sym::NONE, |level| strings.intern(level)),
            logger: texts.field(seen, "LoggerName", strings),
            message: texts.field(seen, "FormattedMessage", strings),
            template: Sym::NONE,
            trace_id: trace_id.map_or(Sym::NONE, |id| strings.intern(&id)),
        };
        self.logs.push(row);
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
        // Ids older than W3C's have forms of their own, and a span need not have an id.
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
