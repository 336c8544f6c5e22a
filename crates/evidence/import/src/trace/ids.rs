//! The id of a process. Those of rows that one part keeps are beside the rows.

use model::Id;

/// What the ids of processes are of; it has no values.
#[derive(Debug)]
pub(crate) enum Process {}

/// A process of the recording, by the order in which they were met. It is not the operating system's number.
pub(crate) type ProcessId = Id<Process>;
