//! What a kind of evidence says of its pages: its tabs as data, and what only the kind knows.
//!
//! Everything else about pages works for every kind. No function knows a particular tab: whatever is peculiar to a tab
//! stands in its [`Tab`].

use crate::Reply;
use crate::ctx::Ctx;
use maud::{Markup, html};
use model::Tables;
use report::Explanation;
use std::fmt::Debug;
use std::sync::Arc;
use timeline::{Lane, Span};
use views::{TableSpec, Target};

/// A kind of evidence that has pages.
pub(crate) trait KindOfPages: Debug + Send + Sync + Sized + 'static {
    /// What tabs of this kind alone say of themselves.
    type Own: Debug + 'static;

    /// What the evidence is called in sentences: `recording`.
    const NOUN: &'static str;
    /// All tabs, in their order. The first has the path `/`.
    const TABS: &'static [Tab<Self>];
    /// The parts in figures, each with its title and its tab.
    const PARTS: &'static [PartPlace];
    /// The time line. `None` for evidence without an extent in time: its pages have no time bar and no range.
    const TIME: Option<TimeLine<Self>>;
    /// What is answered beside the tabs.
    const FURTHER: &'static [Further<Self>] = &[];
    /// Questions that the page of SQL begins with, each with a query that answers it.
    const QUESTIONS: &'static [(&'static str, &'static str)];

    /// The tables.
    fn tables(&self) -> &Arc<dyn Tables>;

    /// What is said of the evidence.
    fn explanation(&self) -> &Explanation;

    /// The name of the evidence that this one is compared with.
    fn against(&self) -> Option<&str> {
        None
    }

    /// The address of a target that only this kind knows.
    fn to(_ctx: &Ctx<'_, Self>, _target: Target<'_>) -> Option<String> {
        None
    }

    /// A name of the evidence as people write it.
    fn written(name: &str) -> String {
        name.to_owned()
    }

    /// What stands between the figures and the tables of a tab of tables.
    fn above_tables(_ctx: &Ctx<'_, Self>) -> Markup {
        html! {}
    }

    /// What stands below the tables of a tab of tables.
    fn below_tables(_ctx: &Ctx<'_, Self>) -> Markup {
        html! {}
    }
}

/// A tab: all that is said of it.
#[derive(Debug)]
pub(crate) struct Tab<K: KindOfPages> {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its name.
    pub(crate) title: &'static str,
    /// When there is anything on it. Otherwise it is not listed and has no page.
    pub(crate) shown: Shown<K>,
    /// The lanes that its time bar shows first; the others are a click away.
    pub(crate) lanes: &'static [&'static str],
    /// The parts whose figures a tab of tables begins with.
    pub(crate) parts: &'static [&'static str],
    /// What stands above the time bar.
    pub(crate) above: Option<fn(&Ctx<'_, K>) -> Markup>,
    /// What it shows.
    pub(crate) body: Body<K>,
    /// What a page of one file shows of it.
    pub(crate) in_file: InFile<K>,
    /// The address of data that the page's script asks for at once.
    pub(crate) preload: Option<AddressOf<K>>,
    /// What tabs of this kind alone say.
    pub(crate) own: K::Own,
}

/// When a tab is shown.
#[derive(Debug)]
pub(crate) enum Shown<K> {
    /// Always.
    Always,
    /// If any of these tables has rows.
    Rows(&'static [&'static str]),
    /// If this holds.
    If(fn(&K) -> bool),
}

/// A table of a tab. It reads the range and the reader's choice from the address.
pub(crate) type TableOf<K> = fn(&Ctx<'_, K>) -> TableSpec;

/// An address that a tab leads to, if it has one in this state.
pub(crate) type AddressOf<K> = fn(&Ctx<'_, K>) -> Option<String>;

/// What a tab shows.
#[derive(Debug)]
pub(crate) enum Body<K: KindOfPages> {
    /// Whatever the function draws.
    Drawn(fn(&Ctx<'_, K>) -> Markup),
    /// The figures of its parts, then these tables.
    Tables(&'static [TableOf<K>]),
}

/// What a page of one file shows of a tab.
#[derive(Debug)]
pub(crate) enum InFile<K: KindOfPages> {
    /// The same as a served page.
    Same,
    /// Pictures with their data, as finely as the file has room for.
    Pictures(fn(&Ctx<'_, K>, Detail) -> Section),
    /// Nothing: it needs a server.
    Nothing,
}

/// How fine the pictures of a file are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// The smallest share of a picture that is kept; what is smaller is left out and counted.
    pub(crate) least_share: f64,
    /// The most nodes of a picture.
    pub(crate) most_nodes: usize,
}

/// A tab in a page of one file.
#[derive(Debug)]
pub(crate) struct Section {
    /// What is shown.
    pub(crate) body: Markup,
    /// Data for script, which stands at the end of the file.
    pub(crate) data: String,
}

/// The time line of a kind.
#[derive(Debug)]
pub(crate) struct TimeLine<K> {
    /// All of the time.
    pub(crate) whole: fn(&K) -> Span,
    /// The lanes of a range, in as many pieces as views draw.
    pub(crate) lanes: fn(&K, Span) -> Arc<Vec<Lane>>,
    /// The lanes shown first on a page that is not a tab.
    pub(crate) usual: &'static [&'static str],
}

/// An answer that is not a tab: data for script, or a page that only links lead to.
#[derive(Debug)]
pub(crate) struct Further<K: KindOfPages> {
    /// Its path.
    pub(crate) path: &'static str,
    /// The answer.
    pub(crate) answer: fn(&Ctx<'_, K>) -> Reply,
}

/// Where a part in figures belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartPlace {
    /// The part's name.
    pub(crate) id: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
    /// The path of the tab that shows more of it.
    pub(crate) tab: &'static str,
    /// The list whose first rows the summary shows.
    pub(crate) first: Option<&'static str>,
}

impl<K: KindOfPages> Tab<K> {
    /// The tables of a tab of tables.
    pub(crate) fn tables(&self) -> &'static [TableOf<K>] {
        match self.body {
            Body::Drawn(_) => &[],
            Body::Tables(tables) => tables,
        }
    }
}
