//! Evidence as pages: answers to the addresses of a site, or one file that needs no site.
//!
//! Every page is complete HTML that works without script; the state of a view is in its address. Script (`web/` of the
//! project) adds zooming, selecting and completion. Nothing here speaks HTTP: [`Pages::answer`] takes a path with its
//! parameters and returns a [`Reply`]. What is on a page is drawn by crate `views`; this crate puts it on pages.
//!
//! ```text
//! Evidence ─► Pages::new ─► a kind (trace/ …) says: tabs, tables, explanation, time line
//!                                │
//! path, parameters ─► site ──────┴─► ctx ─► the tab's body ─► frame: heading, tabs, time bar ─► HTML
//!                      └─► rows.csv, answer.csv, lanes.json, what the kind answers further
//! ```
//!
//! The invariants: everything outside the folder of a kind works for every kind. No text of the evidence becomes markup
//! or script.

mod assets;
mod bench;
mod ctx;
mod frame;
mod kind;
mod reply;
mod shorten;
mod site;
mod sqlpage;
mod summary;
mod tabletab;
#[cfg(test)]
mod tests;
mod timebar;
mod tour;
mod trace;

pub use reply::Reply;
pub use tour::Tour;

use model::{Evidence, Kind, Tables};
use report::Explanation;
use runtime::MyCode;
use site::{AnySite, Site};
use std::sync::Arc;
use trace::TracePages;

/// The largest size of a page of one file in bytes, unless the texts of its tables alone are longer.
pub const FILE_BYTES: usize = 5_000_000;

/// The largest size of a page that is served, in bytes.
const PAGE_BYTES: usize = 5_000_000;

/// Why evidence has no pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two exhibits of this kind cannot be compared.
    #[error("two {}s cannot be compared on pages", .0.title())]
    NotCompared(Kind),
    /// Two exhibits of different kinds cannot be compared.
    #[error("{here} is a {}, and {earlier} is a {}: only two of one kind can be compared", .here_kind.title(), .earlier_kind.title())]
    TwoKinds {
        /// The file of the exhibit that the pages would be of.
        here: String,
        /// Its kind.
        here_kind: Kind,
        /// The file that it would be compared with.
        earlier: String,
        /// Its kind.
        earlier_kind: Kind,
    },
}

/// The pages of an exhibit, alone or compared with an earlier one.
#[derive(Debug)]
pub struct Pages(Box<dyn AnySite>);

impl Pages {
    /// The pages of an exhibit.
    pub fn new(evidence: Evidence) -> Result<Self, Error> {
        Self::of(evidence, None, &MyCode::default())
    }

    /// The pages of an exhibit that is compared with an earlier one of the same kind.
    pub fn compared(here: Evidence, earlier: Evidence) -> Result<Self, Error> {
        Self::of(here, Some(earlier), &MyCode::default())
    }

    /// The pages of an exhibit, alone or compared, with what the user says is their own code.
    pub fn of(here: Evidence, earlier: Option<Evidence>, mine: &MyCode) -> Result<Self, Error> {
        site_of(here, earlier, mine).map(Self)
    }

    /// The tables that the pages are of.
    pub fn tables(&self) -> &Arc<dyn Tables> {
        self.0.tables()
    }

    /// What the pages say of the exhibit.
    pub fn explanation(&self) -> &Explanation {
        self.0.explanation()
    }

    /// The paths of the tabs that are shown.
    pub fn tabs(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.0.tabs().into_iter()
    }

    /// Answers an address: a path, and its parameters decoded.
    pub fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        self.0.answer(path, query)
    }

    /// The pages as one file that needs no server. It is made smaller until it has at most [`FILE_BYTES`], as far as that
    /// is possible; the file itself says what is not in it.
    pub fn file(&self) -> String {
        self.0.file()
    }

    /// Says at the head of every page what there is to see.
    pub(crate) fn set_about(&mut self, about: &str) {
        self.0.set_about(about);
    }
}

/// The site of evidence: the one place that knows all kinds.
fn site_of(here: Evidence, earlier: Option<Evidence>, mine: &MyCode) -> Result<Box<dyn AnySite>, Error> {
    let kind = here.kind();
    if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.kind() != kind) {
        return Err(Error::TwoKinds {
            here: here.exhibit().file.clone(),
            here_kind: kind,
            earlier: earlier.exhibit().file.clone(),
            earlier_kind: earlier.kind(),
        });
    }
    match here {
        Evidence::Trace(here) => {
            let earlier = earlier.and_then(Evidence::into_trace);
            Ok(Box::new(Site::new(TracePages::new(here, earlier, mine))))
        }
        Evidence::Bench(_) if earlier.is_some() => Err(Error::NotCompared(kind)),
        Evidence::Bench(here) => Ok(Box::new(Site::new(bench::BenchPages::new(here)))),
    }
}
