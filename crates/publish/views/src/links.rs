//! What a view knows of the page around it: its state, and the addresses of its links.

use crate::Params;
use report::{Finding, Place};

/// What a link of a view leads to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The callers and callees of a method, given as a frame's whole name.
    Method(&'a str),
    /// A stack, frame by frame, by its number.
    Stack(&'a str),
    /// The stacks of one thread, by its number.
    Thread(&'a str),
    /// The answer to a query of SQL.
    Query(&'a str),
    /// All rows of a table as CSV, by the table's name on its page.
    Rows(&'a str),
    /// The data of the flame graph with these parameters.
    FlameData(&'a Params),
    /// The view that shows the problem of a finding.
    Finding(&'a Finding),
    /// One of a finding's places.
    FoundAt(&'a Finding, &'a Place),
    /// More about a part of the explanation, by the part's name.
    Part(&'a str),
}

/// The page around a view.
pub trait Links {
    /// The state of the view: the parameters of its address.
    fn params(&self) -> &Params;

    /// The path of the page, for the view's own controls.
    fn path(&self) -> &str;

    /// Whether the page is a file without a server behind it. The view then has no controls that need a server, and
    /// shows fewer rows.
    fn is_file(&self) -> bool;

    /// The address of a target, if it has one.
    fn to(&self, target: Target<'_>) -> Option<String>;

    /// What the evidence is called in sentences: `recording`.
    fn noun(&self) -> &'static str;

    /// Whether the view shows a range of time rather than everything.
    fn is_part(&self) -> bool;

    /// A name of the evidence as people write it: for example a frame without its module and signature.
    fn written(&self, name: &str) -> String;

    /// The names of one list as people write them, so that no two look the same.
    fn written_list(&self, names: &[&str]) -> Vec<String>;

    /// The address of this view in another state.
    fn here(&self, params: &Params) -> String {
        params.href(self.path())
    }
}
