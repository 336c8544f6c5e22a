//! Which rows are summed up: by time, by thread, by what a sample waits for, and by frames that a stack must or must not
//! have.

use model::{ByFrame, ByStack, ByThread, StackId, Sym, ThreadId, Trace};
use regex::{Regex, RegexBuilder};
use report::SampleGroup;
use runtime::HandlerNames;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// The most bytes that a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// A selection of rows. The default takes all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Rows at or after this time, in nanoseconds since the session's start.
    pub from_ns: Option<i64>,
    /// Rows before this time.
    pub to_ns: Option<i64>,
    /// Rows of these threads, by the operating system's number. All rows if it is empty.
    pub threads: Vec<i64>,
    /// Samples that wait for this: a value of `samples.waiting_on`.
    pub waiting_on: Option<String>,
    /// Rows of this type: of the allocated object, or of the thrown exception.
    pub class: Option<String>,
    /// Exactly these samples. All samples if it is `None`.
    pub samples: Option<Arc<SampleSet>>,
    /// Rows of other tables at exactly these times. All rows if it is `None`.
    pub times: Option<Arc<FxHashSet<i64>>>,
    /// Stacks in which a waiting thread is idle: its samples are left out and counted. `None` takes them too.
    pub idle: Option<Arc<ByStack<bool>>>,
    /// Names that patterns match beside the full ones. `None` for none.
    pub handlers: Option<Arc<HandlerNames>>,
    /// Stacks that have a frame whose full name matches.
    pub include: Option<Regex>,
    /// Stacks that have no frame whose full name matches.
    pub exclude: Option<Regex>,
}

/// Samples that a finding rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleSet(FxHashSet<SampleGroup>);

impl SampleSet {
    /// The set of these groups.
    pub fn new<'a>(groups: impl Iterator<Item = &'a SampleGroup>) -> Self {
        Self(groups.copied().collect())
    }

    /// Whether it has the samples of a thread with a stack in a state.
    pub(crate) fn has(&self, thread: ThreadId, stack: Option<StackId>, state: &'static str) -> bool {
        let (thread, stack) = (thread.index(), stack.map(model::Id::index));
        self.0.contains(&SampleGroup { thread, stack, state })
    }
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// A pattern for names: a regular expression, or a part of a name as it stands, although `(`, `+` and `[` mean something else in an
/// expression. Case does not matter if it has no capital letter.
pub fn pattern(text: &str) -> Result<Regex, PatternError> {
    let build = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_BYTES).case_insensitive(!text.chars().any(char::is_uppercase)).build()
    };
    let literal = regex::escape(text);
    match build(text) {
        // If it ends in a comment, what is put behind it is lost, and this does not compile.
        Ok(alone) => Ok(build(&format!("{literal}|(?:{text})")).unwrap_or(alone)),
        Err(regex::Error::Syntax(_)) => build(&literal).map_err(|error| PatternError(error.to_string())),
        Err(error) => Err(PatternError(error.to_string())),
    }
}

impl Filter {
    /// Whether a time lies in the range.
    pub(crate) fn has_time(&self, ns: i64) -> bool {
        self.from_ns.is_none_or(|from| ns >= from) && self.to_ns.is_none_or(|to| ns < to)
    }

    /// Whether a row at this time is one of those that are asked for.
    pub(crate) fn has_moment(&self, ns: i64) -> bool {
        self.times.as_ref().is_none_or(|times| times.contains(&ns))
    }

    /// Whether a waiting thread with this stack is left out because it is idle.
    pub(crate) fn is_left_out(&self, stack: Option<StackId>) -> bool {
        let is_idle = |idle: &Arc<ByStack<bool>>| stack.and_then(|stack| idle.get(stack)) == Some(&true);
        self.idle.as_ref().is_some_and(is_idle)
    }

    /// How many nanoseconds of a span lie in the range. `None` if they do not overlap.
    pub(crate) fn overlap(&self, start_ns: i64, dur_ns: i64) -> Option<i64> {
        let end_ns = start_ns.saturating_add(dur_ns.max(0));
        let from = self.from_ns.map_or(start_ns, |from| from.max(start_ns));
        let to = self.to_ns.map_or(end_ns, |to| to.min(end_ns));
        let begins_inside = self.has_time(start_ns);
        (to > from || begins_inside).then(|| to.saturating_sub(from).max(0))
    }

    /// Which stacks pass: one flag per stack. `None` if all do.
    pub(crate) fn stacks(&self, recording: &Trace) -> Option<ByStack<bool>> {
        if self.include.is_none() && self.exclude.is_none() {
            return None;
        }
        let matching = |pattern: &Option<Regex>| {
            let pattern = pattern.as_ref()?;
            let handler = |sym: &Sym| self.handlers.as_ref().and_then(|of| of.of_method(*sym));
            let named = |sym: &Sym| {
                pattern.is_match(recording.strings.text(*sym))
                    || handler(sym).is_some_and(|name| pattern.is_match(name))
            };
            Some(recording.frames.name.iter().map(named).collect::<ByFrame<bool>>())
        };
        let (include, exclude) = (matching(&self.include), matching(&self.exclude));
        let (mut included, mut excluded) = (ByStack::default(), ByStack::default());
        for (parent, frame) in recording.stacks.parent.iter().zip(&recording.stacks.frame) {
            let has = |flags: &Option<ByFrame<bool>>, of_callers: &ByStack<bool>| {
                let own = flags.as_ref().and_then(|flags| flags.get(*frame)).copied();
                own == Some(true) || parent.and_then(|parent| of_callers.get(parent)) == Some(&true)
            };
            let (is_in, is_out) = (has(&include, &included), has(&exclude, &excluded));
            included.push(is_in);
            excluded.push(is_out);
        }
        let pass = included.iter().zip(&excluded).map(|(is_in, out)| (*is_in || include.is_none()) && !*out);
        Some(pass.collect())
    }

    /// Whether rows without a stack pass.
    pub(crate) fn takes_stackless(&self) -> bool {
        self.include.is_none()
    }

    /// Which threads pass. `None` if all do.
    pub(crate) fn thread_numbers(&self, recording: &Trace) -> Option<ByThread<bool>> {
        if self.threads.is_empty() {
            return None;
        }
        let wanted: FxHashSet<i64> = self.threads.iter().copied().collect();
        Some(recording.thread_ids.iter().map(|id| wanted.contains(id)).collect())
    }
}

/// Whether a row with `stack` passes, by the flags of [`Filter::stacks`]. `stackless` is the answer for rows without a stack.
pub(crate) fn passes(flags: Option<&ByStack<bool>>, stack: Option<StackId>, stackless: bool) -> bool {
    let Some(flags) = flags else { return true };
    stack.and_then(|stack| flags.get(stack)).copied().unwrap_or(stackless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_minds_case_once_it_has_a_capital() {
        for name in ["A!B.Add(int32,class C`1<!0>[])", "A!B+<>c.<<Main>$>b__0_3(int64)"] {
            let literal = pattern(name).unwrap();
            assert!(literal.is_match(name) && !literal.is_match("A!B.Add"), "{name}");
        }
        assert!(pattern("(?x) add # a comment").unwrap().is_match("A!B.Add"));
        assert!(pattern("sqlite").unwrap().is_match("Microsoft.Data.Sqlite"));
        assert!(!pattern("SQLite").unwrap().is_match("Microsoft.Data.Sqlite"));
    }

    #[test]
    fn what_is_no_expression_is_a_part_of_a_name_unless_it_is_too_large() {
        assert!(pattern("Add(").unwrap().is_match("A!B.Add(int32)"));
        let error = pattern("(a{1000}){1000}{100}").unwrap_err();
        assert!(
            error.to_string().contains("size limit") && error.to_string().lines().count() == 1,
            "{error}"
        );
    }

    #[test]
    fn a_wait_counts_with_the_part_of_it_that_lies_in_the_range() {
        let filter = Filter { from_ns: Some(100), to_ns: Some(200), ..Filter::default() };
        let check = |start, dur, expected| assert_eq!(filter.overlap(start, dur), expected, "{start}+{dur}");
        check(0, 100, None);
        check(0, 150, Some(50));
        check(50, 500, Some(100));
        check(150, 500, Some(50));
        check(150, 0, Some(0));
        check(200, 50, None);
    }
}
