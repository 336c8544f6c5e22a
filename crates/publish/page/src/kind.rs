//! What a kind of evidence says of its pages ([`KindOfPages`]), and the page that its functions draw ([`Ctx`]).
//!
//! Tabs are data ([`Tab`]), so that everything outside a kind's folder works for every kind and knows no particular
//! tab. The trait and the context share a file because each is defined in terms of the other.

use crate::paths;
use crate::reply::Reply;
use crate::slots::QuerySlots;
use maud::{Markup, html};
use model::Tables;
use report::{Explanation, Finding};
use std::fmt::Debug;
use std::sync::Arc;
use timeline::{Lane, Span};
use views::{Links, Params, TableView, Target};

/// A kind of evidence that has pages.
pub(crate) trait KindOfPages: Debug + Send + Sync + Sized + 'static {
    /// What only tabs of this kind have.
    type Own: Debug + 'static;

    /// What the evidence is called in sentences: `recording`.
    const NOUN: &'static str;
    /// All tabs, in order. The first has the path `/`.
    const TABS: &'static [Tab<Self>];
    /// Title and tab of each part of the explanation.
    const PARTS: &'static [PartPlace];
    /// The time line. `None` for evidence without an extent in time: its pages have no time bar and no range.
    const TIME: Option<TimeLine<Self>>;
    /// Addresses besides the tabs.
    const FURTHER: &'static [Further<Self>] = &[];
    /// Questions that the SQL tab offers.
    const QUESTIONS: &'static [Question];

    /// The tables of the evidence.
    fn tables(&self) -> &Arc<dyn Tables>;

    /// The explanation of the evidence.
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
    fn written(&self, name: &str) -> String {
        name.to_owned()
    }

    /// The names of one list as people write them.
    fn written_list(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.written(name)).collect()
    }

    /// What a tab shows first, if the whole of it is not the best beginning.
    fn opens(_ctx: &Ctx<'_, Self>, _tab: &Tab<Self>) -> Option<Params> {
        None
    }

    /// Whether a page shows its time line only on request, because it already shows one that says more.
    fn folds_time_line(_ctx: &Ctx<'_, Self>) -> bool {
        false
    }

    /// Pictures that prove a finding, on its card.
    fn proof(_ctx: &Ctx<'_, Self>, _finding: &Finding) -> Markup {
        html! {}
    }

    /// The lanes that decide what the findings say, the most important first.
    fn deciding_lanes(&self) -> Vec<&'static str> {
        Vec::new()
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

/// A question, and the query that answers it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) text: &'static str,
    pub(crate) sql: &'static str,
}

/// A tab.
#[derive(Debug)]
pub(crate) struct Tab<K: KindOfPages> {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its name in the list of tabs.
    pub(crate) title: &'static str,
    /// When it is shown. A hidden tab is not listed and has no page.
    pub(crate) shown: Shown<K>,
    /// The lanes that its time bar shows at once; the others are one click away.
    pub(crate) lanes: &'static [&'static str],
    /// The parts whose figures stand at the top of a tab of tables.
    pub(crate) parts: &'static [&'static str],
    /// What stands above the time bar.
    pub(crate) above: Option<fn(&Ctx<'_, K>) -> Markup>,
    /// Its content.
    pub(crate) body: Body<K>,
    /// What a page of one file shows of it.
    pub(crate) in_file: InFile<K>,
    /// The address of data that the page's script requests first.
    pub(crate) preload: Option<AddressOf<K>>,
    /// What only tabs of this kind have.
    pub(crate) own: K::Own,
}

/// When a tab is shown.
#[derive(Debug)]
pub(crate) enum Shown<K> {
    /// Always.
    Always,
    /// If any of these tables has rows.
    Rows(&'static [&'static str]),
    /// If the condition holds.
    If(fn(&K) -> bool),
}

/// A table of a tab. The function takes the range and the reader's choices from the address.
pub(crate) type TableOf<K> = fn(&Ctx<'_, K>) -> TableView;

/// An address that a tab refers to. `None` if it has none in the present state.
pub(crate) type AddressOf<K> = fn(&Ctx<'_, K>) -> Option<String>;

/// The content of a tab.
#[derive(Debug)]
pub(crate) enum Body<K: KindOfPages> {
    /// Drawn by a function.
    Drawn(fn(&Ctx<'_, K>) -> Markup),
    /// The figures of its parts, then these tables.
    Tables(&'static [TableOf<K>]),
}

/// What a page of one file shows of a tab.
#[derive(Debug)]
pub(crate) enum InFile<K: KindOfPages> {
    /// The same as a served page.
    Same,
    /// Pictures with their data, in as much detail as the file has room for.
    Pictures(fn(&Ctx<'_, K>, Detail) -> Section),
    /// Nothing: the tab needs a server.
    Nothing,
}

/// How detailed the pictures of a file are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// The smallest share of a picture that is drawn. Smaller parts are left out and counted.
    pub(crate) least_share: f64,
    /// The most nodes of a picture.
    pub(crate) most_nodes: usize,
}

/// A tab in a page of one file.
#[derive(Debug)]
pub(crate) struct Section {
    /// The tab's content.
    pub(crate) body: Markup,
    /// Data for script; it stands at the end of the file.
    pub(crate) data: String,
}

/// The time line of a kind.
#[derive(Debug)]
pub(crate) struct TimeLine<K> {
    /// The whole extent in time.
    pub(crate) whole: fn(&K) -> Span,
    /// The lanes of a range, in as many pieces as views draw.
    pub(crate) lanes: fn(&K, Span) -> Arc<Vec<Lane>>,
    /// The lanes that pages without a tab show at once.
    pub(crate) usual: &'static [&'static str],
}

/// An address besides the tabs: data for script, or a page that is reached by links only.
#[derive(Debug)]
pub(crate) struct Further<K: KindOfPages> {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its answer.
    pub(crate) answer: fn(&Ctx<'_, K>) -> Reply,
}

/// Title and tab of a part of the explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartPlace {
    /// The part's id.
    pub(crate) id: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
    /// The path of the tab that shows more of it.
    pub(crate) tab: &'static str,
    /// The list whose first rows the summary shows.
    pub(crate) first: Option<&'static str>,
}

impl PartPlace {
    /// The place of a part, if the kind has one for it.
    pub(crate) fn of<K: KindOfPages>(id: &str) -> Option<&'static Self> {
        K::PARTS.iter().find(|place| place.id == id)
    }
}

impl<K: KindOfPages> Tab<K> {
    /// The tables of a tab of tables; none of any other tab.
    pub(crate) fn tables(&self) -> &'static [TableOf<K>] {
        match self.body {
            Body::Drawn(_) => &[],
            Body::Tables(tables) => tables,
        }
    }
}

/// The pages of one exhibit.
#[derive(Debug)]
pub(crate) struct Site<K> {
    /// The evidence that the pages show.
    pub(crate) kind: K,
    /// What there is to see, if the exhibit is part of a tour.
    pub(crate) about: Option<String>,
    /// The words of the link to the page above, if they are not "All recordings".
    pub(crate) up: Option<&'static str>,
    /// The readers' queries that run now.
    pub(crate) queries: QuerySlots,
}

impl<K: KindOfPages> Site<K> {
    /// The pages of an exhibit that is not part of a tour.
    pub(crate) fn new(kind: K) -> Self {
        Self { kind, about: None, up: None, queries: QuerySlots::default() }
    }

    /// The tab at a path. `None` if there is no such tab or it is hidden.
    pub(crate) fn tab(&self, path: &str) -> Option<&'static Tab<K>> {
        self.shown_tabs().find(|tab| tab.path == path)
    }

    /// The tabs that are shown.
    pub(crate) fn shown_tabs(&self) -> impl Iterator<Item = &'static Tab<K>> + '_ {
        let has_rows = |name: &&str| self.kind.tables().table(name).is_some_and(|table| table.rows > 0);
        K::TABS.iter().filter(move |tab| match tab.shown {
            Shown::Always => true,
            Shown::Rows(names) => names.iter().any(has_rows),
            Shown::If(holds) => holds(&self.kind),
        })
    }
}

/// One page of a site: what an address asks for.
#[derive(Debug)]
pub(crate) struct Ctx<'a, K: KindOfPages> {
    /// The site.
    pub(crate) site: &'a Site<K>,
    /// The state of the view.
    pub(crate) params: &'a Params,
    /// The requested path.
    pub(crate) path: &'a str,
    /// The tab at this path. `None` if there is none or it is hidden.
    pub(crate) tab: Option<&'static Tab<K>>,
    /// Whether the page is a section of one file, without a server behind it.
    pub(crate) file: bool,
}

impl<'a, K: KindOfPages> Ctx<'a, K> {
    /// The evidence that the page shows.
    pub(crate) fn kind(&self) -> &'a K {
        &self.site.kind
    }

    /// The requested range in nanoseconds, half-open; always `(None, None)` for evidence without an extent in time.
    pub(crate) fn range(&self) -> (Option<i64>, Option<i64>) {
        if K::TIME.is_some() { self.params.range() } else { (None, None) }
    }

    /// The range in view, in nanoseconds. It is never empty.
    pub(crate) fn span(&self) -> (i64, i64) {
        let end = self.duration_ns();
        let (from, to) = self.range();
        // Without a start the view begins at 0, or just before an end that lies earlier.
        let from = from.unwrap_or_else(|| to.map_or(0, |to| to.saturating_sub(1).min(0)));
        (from, to.unwrap_or_else(|| end.max(from.saturating_add(1))))
    }

    /// The duration of the evidence, at least one nanosecond.
    pub(crate) fn duration_ns(&self) -> i64 {
        self.kind().tables().exhibit().duration_ns.max(1)
    }

    /// Whether the page begins with the verdict, as that of the summary does. One file with all sections begins with its name.
    pub(crate) fn begins_with_verdict(&self) -> bool {
        let has_verdict = self.kind().explanation().verdict.is_some();
        let is_first = K::TABS.first().is_some_and(|first| first.path == self.path);
        has_verdict && is_first && !self.file
    }

    /// Where the link of a tab leads.
    pub(crate) fn opening(&self, tab: &Tab<K>) -> String {
        let kept = self.params.kept();
        K::opens(self, tab).unwrap_or(kept).href(tab.path)
    }

    /// Whether a range was requested.
    pub(crate) fn is_part(&self) -> bool {
        self.range() != (None, None)
    }

    /// The SQL condition that a column of times lies in the requested range; `true` if none was requested.
    pub(crate) fn during(&self, column: &str) -> String {
        let (from, to) = self.range();
        let from = from.map(|ns| format!("{column} >= {ns}"));
        let to = to.map(|ns| format!("{column} < {ns}"));
        let both: Vec<String> = from.into_iter().chain(to).collect();
        if both.is_empty() { String::from("true") } else { both.join(" and ") }
    }

    /// The address of a tab with parameters; in a page of one file, of the tab's section.
    pub(crate) fn address(&self, path: &str, params: &Params) -> String {
        if self.file { format!("#{}", section(path)) } else { params.href(path) }
    }
}

/// The name of a tab's section in a page of one file.
pub(crate) fn section(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => "summary",
        name => name,
    }
}

impl<K: KindOfPages> Links for Ctx<'_, K> {
    fn params(&self) -> &Params {
        self.params
    }

    fn path(&self) -> &str {
        self.path
    }

    fn is_file(&self) -> bool {
        self.file
    }

    fn to(&self, target: Target<'_>) -> Option<String> {
        match target {
            Target::Part(id) => {
                let tab = self.site.tab(PartPlace::of::<K>(id)?.tab)?;
                Some(self.address(tab.path, &self.params.kept()))
            }
            Target::Query(_) | Target::Rows(_) if self.file => None,
            Target::Query(sql) => Some(self.params.kept().with("q", sql).href(paths::SQL)),
            Target::Rows(table) => {
                Some(self.params.with("table", table).with("of", self.path).href(paths::ROWS))
            }
            other => K::to(self, other),
        }
    }

    fn noun(&self) -> &'static str {
        K::NOUN
    }

    fn is_part(&self) -> bool {
        Ctx::is_part(self)
    }

    fn written(&self, name: &str) -> String {
        self.kind().written(name)
    }

    fn written_list(&self, names: &[&str]) -> Vec<String> {
        self.kind().written_list(names)
    }
}
