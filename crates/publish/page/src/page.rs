//! The frame of every page: heading, tabs, time line, and what the tab shows.

use crate::assets;
use crate::exhibit::Exhibit;
use crate::params::{Params, place, seconds};
use crate::words::percent;
use crate::{Pages, stackview, summary, timebar};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use report::Heading;

/// What a page is drawn from.
#[derive(Debug)]
pub(crate) struct Ctx<'a> {
    /// Both recordings.
    pub(crate) pages: &'a Pages,
    /// The state of the view.
    pub(crate) params: &'a Params,
    /// The tab's address.
    pub(crate) path: &'a str,
    /// Whether the page is one file, without a server behind it.
    pub(crate) file: bool,
}

/// A tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tab {
    /// Its address.
    pub(crate) path: &'static str,
    /// Its name.
    pub(crate) title: &'static str,
}

/// The tabs in their order.
pub(crate) const TABS: [Tab; 14] = [
    Tab { path: "/", title: "Summary" },
    Tab { path: "/diff", title: "Changes" },
    Tab { path: "/stacks", title: "Stacks" },
    Tab { path: "/gc", title: "GC" },
    Tab { path: "/allocations", title: "Allocations" },
    Tab { path: "/requests", title: "Requests" },
    Tab { path: "/locks", title: "Locks and waits" },
    Tab { path: "/exceptions", title: "Exceptions" },
    Tab { path: "/jit", title: "JIT" },
    Tab { path: "/threads", title: "Threads" },
    Tab { path: "/logs", title: "Logs" },
    Tab { path: "/counters", title: "Counters" },
    Tab { path: "/events", title: "Events" },
    Tab { path: "/sql", title: "SQL" },
];

impl<'a> Ctx<'a> {
    /// The recording that the page is of.
    pub(crate) fn here(&self) -> &'a Exhibit {
        &self.pages.here
    }

    /// Whether the page is one file.
    pub(crate) fn is_file(&self) -> bool {
        self.file
    }

    /// The range of time that is looked at, in nanoseconds: at least a nanosecond long.
    pub(crate) fn span(&self) -> (i64, i64) {
        let end = self.here().recording.exhibit.duration_ns.max(1);
        let (from, to) = self.params.range();
        let from = from.unwrap_or_else(|| to.map_or(0, |to| to.saturating_sub(1).min(0)));
        (from, to.unwrap_or_else(|| end.max(from.saturating_add(1))))
    }

    /// Whether a range of time was chosen.
    pub(crate) fn is_part(&self) -> bool {
        self.params.range() != (None, None)
    }

    /// A condition of SQL on a column of times; nothing where all of the time is looked at.
    pub(crate) fn during(&self, column: &str) -> String {
        let (from, to) = self.params.range();
        let from = from.map(|ns| format!("{column} >= {ns}"));
        let to = to.map(|ns| format!("{column} < {ns}"));
        let both: Vec<String> = from.into_iter().chain(to).collect();
        if both.is_empty() { String::from("true") } else { both.join(" and ") }
    }

    /// Where a link to a view leads; in a page of one file to its section.
    pub(crate) fn to(&self, path: &str, params: &Params) -> String {
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

/// A whole page of a tab.
pub(crate) fn whole(ctx: &Ctx<'_>, title: &str, body: &Markup) -> String {
    let exhibit = ctx.here();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · " (exhibit.name()) " · Casebook" }
                (assets::links())
                @if let Some(data) = stackview::data(ctx) { link rel="preload" as="fetch" crossorigin="anonymous" href=(data); }
            }
            body.page {
                a.skip href="#main" { "Skip to the content" }
                (heading(ctx))
                (tabs(ctx))
                @if ctx.path == "/" { (summary::headline(exhibit)) }
                (timebar::bar(ctx))
                main #main { (body) }
                (footer())
            }
        }
    }
    .into_string()
}

/// A page of one file: every section below the other; script shows one at a time.
pub(crate) fn one_file(ctx: &Ctx<'_>, sections: &[(Tab, Markup)], data: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (ctx.here().name()) " · Casebook" }
                style { (PreEscaped(assets::STYLE)) }
            }
            body.page.file data-file="" {
                a.skip href="#main" { "Skip to the content" }
                (heading(ctx))
                nav.tabs aria-label="Views" { @for (tab, _) in sections { a href=(ctx.to(tab.path, ctx.params)) { (tab.title) } } }
                main #main {
                    @for (tab, body) in sections {
                        section.view #(section(tab.path)) data-view=(section(tab.path)) { (body) }
                    }
                }
                (footer())
                (data)
                (PreEscaped(assets::inline()))
            }
        }
    }
    .into_string()
}

fn heading(ctx: &Ctx<'_>) -> Markup {
    let Heading { subject, recorded, losses, .. } = &ctx.here().heading;
    html! {
        header.top {
            div.title {
                @if ctx.pages.about.is_some() { a.brand href="../" { "Casebook" } } @else { span.brand { "Casebook" } }
                h1 { (ctx.here().name()) }
                @if let Some(other) = &ctx.pages.against { span.against { "against " (other.name()) } }
                button type="button" data-theme-toggle="" hidden { "Light or dark" }
            }
            p.facts { (subject.join(" · ")) }
            p.facts { (recorded) }
            @if let Some(about) = &ctx.pages.about { p.about { (about) " " a href="../" { "All recordings" } } }
            @if losses.is_empty() { p.facts.whole { "Lost: " (report::NOTHING_LOST) } }
            @else {
                details.loss {
                    summary { "Lost: " (losses.first().map_or("", String::as_str))
                        @if losses.len() > 1 { " (and " (losses.len() - 1) " more)" } }
                    ul { @for sentence in losses { li { (sentence) } } }
                }
            }
        }
    }
}

fn tabs(ctx: &Ctx<'_>) -> Markup {
    let kept = ctx.params.kept();
    html! {
        nav.tabs aria-label="Views" {
            @for tab in TABS.iter().filter(|tab| ctx.pages.has(tab.path)) {
                a href=(kept.href(tab.path)) aria-current=[(tab.path == ctx.path).then_some("page")] { (tab.title) }
            }
        }
    }
}

fn footer() -> Markup {
    html! { footer.hint { "Times are counted from the recording's start. A value that the recording cannot give is missing, never 0." } }
}

/// The range of time in words, and the form that changes it without script.
pub(crate) fn range_form(ctx: &Ctx<'_>) -> Markup {
    let (from, to) = ctx.span();
    let rest = ctx.params.without(&["from", "to", "root"]);
    let chosen = ctx.is_part();
    // The end of the whole recording in milliseconds: nobody chose its last nanosecond.
    let to = if chosen { to } else { to.saturating_add(999_999) / 1_000_000 * 1_000_000 };
    html! {
        form.range method="get" action=(place(ctx.path)) {
            @for (name, value) in rest.pairs() { input type="hidden" name=(name) value=(value); }
            label { "From " input type="number" name="from" step="any" min="0" value=(seconds(from)); " s" }
            label { "to " input type="number" name="to" step="any" min="0" value=(seconds(to)); " s" }
            button type="submit" { "Show" }
            @if chosen {
                a.whole href=(rest.href(ctx.path)) { "Whole recording" }
                span.hint { (percent(timebar::selected_share(ctx), 1.0)) " of it is selected" }
            }
        }
    }
}
