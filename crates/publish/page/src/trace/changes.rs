//! The tab of changes: two recordings compared, in one list, the largest changes first.

use super::TraceCtx;
use super::exhibit::Exhibit;
use super::tabs::{CHANGES, STACKS};
use base::number::real;
use diff::{Options, Side};
use maud::{Markup, html};
use report::unit::{duration, show};
use report::{Basis, Better, Change, ChangeVerdict, Diff, Subject};
use std::borrow::Cow;
use std::cmp::Ordering;
use views::Links;
use views::words::counted;

/// Rows within the noise that are shown unless all are asked for.
const QUIET: usize = 10;
/// Rows of a page.
const ROWS: usize = 500;
/// Rows at the head of the summary.
const HEAD: usize = 5;

/// Compares an earlier recording with this one, all of both.
pub(crate) fn diff_of(earlier: &Exhibit, here: &Exhibit) -> Diff {
    compare(earlier, here, Basis::Duration, None)
}

fn compare(earlier: &Exhibit, here: &Exhibit, basis: Basis, range: Option<(i64, i64)>) -> Diff {
    diff::compare(&side(earlier, None), &side(here, range), &Options { basis })
}

fn side(of: &Exhibit, range: Option<(i64, i64)>) -> Side<'_> {
    Side { recording: &of.recording, index: &of.index, report: &of.explanation.report, range }
}

/// The comparison that the address asks for: of a range of this recording or all of it, per second or per request.
fn asked<'a>(ctx: &TraceCtx<'a>) -> Option<Cow<'a, Diff>> {
    let earlier = ctx.kind().against.as_ref()?;
    let basis = if ctx.params.get("per") == Some("request") { Basis::Request } else { Basis::Duration };
    let range = ctx.is_part().then(|| ctx.span());
    if basis == Basis::Duration && range.is_none() {
        return ctx.kind().diff.as_ref().map(Cow::Borrowed);
    }
    Some(Cow::Owned(compare(earlier, ctx.here(), basis, range)))
}

/// Whether a change is beyond noise, or a rule's own conclusion.
fn is_sure(row: &Change) -> bool {
    matches!(row.verdict, ChangeVerdict::BeyondNoise | ChangeVerdict::ByRule)
}

/// The tab.
pub(crate) fn changes(ctx: &TraceCtx<'_>) -> Markup {
    let Some(diff) = asked(ctx) else {
        return html! { p.empty { "There is no other recording to compare with." } };
    };
    let subject = ctx.params.get("subject");
    let all = ctx.params.get("all").is_some() || ctx.is_file();
    let rows: Vec<&Change> =
        diff.rows.iter().filter(|row| subject.is_none_or(|of| row.subject.name() == of)).collect();
    let (beyond, quiet): (Vec<&Change>, Vec<&Change>) = rows.into_iter().partition(|row| is_sure(row));
    let shown_quiet = if all { ROWS } else { QUIET };
    html! {
        h2 { "What changed" }
        (said(&diff))
        (controls(ctx, &diff))
        @if beyond.is_empty() { p.empty { "Nothing changed by more than the recordings vary by themselves." } }
        @else { (list(ctx, "changes", "Beyond noise", &beyond, ROWS)) }
        @if !quiet.is_empty() {
            h3 { "Within the noise, or too little data to tell" }
            (list(ctx, "quiet", "Within the noise", &quiet, shown_quiet))
            @if quiet.len() > shown_quiet {
                p { a href=(ctx.params.with("all", "1").href(ctx.path)) { "Show all " (quiet.len()) } }
            }
        }
        (notes(&diff))
    }
}

/// The largest changes, for the summary of a comparison.
pub(crate) fn head(ctx: &TraceCtx<'_>) -> Markup {
    let Some(diff) = &ctx.kind().diff else { return html! {} };
    let rows: Vec<&Change> = diff.rows.iter().filter(|row| is_sure(row)).collect();
    html! {
        section.block.changed {
            h2 { a href=(ctx.address(CHANGES, &ctx.params.kept())) { "What changed" } }
            (said(diff))
            @if !rows.is_empty() { (list(ctx, "head", "Largest changes", &rows, HEAD)) }
        }
    }
}

fn said(diff: &Diff) -> Markup {
    let (before, after) = diff.observed_ns;
    let rows = |verdict| counted(u64::try_from(diff.count(verdict)).unwrap_or(0), "row");
    let basis = match diff.basis {
        Basis::Duration => "amounts are by the second that was observed",
        Basis::Request => "amounts are by request",
    };
    html! {
        p.said {
            b { (rows(ChangeVerdict::BeyondNoise)) " beyond noise" } ", " (rows(ChangeVerdict::ByRule)) " by rule, " (rows(ChangeVerdict::WithinNoise)) " within it, "
            (rows(ChangeVerdict::TooLittleData)) " with too little data. "
            (duration(real(before) / 1e6)) " were observed before, " (duration(real(after) / 1e6)) " after; " (basis) "."
        }
        @if !diff.caveats.is_empty() {
            ul.caveats aria-label="Caveats" { @for caveat in &diff.caveats { li { (caveat) } } }
        }
    }
}

fn controls(ctx: &TraceCtx<'_>, diff: &Diff) -> Markup {
    if ctx.is_file() {
        return html! {};
    }
    let mut subjects: Vec<&str> = diff.rows.iter().map(|row| row.subject.name()).collect();
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
            (link("per", "", "By the second", !per_request)) " " (link("per", "request", "By request", per_request))
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
            span.hint { (counted(u64::try_from(rows.len()).unwrap_or(0), "row")) @if rows.len() > most { ", the first " (most) " are shown" } }
            button.copy type="button" data-copy=(id) hidden { "Copy as CSV" }
        }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table data-table=(id) data-complete[rows.len() <= most] {
                thead { tr {
                    th scope="col" data-column="what" { "what" }
                    th.num scope="col" data-column="before" { "before" }
                    th.num scope="col" data-column="after" { "after" }
                    th.num scope="col" data-column="change" { "change" }
                    th.num scope="col" data-column="ratio" { "ratio" }
                    th scope="col" data-column="interval" { "95 % interval of the change" }
                } }
                tbody { @for row in rows.iter().take(most) { (change(ctx, row)) } }
            }
        }
    }
}

fn change(ctx: &TraceCtx<'_>, row: &Change) -> Markup {
    let value = |value: Option<f64>| {
        html! {
            @match value {
                Some(value) if row.subject == Subject::Finding => td.num data-v=(value) { (severity(value)) },
                Some(value) => td.num data-v=(value) { (show(value, &row.unit)) },
                None => td.none { span.quiet { "none" } },
            }
        }
    };
    let signed = |value: f64| {
        let sign = match value.total_cmp(&0.0) {
            Ordering::Greater => "+",
            Ordering::Less => "−",
            Ordering::Equal => "",
        };
        format!("{sign}{}", show(value.abs(), &row.unit))
    };
    // A unit that is a word is written once.
    let bare = |text: &str| text.strip_suffix(&format!(" {}", row.unit)).unwrap_or(text).to_owned();
    html! {
        tr class=(tone(row)) {
            td.text.what {
                span.subject { (row.subject.name()) } " " @if row.subject != Subject::Finding { (row.measure) }
                @if !row.name.is_empty() { " " (name(ctx, row)) }
            }
            (value(row.before)) (value(row.after))
            @match row.difference() {
                Some(_) if row.subject == Subject::Finding => td.num.change { (row.measure) },
                Some(difference) => td.num.change data-v=(difference) { (signed(difference)) },
                None => td.none { span.quiet { "none" } },
            }
            @match row.ratio().filter(|_| row.subject != Subject::Finding) {
                Some(ratio) => td.num data-v=(ratio) { (ratio_in_words(ratio)) },
                None if row.before == Some(0.0) && row.subject != Subject::Finding => td.num { "new" },
                None => td.none { span.quiet { "none" } },
            }
            td.interval { @if let Some((from, to)) = row.interval { (bare(&signed(from))) " to " (signed(to)) } @else { (row.verdict.name()) } }
        }
    }
}

/// A ratio in at most three digits.
fn ratio_in_words(ratio: f64) -> String {
    match ratio {
        gone if gone <= 0.0 => "gone".to_owned(),
        large if large >= 100.0 => format!("× {large:.0}"),
        middle if middle >= 10.0 => format!("× {middle:.1}"),
        small => format!("× {small:.2}"),
    }
}

/// A finding's severity, as comparisons count it.
fn severity(value: f64) -> &'static str {
    match value {
        none if none < 0.5 => "–",
        note if note < 1.5 => "note",
        warning if warning < 2.5 => "warning",
        _ => "critical",
    }
}

/// Whether a change is for the better, if that can be said.
fn tone(row: &Change) -> &'static str {
    let difference = row.difference().unwrap_or(0.0);
    match row.better {
        _ if !is_sure(row) => "unsure",
        Better::Lower if difference > 0.0 => "worse",
        Better::Higher if difference < 0.0 => "worse",
        Better::Neither => "other",
        _ => "better",
    }
}

/// The name, with a link to a flame graph of both.
fn name(ctx: &TraceCtx<'_>, row: &Change) -> Markup {
    let short = if row.name.contains('!') { stacks::short_name(&row.name) } else { row.name.clone() };
    let is_finding = row.subject == Subject::Finding && !ctx.is_file();
    if is_finding && row.after.is_some_and(|after| after > 0.0) {
        let id = row.name.split(':').next().unwrap_or_default();
        return html! { a href=(format!("{}#finding-{id}", ctx.params.kept().href("/"))) { (row.name) } };
    }
    let metric = row.metric.filter(|_| !ctx.is_file());
    let Some(metric) = metric else { return html! { span.name title=(row.name) { (short) } } };
    let mut params =
        ctx.params.kept().with("metric", metric).with("per", ctx.params.get("per").unwrap_or_default());
    match row.subject {
        Subject::Wait if metric == "waiting" && row.method.is_none() => params = params.with("on", &row.name),
        Subject::Threads if row.method.is_none() => params = params.with("thread", &row.name),
        _ => {}
    }
    if let Some(method) = &row.method {
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
            p.loss { "Not listed, since they weigh too little: "
                @for (at, (count, what)) in diff.left_out.iter().enumerate() { @if at > 0 { ", " } (count) " " (what) } "." }
        }
        @if !diff.not_compared.is_empty() {
            details.missing { summary { "Not compared" }
                dl { @for of in &diff.not_compared { dt { (of.what) } dd { (of.why) } } } }
        }
    }
}
