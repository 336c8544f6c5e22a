//! What a sampled thread was doing, from the shape of its stack.
//!
//! The sampler looks at every managed thread, whether it runs or waits, and says only whether it was in managed code.
//! A thread inside a wait of the runtime's own is waiting, whatever the sampler says: the innermost frames tell, and
//! further out what it waits for. The shapes are data, in `states.txt`; they are the runtime's methods alone.

use model::{NO_ID, Recording, Sym};

/// Frames looked at from the innermost on for a wait.
const INNERMOST: usize = 4;
/// Frames looked at from there on for what is waited for.
const OUTWARD: usize = 24;

/// What a wait is for, by method: innermost frames, then what stands around them.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    waits: Vec<(&'static str, &'static str)>,
    around: Vec<(&'static str, &'static str)>,
}

impl Shapes {
    pub(crate) fn built_in() -> Self {
        let mut shapes = Self::default();
        for line in include_str!("states.txt").lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("wait"), Some(what), Some(method)) => shapes.waits.push((method, what)),
                (Some("around"), Some(what), Some(method)) => shapes.around.push((method, what)),
                _ => {}
            }
        }
        shapes
    }

    /// What a stack waits for; none where it does not wait. `names` are methods (`Type.Method`) from the innermost out.
    fn waiting_on(&self, names: &[String]) -> Option<&'static str> {
        let find = |list: &[(&'static str, &'static str)], name: &String| {
            list.iter().find(|(method, _)| name == method).map(|(_, what)| *what)
        };
        let inner = names.iter().take(INNERMOST).find_map(|name| find(&self.waits, name))?;
        Some(names.iter().take(OUTWARD).find_map(|name| find(&self.around, name)).unwrap_or(inner))
    }
}

/// What each stack waits for, worked out once a stack.
pub(crate) struct States {
    shapes: Shapes,
    by_stack: Vec<Option<Sym>>,
}

impl States {
    pub(crate) fn new(recording: &Recording) -> Self {
        Self { shapes: Shapes::built_in(), by_stack: vec![None; recording.stacks.len()] }
    }

    /// What the stack waits for, or [`Sym::NONE`].
    pub(crate) fn waiting_on(&mut self, stack: u32, recording: &mut Recording) -> Sym {
        let Some(Some(known)) = self.by_stack.get(stack as usize) else {
            let names = method_names(stack, recording);
            let what = self.shapes.waiting_on(&names);
            let sym = what.map_or(Sym::NONE, |what| recording.strings.intern(what));
            if stack != NO_ID {
                if stack as usize >= self.by_stack.len() {
                    self.by_stack.resize(stack as usize + 1, None);
                }
                if let Some(known) = self.by_stack.get_mut(stack as usize) {
                    *known = Some(sym);
                }
            }
            return sym;
        };
        *known
    }
}

fn method_names(stack: u32, recording: &Recording) -> Vec<String> {
    let frames =
        recording.stacks.walk(stack).take(OUTWARD).map(|node| recording.stacks.frame[node as usize] as usize);
    frames
        .map(|frame| {
            let part = |list: &[Sym]| list.get(frame).map_or("", |sym| recording.strings.text(*sym));
            format!("{}.{}", part(&recording.frames.declaring_type), part(&recording.frames.method))
        })
        .collect()
}
