//! What a view must know of where it stands: its state, and where its links lead.

use crate::Params;
use report::{Finding, Place};

/// What a link of a view leads to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The callers and callees of a method, given as a frame's whole name.
    Method(&'a str),
    /// A stack, frame by frame, by its number.
    Stack(&'a str),
    /// What one thread did, by its number.
    Thread(&'a str),
    /// The answer to a query of SQL.
    Query(&'a str),
    /// All rows of a table as CSV, by the table's name on its page.
    Rows(&'a str),
    /// The data of the flame graph with these parameters.
    FlameData(&'a Params),
    /// The view that shows what a finding found.
    Finding(&'a Finding),
    /// One of a finding's places.
    FoundAt(&'a Finding, &'a Place),
    /// More of a part in figures, by the part's name.
    Part(&'a str),
}

/// Where a view stands.
pub trait Links {
    /// The state of the view: the parameters of its address.
    fn params(&self) -> &Params;

    /// The path that the view's own controls lead back to.
    fn path(&self) -> &str;

    /// Whether the view is in a file of its own, without a server behind it. It then has no controls that ask for another
    /// state, and shows fewer rows.
    fn is_file(&self) -> bool;

    /// The address of a target. `None` if there is nothing to lead to.
    fn to(&self, target: Target<'_>) -> Option<String>;

    /// What the evidence is called in sentences: `recording`.
    fn noun(&self) -> &'static str;

    /// Whether the view is of a range of time rather than of all.
    fn is_part(&self) -> bool;

    /// A name of the evidence as people write it: a frame without its module and signature, for one.
    fn written(&self, name: &str) -> String;

    /// The address of this view in another state.
    fn here(&self, params: &Params) -> String {
        params.href(self.path())
    }
}
