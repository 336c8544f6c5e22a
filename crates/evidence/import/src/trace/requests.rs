//! Requests: starts and stops of ASP.NET Core's hosting, paired by activity.
//!
//! Activity ids repeat (a connection's requests may share one), so a stop belongs to the last open start of its id.
//! Without activity ids nothing can be paired, and the table stays empty.

use super::budget::{MAP, of};
use super::builder::{Builder, Seen};
use base::seeded::{SeededMap, SeededSet};
use model::{NO_ID, NO_INT, RequestRow, Sym};

/// Requests by the number of their activity.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    open: SeededMap<u32, Vec<usize>>,
    latest: SeededMap<u32, usize>,
    /// By thread: the request that began on it last.
    by_thread: SeededMap<u32, usize>,
    by_span: SeededMap<Sym, usize>,
    /// Threads with a mark of a start and none of a stop.
    marked: SeededSet<u32>,
}

impl OpenRequests {
    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let maps = self.latest.len().saturating_add(self.by_thread.len()).saturating_add(self.by_span.len());
        // Each activity has a list of its own.
        of(self.open.len(), MAP * 33 + 64)
            .saturating_add(of(maps, MAP * 17))
            .saturating_add(of(self.marked.len(), MAP * 5))
    }
}

impl Builder {
    pub(crate) fn request_start(&mut self, seen: &Seen<'_>) {
        let path = self.text(seen, "path");
        self.mark_request(seen, path);
        if seen.activity == NO_ID {
            return;
        }
        let row = RequestRow {
            start_ns: seen.ns,
            dur_ns: NO_INT,
            method: self.text(seen, "method"),
            path,
            route: Sym::NONE,
            status: NO_INT,
            activity: seen.activity,
            trace_id: Sym::NONE,
            thread_first: seen.thread,
            gc_ns: NO_INT,
            lock_ns: NO_INT,
            wait_ns: NO_INT,
            cpu_ns: NO_INT,
            database_ns: NO_INT,
            http_ns: NO_INT,
            queue_ns: NO_INT,
            await_ns: NO_INT,
            unknown_ns: NO_INT,
        };
        let number = self.recording.requests.start_ns.len();
        self.recording.requests.push(row);
        self.requests.open.entry(seen.activity).or_default().push(number);
        self.requests.latest.insert(seen.activity, number);
        self.requests.by_thread.insert(seen.thread, number);
    }

    /// A stream has ended: what began in it on a thread and did not end there may have ended since.
    pub(crate) fn end_request_marks(&mut self, to_ns: i64) {
        let mut threads: Vec<u32> = std::mem::take(&mut self.requests.marked).into_iter().collect();
        threads.sort_unstable();
        let marks = &mut self.recording.request_marks;
        for thread in threads {
            marks.ts_ns.push(to_ns.saturating_add(1));
            marks.thread.push(thread);
            marks.path.push(Sym::NONE);
        }
    }

    fn mark_request(&mut self, seen: &Seen<'_>, path: Sym) {
        if path == Sym::NONE {
            self.requests.marked.remove(&seen.thread);
        } else {
            self.requests.marked.insert(seen.thread);
        }
        let marks = &mut self.recording.request_marks;
        marks.ts_ns.push(seen.ns);
        marks.thread.push(seen.thread);
        marks.path.push(path);
    }

    pub(crate) fn request_stop(&mut self, seen: &Seen<'_>) {
        self.mark_request(seen, Sym::NONE);
        let Some(number) = self.requests.open.get_mut(&seen.activity).and_then(Vec::pop) else { return };
        let requests = &mut self.recording.requests;
        let start = requests.start_ns.get(number).copied().unwrap_or(seen.ns);
        if let Some(dur_ns) = requests.dur_ns.get_mut(number) {
            *dur_ns = seen.ns.saturating_sub(start);
        }
    }

    /// A request's span started: it is of the request that began on the thread last.
    pub(crate) fn request_span_start(&mut self, seen: &Seen<'_>, span_id: Sym) {
        if let Some(number) = self.requests.by_thread.remove(&seen.thread) {
            self.requests.by_span.insert(span_id, number);
        }
    }

    /// Route, status and trace come with the request's span, which ends beside the request.
    pub(crate) fn request_span(
        &mut self,
        seen: &Seen<'_>,
        span_id: Sym,
        route: Sym,
        status: i64,
        trace_id: Sym,
    ) {
        let by_span = self.requests.by_span.remove(&span_id);
        let open = self.requests.open.get(&seen.activity).and_then(|list| list.last()).copied();
        let by_activity = || open.or_else(|| self.requests.latest.get(&seen.activity).copied());
        let Some(number) = by_span.or_else(by_activity) else { return };
        let requests = &mut self.recording.requests;
        if let Some(place) = requests.route.get_mut(number) {
            *place = route;
        }
        if let Some(place) = requests.status.get_mut(number) {
            *place = status;
        }
        if let Some(place) = requests.trace_id.get_mut(number) {
            *place = trace_id;
        }
    }
}
