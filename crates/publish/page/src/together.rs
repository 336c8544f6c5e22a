//! A load run with the recording of the service during it: a first page that shows both on one time axis, and below it the pages of
//! each.
//!
//! ```text
//! /         which seconds were slow, and what the service did then: latency and lanes below each other
//! /load/…   the pages of the load run
//! /trace/…  the pages of the recording
//! ```

use crate::kind::{Ctx, KindOfPages, Site};
use crate::load::LoadPages;
use crate::reply::Reply;
use crate::site::AnySite;
use crate::trace::TracePages;
use crate::{assets, frame, shorten};
use base::number::real;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use meanwhile::{Meanwhile, Moment, Overlap};
use model::{Load, Trace};
use report::unit::{duration, show};
use report::{Explanation, State, Verdict};
use runtime::MyCode;
use std::sync::Arc;
use timeline::{Lane, Span};
use views::lanes::PIECES;
use views::{Links, Params, Target, cards, seconds};

/// Lanes of the recording that stand below the latency, if there are no better ones.
const LANES: [&str; 5] = ["gc", "workers", "queue", "waiting", "cores"];
/// The most lanes of the recording.
const MOST_LANES: usize = 7;
/// Lanes of the load run that stand below its latency.
const RATE: &str = "rate";
const FAILURES: &str = "failures";
/// The folders of the pages.
const LOAD: &str = "load";
const TRACE: &str = "trace";
/// The words of the link from them to the first page.
const UP: &str = "Load run and recording together";

/// A load run and the recording that was made during it.
#[derive(Debug)]
pub struct Together {
    name: String,
    load: Site<LoadPages>,
    trace: Site<TracePages>,
    /// All of both.
    span: Span,
    /// `None` if they are not of one time.
    meanwhile: Option<Meanwhile>,
}

impl Together {
    /// Explains both. `name` is what they are called together.
    pub fn new(name: &str, load: &Arc<Load>, trace: &Arc<Trace>, mine: &MyCode) -> Self {
        let span = meanwhile::whole(load, trace);
        let mut pages = (
            Site::new(LoadPages::new(Arc::clone(load))),
            Site::new(TracePages::new(Arc::clone(trace), None, mine)),
        );
        let findings = &pages.1.kind.explanation().report.findings;
        let meanwhile = meanwhile::meanwhile(load, trace, findings);
        (pages.0.up, pages.1.up) = (Some(UP), Some(UP));
        pages.0.set_about("The service was recorded during this run.");
        pages.1.set_about("Recorded during a load run.");
        Self { name: name.to_owned(), load: pages.0, trace: pages.1, span, meanwhile }
    }

    /// The explanation of the recording.
    pub fn explanation(&self) -> &Explanation {
        self.trace.kind.explanation()
    }

    /// Answers an address: a path, and its decoded parameters.
    pub fn answer(&self, path: &str, query: &[(String, String)]) -> Reply {
        if path == "/" {
            return Reply::page(&self.served(), String::new);
        }
        if path.starts_with("/assets/") {
            return assets::reply(path);
        }
        match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
            Some((LOAD, rest)) => self.load.answer(&format!("/{rest}"), query),
            Some((TRACE, rest)) => self.trace.answer(&format!("/{rest}"), query),
            _ => Reply { status: 404, ..Reply::page(&self.served(), String::new) },
        }
    }

    /// The first page as one file that needs no server.
    pub fn file(&self) -> String {
        let body = self.body(true).into_string();
        let nonce = assets::nonce(&body);
        let style = html! {
            meta http-equiv="Content-Security-Policy" content=(assets::policy(&nonce));
            style nonce=(nonce) { (PreEscaped(assets::style())) }
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (frame::head(&format!("{} · Casebook", self.name), &style))
                body.page.file { (PreEscaped(body)) (PreEscaped(assets::inline(&nonce))) }
            }
        };
        shorten::file_within(&page.into_string(), shorten::FILE_BYTES)
    }

    fn served(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                (frame::head(&format!("{} · Casebook", self.name), &assets::links()))
                body.page { (self.body(false)) }
            }
        }
        .into_string()
    }

    fn body(&self, file: bool) -> Markup {
        let params = Params::default();
        let load = Ctx { site: &self.load, params: &params, path: "/", tab: self.load.tab("/"), file };
        let trace = Ctx { site: &self.trace, params: &params, path: "/", tab: self.trace.tab("/"), file };
        html! {
            a.skip href="#main" { "Skip to the content" }
            (self.heading())
            @if !file {
                nav.tabs aria-label="Views" {
                    a href="./" aria-current="page" { "Together" }
                    a href="load/" { "Load run" }
                    a href="trace/" { "Recording" }
                }
            }
            (self.verdicts())
            main #main {
                (self.what_happened())
                (self.pictures())
                (self.slowest(file))
                (findings("What the load run shows", &Within { ctx: &load, folder: LOAD }))
                (findings("What the recording shows", &Within { ctx: &trace, folder: TRACE }))
            }
            footer.hint {
                "Times are counted from the recording's start. "
                @if let Some(of) = &self.meanwhile { (of.clock) " " }
                @if file { "This file has the first page only: export the two sub-folders for the rest." }
            }
        }
    }

    /// What the load run and the recording say.
    fn verdicts(&self) -> Markup {
        let is_found = self.meanwhile.as_ref().is_some_and(|of| of.is_found);
        let load = self.load.kind.explanation().verdict.as_ref();
        let trace = self.trace.kind.explanation().verdict.as_ref().map(|of| of_service(of, is_found));
        html! {
            section.verdicts aria-label="Verdicts" {
                @if let Some(of) = load { h1 class=(format!("headline {}", of.tone())) { span.of { "Load run" } (of.text) } }
                @if let Some(of) = trace { p class=(format!("headline {}", of.tone())) { span.of { "Service" } (of.text) } }
            }
        }
    }

    fn heading(&self) -> Markup {
        let (load, trace) = (self.load.kind.explanation(), self.trace.kind.explanation());
        html! {
            header.top {
                div.title {
                    span.brand { "Casebook" }
                    p.name { (self.name) }
                    button type="button" data-theme-toggle="" hidden { "Light or dark" }
                }
                @for (what, of) in [("Load", load), ("Service", trace)] {
                    p.facts { b { (what) } " " (of.heading.subject.join(" · ")) }
                    @if !of.heading.are_losses_small {
                        @for loss in of.heading.losses.iter().take(1) { p.facts { "Missing: " (loss) } }
                    }
                }
            }
        }
    }

    fn what_happened(&self) -> Markup {
        html! {
            section.answer aria-label="Slow seconds and the runtime" {
                @match &self.meanwhile {
                    Some(of) => @for sentence in &of.sentences { p { (sentence) } },
                    None => p { "The load run and the recording are not of the same time, so they are not compared." },
                }
            }
        }
    }

    /// Latency, and below it what the service did, on one axis.
    fn pictures(&self) -> Markup {
        let of_load = loads::lanes(self.load.kind.load(), self.span, PIECES).into_iter();
        let is_shown = |lane: &Lane| lane.id == RATE || lane.id == FAILURES && lane.most() > Some(0.0);
        let lanes: Vec<Lane> = self.lanes().into_iter().chain(of_load.filter(is_shown)).collect();
        let begins = duration(real(self.load.kind.load().begins_ns()) / 1e6);
        html! {
            section.block.together aria-label="Latency, and what the service did" {
                h2 { "Latency, and what the service did" }
                p.said { "The load run begins at " (begins) ". Latency is " (self.load.kind.basis()) ", at the time at which a request ended." }
                (views::loads::heat_over(self.load.kind.pictures(), self.span, self.load.kind.basis()))
                (views::lanes::still(&lanes, self.span))
            }
        }
    }

    /// The lanes of the recording: first those that decide what its findings say.
    fn lanes(&self) -> Vec<Lane> {
        let Some(time) = TracePages::TIME else { return Vec::new() };
        let all = (time.lanes)(&self.trace.kind, self.span);
        let mut wanted = self.trace.kind.deciding_lanes();
        wanted.extend(LANES);
        let mut lanes: Vec<Lane> = Vec::new();
        for id in wanted {
            let lane = all.iter().find(|lane| lane.id == id);
            lanes.extend(lane.filter(|lane| lanes.iter().all(|known| known.id != lane.id)).cloned());
        }
        lanes.truncate(MOST_LANES);
        lanes
    }

    fn slowest(&self, file: bool) -> Markup {
        let Some(of) = self.meanwhile.as_ref().filter(|of| !of.moments.is_empty()) else { return html! {} };
        html! {
            section.block aria-label="Slowest seconds" {
                h2 { "Slowest seconds" }
                p.said {
                    @if let Some(slow) = of.slow_ms { (of.slow) " of " (of.seconds) " recorded seconds have a p99 of " (show(slow, "ms")) " or more. " }
                    "Overlap is not yet a cause. The time of a second is that in which its requests were under way."
                }
                div.scroll.moments tabindex="0" role="region" aria-label="Slowest seconds, as a table" {
                    table {
                        thead { tr {
                            th.num scope="col" { "time" }
                            @for name in ["p50", "p99", "max", "requests"] { th.num scope="col" { (name) } }
                            th.did scope="col" { "what the runtime did more than in the rest of the run" }
                        } }
                        tbody { @for moment in &of.moments { (self.moment(moment, file)) } }
                    }
                }
            }
        }
    }

    fn moment(&self, of: &Moment, file: bool) -> Markup {
        let latency = &of.latency;
        let at = duration(real(latency.from_ns) / 1e6);
        html! {
            tr {
                td.num {
                    @if file || !of.is_recorded { (at) } @else { a href=(self.range("/", of.span)) { (at) } }
                }
                @for ms in [latency.p50_ms, latency.p99_ms, latency.max_ms] {
                    td.num { @if let Some(ms) = ms { (show(ms, "ms")) } @else { span.quiet { "none" } } }
                }
                td.num { (latency.requests) }
                td.did {
                    @if of.overlaps.is_empty() { span.hint { (of.words()) } }
                    @for overlap in &of.overlaps { div { (self.overlap(overlap, of.span, file)) } }
                }
            }
        }
    }

    fn overlap(&self, of: &Overlap, span: Span, file: bool) -> Markup {
        html! { @if file { (of.words()) } @else { a href=(self.range(of.tab, span)) { (of.words()) } } }
    }

    /// The address of a tab of the recording, in a range of time.
    fn range(&self, tab: &str, span: Span) -> String {
        let path = self.trace.tab(tab).map_or("/", |tab| tab.path);
        let range =
            Params::default().with("from", &seconds(span.from_ns.max(0))).with("to", &seconds(span.to_ns));
        within(TRACE, &range.href(path))
    }
}

/// The verdict of a recording beside a load run. Without a problem of its own it is not an all-clear if something overlaps the slow seconds.
fn of_service(verdict: &Verdict, is_found: bool) -> Verdict {
    if verdict.state != State::Healthy || !is_found {
        return verdict.clone();
    }
    let (passed, checks) = (verdict.passed, verdict.passed + verdict.could_not_run);
    let text = format!(
        "The recording alone shows no problem ({passed} of {checks} checks passed), but something overlaps the slow seconds."
    );
    Verdict { state: State::Unexplained, text, ..verdict.clone() }
}

/// The findings of one of the two, with links to its pages.
fn findings<K: KindOfPages>(title: &str, links: &Within<'_, K>) -> Markup {
    let explanation = links.ctx.kind().explanation();
    html! {
        @if !explanation.report.findings.is_empty() {
            section.block aria-label=(title) {
                h2 { (title) }
                (cards::cards(links, explanation, &|_finding| html! {}))
            }
        }
    }
}

/// An address of the pages in a folder.
fn within(folder: &str, href: &str) -> String {
    format!("{folder}/{}", href.trim_start_matches("./"))
}

/// The links of one of the two, from the page above its own.
struct Within<'a, K: KindOfPages> {
    ctx: &'a Ctx<'a, K>,
    folder: &'static str,
}

impl<K: KindOfPages> Links for Within<'_, K> {
    fn params(&self) -> &Params {
        self.ctx.params
    }

    fn path(&self) -> &str {
        self.ctx.path
    }

    fn is_file(&self) -> bool {
        self.ctx.file
    }

    fn to(&self, target: Target<'_>) -> Option<String> {
        // A file has the first page only.
        let href = Links::to(self.ctx, target).filter(|_| !self.ctx.file)?;
        Some(within(self.folder, &href))
    }

    fn noun(&self) -> &'static str {
        K::NOUN
    }

    fn is_part(&self) -> bool {
        false
    }

    fn written(&self, name: &str) -> String {
        self.ctx.kind().written(name)
    }

    fn written_list(&self, names: &[&str]) -> Vec<String> {
        self.ctx.kind().written_list(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use import::Options;
    use model::{LoadBucketRow, LoadSecondRow, OneClock};
    use std::path::PathBuf;

    #[test]
    fn a_recording_without_a_problem_is_no_all_clear_beside_slow_seconds_that_something_overlaps() {
        let healthy = Verdict {
            state: State::Healthy,
            text: "No problem found: 3 of 4 checks passed, 1 could not run.".to_owned(),
            severity: None,
            passed: 3,
            could_not_run: 1,
            notes: Vec::new(),
        };
        assert_eq!(of_service(&healthy, false), healthy);
        let beside = of_service(&healthy, true);
        assert_eq!(beside.tone(), "unclear");
        assert!(
            beside.text.contains("3 of 4 checks passed") && !beside.text.contains("No problem"),
            "{}",
            beside.text
        );
        let problem = Verdict { state: State::Problem, ..healthy };
        assert_eq!(of_service(&problem, true), problem);
    }

    /// A run of eight seconds that begins half a second after the fixture, with such a text as its address.
    fn together(subject: &str) -> Together {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/starvation.nettrace.zst");
        let trace =
            import::open(&path, Options { payloads: false, threads: 1 }).unwrap().into_trace().unwrap();
        let mut load = Load::default();
        let basis = load.strings.intern(model::SCHEDULE);
        load.latency.push(model::LatencyRow { basis, quantile: 1.0, ms: 900.0 });
        for second in 0..8 {
            let (ts_ns, dur_ns) = (second * 1_000_000_000, 1_000_000_000);
            let ms = if second == 3 { 900.0 } else { 2.0 };
            load.histogram.push(LoadBucketRow { ts_ns, dur_ns, basis, from_ms: ms, to_ms: ms, count: 100 });
            load.seconds.push(LoadSecondRow {
                ts_ns,
                dur_ns,
                asked: 100,
                sent: 100,
                answered: 100,
                errors: 1,
                timeouts: 0,
                lateness_max_ns: 0,
            });
        }
        load.exhibit.duration_ns = 8_000_000_000;
        load.run.url = Some(subject.to_owned());
        load.set_clock(
            OneClock { offset_ns: 500_000_000, error_ns: 0, utc_differs_ns: Some(0) },
            &trace.exhibit,
        );
        Together::new(subject, &Arc::new(load), &trace, &MyCode::default())
    }

    fn page(of: &Together, address: &str) -> (u16, String) {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            let mut parts = text.split('%');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| {
                let (code, rest) = part.split_at(2);
                text + &char::from(u8::from_str_radix(code, 16).unwrap()).to_string() + rest
            })
        };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
        let reply = of.answer(&decoded(path), &query);
        (reply.status, String::from_utf8(reply.body).unwrap())
    }

    #[test]
    fn every_link_of_the_first_page_leads_to_a_page() {
        let of = together("http://127.0.0.1/");
        let (status, first) = page(&of, "/");
        assert_eq!(status, 200);
        assert!(
            first.contains("Latency, and what the service did") && first.contains("data-lane=\"failures\""),
            "{first}"
        );
        let hrefs = first.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let hrefs: Vec<String> =
            hrefs.filter(|href| !href.starts_with('#')).map(|href| href.replace("&amp;", "&")).collect();
        assert!(
            hrefs.iter().any(|href| href.starts_with("trace/?from=2.6&to=4.5")),
            "the slow second: {hrefs:?}"
        );
        for href in &hrefs {
            let (status, _) = page(&of, &format!("/{}", href.trim_start_matches("./")));
            assert_eq!(status, 200, "{href}");
        }
        for inner in ["/load/", "/trace/gc"] {
            let (status, html) = page(&of, inner);
            assert!(status == 200 && html.contains(UP) && html.contains("href=\"../\""), "{inner}");
        }
        assert_eq!(page(&of, "/trace/nothing").0, 404);
        assert_eq!(page(&of, "/nothing").0, 404);
    }

    #[test]
    fn no_text_becomes_markup_and_a_file_needs_nothing_else() {
        let hostile = "\"><script>alert(1)</script>";
        let of = together(hostile);
        for html in [page(&of, "/").1, of.file()] {
            assert!(!html.contains("<script>alert") && html.contains("&lt;script&gt;alert"));
        }
        let file = of.file();
        for sign in ["href=\"assets/", "src=\"", "href=\"trace", "href=\"load"] {
            assert!(!file.contains(sign), "{sign}");
        }
    }
}
