//! The requests of a scenario in `run.json`, each with its counts and percentiles: members of `requests.[]`.

use super::values::{MAX_KINDS, cut, whole};
use super::walk::Leaf;
use base::number::saturated;
use model::{Load, LoadByRequestRow, NO_INT, Sym};

/// The request that is read.
#[derive(Debug)]
pub(super) struct Pending {
    name: String,
    row: LoadByRequestRow,
    /// p50 and p99 from the schedule, and from the send.
    schedule: [f64; 2],
    send: [f64; 2],
}

impl Pending {
    /// The next one of the list.
    pub(super) fn new() -> Self {
        let none = [f64::NAN; 2];
        let row = LoadByRequestRow {
            errors: 0,
            failed_checks: 0,
            planned: NO_INT,
            sent: NO_INT,
            responses: NO_INT,
            timeouts: NO_INT,
            unsent: NO_INT,
            number: NO_INT,
            name: Sym::NONE,
            p50_ms: f64::NAN,
            p99_ms: f64::NAN,
        };
        Self { name: String::new(), row, schedule: none, send: none }
    }

    /// Takes a member; `path` is that within the request. Returns whether it is of the right type.
    pub(super) fn take(&mut self, path: &str, leaf: Leaf<'_>) -> bool {
        let (of, kind) = path.split_once('.').unwrap_or((path, ""));
        let count = || match leaf {
            Leaf::Number(_, Some(count)) if count >= 0 => Some(count),
            Leaf::Number(value, None) => whole(value).filter(|of| *of >= 0).map(saturated),
            _ => None,
        };
        if matches!(leaf, Leaf::Null | Leaf::Object) {
            return true;
        }
        let target = match of {
            "name" => {
                let Leaf::Text(name) = leaf else { return false };
                self.name = cut(name);
                return true;
            }
            "latency_ms" => return self.latency(kind, leaf),
            "errors" | "failed_checks" => {
                let Some(count) = count() else { return false };
                let sum = if of == "errors" { &mut self.row.errors } else { &mut self.row.failed_checks };
                *sum = sum.saturating_add(count);
                return true;
            }
            "planned" => &mut self.row.planned,
            "sent" => &mut self.row.sent,
            "responses" => &mut self.row.responses,
            "timeouts" => &mut self.row.timeouts,
            "unsent" => &mut self.row.unsent,
            _ => return true,
        };
        let value = count();
        *target = value.unwrap_or(NO_INT);
        value.is_some()
    }

    fn latency(&mut self, path: &str, leaf: Leaf<'_>) -> bool {
        let Some((basis, name)) = path.split_once('.') else { return true };
        let place = match name {
            "p50" => 0,
            "p99" => 1,
            _ => return true,
        };
        let of = if basis == "from_schedule" { &mut self.schedule } else { &mut self.send };
        match (of.get_mut(place), leaf) {
            (Some(cell), Leaf::Number(ms, _)) if ms.is_finite() && ms >= 0.0 => {
                *cell = ms;
                true
            }
            _ => false,
        }
    }

    /// Adds the row. Returns whether there was room.
    pub(super) fn end(self, load: &mut Load) -> bool {
        let number = load.by_request.number.len();
        if number >= MAX_KINDS {
            return false;
        }
        // One basis for both: what counts from the schedule, if there was one.
        let [p50_ms, p99_ms] =
            if self.schedule.iter().any(|of| of.is_finite()) { self.schedule } else { self.send };
        let name = load.strings.intern(&self.name);
        load.by_request.push(LoadByRequestRow {
            number: saturated(base::number::wide(number)),
            name,
            p50_ms,
            p99_ms,
            ..self.row
        });
        true
    }
}
