//! What a topic consists of.

use report::{Figure, List, Part, Series};

/// A part of the runtime that can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// The garbage collector.
    Gc,
    /// The JIT compiler.
    Jit,
    /// The thread pool.
    ThreadPool,
    /// Allocation and the heap.
    Memory,
    /// Asynchronous methods.
    Async,
    /// Incoming requests.
    Requests,
    /// CPU cores, and what runs on them.
    Cpu,
}

impl Id {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Gc, Self::Jit, Self::ThreadPool, Self::Memory, Self::Async, Self::Requests, Self::Cpu];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gc => "gc",
            Self::Jit => "jit",
            Self::ThreadPool => "threadpool",
            Self::Memory => "memory",
            Self::Async => "async",
            Self::Requests => "requests",
            Self::Cpu => "cpu",
        }
    }
}

/// A few sentences on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph {
    /// Their subject, in up to eleven characters.
    pub heading: &'static str,
    /// The sentences.
    pub text: String,
}

/// A part of the runtime, explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Which part.
    pub id: Id,
    /// The figures in the recording. Each has a value.
    pub figures: Vec<Figure>,
    /// The largest of something.
    pub lists: Vec<List>,
    /// Values over time.
    pub series: Vec<Series>,
    /// What the figures mean.
    pub paragraphs: Vec<Paragraph>,
    /// What is not in the recording, and how to record it.
    pub missing: Vec<String>,
}

impl Topic {
    /// An empty topic.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            figures: Vec::new(),
            lists: Vec::new(),
            series: Vec::new(),
            paragraphs: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// All paragraphs, each with its heading, separated by empty lines.
    pub fn text(&self) -> String {
        let paragraphs = self.paragraphs.iter().map(|of| format!("{}: {}", of.heading, of.text));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// Adds a figure if it has a value.
    pub(crate) fn figure(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        unit: &'static str,
        about: &'static str,
    ) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            // An empty sum is -0.0.
            let value = Some(value + 0.0);
            self.figures.push(Figure { name, value, unit, about, partial: false, source: None });
        }
    }

    /// Copies figures of a part, by name.
    pub(crate) fn figures_of(&mut self, part: Option<&Part>, names: &[&str]) {
        let figures = part.map_or(&[][..], |part| &part.figures);
        for name in names {
            let found = figures.iter().find(|figure| figure.name == *name && figure.value.is_some());
            self.figures.extend(found.cloned());
        }
    }

    /// Copies a list of a part.
    pub(crate) fn list_of(&mut self, part: Option<&Part>, name: &str, rows: usize) {
        if let Some(list) = part.and_then(|part| part.list(name)).filter(|list| !list.rows.is_empty()) {
            let mut list = list.clone();
            list.more += list.rows.len().saturating_sub(rows);
            list.rows.truncate(rows);
            self.lists.push(list);
        }
    }

    /// Copies a series of a part.
    pub(crate) fn course_of(&mut self, part: Option<&Part>, name: &str) {
        self.series.extend(part.and_then(|part| part.course(name)).cloned());
    }

    /// Copies what a part is missing.
    pub(crate) fn missing_of(&mut self, part: Option<&Part>) {
        let missing = part.map_or(&[][..], |part| &part.missing);
        self.missing.extend(missing.iter().map(|text| (*text).to_owned()));
    }

    /// Says what is missing, if it is.
    pub(crate) fn lacks(&mut self, missing: bool, what: &str) {
        if missing {
            self.missing.push(what.to_owned());
        }
    }

    /// Adds a paragraph of sentences, without the empty ones.
    pub(crate) fn say(&mut self, heading: &'static str, sentences: &[String]) {
        let said: Vec<&str> = sentences.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        if !said.is_empty() {
            self.paragraphs.push(Paragraph { heading, text: said.join(" ") });
        }
    }
}
