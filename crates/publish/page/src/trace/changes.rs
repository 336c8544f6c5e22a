//! The tab of changes: two recordings compared. One sentence comes first, then what became of the findings, then the
//! most important rows by cause. All other rows are folded.

use super::own::{CHANGES, STACKS};
use super::pages::{TraceCtx, compare};
use base::number::real;
use maud::{Markup, html};
use report::unit::{duration, show};
use report::{Basis, Better, Change, ChangeVerdict, Diff, FindingChange, FindingState, Severity, Subject};
use std::borrow::Cow;
use views::Links;
use views::words::{counted_len, prose, unbroken};

/// The most rows of a folded list, unless the reader asks for all.
const FOLDED: usize = 50;
/// How many caveats are shown at once; the others are folded.
const CAVEATS: usize = 4;
/// The most rows of any list.
const ROWS: usize = 500;

/// The requested comparison: of a range of this recording or all of it, per second or per request.
fn asked<'a>(ctx: &TraceCtx<'a>) -> Option<Cow<'a, Diff>> {
    let earlier = ctx.kind().against.as_ref()?;
    let basis = if ctx.params.get("per") == Some("request") { Basis::Request } else { Basis::Duration };
    let range = ctx.is_part().then(|| ctx.span());
    if basis == Basis::Duration && range.is_none() {
        return ctx.kind().diff.as_ref().map(Cow::Borrowed);
    }
    Some(Cow::Owned(compare(earlier, ctx.here(), basis, range)))
}

/// The tab.
pub(crate) fn changes(ctx: &TraceCtx<'_>) -> Markup {
    let Some(diff) = asked(ctx) else {
        return html! { p.empty { "There is no other recording to compare with." } };
    };
    let subject = ctx.params.get("subject");
    let is_asked =
        |row: &&Change| row.subject != Subject::Finding && subject.is_none_or(|of| row.subject.name() == of);
    let first: Vec<&Change> =
        diff.grouped().into_iter().flat_map(|(_, rows)| rows).filter(is_asked).collect();
    let is_first = |row: &Change| first.iter().any(|of| std::ptr::eq(*of, row));
    let of = |verdict: ChangeVerdict| -> Vec<&Change> {
        let rows = diff.rows.iter().filter(|row| row.verdict == verdict && !is_first(row));
        rows.filter(is_asked).collect()
    };
    html! {
        h2 { "What changed" }
        p class=(format!("headline {}", tone_of(&diff))) { (unbroken(&diff.summary)) }
        (said(&diff))
        (findings(ctx, &diff.findings))
        (controls(ctx, &diff))
        @if !first.is_empty() { (list(ctx, "changes", "Read first", &first, ROWS)) }
        (folded(ctx, "further", "beyond noise", &of(ChangeVerdict::BeyondNoise)))
        (folded(ctx, "within", ChangeVerdict::WithinNoise.in_words(), &of(ChangeVerdict::WithinNoise)))
        (folded(ctx, "little", "with too little data to say", &of(ChangeVerdict::TooLittleData)))
        (notes(&diff))
    }
}

/// The most important rows and what they are based on, for the summary of a comparison, which has the sentence already.
pub(super) fn head(ctx: &TraceCtx<'_>, diff: &Diff) -> Markup {
    let first: Vec<&Change> = diff.grouped().into_iter().flat_map(|(_, rows)| rows).collect();
    html! {
        section.block.changed {
            h2 { a href=(ctx.address(CHANGES, &ctx.params.kept())) { "Figures that changed" } }
            (said(diff))
            @if !first.is_empty() { (list(ctx, "head", "Read first", &first, ROWS)) }
        }
    }
}

/// How the sentence of a comparison looks.
pub(super) fn tone_of(diff: &Diff) -> &'static str {
    match diff.verdict() {
        ChangeVerdict::BeyondNoise => "note",
        // Not good either: two recordings with the same problem do not differ.
        ChangeVerdict::WithinNoise | ChangeVerdict::TooLittleData => "unclear",
    }
}

/// What the sentence is based on, and the caveats.
fn said(diff: &Diff) -> Markup {
    let (before, after) = diff.observed_ns;
    let basis = match diff.basis {
        Basis::Duration => "amounts are per second",
        Basis::Request => "amounts are per request, except of counters that are published as rates",
    };
    let (first, more) = diff.caveats.split_at(diff.caveats.len().min(CAVEATS));
    let figures = counted_len(diff.figures(), "figure");
    html! {
        p.said {
            (figures) " compared, " (diff.comparisons) " of them with enough data to test whether the change is more than noise; "
            (duration(real(before) / 1e6)) " were recorded before, " (duration(real(after) / 1e6)) " after; " (basis)
            ". A number of threads is an average: 1.00 is one thread all the time. Beyond noise means: larger than the difference between two runs of the same service, corrected for "
            "the number of figures tested."
        }
        @if !diff.caveats.is_empty() {
            ul.caveats aria-label="Caveats" { @for caveat in first { li { (prose(caveat)) } } }
            @if !more.is_empty() {
                details.missing {
                    summary { (counted_len(more.len(), "more caveat")) }
                    ul.caveats { @for caveat in more { li { (prose(caveat)) } } }
                }
            }
        }
    }
}

/// What became of the findings; empty if there are none.
fn findings(ctx: &TraceCtx<'_>, findings: &[FindingChange]) -> Markup {
    let of = |state: FindingState| findings.iter().filter(move |of| of.state == state);
    let states =
        [(FindingState::New, "New"), (FindingState::Gone, "Gone"), (FindingState::Stayed, "Still there")];
    html! {
        @if !findings.is_empty() {
            h3 { "Findings" }
            dl.findings {
                @for (state, title) in states {
                    @if of(state).next().is_some() {
                        dt { (title) }
                        @for finding in of(state) { (finding_line(ctx, finding)) }
                    }
                }
            }
        }
    }
}

fn finding_line(ctx: &TraceCtx<'_>, of: &FindingChange) -> Markup {
    let severity = of.severity.1.or(of.severity.0).map_or("", Severity::name);
    let was = of.severity.0.filter(|was| of.severity.1.is_some_and(|is| is != *was));
    html! {
        dd class=(severity) {
            span.severity { (severity) } " "
            // The summary has a card of each, also of those that are gone.
            @if ctx.is_file() { (of.id) } @else { a href=(format!("{}#finding-{}", ctx.params.kept().href("/"), of.id)) { (of.id) } }
            @if let Some(was) = was { " (was " (was.name()) ")" }
            @if of.state == FindingState::Stayed { @if let Some(reason) = &of.reason { ": " (reason) } } @else { ": " (of.title) @if let Some(reason) = &of.reason { " (" (reason) ")" } }
        }
    }
}

/// A list that opens on a click; empty without rows.
fn folded(ctx: &TraceCtx<'_>, id: &'static str, what: &str, rows: &[&Change]) -> Markup {
    let is_whole = ctx.params.get("all").is_some() || ctx.is_file();
    let most = if is_whole { ROWS } else { FOLDED };
    let title = format!("{} {what}", counted_len(rows.len(), "row"));
    html! {
        @if !rows.is_empty() {
            details.missing {
                summary { (title) }
                (list(ctx, id, &title, rows, most))
                @if rows.len() > most && !is_whole {
                    p { a href=(ctx.params.with("all", "1").href(ctx.path)) { "Show all " (rows.len()) } }
                }
            }
        }
    }
}

fn controls(ctx: &TraceCtx<'_>, diff: &Diff) -> Markup {
    if ctx.is_file() {
        return html! {};
    }
    let rows = diff.rows.iter().filter(|row| row.subject != Subject::Finding);
    let mut subjects: Vec<&str> = rows.map(|row| row.subject.name()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let chosen = ctx.params.get("subject");
    let link = |name: &str, value: &str, title: &str, current: bool| {
        html! {
            a href=(ctx.params.with(name, value).href(ctx.path)) aria-current=[current.then_some("true")] { (title) }
        }
    };
    let per_request = ctx.params.get("per") == Some("request");
    html! {
        nav.shows aria-label="Per" {
            (link("per", "", "Per second", !per_request)) " " (link("per", "request", "Per request", per_request))
        }
        nav.shows aria-label="Subjects" {
            (link("subject", "", "all", chosen.is_none()))
            @for subject in subjects { " " (link("subject", subject, subject, chosen == Some(subject))) }
        }
    }
}

fn list(ctx: &TraceCtx<'_>, id: &'static str, title: &str, rows: &[&Change], most: usize) -> Markup {
    html! {
        div.toolbar {
            span.hint { (counted_len(rows.len(), "row")) @if rows.len() > most { ", the first " (most) " are shown" } }
            button.copy type="button" data-copy=(id) hidden { "Copy as CSV" }
        }
        div.scroll.changes tabindex="0" role="region" aria-label=(title) {
            table data-table=(id) data-complete[rows.len() <= most] {
                thead { tr {
                    th scope="col" data-column="cause" { "cause" }
                    th scope="col" data-column="what" { "what" }
                    th.num scope="col" data-column="before" { "before" }
                    th.num scope="col" data-column="after" { "after" }
                    th.num scope="col" data-column="change" { "change" }
                    th.num scope="col" data-column="ratio" { "relative" }
                    th scope="col" data-column="interval" { "95 % interval of the change" }
                    th scope="col" data-column="verdict" { "verdict" }
                } }
                tbody { @for row in rows.iter().take(most) { (change(ctx, row)) } }
            }
        }
    }
}

fn change(ctx: &TraceCtx<'_>, row: &Change) -> Markup {
    // On narrow screens each row is a card, so each value needs its column's name.
    let value = |label: &str, value: Option<f64>| {
        html! {
            @match value {
                Some(value) => td.num.(label) data-label=(label) data-v=(value) { (show(value, &row.unit)) },
                None => td.none.(label) data-label=(label) { span.quiet { "none" } },
            }
        }
    };
    // A unit that is a word is written only once, behind the second value.
    let unit = if row.unit == "share" { "points" } else { &row.unit };
    let bare = |text: &str| text.strip_suffix(&format!(" {unit}")).unwrap_or(text).to_owned();
    html! {
        tr class=(tone(row)) {
            td.text.cause { (row.group().name()) }
            td.text.what {
                (row.measure)
                @if !row.name.is_empty() { " " (name(ctx, row)) }
                @if let Some(reason) = &row.reason { p.hint { (reason) } }
            }
            (value("before", row.before)) (value("after", row.after))
            @match row.difference() {
                Some(difference) => td.num.change data-v=(difference) { (row.signed(difference)) },
                None => td.none.change { span.quiet { "none" } },
            }
            @match row.in_words() {
                words if words.is_empty() => td.none.relative { span.quiet { "none" } },
                words => td.num.relative data-v=[row.ratio()] { (words) },
            }
            td.interval data-label="95 % interval" { @if let Some((from, to)) = row.interval { (bare(&row.signed(from))) " to " (row.signed(to)) } }
            td.text.verdict { (row.verdict.in_words()) }
        }
    }
}

/// The class of a row: whether the change is good, if that is known.
fn tone(row: &Change) -> &'static str {
    let difference = row.difference().unwrap_or(0.0);
    match row.better {
        _ if row.verdict != ChangeVerdict::BeyondNoise => "unsure",
        Better::Lower if difference > 0.0 => "worse",
        Better::Higher if difference < 0.0 => "worse",
        Better::Neither => "other",
        _ => "better",
    }
}

/// The name, with a link to a flame graph of both recordings.
fn name(ctx: &TraceCtx<'_>, row: &Change) -> Markup {
    let short = match &row.label {
        Some(label) => stacks::short_written(label),
        None if row.name.contains('!') => stacks::short_name(&row.name),
        None => row.name.clone(),
    };
    let metric = row.metric.filter(|_| !ctx.is_file());
    let Some(metric) = metric else { return html! { span.name title=(row.name) { (short) } } };
    let mut params =
        ctx.params.kept().with("metric", metric).with("per", ctx.params.get("per").unwrap_or_default());
    match row.subject {
        Subject::Wait if metric == "waiting" && row.method.is_none() => params = params.with("on", &row.name),
        Subject::Threads if row.method.is_none() => params = params.with("thread", &row.name),
        _ => {}
    }
    if let Some(method) = row.found_by() {
        params = params.with("include", &format!("^{}$", regex::escape(method)));
    }
    if let Some(class) = &row.class {
        params = params.with("class", class);
    }
    html! { a.name href=(params.href(STACKS)) title=(row.name) { (short) } }
}

fn notes(diff: &Diff) -> Markup {
    html! {
        @if !diff.left_out.is_empty() {
            details.missing {
                summary { "Not listed, because they are too small or other rows say the same" }
                ul { @for (count, what) in &diff.left_out { li { (count) " of: " (what) } } }
            }
        }
        @if !diff.not_compared.is_empty() {
            details.missing { summary { "Not compared" }
                dl { @for of in &diff.not_compared { dt { (of.what) } dd { (of.why) } } } }
        }
    }
}
