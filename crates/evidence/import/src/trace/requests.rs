//! Requests: starts and stops of ASP.NET Core's hosting, paired by activity, and the spans of whole requests.
//!
//! Activity ids repeat (a connection's requests may share one), so a stop belongs to the last open start of its id.
//! Without activity ids nothing can be paired, and the table stays empty.

use super::budget::{MAP, of};
use super::kinds::RequestEvent;
use super::seen::Seen;
use super::spans::{RequestSpan, SpanTables};
use base::seeded::{SeededMap, SeededSet};
use model::{ActivityId, RequestMarks, RequestRow, Requests, Sym, ThreadId};

/// The tables that requests fill.
#[derive(Debug)]
pub(crate) struct RequestTables<'a> {
    pub(crate) requests: &'a mut Requests,
    pub(crate) marks: &'a mut RequestMarks,
    pub(crate) spans: SpanTables<'a>,
}

/// Requests by their activity.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    open: SeededMap<ActivityId, Vec<usize>>,
    latest: SeededMap<ActivityId, usize>,
    /// By thread: the request that began on it last.
    by_thread: SeededMap<ThreadId, usize>,
    by_span: SeededMap<Sym, usize>,
    /// Threads with a mark of a start and none of a stop.
    marked: SeededSet<ThreadId>,
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

    /// Takes an event of a request, a span or a log line.
    pub(crate) fn take(&mut self, event: RequestEvent, seen: &Seen<'_>, mut tables: RequestTables<'_>) {
        match event {
            RequestEvent::Start => self.start(seen, tables),
            RequestEvent::Stop => self.stop(seen, tables),
            RequestEvent::Span => {
                if let Some(of) = tables.spans.span(seen) {
                    self.span(seen, of, tables.requests);
                }
            }
            RequestEvent::SpanStart => {
                // The span of a request starts right behind the request, on its thread: that joins the two.
                if let Some(span_id) = tables.spans.request_started(seen)
                    && let Some(number) = self.by_thread.remove(&seen.thread)
                {
                    self.by_span.insert(span_id, number);
                }
            }
            RequestEvent::Log => tables.spans.log(seen),
        }
    }

    fn start(&mut self, seen: &Seen<'_>, tables: RequestTables<'_>) {
        let RequestTables { requests, marks, spans: SpanTables { texts, strings, .. } } = tables;
        let path = texts.field(seen, "path", strings);
        self.mark(seen, path, marks);
        let Some(activity) = seen.activity else { return };
        let number = requests.start_ns.len();
        requests.push(RequestRow {
            activity: seen.activity,
            ..RequestRow::begun(seen.ns, seen.thread, texts.field(seen, "method", strings), path)
        });
        self.open.entry(activity).or_default().push(number);
        self.latest.insert(activity, number);
        self.by_thread.insert(seen.thread, number);
    }

    fn stop(&mut self, seen: &Seen<'_>, tables: RequestTables<'_>) {
        let RequestTables { requests, marks, .. } = tables;
        self.mark(seen, Sym::NONE, marks);
        let Some(number) = seen.activity.and_then(|of| self.open.get_mut(&of)).and_then(Vec::pop) else {
            return;
        };
        let start = requests.start_ns.get(number).copied().unwrap_or(seen.ns);
        if let Some(dur_ns) = requests.dur_ns.get_mut(number) {
            *dur_ns = seen.ns.saturating_sub(start);
        }
    }

    /// Route, status and trace come with the request's span, which ends beside the request.
    fn span(&mut self, seen: &Seen<'_>, of: RequestSpan, requests: &mut Requests) {
        let by_span = self.by_span.remove(&of.span_id);
        let by_activity = || {
            let open = self.open.get(&seen.activity?).and_then(|list| list.last());
            open.or_else(|| self.latest.get(&seen.activity?)).copied()
        };
        let Some(number) = by_span.or_else(by_activity) else { return };
        if let Some(place) = requests.route.get_mut(number) {
            *place = of.route;
        }
        if let Some(place) = requests.status.get_mut(number) {
            *place = of.status;
        }
        if let Some(place) = requests.trace_id.get_mut(number) {
            *place = of.trace_id;
        }
    }

    fn mark(&mut self, seen: &Seen<'_>, path: Sym, marks: &mut RequestMarks) {
        if path == Sym::NONE {
            self.marked.remove(&seen.thread);
        } else {
            self.marked.insert(seen.thread);
        }
        marks.ts_ns.push(seen.ns);
        marks.thread.push(seen.thread);
        marks.path.push(path);
    }

    /// A stream has ended: what began in it on a thread and did not end there may have ended since.
    pub(crate) fn end_stream(&mut self, to_ns: i64, marks: &mut RequestMarks) {
        let mut threads: Vec<ThreadId> = std::mem::take(&mut self.marked).into_iter().collect();
        threads.sort_unstable();
        for thread in threads {
            marks.ts_ns.push(to_ns.saturating_add(1));
            marks.thread.push(thread);
            marks.path.push(Sym::NONE);
        }
    }
}
