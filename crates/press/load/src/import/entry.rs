//! A request as a reader found it, and what readers leave out.

use std::collections::BTreeMap;

/// Kinds of notes that are kept. A text can have any number of unknown options.
const MAX_NOTES: usize = 100;

/// A request, wherever it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<EntryBody>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryBody {
    Text(String),
    File(String),
}

/// Why a request is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    NoUrl,
    Form,
    Upload,
    EncodedFile,
    SeveralBodies,
}

impl Skipped {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoUrl => "commands without a URL: left out",
            Self::Form => "requests with a form in several parts (-F, multipart): left out",
            Self::Upload => "uploads of files (-T): left out",
            Self::EncodedFile => "requests with --data-urlencode of a file: left out",
            Self::SeveralBodies => "requests with a file among several bodies: left out",
        }
    }
}

/// What was left out, and how often.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<String, u64>);

impl Notes {
    pub(super) fn add(&mut self, what: &str) {
        self.add_many(what, 1);
    }

    pub(super) fn add_many(&mut self, what: &str, count: u64) {
        let has_room = self.0.len() < MAX_NOTES || self.0.contains_key(what);
        let what = if has_room { what } else { "other options: left out" };
        if count > 0 {
            *self.0.entry(what.to_owned()).or_default() += count;
        }
    }

    /// What was left out, in the order of the alphabet.
    pub(super) fn into_list(self) -> Vec<(String, u64)> {
        self.0.into_iter().collect()
    }
}
