//! The evidence: columns, stacks and tables of a recording.
//!
//! Everything to the right of this crate sees a [`Trace`] and nothing of the file it came from. The same tables
//! are there whatever was read, with no rows where the recording cannot give any. Rust code works on the public
//! columns; SQL and exports see every table through [`Table`]. Nothing here reads a file or prints.
//!
//! A missing value is [`NO_INT`], [`NO_ID`], not-a-number or [`Sym::NONE`]: a column needs no second one for them.

mod column;
mod coverage;
mod events;
mod exhibit;
mod index;
mod marks;
mod stacks;
mod strings;
mod tables;

pub use column::{Column, ComputedColumn, NO_ID, NO_INT, Value, guid_text};
pub use events::{EventKind, Events, Fields};
pub use exhibit::{END_WITHOUT_START, Exhibit, FileDamage, Lost};
pub use index::{Range, sorted_range};
pub use marks::RequestMarks;
pub use stacks::{Frame, Frames, Stacks};
pub use strings::{Strings, Sym};
pub use tables::*;
