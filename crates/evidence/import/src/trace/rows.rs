//! Events that are a row by themselves: allocations, exceptions, changes of the thread pool.

use super::kinds::{PoolEvent, RowEvent};
use super::rawstacks::RawStack;
use super::seen::Seen;
use super::texts::SeenTexts;
use model::{
    AllocationRow, Allocations, ExceptionRow, Exceptions, Lost, Strings, ThreadPool, ThreadPoolRow, or_none,
};

/// Values beyond these are not possible, so damage wrote them: bytes of an object or allocated between two events,
/// threads of a pool (the runtime counts them in 16 bits), work items that a pool completes per second.
const MAX_OBJECT_BYTES: i64 = 1 << 40;
const MAX_WORKERS: i64 = 32_767;
const MAX_THROUGHPUT: f64 = 1e9;
/// The runtime samples one byte in so many, on average.
const SAMPLED_ONE_IN: f64 = 102_400.0;

/// The tables that such events fill.
#[derive(Debug)]
pub(crate) struct RowTables<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
    pub(crate) allocations: &'a mut Allocations<RawStack>,
    pub(crate) exceptions: &'a mut Exceptions<RawStack>,
    pub(crate) threadpool: &'a mut ThreadPool,
}

/// Adds the row of an event.
pub(crate) fn take(event: RowEvent, seen: &Seen<'_>, texts: &mut SeenTexts, tables: RowTables<'_>) {
    let RowTables { strings, lost, .. } = tables;
    match event {
        RowEvent::AllocationTick => {
            let row = allocation(seen, tick(seen, lost), texts, strings);
            tables.allocations.push(row);
        }
        RowEvent::AllocationSampled => {
            let row = allocation(seen, sampled(seen, lost), texts, strings);
            tables.allocations.push(row);
        }
        RowEvent::Exception => tables.exceptions.push(ExceptionRow {
            ts_ns: seen.ns,
            thread: seen.thread,
            class: texts.field(seen, "ExceptionType", strings),
            message: texts.field(seen, "ExceptionMessage", strings),
            stack: seen.stack,
            activity: seen.activity,
        }),
        RowEvent::Pool(event) => tables.threadpool.push(pool(event, seen, strings, lost)),
    }
}

/// How much an allocation event stands for.
#[derive(Debug, Clone, Copy)]
struct Weight {
    source: &'static str,
    /// The size of the object; none if the event does not have it, or has one that is not possible.
    object_bytes: Option<i64>,
    /// Bytes that the event stands for; not a number if that is not known.
    bytes: f64,
}

/// The size of the object; an error if the event has one that is not possible.
fn object_bytes(seen: &Seen<'_>, lost: &mut Lost) -> Result<Option<i64>, ()> {
    match seen.fields.int("ObjectSize").filter(|size| *size != 0) {
        None => Ok(None),
        Some(size) => seen.possible(size, 1..=MAX_OBJECT_BYTES, lost).map(Some).ok_or(()),
    }
}

/// An event that the runtime sends once for each 100 KB or so: it stands for what was allocated since the last one.
fn tick(seen: &Seen<'_>, lost: &mut Lost) -> Weight {
    let source = "tick";
    let Ok(object_bytes) = object_bytes(seen, lost) else {
        return Weight { source, object_bytes: None, bytes: f64::NAN };
    };
    let amount = seen.fields.int("AllocationAmount64").or_else(|| seen.fields.int("AllocationAmount"));
    let amount = amount.and_then(|amount| seen.possible(amount, 0..=MAX_OBJECT_BYTES, lost));
    Weight { source, object_bytes, bytes: amount.map_or(f64::NAN, |amount| amount as f64) }
}

/// An object that the runtime sampled: it stands for its size, divided by the chance that it was sampled at all.
fn sampled(seen: &Seen<'_>, lost: &mut Lost) -> Weight {
    let source = "sample";
    let Ok(object_bytes) = object_bytes(seen, lost) else {
        return Weight { source, object_bytes: None, bytes: f64::NAN };
    };
    // An object of unknown size has no chance of its own: it stands for the mean distance of samples.
    let size = object_bytes.unwrap_or(0) as f64;
    let chance = -((size * (-1.0 / SAMPLED_ONE_IN).ln_1p()).exp_m1());
    let bytes = if chance > 0.0 { size / chance } else { SAMPLED_ONE_IN };
    Weight { source, object_bytes, bytes }
}

fn allocation(
    seen: &Seen<'_>,
    weight: Weight,
    texts: &mut SeenTexts,
    strings: &mut Strings,
) -> AllocationRow<RawStack> {
    AllocationRow {
        ts_ns: seen.ns,
        thread: seen.thread,
        class: texts.field(seen, "TypeName", strings),
        kind: seen.word("AllocationKind", strings),
        bytes: or_none(weight.object_bytes),
        source: strings.intern(weight.source),
        weight_bytes: weight.bytes,
        stack: seen.stack,
    }
}

fn pool(event: PoolEvent, seen: &Seen<'_>, strings: &mut Strings, lost: &mut Lost) -> ThreadPoolRow {
    let reason = seen.word("Reason", strings);
    let active = Some("ActiveWorkerThreadCount");
    let (event, workers, throughput) = match event {
        PoolEvent::Adjustment => ("adjustment", Some("NewWorkerThreadCount"), Some("AverageThroughput")),
        PoolEvent::Sample => ("sample", None, Some("Throughput")),
        PoolEvent::Start => ("start", active, None),
        PoolEvent::Stop => ("stop", active, None),
        PoolEvent::Wait => ("wait", active, None),
    };
    let workers = workers.and_then(|name| seen.fields.int(name));
    let workers = workers.and_then(|of| seen.possible(of, 0..=MAX_WORKERS, lost));
    let throughput = throughput.and_then(|name| seen.fields.real(name));
    let throughput = throughput.and_then(|of| seen.possible(of, 0.0..=MAX_THROUGHPUT, lost));
    ThreadPoolRow {
        ts_ns: seen.ns,
        event: strings.intern(event),
        reason,
        workers: or_none(workers),
        throughput: throughput.unwrap_or(f64::NAN),
    }
}
