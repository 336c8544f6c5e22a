//! How much memory a recording may take while it is read, by the bytes that were read of it.
//!
//! Rows are longer than the events that they are made of, and an event may be of two bytes: a file of 60 MB could fill
//! a machine's memory. What is kept is summed up for each megabyte that is read, by the lengths of lists, so that it
//! costs nothing; what comes later than the limit is not read, and that is reported as damage.

use super::builder::Builder;
use super::gc::GcBuilder;
use host::Proc;
use host::cgroup::Cgroup;
use model::Trace;
use nettrace::Decoder;
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// Bytes that any recording may take.
const FREE_BYTES: usize = 48 << 20;
/// Bytes more for each byte that was read, unpacked. Recordings take at most 2.4, and with payloads 3.5.
const MOST_BYTES_A_BYTE: usize = 3;
const MOST_BYTES_A_BYTE_WITH_PAYLOADS: usize = 4;
const TOO_MUCH_MEMORY: &str = "takes far more memory than a recording of its size: the rest was not read";
const MORE_THAN_HERE: &str = "needs more than half of the memory that this machine, `ulimit -v` or the control group allows: the \
     rest was not read; open it where there is more";
/// Steps for each byte that was read, and steps besides, as the decoder has them for itself (see [`Decoder::work`]). A
/// recording takes none: they are counted for what costs more than the bytes of its event.
const MOST_STEPS_A_BYTE: u64 = 64;
const FREE_STEPS: u64 = 1 << 26;
const TOO_MUCH_WORK: &str = "costs far more to read than a recording of its size: the rest was not read";
/// Bytes that are read at once: so often it is looked at what was kept of them.
pub(crate) const PIECE: usize = 1 << 20;

/// The reading of one file within its limits.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Bytes of this file that were read.
    read: u64,
    /// The credit of files before this one.
    before: u64,
    exceeded: Option<&'static str>,
}

impl Reading {
    pub(crate) fn new(builder: &Builder) -> Self {
        Self { read: 0, before: builder.credit, exceeded: None }
    }

    /// Reads a piece of at most [`PIECE`] bytes of a file that may have `usual` bytes; a break if no more is to be read.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        usual: u64,
        decoder: &mut Decoder,
        builder: &mut Builder,
    ) -> Result<ControlFlow<()>, nettrace::Error> {
        self.read = self.read.saturating_add(piece.len() as u64);
        builder.credit = self.before.saturating_add(self.read.min(usual));
        builder.most_work = builder.credit.saturating_mul(MOST_STEPS_A_BYTE).saturating_add(FREE_STEPS);
        decoder.push(piece, builder)?;
        let kept = builder.kept_bytes();
        self.exceeded = if kept > most_bytes(builder.credit, builder.keep_payloads) {
            Some(TOO_MUCH_MEMORY)
        } else if kept > most_of_machine() {
            Some(MORE_THAN_HERE)
        } else {
            (builder.work > builder.most_work).then_some(TOO_MUCH_WORK)
        };
        let ends = self.exceeded.is_some() || decoder.is_stopped();
        Ok(if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// What ended the reading early, as damage. The decoder says it itself if it stopped.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        self.exceeded
    }
}

/// What a recording may take of which so many bytes were read.
pub(crate) fn most_bytes(read: u64, with_payloads: bool) -> usize {
    let each = if with_payloads { MOST_BYTES_A_BYTE_WITH_PAYLOADS } else { MOST_BYTES_A_BYTE };
    let read = usize::try_from(read).unwrap_or(usize::MAX);
    read.saturating_mul(each).saturating_add(FREE_BYTES)
}

/// The memory that a recording may take on this machine whatever its size: half of what there is, and of what limits us
/// (`ulimit -v`, the control group). More would not be refused: the kernel would end us, or a service beside us.
fn most_of_machine() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let address_space = rustix::process::getrlimit(rustix::process::Resource::As).current;
        let group =
            Cgroup::of(&Proc::live(), std::process::id()).and_then(|group| group.limits().memory_bytes);
        let least = [host::memory_bytes(), address_space, group].into_iter().flatten().min();
        least.map_or(usize::MAX, |bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX))
    })
}

/// Places of a map for each entry, on average.
pub(crate) const MAP: usize = 2;

/// What a list or map of so many entries takes, each of so many bytes.
pub(crate) fn of(entries: usize, bytes: usize) -> usize {
    entries.saturating_mul(bytes)
}

impl Builder {
    /// About how many bytes are kept. Its cost does not grow with what is kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        let Self { recording, kept_kinds, streams, raw, methods, gc, rows, counters, .. } = self;
        let Trace { thread_ids, thread_processes, .. } = recording;
        [
            recording.size_bytes(),
            of(thread_ids.len(), THREAD).saturating_add(size_of_val(thread_processes.as_slice())),
            of(recording.activities.len(), MAP * ACTIVITY),
            *kept_kinds,
            of(streams.len(), STREAM),
            raw.kept_bytes(),
            methods.kept_bytes(),
            gc.kept_bytes(),
            of(self.earlier_gc.len(), size_of::<GcBuilder>()),
            self.processes.kept_bytes(),
            rows.kept_bytes(),
            counters.kept_bytes(),
            self.requests.kept_bytes(),
            self.texts.kept_bytes(),
            self.spaces.kept_bytes(),
            self.told.kept_bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// A thread's number in its map, what was seen of it, and its last activity.
const THREAD: usize = 160;
/// An activity's number in its map.
const ACTIVITY: usize = 21;
/// What was observed in a stream, with its header.
const STREAM: usize = 512;
