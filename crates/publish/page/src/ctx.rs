//! What a page is drawn from: the exhibit, the address, the tab.

use crate::kind::{KindOfPages, Tab};
use crate::site::{ROWS, Site};
use crate::sqlpage;
use views::{Links, Params, Target};

/// One page of a site.
#[derive(Debug)]
pub(crate) struct Ctx<'a, K: KindOfPages> {
    /// The site.
    pub(crate) site: &'a Site<K>,
    /// The state of the view.
    pub(crate) params: &'a Params,
    /// The path that was asked for.
    pub(crate) path: &'a str,
    /// The tab of this path, if there is one and it is shown.
    pub(crate) tab: Option<&'static Tab<K>>,
    /// Whether the page is one file, without a server behind it.
    pub(crate) file: bool,
}

impl<'a, K: KindOfPages> Ctx<'a, K> {
    /// What the page is of.
    pub(crate) fn kind(&self) -> &'a K {
        &self.site.kind
    }

    /// The requested range in nanoseconds, half-open; always `(None, None)` for evidence without an extent in time.
    pub(crate) fn range(&self) -> (Option<i64>, Option<i64>) {
        if K::TIME.is_some() { self.params.range() } else { (None, None) }
    }

    /// The range in view, in nanoseconds: at least a nanosecond long.
    pub(crate) fn span(&self) -> (i64, i64) {
        let end = self.duration_ns();
        let (from, to) = self.range();
        let from = from.unwrap_or_else(|| to.map_or(0, |to| to.saturating_sub(1).min(0)));
        (from, to.unwrap_or_else(|| end.max(from.saturating_add(1))))
    }

    /// How long the evidence is: at least a nanosecond.
    pub(crate) fn duration_ns(&self) -> i64 {
        self.kind().tables().exhibit().duration_ns.max(1)
    }

    /// Whether a range was chosen.
    pub(crate) fn is_part(&self) -> bool {
        self.range() != (None, None)
    }

    /// A condition of SQL: a column of times is in the chosen range. `true` if none was chosen.
    pub(crate) fn during(&self, column: &str) -> String {
        let (from, to) = self.range();
        let from = from.map(|ns| format!("{column} >= {ns}"));
        let to = to.map(|ns| format!("{column} < {ns}"));
        let both: Vec<String> = from.into_iter().chain(to).collect();
        if both.is_empty() { String::from("true") } else { both.join(" and ") }
    }

    /// The address of a tab with parameters; in a page of one file that of its section.
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
                let place = K::PARTS.iter().find(|part| part.id == id)?;
                let tab = self.site.tab(place.tab)?;
                Some(self.address(tab.path, &self.params.kept()))
            }
            Target::Query(_) | Target::Rows(_) if self.file => None,
            Target::Query(sql) => Some(self.params.kept().with("q", sql).href(sqlpage::PATH)),
            Target::Rows(table) => Some(self.params.with("table", table).with("of", self.path).href(ROWS)),
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
        K::written(name)
    }
}
