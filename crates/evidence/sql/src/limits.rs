//! What a query may use, and the account of what it uses.
//!
//! SQLite counts memory for the process as a whole, so that one query at its limit would fail all others. Here every query
//! has an account of its own, kept by the thread that runs it: [`crate::account`] asks it before SQLite gets memory or
//! room in a temporary file. Memory is also refused once the query's time is over. That ends work which never comes to
//! a place where SQLite looks for an interruption.

use base::number::saturated;
use base::time::Deadline;
use rusqlite::InterruptHandle;
use std::cell::{Cell, RefCell};

/// What one query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a text or blob.
    pub value_bytes: u32,
    /// Bytes of memory that SQLite takes, and of one row of the answer.
    pub memory_bytes: u64,
    /// Bytes of temporary files.
    pub disk_bytes: u64,
    /// Bytes of an answer that is kept in memory.
    pub answer_bytes: u64,
    /// Whether the rows beyond them are left off; else such an answer is an error.
    pub cuts_answers: bool,
    /// Bytes of the statement.
    pub sql_bytes: u32,
    /// Arguments of a function: one call is not interrupted, and may read a long value once for each.
    pub arguments: u32,
}

impl Limits {
    /// For a statement that somebody runs on their own machine.
    pub const OF_THE_PROGRAM: Self = Self {
        value_bytes: 64 << 20,
        memory_bytes: 4_000_000_000,
        disk_bytes: 10_000_000_000,
        answer_bytes: 2 << 30,
        cuts_answers: false,
        sql_bytes: 1_000_000,
        arguments: 100,
    };

    /// For a statement that a browser sends. Several run at once, beside the recording that they read.
    pub const OF_A_PAGE: Self = Self {
        value_bytes: 1_000_000,
        memory_bytes: 256_000_000,
        disk_bytes: 1_000_000_000,
        answer_bytes: 64_000_000,
        cuts_answers: true,
        sql_bytes: 100_000,
        arguments: 100,
    };
}

/// Which limit a query ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Its time is over.
    Time,
    /// Its memory.
    Memory,
    /// Its temporary files.
    Disk,
}

/// Bytes from which on it is worth a look at the clock whether SQLite may still have them: less takes no time.
pub(crate) const LOOK_AT_CLOCK: usize = 4096;

thread_local! {
    static LONGEST: Cell<usize> = const { Cell::new(usize::MAX) };
    static MAX_MEMORY: Cell<i64> = const { Cell::new(i64::MAX) };
    static MEMORY: Cell<i64> = const { Cell::new(0) };
    static MAX_DISK: Cell<i64> = const { Cell::new(i64::MAX) };
    static DISK: Cell<i64> = const { Cell::new(0) };
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
    static REACHED: Cell<Option<Reached>> = const { Cell::new(None) };
    static PAUSED: Cell<bool> = const { Cell::new(false) };
    static HANDLE: RefCell<Option<InterruptHandle>> = const { RefCell::new(None) };
}

/// The limits of the query that this thread runs, for as long as it is alive.
#[derive(Debug)]
pub(crate) struct Account {
    before: (usize, i64, i64, Option<Deadline>),
}

impl Account {
    /// Opens it. Memory that SQLite has from before does not count. The handle is that of the query's connection.
    pub(crate) fn open(limits: &Limits, deadline: Option<Deadline>, handle: InterruptHandle) -> Self {
        HANDLE.replace(Some(handle));
        let before = (LONGEST.get(), MAX_MEMORY.get(), MAX_DISK.get(), DEADLINE.get());
        let most = |now: i64, more: u64| now.saturating_add(saturated(more));
        // Where addresses are shorter, memory is the limit.
        LONGEST.set(usize::try_from(limits.value_bytes).unwrap_or(usize::MAX));
        MAX_MEMORY.set(most(MEMORY.get(), limits.memory_bytes));
        MAX_DISK.set(most(DISK.get(), limits.disk_bytes));
        DEADLINE.set(deadline);
        REACHED.set(None);
        Self { before }
    }

    /// Closes it; gives the limit that was reached, if one was.
    pub(crate) fn close(self) -> Option<Reached> {
        drop(self);
        REACHED.take()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        HANDLE.take();
        let (longest, memory, disk, deadline) = self.before;
        LONGEST.set(longest);
        MAX_MEMORY.set(memory);
        MAX_DISK.set(disk);
        DEADLINE.set(deadline);
    }
}

/// No memory is refused while it is alive: between two steps of a statement, and while one of our functions reads its
/// arguments, rusqlite takes a text that SQLite has no memory for as a fault of the program.
#[derive(Debug)]
pub(crate) struct Paused(bool);

impl Paused {
    pub(crate) fn begin() -> Self {
        Self(PAUSED.replace(true))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        PAUSED.set(self.0);
    }
}

/// Bytes of the longest value that this thread's query may have.
pub(crate) fn longest() -> usize {
    LONGEST.get()
}

/// Whether the time of this thread's query is over.
pub(crate) fn is_over() -> bool {
    let over = DEADLINE.get().is_some_and(Deadline::is_past);
    if over {
        REACHED.set(Some(Reached::Time));
    }
    over
}

/// Whether SQLite may have so many bytes more; nothing is noted of them.
pub(crate) fn may_have(bytes: usize) -> bool {
    if PAUSED.get() {
        return true;
    }
    let wanted = MEMORY.get().saturating_add(saturated(bytes));
    if wanted > MAX_MEMORY.get() {
        REACHED.set(Some(Reached::Memory));
        // Some of SQLite's functions (json_group_array) go on without, and tell at their end: that of a query may never come.
        HANDLE.with_borrow(|handle| handle.iter().for_each(InterruptHandle::interrupt));
        return false;
    }
    bytes < LOOK_AT_CLOCK || !is_over()
}

/// Notes memory that SQLite got, or gave back if negative.
pub(crate) fn note(bytes: i64) {
    MEMORY.set(MEMORY.get().saturating_add(bytes));
}

/// Whether temporary files may take so many bytes more; if they may, it is noted.
pub(crate) fn take_disk(bytes: i64) -> bool {
    let wanted = DISK.get().saturating_add(bytes);
    if wanted > MAX_DISK.get() {
        REACHED.set(Some(Reached::Disk));
        return false;
    }
    DISK.set(wanted);
    true
}

/// Notes room that temporary files gave back.
pub(crate) fn free_disk(bytes: i64) {
    DISK.set(DISK.get().saturating_sub(bytes));
}
