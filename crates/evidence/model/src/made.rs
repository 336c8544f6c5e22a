//! Recordings made up by tests: rows from names.
//!
//! Only with the feature `made`, which the `[dev-dependencies]` of other crates switch on: no program carries it. Rows
//! that have no method here are pushed as they are; their `blank` fills the columns that a test does not mention.

use crate::{CounterRow, CoverageRow, Frame, FrameId, RequestRow, SampleRow, StackId, Sym, ThreadId, Trace};

impl Trace {
    /// A recording of samples of one running thread: stacks, the outermost frame first, and how often each was sampled.
    pub fn sampled(stacks: &[(&[&str], u64)]) -> Self {
        let mut trace = Self::default();
        let thread = trace.thread(7);
        let each = stacks.iter().flat_map(|(frames, count)| (0..*count).map(|_| *frames));
        for (ts_ns, frames) in (0..).zip(each) {
            trace.sample(ts_ns, thread, ["managed", "running", ""], frames);
        }
        trace
    }

    /// A text; null if it is empty.
    pub fn text(&mut self, text: &str) -> Sym {
        if text.is_empty() { Sym::NONE } else { self.strings.intern(text) }
    }

    /// Several texts.
    pub fn texts<const N: usize>(&mut self, texts: [&str; N]) -> [Sym; N] {
        texts.map(|text| self.text(text))
    }

    /// The thread that the operating system calls so. It gets no row of `threads`.
    pub fn thread(&mut self, os_id: i64) -> ThreadId {
        let known = self.thread_ids.find(|known| *known == os_id);
        known.unwrap_or_else(|| self.thread_ids.push(os_id))
    }

    /// The frame of `Module!Type.Method(signature)`. Type and signature may be missing. A name without a module is
    /// not taken apart.
    pub fn frame(&mut self, full: &str) -> FrameId {
        let name = self.text(full);
        if let Some(known) = self.frames.name.find(|of| *of == name) {
            return known;
        }
        let (module, rest) = full.split_once('!').unwrap_or_default();
        let (path, signature) = rest.split_at(rest.find('(').unwrap_or(rest.len()));
        // A constructor's name begins with a dot of its own.
        let dot = path.rfind("..").or_else(|| path.rfind('.'));
        let (class, method) = dot.map_or(("", path), |dot| (&path[..dot], &path[dot + 1..]));
        let [module, declaring_type, method, signature] = self.texts([module, class, method, signature]);
        self.frames.push(Frame { module, declaring_type, method, signature, name, tier: Sym::NONE })
    }

    /// The stack of these frames, the outermost first; none of none.
    pub fn stack(&mut self, frames: &[&str]) -> Option<StackId> {
        frames.iter().fold(None, |parent, name| {
            let frame = self.frame(name);
            Some(self.stacks.child(parent, frame))
        })
    }

    /// A source (`events`, `samples`) was recorded from one time to another.
    pub fn covers(&mut self, source: &str, from_ns: i64, to_ns: i64) {
        let source = self.text(source);
        self.coverage.push(CoverageRow { source, from_ns, to_ns });
    }

    /// A sample; its texts are `kind`, `state` and `waiting_on`.
    pub fn sample(&mut self, ts_ns: i64, thread: ThreadId, texts: [&str; 3], stack: &[&str]) {
        let [kind, state, waiting_on] = self.texts(texts);
        let stack = self.stack(stack);
        self.samples.push(SampleRow { ts_ns, thread, stack, kind, state, waiting_on });
    }

    /// A published value; its texts are `provider`, `name`, `unit`, `kind` and `tags`.
    pub fn counter(&mut self, ts_ns: i64, texts: [&str; 5], value: f64) {
        let [provider, name, unit, kind, tags] = self.texts(texts);
        self.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
    }

    /// A GET that the first thread began.
    pub fn request(&mut self, start_ns: i64, dur_ns: i64, path: &str, status: i64) {
        let [method, path] = self.texts(["GET", path]);
        let begun = RequestRow::begun(start_ns, ThreadId::FIRST, method, path);
        self.requests.push(RequestRow { dur_ns, status, ..begun });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_made_of_its_full_name() {
        let check = |full: &str, expected: [&str; 4]| {
            let mut trace = Trace::default();
            let frame = trace.frame(full);
            assert_eq!(trace.frame(full), frame, "{full}");
            let Trace { frames, strings, .. } = &trace;
            let parts = [&frames.module, &frames.declaring_type, &frames.method, &frames.signature];
            assert_eq!(parts.map(|part| strings.text(part[0])), expected, "{full}");
        };
        check("Shop!Shop.Cart.Add(System.Int32)", ["Shop", "Shop.Cart", "Add", "(System.Int32)"]);
        check("Shop!Shop.Cart..ctor()", ["Shop", "Shop.Cart", ".ctor", "()"]);
        check("Shop!Main", ["Shop", "", "Main", ""]);
        check("?", [""; 4]);
    }
}
