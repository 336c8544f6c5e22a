//! The tables of the tabs, as queries.

use crate::kind::{Ctx, KindOfPages};
use views::TableView;

/// Every second of the range.
pub(super) fn seconds<K: KindOfPages>(ctx: &Ctx<'_, K>) -> TableView {
    let sql = format!(
        "select ts_ns, asked, sent, answered, errors, timeouts, lateness_max_ns from seconds where {}",
        ctx.during("ts_ns")
    );
    TableView::new(
        "seconds",
        "Seconds",
        "Each second of the run; lateness is the generator's own, at most.",
        sql,
    )
}

/// How requests failed.
pub(super) fn failures<K: KindOfPages>(_ctx: &Ctx<'_, K>) -> TableView {
    let sql = "select what, count from failures order by count desc";
    TableView::new(
        "failures",
        "Without a response",
        "Requests without a response, by what went wrong.",
        sql.to_owned(),
    )
}

/// How requests were answered.
pub(super) fn statuses<K: KindOfPages>(_ctx: &Ctx<'_, K>) -> TableView {
    let sql = "select what as status, count from statuses order by count desc";
    TableView::new("statuses", "Statuses", "Responses by status.", sql.to_owned())
}

/// Every request of the range, by when it was sent.
pub(super) fn requests<K: KindOfPages>(ctx: &Ctx<'_, K>) -> TableView {
    let sql = format!(
        "select planned_ns, sent_ns, first_byte_ns, end_ns, end_ns - coalesce(planned_ns, sent_ns) as latency_ns, connection, outcome, \
         status from requests where {}",
        ctx.during("coalesce(planned_ns, sent_ns)")
    );
    TableView::new("requests", "Requests", "Each request of the run.", sql)
}
