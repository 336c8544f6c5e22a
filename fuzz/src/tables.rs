//! What must hold of all evidence, whatever it was read from.

use model::{Column, Evidence, Table, Trace, Type, Value};
use serde_json::Value as Json;

/// Reads every cell of every table.
///
/// # Panics
///
/// Lists of a table differ in length, a value has another type than the catalogue says, an order that is promised does
/// not hold, or a row refers to one that is not there.
pub fn check(evidence: &Evidence) {
    let tables = evidence.tables();
    for spec in tables.catalogue() {
        let table = tables.table(spec.name).expect("every table of the catalogue");
        assert_eq!(table.columns.len(), spec.columns.len(), "{}", spec.name);
        for at in 0..table.columns.len() {
            check_column(&table, at);
        }
        if let Some(at) = table.ascending {
            check_order(&table, at);
        }
    }
    if let Evidence::Trace(trace) = evidence {
        check_references(trace);
    }
}

fn check_column(table: &Table<'_>, at: usize) {
    let (column, spec) = (&table.columns[at], &table.spec.columns[at]);
    let place = || format!("{}.{}", table.spec.name, spec.name);
    if let Some(len) = stored(column) {
        assert_eq!(len, table.rows, "rows of {}", place());
        assert_eq!(column.value(table.rows), Value::Null, "behind the end of {}", place());
    }
    for row in 0..table.rows {
        match (column.value(row), spec.kind) {
            (Value::Null, _) | (Value::Int(_), Type::Integer) => {}
            (Value::Real(number), Type::Real) => assert!(!number.is_nan(), "{} row {row}", place()),
            (Value::Text(text), Type::Text) => check_text(&text, column, &place),
            (value, kind) => panic!("{} row {row}: {value:?} is not a value of type {}", place(), kind.name()),
        }
    }
}

fn check_text(text: &str, column: &Column<'_>, place: &dyn Fn() -> String) {
    if matches!(column, Column::Computed(_)) {
        assert!(serde_json::from_str::<Json>(text).is_ok(), "{}: {text}", place());
    }
}

/// How many rows a column keeps; none where it keeps nothing of its own.
fn stored(column: &Column<'_>) -> Option<usize> {
    Some(match column {
        Column::Int(list) => list.len(),
        Column::Id(ids) | Column::IntVia(ids, _) | Column::TextVia(ids, ..) | Column::GuidVia(ids, _) => {
            ids.rows()
        }
        Column::Count(list) => list.len(),
        Column::Small(list) => list.len(),
        Column::Real(list) => list.len(),
        Column::Text(list, _) => list.len(),
        Column::Guid(list) => list.len(),
        Column::Row | Column::Computed(_) => return None,
    })
}

fn check_order(table: &Table<'_>, at: usize) {
    if let Column::Int(list) = table.columns[at] {
        assert!(list.is_sorted(), "{}.{}", table.spec.name, table.spec.columns[at].name);
    }
}

fn check_references(recording: &Trace) {
    let (stacks, frames) = (recording.stacks.len(), recording.frames.name.len());
    for (row, (parent, frame)) in recording.stacks.parent.iter().zip(&recording.stacks.frame).enumerate() {
        assert!(parent.is_none_or(|parent| parent.index() < row), "caller {parent:?} of stack {row}");
        assert!(frame.index() < frames, "frame {frame:?} of stack {row}");
    }
    let lists = [
        &recording.events.stack,
        &recording.samples.stack,
        &recording.gc.stack,
        &recording.allocations.stack,
        &recording.exceptions.stack,
        &recording.contention.stack,
        &recording.waits.stack,
    ];
    for stack in lists.into_iter().flatten().flatten() {
        assert!(stack.index() < stacks, "stack {stack:?} of {stacks}");
    }
    for kind in &recording.events.kind {
        assert!(recording.events.kind_id.get(*kind).is_some(), "kind {kind:?}");
    }
    for thread in recording.events.thread.iter().chain(&recording.samples.thread) {
        assert!(recording.thread_ids.get(*thread).is_some(), "thread {thread:?}");
    }
    assert!(recording.missing.unnamed_frames <= recording.missing.frames, "{:?}", recording.lost);
}
