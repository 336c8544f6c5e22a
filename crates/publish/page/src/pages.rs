//! The pages of one exhibit, whatever its kind.

use crate::bench::BenchPages;
use crate::kind::Site;
use crate::load::LoadPages;
use crate::reply::Reply;
use crate::site::AnySite;
use crate::trace::TracePages;
use model::{Evidence, Kind, Tables};
use report::Explanation;
use runtime::MyCode;
use std::sync::Arc;

/// Why evidence has no pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Exhibits of this kind cannot be compared.
    #[error("two {}s cannot be compared on pages", .0.title())]
    NotCompared(Kind),
    /// Exhibits of different kinds cannot be compared.
    #[error("{here} is a {}, and {earlier} is a {}: only two of one kind can be compared", .here_kind.title(), .earlier_kind.title())]
    TwoKinds {
        /// The file of the exhibit to show.
        here: String,
        /// Its kind.
        here_kind: Kind,
        /// The file to compare it with.
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

    /// The pages of an exhibit, alone or compared. `mine` says which code the user calls their own.
    pub fn of(here: Evidence, earlier: Option<Evidence>, mine: &MyCode) -> Result<Self, Error> {
        site_of(here, earlier, mine).map(Self)
    }

    /// The tables of the exhibit.
    pub fn tables(&self) -> &Arc<dyn Tables> {
        self.0.tables()
    }

    /// The explanation of the exhibit.
    pub fn explanation(&self) -> &Explanation {
        self.0.explanation()
    }

    /// The paths of the tabs that are shown.
    pub fn tabs(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.0.tabs().into_iter()
    }

    /// Answers an address: a path, and its decoded parameters.
    pub fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        self.0.answer(path, query)
    }

    /// The pages as one file that needs no server. Its pictures and long texts are cut until the file has at most
    /// [`FILE_BYTES`](crate::FILE_BYTES), if that is possible; the file itself says what is missing.
    pub fn file(&self) -> String {
        self.0.file()
    }

    /// Sets what the head of every page says there is to see.
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
        Evidence::Bench(_) | Evidence::Load(_) if earlier.is_some() => Err(Error::NotCompared(kind)),
        Evidence::Bench(here) => Ok(Box::new(Site::new(BenchPages::new(here)))),
        Evidence::Load(here) => Ok(Box::new(Site::new(LoadPages::new(here)))),
    }
}
