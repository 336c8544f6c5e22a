//! Samples of threads by the runtime's own sampler. Those of CPUs are in `universal`.

use super::rawstacks::RawStack;
use super::seen::Seen;
use model::{SampleRow, Samples, Strings, Sym};

/// The words of the column `samples.kind`.
#[derive(Debug)]
pub(crate) struct SampleWords {
    managed: Sym,
    external: Sym,
    error: Sym,
}

impl SampleWords {
    pub(crate) fn new(strings: &mut Strings) -> Self {
        let [managed, external, error] = ["managed", "external", "error"].map(|word| strings.intern(word));
        Self { managed, external, error }
    }

    /// Adds the sample of a thread.
    pub(crate) fn take(&self, seen: &Seen<'_>, samples: &mut Samples<RawStack>) {
        let kind = match seen.payload.first() {
            Some(2) => self.managed,
            Some(1) => self.external,
            _ => self.error,
        };
        let (state, waiting_on) = (Sym::NONE, Sym::NONE);
        let Seen { ns: ts_ns, thread, stack, .. } = *seen;
        samples.push(SampleRow { ts_ns, thread, stack, kind, state, waiting_on });
    }
}
