//! Reading one file within the limits of `budget`, which are looked at once for each megabyte.
//!
//! What comes after a limit is reached is not read, and that is reported as damage.

use super::budget::{memory_limit, most_bytes};
use super::builder::Builder;
use nettrace::Decoder;
use std::ops::ControlFlow;

const TOO_MUCH_MEMORY: &str = "takes far more memory than a recording of its size: the rest was not read";
const TOO_MUCH_FOR_MACHINE: &str = "needs more than half of the memory that this machine, `ulimit -v` or the control group allows: \
     the rest was not read; open it where there is more";
const TOO_MUCH_WORK: &str = "costs far more to read than a recording of its size: the rest was not read";
/// Bytes that are read between two looks at the limits.
pub(crate) const PIECE: usize = 1 << 20;

/// The reading of one file within its limits.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Bytes of this file that were read.
    read: u64,
    /// The credit of the files before this one.
    before: u64,
    exceeded: Option<&'static str>,
}

impl Reading {
    pub(crate) fn new(builder: &Builder) -> Self {
        Self { read: 0, before: builder.credit, exceeded: None }
    }

    /// Reads a piece of up to [`PIECE`] bytes of a file that usually has up to `usual` bytes. Breaks if no more may be read.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        usual: u64,
        decoder: &mut Decoder,
        builder: &mut Builder,
    ) -> Result<ControlFlow<()>, nettrace::Error> {
        self.read = self.read.saturating_add(piece.len() as u64);
        builder.credit = self.before.saturating_add(self.read.min(usual));
        builder.work.allow(builder.credit);
        decoder.push(piece, builder)?;
        let kept = builder.kept_bytes();
        self.exceeded = if kept > most_bytes(builder.credit, builder.keep_payloads) {
            Some(TOO_MUCH_MEMORY)
        } else if kept > memory_limit() {
            Some(TOO_MUCH_FOR_MACHINE)
        } else {
            builder.work.is_exceeded().then_some(TOO_MUCH_WORK)
        };
        let ends = self.exceeded.is_some() || decoder.is_stopped();
        Ok(if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// What ended the reading early, as damage. If the decoder stopped, it reports that itself.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        self.exceeded
    }
}
