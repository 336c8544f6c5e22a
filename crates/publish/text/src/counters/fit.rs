//! Fits the providers into the lines of the terminal: each gets a share, and says how many rows are missing.

use super::row::{FAINT, Row, Widths};
use super::view::{Sort, View};
use crate::page::cut;
use anstyle::{AnsiColor, Style};

const PROVIDER: Style = AnsiColor::Cyan.on_default().bold();

/// The least lines of a provider: its heading, one row, and the line that says what is missing.
const MIN_GROUP: usize = 3;

/// Instruments that say most about a service, the most useful first. They stay if there is no room for all.
const TELLING: &[&str] = &[
    "http.server.request.duration",
    "http.server.active_requests",
    "requests-per-second",
    "current-requests",
    "failed-requests",
    "kestrel.active_connections",
    "kestrel.queued_requests",
    "http.client.request.duration",
    "http.client.request.time_in_queue",
    "http.client.active_requests",
    "db.client.operation.duration",
    "db.client.commands.duration",
    "db.client.connection.count",
    "db.client.connections.usage",
    "dotnet.process.cpu.time",
    "cpu-usage",
    "dotnet.process.memory.working_set",
    "working-set",
    "dotnet.gc.heap.total_allocated",
    "alloc-rate",
    "dotnet.gc.pause.time",
    "time-in-gc",
    "dotnet.gc.collections",
    "gc-heap-size",
    "dotnet.thread_pool.queue.length",
    "threadpool-queue-length",
    "dotnet.thread_pool.thread.count",
    "threadpool-thread-count",
    "dotnet.exceptions",
    "exception-count",
    "dotnet.monitor.lock_contentions",
    "monitor-lock-contention-count",
];

/// The rows of a provider.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    /// The common beginning of its instruments' names. Only the heading shows it.
    pub(super) prefix: &'a str,
    pub(super) rows: Vec<Row>,
}

impl Group<'_> {
    /// Reverses the order of the instruments. Their series keep theirs, since only the first shows the name.
    pub(super) fn reverse(&mut self) {
        self.rows.sort_by(|one, other| other.name.cmp(&one.name));
    }
}

/// The lines of the rows in the order that was chosen, from where the page is scrolled to. Also how far it is scrolled, and can be.
pub(super) fn seen(
    groups: &[Group<'_>],
    room: Option<usize>,
    widths: &Widths,
    view: View,
) -> (Vec<String>, usize, usize) {
    if view.sort != Sort::Name {
        let rows = sorted(groups, view);
        let end = room.map_or(0, |room| rows.len().saturating_sub(room));
        let from = view.scroll.min(end);
        let shown = rows.iter().skip(from).take(room.unwrap_or(usize::MAX));
        return (shown.map(|row| row.line(widths, true)).collect(), from, end);
    }
    let all: usize = groups.iter().map(|group| group.rows.len().saturating_add(1)).sum();
    let hidden = room.map_or(0, |room| all.saturating_sub(room));
    // The first step leads from the most telling rows to the first of all rows.
    let end = if hidden > 0 { hidden + 1 } else { 0 };
    match (view.scroll.min(end), room) {
        (scroll @ 1.., Some(room)) => (scrolled(groups, scroll - 1, room, widths), scroll, end),
        _ => (fit(groups, room, widths), 0, end),
    }
}

/// The rows of all groups by the chosen order. Those without a value come last.
fn sorted<'a>(groups: &'a [Group<'_>], view: View) -> Vec<&'a Row> {
    let mut rows: Vec<(Option<(u8, f64)>, &Row)> = groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| (if view.sort == Sort::Value { row.value } else { row.growth.map(|of| (0, of)) }, row))
        .collect();
    // The sort is stable: equal rows stay in the order of their names.
    rows.sort_by(|(one, _), (other, _)| match (one, other) {
        (Some((one, value)), Some((other, than))) => {
            let falling = one.cmp(other).then_with(|| than.total_cmp(value));
            if view.reversed { falling.reverse() } else { falling }
        }
        _ => other.is_some().cmp(&one.is_some()),
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// All lines from one on. The first is the heading of the provider whose rows follow.
fn scrolled(groups: &[Group<'_>], from: usize, room: usize, widths: &Widths) -> Vec<String> {
    let all = groups.iter().flat_map(|group| {
        std::iter::once((group, None)).chain(group.rows.iter().map(move |row| (group, Some(row))))
    });
    let line = |(at, (group, row)): (usize, (&Group<'_>, Option<&Row>))| match row {
        Some(row) if at > 0 => row.line(widths, row.is_named() || at == 1),
        _ => heading(group, widths),
    };
    all.skip(from).take(room).enumerate().map(line).collect()
}

/// The lines of the groups, as many as there is room for.
fn fit(groups: &[Group<'_>], room: Option<usize>, widths: &Widths) -> Vec<String> {
    let wanted: Vec<usize> = groups.iter().map(|group| group.rows.len().saturating_add(1)).collect();
    let all: usize = wanted.iter().sum();
    let Some(room) = room.filter(|room| *room < all) else {
        let spare = room.is_none_or(|room| room >= all + groups.len().saturating_sub(1));
        return groups
            .iter()
            .enumerate()
            .flat_map(|(at, group)| whole(group, widths, spare && at > 0))
            .collect();
    };
    let fitting = (room / MIN_GROUP).clamp(1, groups.len().max(1));
    let left_out = groups.len().saturating_sub(fitting);
    let room = room.saturating_sub(usize::from(left_out > 0));
    let shares = share(wanted.get(..fitting).unwrap_or_default(), room);
    let mut lines: Vec<String> =
        groups.iter().zip(shares).flat_map(|(group, share)| part(group, share, widths)).collect();
    if left_out > 0 {
        lines.push(missing(left_out, "provider", 0));
    }
    lines
}

/// Divides lines among groups. A group that needs less than an equal share leaves the rest to the others.
fn share(wanted: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|at| wanted.get(*at).copied());
    let mut shares = vec![0; wanted.len()];
    let (mut left, mut others) = (room, wanted.len());
    for at in order {
        let (Some(want), Some(place)) = (wanted.get(at), shares.get_mut(at)) else { continue };
        let get = (*want).min(left / others.max(1));
        *place = get;
        left = left.saturating_sub(get);
        others = others.saturating_sub(1);
    }
    shares
}

fn heading(group: &Group<'_>, widths: &Widths) -> String {
    let width = widths.line();
    let name = cut(group.name, width);
    let left = width.saturating_sub(name.chars().count() + 2);
    let heading = format!("{PROVIDER}{name}{PROVIDER:#}");
    let prefix = match group.prefix {
        "" => return heading,
        prefix if prefix.chars().count() < left => format!("{prefix}…"),
        _ if left > 0 => "…".to_owned(),
        _ => return heading,
    };
    format!("{heading}  {FAINT}{prefix}{FAINT:#}")
}

fn whole(group: &Group<'_>, widths: &Widths, gap: bool) -> Vec<String> {
    let gap = gap.then(String::new);
    let rows = group.rows.iter().map(|row| row.line(widths, row.is_named()));
    gap.into_iter().chain([heading(group, widths)]).chain(rows).collect()
}

/// A group in so many lines: its most useful rows, in their usual order.
fn part(group: &Group<'_>, lines: usize, widths: &Widths) -> Vec<String> {
    let rows = &group.rows;
    if lines > rows.len() {
        return whole(group, widths, false);
    }
    let kept = lines.saturating_sub(2);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| rows.get(*at).map(|row| (score(row, *at), *at)));
    let mut shown: Vec<usize> = order.into_iter().take(kept).collect();
    shown.sort_unstable();
    let mut named = None;
    let shown_rows = shown.iter().filter_map(|at| rows.get(*at)).map(|row| {
        let is_named = named == Some(row.name.as_str());
        named = Some(row.name.as_str());
        row.line(widths, !is_named)
    });
    let mut text: Vec<String> = std::iter::once(heading(group, widths)).chain(shown_rows).collect();
    text.push(missing(rows.len().saturating_sub(kept), "row", 2));
    text.truncate(lines);
    text
}

/// Rows with the lowest scores are shown: the first series of each useful instrument, then further series.
fn score(row: &Row, at: usize) -> usize {
    /// A further series comes after this many instruments.
    const FURTHER: usize = 4;
    let telling = TELLING.iter().position(|name| *name == row.name);
    telling.unwrap_or(TELLING.len().saturating_add(at)).saturating_add(row.rank.saturating_mul(FURTHER))
}

fn missing(count: usize, what: &str, indent: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{:indent$}{FAINT}… {count} more {what}{plural}{FAINT:#}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_out_and_none_is_wasted() {
        assert_eq!(share(&[10, 3, 10], 15), [6, 3, 6]);
        assert_eq!(share(&[10, 3, 10], 16), [6, 3, 7]);
        assert_eq!(share(&[2, 2], 10), [2, 2]);
        assert_eq!(share(&[], 10), [0; 0]);
        assert_eq!(share(&[5, 5, 5], 0), [0, 0, 0]);
    }
}
