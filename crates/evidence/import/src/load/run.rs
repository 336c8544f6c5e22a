//! `run.json`: the account of a run, member by member.
//!
//! Members that are not known are passed over, and those that are missing stay null. A member of another type than it has
//! is counted as damage by its name. Only the rows by second, a few lists and the figures are kept.

use super::by_request::Pending;
use super::values::{MAX_KINDS, cut, whole};
use super::walk::{At, Leaf, walk};
use base::number::{saturated, wide};
use model::{Load, LoadChangeRow, LoadFailureRow, LoadSecondRow, LoadStatusRow, NO_INT, Sym};
use serde_json::error::Category;
use std::collections::BTreeMap;
use thiserror::Error;

const CUT: &str = "run.json that breaks off: what stands before is here";
const NOT_JSON: &str = "run.json that is not JSON from here on: what stands before is here";
const VERSION: &str = "run.json of another version than 1: members may mean something else";
const BALANCE: &str =
    "account in run.json that does not add up: planned is not responses + errors + timeouts + unsent";
const NOT_A_COUNT: &str = "member of `errors` or `status` in run.json that is not a count: left out";
const NOT_A_ROW: &str = "row of `by_second` in run.json without a time, or that is not a list: left out";
const NOT_A_CELL: &str = "value of `by_second` in run.json that is not a whole number: left out";
const COLUMNS: &str = "`by_second.columns` in run.json that stands behind the rows: not used";
const NOT_A_CHANGE: &str = "entry of `steady.changes` in run.json without a time: left out";
const NOT_A_TEXT: &str = "text in run.json that is of another type: left out";
const NOT_A_TIME: &str = "`start_utc` in run.json that is not a time in RFC 3339: left out";
const WARM_UP: &str = "member of `warmup` in run.json that is not a number: left out";
const NOT_OF_REQUEST: &str = "member of `requests` in run.json that is of another type: left out";
const TOO_MANY: &str = "further member of a list in run.json than are kept: left out";

/// Settings of the schedule, figures of the warm-up, and notes.
const MAX_MEMBERS: usize = 100;

/// Why an account cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum RunError {
    /// It is not JSON from the beginning.
    #[error("expected run.json of `casebook load`; it cannot be read at line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    /// It breaks off before its first figure.
    #[error("expected run.json of `casebook load`; it breaks off before its first figure")]
    Cut,
    /// It has nothing that an account has.
    #[error("expected run.json of `casebook load`; it has no figure of a run")]
    NoFigure,
}

/// A figure of the account.
#[derive(Debug)]
pub(super) struct Figure {
    /// Its path in the file, which is its name in `metrics`.
    pub(super) path: &'static str,
    /// Its unit.
    pub(super) unit: &'static str,
    kind: Kind,
    /// The damage if it is of another type.
    wrong: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Real,
    Flag,
}

macro_rules! figures {
    ($($path:literal $unit:literal $kind:ident)*) => {
        /// Every figure, in the order of the table `metrics`.
        pub(super) static FIGURES: &[Figure] = &[$(Figure {
            path: $path,
            unit: $unit,
            kind: Kind::$kind,
            wrong: concat!("`", $path, "` in run.json that is of another type, or cannot be: left out"),
        }),*];
    };
}

figures! {
    "planned" "" Count
    "sent" "" Count
    "responses" "" Count
    "timeouts" "" Count
    "unsent" "" Count
    "unsent_because.no-connection" "" Count
    "unsent_because.earlier-request" "" Count
    "unsent_because.value" "" Count
    "failed_checks" "" Count
    "failed_responses" "" Count
    "rate.asked" "1/s" Real
    "rate.sent" "1/s" Real
    "rate.answered" "1/s" Real
    "latency_ms.from_schedule.p50" "ms" Real
    "latency_ms.from_schedule.p90" "ms" Real
    "latency_ms.from_schedule.p95" "ms" Real
    "latency_ms.from_schedule.p99" "ms" Real
    "latency_ms.from_schedule.p999" "ms" Real
    "latency_ms.from_schedule.max" "ms" Real
    "latency_ms.from_send.p50" "ms" Real
    "latency_ms.from_send.p90" "ms" Real
    "latency_ms.from_send.p95" "ms" Real
    "latency_ms.from_send.p99" "ms" Real
    "latency_ms.from_send.p999" "ms" Real
    "latency_ms.from_send.max" "ms" Real
    "seconds" "s" Real
    "connections" "" Count
    "threads" "" Count
    "timeout_ms" "ms" Real
    "schedule.rate" "1/s" Real
    "schedule.users" "" Count
    "schedule.think_ms" "ms" Real
    "client.cpu_share" "share" Real
    "client.lateness_ms_p50" "ms" Real
    "client.lateness_ms_p99" "ms" Real
    "client.lateness_ms_max" "ms" Real
    "client.stopped_ms" "ms" Real
    "client.limited" "" Flag
}

/// What was found besides the rows of tables.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether an account was read.
    pub(super) is_read: bool,
    /// By their place among [`FIGURES`].
    pub(super) figures: BTreeMap<usize, f64>,
    pub(super) errors: BTreeMap<String, i64>,
    pub(super) statuses: BTreeMap<String, i64>,
    /// Figures of the warm-up, by name.
    pub(super) warm_up: BTreeMap<String, f64>,
}

impl Found {
    /// The value of a figure.
    pub(super) fn value(&self, path: &str) -> Option<f64> {
        self.figures.get(&FIGURES.iter().position(|figure| figure.path == path)?).copied()
    }

    /// All errors together. `None` if the file has no `errors`.
    pub(super) fn errors(&self) -> Option<i64> {
        let sum = self.errors.values().fold(0i64, |sum, count| sum.saturating_add(*count));
        // Without an error the list is empty; `responses` says that there was an account.
        (!self.errors.is_empty() || self.value("responses").is_some()).then_some(sum)
    }

    /// Reads an account. `is_cut` says that more of the file was not read.
    pub(super) fn read(&mut self, load: &mut Load, bytes: &[u8], is_cut: bool) -> Result<(), RunError> {
        let mut reading =
            Reading { load, found: self, columns: None, second: None, change: None, request: None };
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let walked = walk(text, &mut |at, leaf| reading.take(at, leaf));
        reading.end_second();
        reading.end_change();
        reading.end_request();
        let has_figures = !self.figures.is_empty();
        match walked {
            Ok(()) if !has_figures => return Err(RunError::NoFigure),
            Ok(()) => {}
            Err(error) if !has_figures && (is_cut || error.classify() == Category::Eof) => {
                return Err(RunError::Cut);
            }
            // The reason itself may repeat what stands in the file.
            Err(error) if !has_figures => {
                return Err(RunError::Syntax { line: error.line(), column: error.column() });
            }
            Err(error) => {
                let what = if error.classify() == Category::Eof { CUT } else { NOT_JSON };
                load.lost.damage.note(what, wide(bytes.len()));
            }
        }
        self.is_read = true;
        load.exhibit.bytes = load.exhibit.bytes.saturating_add(wide(bytes.len()));
        self.check_balance(load);
        self.push_kinds(load);
        Ok(())
    }

    /// Counts the requests one by one, if there is no account: that of a run which broke off.
    pub(super) fn of_requests(&mut self, load: &mut Load) {
        if self.is_read || load.requests.end_ns.is_empty() {
            return;
        }
        let (mut responses, mut timeouts, mut unsent) = (0u64, 0u64, 0u64);
        for (outcome, status) in load.requests.outcome.iter().zip(&load.requests.status) {
            match load.strings.text(*outcome) {
                "response" => {
                    responses = responses.saturating_add(1);
                    if *status != NO_INT {
                        *self.statuses.entry(status.to_string()).or_default() += 1;
                    }
                }
                "timeout" => timeouts = timeouts.saturating_add(1),
                "unsent" => unsent = unsent.saturating_add(1),
                other => *self.errors.entry(other.to_owned()).or_default() += 1,
            }
        }
        let planned = wide(load.requests.end_ns.len());
        let sent = planned.saturating_sub(unsent);
        let counted = [
            ("planned", planned),
            ("sent", sent),
            ("responses", responses),
            ("timeouts", timeouts),
            ("unsent", unsent),
        ];
        for (path, count) in counted {
            if let Some(at) = FIGURES.iter().position(|figure| figure.path == path) {
                self.figures.insert(at, base::number::real_u64(count));
            }
        }
        self.push_kinds(load);
    }

    /// The tables of what went wrong, and of statuses.
    fn push_kinds(&self, load: &mut Load) {
        for (what, count) in &self.errors {
            let what = load.strings.intern(what);
            load.failures.push(LoadFailureRow { what, count: *count });
        }
        if let Some(count) = self.value("timeouts").filter(|count| *count > 0.0) {
            let what = load.strings.intern("timeout");
            load.failures.push(LoadFailureRow { what, count: whole(count).unwrap_or(NO_INT) });
        }
        for (what, count) in &self.statuses {
            let what = load.strings.intern(what);
            load.statuses.push(LoadStatusRow { what, count: *count });
        }
    }

    /// Every planned request must have ended in one way.
    fn check_balance(&self, load: &mut Load) {
        let of = |path| self.value(path);
        let Some(planned) = of("planned") else { return };
        let (Some(responses), Some(timeouts), Some(unsent), Some(errors)) =
            (of("responses"), of("timeouts"), of("unsent"), self.errors())
        else {
            return;
        };
        if (responses + timeouts + unsent + base::number::real(errors) - planned).abs() > 0.5 {
            load.lost.damage.note(BALANCE, 0);
        }
    }
}

/// Columns of the rows by second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Time,
    Length,
    Asked,
    Sent,
    Answered,
    Errors,
    Timeouts,
    Lateness,
    Other,
}

/// The order of the columns if the file does not say it before the rows.
const USUAL: [Column; 8] = [
    Column::Time,
    Column::Length,
    Column::Asked,
    Column::Sent,
    Column::Answered,
    Column::Errors,
    Column::Timeouts,
    Column::Lateness,
];

impl Column {
    fn named(name: &str) -> Self {
        match name {
            "ts_ns" => Self::Time,
            "dur_ns" => Self::Length,
            "asked" => Self::Asked,
            "sent" => Self::Sent,
            "answered" => Self::Answered,
            "errors" => Self::Errors,
            "timeouts" => Self::Timeouts,
            "lateness_max_ns" => Self::Lateness,
            _ => Self::Other,
        }
    }
}

/// Reading one account.
struct Reading<'a> {
    load: &'a mut Load,
    found: &'a mut Found,
    columns: Option<Vec<Column>>,
    /// The row by second that is read, and whether it has a time.
    second: Option<(LoadSecondRow, bool)>,
    /// The change that is read, and whether it has a time.
    change: Option<(LoadChangeRow, bool)>,
    /// The request of a scenario that is read.
    request: Option<Pending>,
}

impl Reading<'_> {
    fn note(&mut self, what: &'static str, at: At<'_>) {
        self.load.lost.damage.note(what, at.offset);
    }

    fn take(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        match at.path {
            "casebook_load" if leaf != Leaf::Number(1.0, Some(1)) => self.note(VERSION, at),
            "by_second.rows.[].[]" => self.cell(at, leaf),
            "by_second.rows.[]" => {
                self.end_second();
                let none = NO_INT;
                let row = LoadSecondRow {
                    ts_ns: 0,
                    dur_ns: none,
                    asked: none,
                    sent: none,
                    answered: none,
                    errors: none,
                    timeouts: none,
                    lateness_max_ns: none,
                };
                self.second = Some((row, false));
            }
            "by_second.rows" => drop(self.columns.get_or_insert_with(|| USUAL.to_vec())),
            "by_second.columns.[]" => self.column(at, leaf),
            "steady.changes.[]" => {
                self.end_change();
                self.change = Some((
                    LoadChangeRow { ts_ns: 0, metric: Sym::NONE, before_ms: f64::NAN, after_ms: f64::NAN },
                    false,
                ));
            }
            "steady.changes.[].ts_ns" | "steady.changes.[].before_ms" | "steady.changes.[].after_ms" => {
                self.change_member(at, leaf);
            }
            "steady.changes.[].metric" => self.change_metric(at, leaf),
            "requests.[]" => {
                self.end_request();
                self.request = Some(Pending::new());
            }
            path => match path.strip_prefix("requests.[].") {
                Some(path) => {
                    if self.request.as_mut().is_some_and(|of| !of.take(path, leaf)) {
                        self.note(NOT_OF_REQUEST, at);
                    }
                }
                None => self.member(path, at, leaf),
            },
        }
    }

    fn member(&mut self, path: &str, at: At<'_>, leaf: Leaf<'_>) {
        if let Some((number, figure)) = FIGURES.iter().enumerate().find(|(_, figure)| figure.path == path) {
            return self.figure(number, figure, at, leaf);
        }
        match path.split_once('.') {
            Some(("errors", kind)) if !kind.contains('.') => {
                self.count(at, leaf, kind, |found| &mut found.errors);
            }
            Some(("status", kind)) if !kind.contains('.') => {
                self.count(at, leaf, kind, |found| &mut found.statuses);
            }
            Some(("warmup", name)) if !name.contains('.') => self.warm_up(name, at, leaf),
            Some(("schedule", "kind")) => self.text(at, leaf, |load| &mut load.run.schedule),
            Some(("schedule", name)) if !name.contains('.') => self.setting(name, at, leaf),
            Some(("steady", "verdict")) => self.text(at, leaf, |load| &mut load.run.steadiness),
            Some(("notes", "[]")) => self.remark(at, leaf),
            _ => match path {
                "url" => self.text(at, leaf, |load| &mut load.run.url),
                "method" => self.text(at, leaf, |load| &mut load.run.method),
                "ended" => self.text(at, leaf, |load| &mut load.run.ended),
                "start_utc" => self.start(at, leaf),
                "start_monotonic_ns" => match leaf {
                    Leaf::Number(_, Some(ns)) => self.load.exhibit.start_monotonic_ns = Some(ns),
                    Leaf::Null => {}
                    _ => self.note(NOT_A_COUNT, at),
                },
                _ => {}
            },
        }
    }

    fn figure(&mut self, number: usize, figure: &Figure, at: At<'_>, leaf: Leaf<'_>) {
        let value = match (figure.kind, leaf) {
            (_, Leaf::Null) => return,
            (Kind::Flag, Leaf::Bool(flag)) => Some(f64::from(u8::from(flag))),
            (Kind::Count, Leaf::Number(value, Some(count))) if count >= 0 => Some(value),
            (Kind::Real, Leaf::Number(value, _)) if value.is_finite() && value >= 0.0 => Some(value),
            _ => None,
        };
        match value {
            Some(value) => drop(self.found.figures.insert(number, value)),
            None => self.note(figure.wrong, at),
        }
        // Free settings of the schedule are shown with it.
        if let Some(("schedule", name)) = figure.path.split_once('.') {
            self.setting(name, at, leaf);
        }
    }

    fn count(
        &mut self,
        at: At<'_>,
        leaf: Leaf<'_>,
        kind: &str,
        of: fn(&mut Found) -> &mut BTreeMap<String, i64>,
    ) {
        let count = match leaf {
            Leaf::Null => return,
            Leaf::Number(_, Some(count)) if count >= 0 => count,
            _ => return self.note(NOT_A_COUNT, at),
        };
        let counts = of(self.found);
        let kind = cut(kind);
        if counts.len() >= MAX_KINDS && !counts.contains_key(&kind) {
            return self.note(TOO_MANY, at);
        }
        counts.insert(kind, count);
    }

    fn warm_up(&mut self, name: &str, at: At<'_>, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Number(value, _) if value.is_finite() => {
                if self.found.warm_up.len() < MAX_MEMBERS {
                    self.found.warm_up.insert(cut(name), value);
                } else {
                    self.note(TOO_MANY, at);
                }
            }
            // Lists and objects of it are not figures of the whole.
            Leaf::Null | Leaf::Object | Leaf::List | Leaf::Bool(_) => {}
            _ => self.note(WARM_UP, at),
        }
    }

    fn setting(&mut self, name: &str, at: At<'_>, leaf: Leaf<'_>) {
        let value = match leaf {
            Leaf::Number(_, Some(value)) => value.to_string(),
            Leaf::Number(value, None) => value.to_string(),
            Leaf::Text(text) => cut(text),
            Leaf::Bool(flag) => flag.to_string(),
            Leaf::Null | Leaf::List | Leaf::Object => return,
        };
        if self.load.run.settings.len() >= MAX_MEMBERS {
            return self.note(TOO_MANY, at);
        }
        self.load.run.settings.push((cut(name), value));
    }

    fn text(&mut self, at: At<'_>, leaf: Leaf<'_>, of: fn(&mut Load) -> &mut Option<String>) {
        match leaf {
            Leaf::Text(text) => *of(self.load) = Some(cut(text)),
            Leaf::Null => {}
            _ => self.note(NOT_A_TEXT, at),
        }
    }

    fn remark(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(text) if self.load.run.notes.len() < MAX_MEMBERS => {
                self.load.run.notes.push(cut(text));
            }
            Leaf::Text(_) => self.note(TOO_MANY, at),
            Leaf::Null => {}
            _ => self.note(NOT_A_TEXT, at),
        }
    }

    fn start(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => self.load.exhibit.start_utc = time.to_string(),
                Err(_) => self.note(NOT_A_TIME, at),
            },
            Leaf::Null => {}
            _ => self.note(NOT_A_TEXT, at),
        }
    }

    fn column(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        if at.elements == [0] && self.columns.is_some() {
            self.note(COLUMNS, at);
        }
        let Leaf::Text(name) = leaf else { return self.note(NOT_A_TEXT, at) };
        if self.load.seconds.ts_ns.is_empty() && self.second.is_none() {
            let columns = self.columns.get_or_insert_default();
            if columns.len() < MAX_MEMBERS {
                columns.push(Column::named(name));
            }
        }
    }

    fn cell(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        let value = match leaf {
            Leaf::Null => return,
            Leaf::Number(_, Some(value)) if value >= 0 => value,
            Leaf::Number(value, None) if whole(value).is_some_and(|value| value >= 0) => {
                saturated(whole(value).unwrap_or(0))
            }
            _ => return self.note(NOT_A_CELL, at),
        };
        let column = at.elements.get(1).and_then(|column| self.columns.as_ref()?.get(*column).copied());
        let Some((row, has_time)) = &mut self.second else { return };
        let cell = match column.unwrap_or(Column::Other) {
            Column::Time => {
                *has_time = true;
                &mut row.ts_ns
            }
            Column::Length => &mut row.dur_ns,
            Column::Asked => &mut row.asked,
            Column::Sent => &mut row.sent,
            Column::Answered => &mut row.answered,
            Column::Errors => &mut row.errors,
            Column::Timeouts => &mut row.timeouts,
            Column::Lateness => &mut row.lateness_max_ns,
            Column::Other => return,
        };
        *cell = value;
    }

    fn end_second(&mut self) {
        match self.second.take() {
            Some((row, true)) => self.load.seconds.push(row),
            Some((_, false)) => self.load.lost.damage.note(NOT_A_ROW, 0),
            None => {}
        }
    }

    fn change_member(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        let (number, whole) = match leaf {
            Leaf::Null => return,
            Leaf::Number(number, whole) if number.is_finite() => (number, whole),
            _ => return self.note(NOT_A_CHANGE, at),
        };
        let Some((row, has_time)) = &mut self.change else { return };
        match at.path.rsplit('.').next() {
            Some("before_ms") => row.before_ms = number,
            Some("after_ms") => row.after_ms = number,
            _ => {
                if let Some(ts_ns) = whole {
                    row.ts_ns = ts_ns;
                    *has_time = true;
                }
            }
        }
    }

    fn change_metric(&mut self, at: At<'_>, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(name) => {
                if let Some((row, _)) = &mut self.change {
                    row.metric = self.load.strings.intern(&cut(name));
                }
            }
            Leaf::Null => {}
            _ => self.note(NOT_A_TEXT, at),
        }
    }

    fn end_request(&mut self) {
        if self.request.take().is_some_and(|of| !of.end(self.load)) {
            self.load.lost.damage.note(TOO_MANY, 0);
        }
    }

    fn end_change(&mut self) {
        match self.change.take() {
            Some((row, true)) if self.load.changes.ts_ns.len() < MAX_KINDS => self.load.changes.push(row),
            Some((_, true)) => self.load.lost.damage.note(TOO_MANY, 0),
            Some((_, false)) => self.load.lost.damage.note(NOT_A_CHANGE, 0),
            None => {}
        }
    }
}
