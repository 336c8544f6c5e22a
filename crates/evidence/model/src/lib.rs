//! The evidence: what was read of an exhibit, as columns and tables.
//!
//! Everything to the right of this crate sees [`Evidence`] and nothing of the file it came from. The tables of a kind are
//! there whatever was read, with no rows if the exhibit cannot give any. Rust code works on the public columns; SQL and
//! exports see every table through [`Tables`]. Nothing here reads a file or prints.
//!
//! ```text
//!  Evidence ─┬─ Trace   events, samples, stacks, gc, requests …
//!            ├─ Bench   benchmarks, measurements                    each with: exhibit, lost, strings, metrics
//!            └─ Load    latency, seconds, histogram, requests …
//! ```
//!
//! A missing value is [`NO_INT`], `None` in a column of ids, not-a-number or [`Sym::NONE`]: a column needs no second one
//! for them.

mod bench;
mod column;
mod evidence;
mod exhibit;
mod ids;
mod index;
mod kind;
mod load;
#[cfg(any(test, feature = "made"))]
mod made;
mod metrics;
mod strings;
mod tables;
mod trace;

pub use bench::*;
pub use column::{Column, ComputedColumn, Ids, NO_INT, Value, guid_text, or_none};
pub use evidence::{Evidence, Kind};
pub use exhibit::{Exhibit, FileDamage, Lost};
pub use ids::{
    ActivityId, ByActivity, ByFrame, ById, ByKind, ByStack, ByThread, FrameId, Id, KindId, StackId, ThreadId,
    of,
};
pub use index::{Range, sorted_range};
pub use kind::Tables;
pub use load::*;
pub use metrics::{MetricRow, Metrics};
pub use strings::{Strings, Sym};
pub use tables::{ColumnSpec, Table, TableRows, TableSpec, Type};
pub use trace::*;
