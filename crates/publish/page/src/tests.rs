//! Whole pages of real recordings, and of the same ones with hostile texts in every field.

use crate::kind::{Body, Ctx, InFile, KindOfPages, PartPlace, Question, Shown, Site, Tab, TimeLine};
use crate::site::AnySite;
use crate::trace::TracePages;
use crate::{Error, Pages, Reply, Tour};
use import::Options;
use maud::html;
use model::{Evidence, Kind, LogRow, Strings, Tables, Trace};
use report::{Explanation, Heading};
use std::path::PathBuf;
use std::sync::Arc;
use views::{Params, TableView, tables};

/// What ends an attribute, an element, a script and a comment, and would then do something.
const HOSTILE: &str = "'\" onmouseover=\"alert(1)\"></textarea></script></title></svg><script>alert(2)</script>\
                       <img src=x onerror=alert(3)><!-- ]]> {{7*7}} \u{202e}javascript:alert(4)";

fn read(name: &str) -> Trace {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures").join(name);
    let evidence = import::open(&path, Options { payloads: true, threads: 2 }).unwrap();
    Arc::into_inner(evidence.into_trace().unwrap()).unwrap()
}

fn pages(trace: Trace) -> Pages {
    Pages::new(trace.into()).unwrap()
}

fn site(name: &str) -> Site<TracePages> {
    Site::new(TracePages::new(Arc::new(read(name)), None, &runtime::MyCode::default()))
}

fn text(reply: Reply) -> String {
    String::from_utf8(reply.body).unwrap()
}

/// The same recording with hostile texts wherever a text is not one of our own words.
fn hostile(mut recording: Trace) -> Trace {
    let is_word = |text: &str| text.chars().all(|char| char.is_ascii_lowercase() || "-_ ".contains(char));
    let mut strings = Strings::default();
    for at in 0..recording.strings.len() {
        let text = recording.strings.text(model::Sym(u32::try_from(at).unwrap()));
        // Each stays itself, so that no two become one and numbers keep their meaning.
        let text = if is_word(text) { text.to_owned() } else { format!("{text}{HOSTILE}") };
        strings.intern(&text);
    }
    assert_eq!(strings.len(), recording.strings.len());
    let [level, logger, message] = ["error", "<b>logger</b>", HOSTILE].map(|text| strings.intern(text));
    recording.strings = strings;
    let trace_id = message;
    recording.logs.push(LogRow { ts_ns: 1, level, logger, message, template: message, trace_id });
    let hostile = Some(HOSTILE.to_owned());
    let Trace { exhibit, session, .. } = &mut recording;
    exhibit.file = format!("{HOSTILE}/{HOSTILE}");
    for field in [&mut exhibit.runtime, &mut exhibit.os, &mut exhibit.arch, &mut exhibit.command_line] {
        field.clone_from(&hostile);
    }
    for field in [&mut exhibit.name, &mut exhibit.container, &mut session.profile, &mut exhibit.state] {
        field.clone_from(&hostile);
    }
    exhibit.start_utc = HOSTILE.to_owned();
    recording
}

fn params(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace('~', HOSTILE))).collect()
}

const STATES: [(&str, &str); 26] = [
    ("/stacks", ""),
    ("/stacks", "show=tree&my=1"),
    ("/stacks", "show=tree&up=1&group=namespace"),
    ("/stacks", "show=methods"),
    ("/stacks", "show=methods&methods.sort=-total&methods.find=a"),
    ("/stacks", "show=callers"),
    ("/stacks", "show=callers&method=~"),
    ("/stacks", "show=~&metric=~&root=~&thread=~&on=~&class=~&search=~"),
    ("/stacks", "include=~&exclude=~&fold=~&group=~ -> ~;x -> ~"),
    ("/stacks", "metric=allocated-bytes&group=type"),
    ("/stacks", "metric=event:~/~"),
    ("/gc", "collections.sort=-pause_ns&collections.find=~"),
    ("/gc", "collections.page=99999999999&pauses.sort=~"),
    ("/events", "provider=~&name=~&thread=~"),
    ("/events", "events.find=~"),
    ("/sql", "q=~"),
    ("/sql", "q=select 1 as \"~\""),
    ("/sql", "q=select '~' as x, '~' as frame, '~' as sql, '~' as stack, null"),
    ("/stack", "id=1"),
    ("/stack", "id=~"),
    ("/", "from=~&to=~&zoom=1"),
    ("/", "from=1&to=2&zoom=1"),
    ("/gc", "from=3&to=2"),
    ("/requests", "from=1e300&to=NaN"),
    ("/~", "~=~"),
    ("/rows.csv", "of=/~&table=~"),
];

fn addresses(pages: &Pages) -> Vec<(String, Vec<(String, String)>)> {
    let tabs = pages.tabs().map(|tab| (tab.to_owned(), Vec::new()));
    let states = STATES.iter().map(|(path, query)| (path.replace('~', HOSTILE), params(query)));
    tabs.chain(states).collect()
}

/// Panics if a hostile text has become markup.
fn holds(of: &str, html: &str) {
    let html = without_scripts(html);
    for sign in ["<script", "</script", "<img", "\" onmouseover=", "<b>logger", "<!--", "style=\""] {
        assert!(!html.contains(sign), "{of}: {sign} in the page");
    }
    for href in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let place = href.split(['?', '#']).next().unwrap_or_default();
        assert!(!place.contains(':'), "{of}: a link leads to {href}");
    }
}

/// The page as a browser reads it, without its script elements: each ends where the first `</script>` stands.
fn without_scripts(html: &str) -> String {
    let mut parts = html.split("<script");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.filter_map(|part| part.split_once("</script>")).map(|(_, rest)| rest).collect::<String>()
}

#[test]
fn no_text_of_a_recording_or_an_address_becomes_markup() {
    for name in ["starvation.nettrace.zst", "lock.nettrace.zst", "net8.nettrace.zst"] {
        let pages = pages(hostile(read(name)));
        let mut escaped = 0;
        for (path, query) in addresses(&pages) {
            let reply = pages.answer(&path, &query);
            let text = String::from_utf8(reply.body).unwrap();
            escaped += text.matches("&lt;script&gt;alert").count();
            if reply.content_type.starts_with("text/html") {
                holds(&format!("{name} {path} {query:?}"), &text);
            }
        }
        assert!(escaped > 1000, "{name}: hostile texts are hardly shown: {escaped}");
    }
}

#[test]
fn no_text_becomes_markup_in_a_page_of_one_file_or_of_a_tour_or_a_comparison() {
    let [here, earlier] =
        ["lock", "leak"].map(|name| Evidence::from(hostile(read(&format!("{name}.nettrace.zst")))));
    let compared = Pages::compared(here, earlier).unwrap();
    let file = compared.file();
    assert!(file.matches("&lt;script&gt;alert").count() > 1000);
    holds("a page of one file", &file);
    for query in ["", "per=request", "subject=~&all=1", "from=1&to=3"] {
        let reply = compared.answer("/diff", &params(query));
        holds(&format!("/diff {query}"), &String::from_utf8(reply.body).unwrap());
    }
    let mut tour = Tour::default();
    tour.add("a", HOSTILE, HOSTILE, &[("stacks", HOSTILE)], compared);
    for address in ["/", "/a/", "/a/stacks", "/b/", "/a"] {
        holds(address, &String::from_utf8(tour.answer(address, &[]).body).unwrap());
    }
}

#[test]
fn a_name_that_looks_like_another_on_a_page_shows_that_it_is_none() {
    let pages = pages(read("healthy.nettrace.zst"));
    let sql =
        "select 'Shop!Order' || char(8203) || 'Service' as x, 'a' || char(8238) || 'b' as y, char(1) as z";
    let page = text(pages.answer("/sql", &[("q".to_owned(), sql.to_owned())]));
    for shown in ["Shop!Order[U+200B]Service", "a[U+202E]b", "[U+0001]"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

/// The same recording with texts as long as chapters wherever a text is not one of our own words.
fn long(mut recording: Trace) -> Trace {
    let mut strings = Strings::default();
    for at in 0..recording.strings.len() {
        let text = recording.strings.text(model::Sym(u32::try_from(at).unwrap()));
        let is_word = text.chars().all(|char| char.is_ascii_lowercase() || "-_ ".contains(char));
        strings.intern(&if is_word { text.to_owned() } else { format!("{text}{}", "<&\"'é".repeat(2_000)) });
    }
    recording.strings = strings;
    recording
}

#[test]
fn names_as_long_as_chapters_make_no_page_that_a_browser_cannot_take() {
    let pages = pages(long(read("starvation.nettrace.zst")));
    let wide = (0..12).map(|at| format!("f.name as n{at}")).collect::<Vec<_>>().join(", ");
    let wide = format!("select {wide} from frames f, frames g limit 300");
    let sql = ("/sql".to_owned(), vec![("q".to_owned(), wide)]);
    let data = ("/flame.json".to_owned(), Vec::new());
    for (path, query) in addresses(&pages).into_iter().chain([sql, data]) {
        let reply = pages.answer(&path, &query);
        let is_csv = reply.content_type.starts_with("text/csv");
        assert!(is_csv || reply.body.len() <= 5_000_000, "{path} {query:?}: {} bytes", reply.body.len());
    }
    let methods = text(pages.answer("/stacks", &params("show=methods")));
    assert!(methods.contains(" characters more"), "what is left out is counted");
    // Each of its pictures has its own names.
    let file = pages.file();
    assert!(file.len() <= 2 * crate::FILE_BYTES, "{} bytes", file.len());
}

#[test]
fn every_tab_of_a_recording_has_a_page_and_says_where_it_is() {
    let pages = pages(read("lock.nettrace.zst"));
    let tabs: Vec<_> = pages.tabs().collect();
    assert!(
        ["/", "/stacks", "/gc", "/requests", "/locks", "/threads", "/events", "/sql"]
            .iter()
            .all(|tab| tabs.contains(tab))
    );
    for tab in tabs {
        let reply = pages.answer(tab, &[]);
        let html = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 200, "{tab}");
        assert!(html.contains("aria-current=\"page\""), "{tab}");
        assert!(!html.contains("class=\"error\""), "{tab}");
    }
    assert_eq!(pages.answer("/diff", &[]).status, 404);
    assert_eq!(pages.answer("/nothing", &[]).status, 404);
}

#[test]
fn a_table_as_csv_holds_the_rows_that_the_filter_leaves_in_the_order_that_was_asked_for() {
    let pages = pages(read("leak.nettrace.zst"));
    let csv = |query: &str| {
        let reply = pages.answer("/rows.csv", &params(query));
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body).unwrap()
    };
    let all = csv("of=/gc&table=collections&collections.sort=-pause_ns");
    let gc = pages.tables().table("gc").unwrap().rows;
    assert_eq!(all.lines().count(), gc + 1);
    let at = all.lines().next().unwrap().split(',').position(|name| name == "pause_ns").unwrap();
    let pauses: Vec<i64> =
        all.lines().skip(1).filter_map(|line| line.split(',').nth(at)?.parse().ok()).collect();
    assert!(pauses.len() > 3 && pauses.is_sorted_by(|a, b| a >= b));
    let full = csv("of=/gc&table=collections&collections.find=AllocSmall").lines().count();
    assert!(full > 1 && full <= gc + 1);
    assert_eq!(csv("of=/gc&table=collections&collections.find=nothing has this").lines().count(), 1);
    let kinds = csv("of=/events&table=kinds&kinds.sort=name&kinds.find=GC/");
    let names: Vec<&str> = kinds.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert!(names.len() > 3 && names.is_sorted() && names.iter().all(|name| name.starts_with("GC/")));
    assert_eq!(pages.answer("/rows.csv", &params("of=/gc&table=none")).status, 404);
}

#[test]
fn sql_on_a_page_changes_nothing_and_ends() {
    let pages = pages(read("net8.nettrace.zst"));
    let answer = |query: &str| {
        let reply = pages.answer("/sql", &[("q".to_owned(), query.to_owned())]);
        String::from_utf8(reply.body).unwrap()
    };
    for query in [
        "delete from samples",
        "attach database '/tmp/x' as y",
        "pragma writable_schema = 1",
        "create table x (y)",
        "select load_extension('x')",
        "select 1; select 2",
    ] {
        assert!(answer(query).contains("class=\"error\""), "{query}");
    }
    let ids = answer("select 9007199254740993 as id, 0.0004 as small, 1234 as usual");
    assert!(["9007199254740993", "4.00e-4", "1,234"].iter().all(|shown| ids.contains(&format!(">{shown}<"))));
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n limit 5000) select i from n";
    assert!(answer(many).contains("The first 1000 rows"));
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    assert!(answer(endless).contains("took longer than 10 s: narrow it"));
}

#[test]
fn no_more_than_two_queries_of_readers_run_at_a_time() {
    let pages = site("net8.nettrace.zst");
    let query = [("q".to_owned(), "select 1 as one".to_owned())];
    let slots = [pages.queries.claim(), pages.queries.claim()];
    assert!(slots.iter().all(Option::is_some) && pages.queries.claim().is_none());
    assert!(text(pages.answer("/sql", &query)).contains(crate::sqlpage::BUSY));
    assert_eq!(pages.answer("/answer.csv", &query).status, 503);
    assert_eq!(pages.answer("/gc", &[]).status, 200);
    drop(slots);
    assert!(text(pages.answer("/sql", &query)).contains("1 row."));
}

#[test]
fn a_page_of_one_file_needs_nothing_else_and_stays_small() {
    for name in ["starvation.nettrace.zst", "healthy.nettrace.zst"] {
        let file = pages(read(name)).file();
        assert!(file.len() <= crate::FILE_BYTES, "{name}: {} bytes", file.len());
        for sign in ["href=\"assets/", "src=\"", "href=\"stacks", "http://", "https://"] {
            let own = |text: &str| text.contains("http://www.w3.org/");
            let foreign =
                file.match_indices(sign).filter(|(at, _)| !own(&file[*at..(*at + 30).min(file.len())]));
            let shown: Vec<&str> =
                foreign.take(1).map(|(at, _)| &file[at..(at + 60).min(file.len())]).collect();
            assert!(shown.is_empty() || sign.starts_with("http"), "{name}: {shown:?}");
        }
        assert!(file.contains("id=\"stacks\"") && file.contains("id=\"gc\""));
    }
}

#[test]
fn sums_from_the_columns_are_the_answers_of_their_queries() {
    for name in ["lock.nettrace.zst", "net8.nettrace.zst"] {
        let site = site(name);
        for query in ["", "from=1&to=2.5", "to=1.25", "from=1000"] {
            let params = Params::new(&params(query));
            let ctx = Ctx { site: &site, params: &params, path: "/", tab: None, file: false };
            let specs: Vec<TableView> =
                TracePages::TABS.iter().flat_map(|tab| tab.tables()).map(|table| table(&ctx)).collect();
            let computed = specs.iter().filter_map(|spec| Some((spec, spec.summed.as_ref()?)));
            let mut count = 0;
            for (spec, summed) in computed {
                count += 1;
                let mut here = summed.answer();
                let mut there = tables::run(site.tables(), &spec.sql, None).unwrap();
                let names = |answer: &sql::Answer| -> Vec<String> {
                    answer.columns.iter().map(|column| column.name.clone()).collect()
                };
                assert_eq!(names(&here), names(&there));
                let by_text = |row: &Vec<sql::Cell>| format!("{row:?}");
                here.rows.sort_by_key(by_text);
                there.rows.sort_by_key(by_text);
                assert_eq!(here.rows, there.rows, "{name} {query} {}", spec.id);
            }
            assert_eq!(count, 3);
        }
    }
}

#[test]
fn every_rule_leads_to_a_tab_and_to_a_metric_of_stacks() {
    for rule in findings::RULES {
        let view = rule.view;
        assert!(TracePages::TABS.iter().any(|tab| tab.path == view.tab), "{}: {}", rule.id, view.tab);
        let is_known = |metric| stacks::Metric::of_name(metric).is_some();
        assert!(view.metric.is_none_or(is_known), "{}: {:?}", rule.id, view.metric);
    }
}

#[test]
fn a_finding_is_not_compared_with_a_recording_that_lacks_it() {
    let query = [("metric", "waiting"), ("finding", "sync-over-async")];
    let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let stacks = |earlier: &str| {
        let pages = Pages::compared(read("starvation.nettrace.zst").into(), read(earlier).into()).unwrap();
        text(pages.answer("/stacks", &query))
    };
    let (lacking, having) = (stacks("healthy.nettrace.zst"), stacks("starvation.nettrace.zst"));
    assert!(
        lacking.contains("the other recording has no such finding")
            && !lacking.contains("the other recording has 0")
    );
    assert!(!having.contains("no such finding") && having.contains("the other recording has 135,219"));
}

#[test]
fn what_the_tabs_of_a_trace_name_is_there() {
    let trace = Trace::default();
    let parts: Vec<&str> = runtime::parts(&trace).iter().map(|part| part.id).collect();
    let placed: Vec<&str> = TracePages::PARTS.iter().map(|part| part.id).collect();
    assert!(parts.iter().all(|id| placed.contains(id)), "a part without a title: {parts:?}");
    for part in TracePages::PARTS {
        assert!(TracePages::TABS.iter().any(|tab| tab.path == part.tab), "{} leads nowhere", part.id);
    }
    for tab in TracePages::TABS {
        assert!(tab.parts.iter().all(|id| parts.contains(id)), "{}: {:?}", tab.path, tab.parts);
        if let Shown::Rows(names) = tab.shown {
            assert!(names.iter().all(|name| trace.table(name).is_some()), "{}: {names:?}", tab.path);
        }
    }
}

#[test]
fn what_samples_of_cpus_cannot_show_is_not_drawn_as_empty() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/cases/universal.nettrace");
    if !path.exists() {
        return base::ground::skip("page::tests", "the cases are not there");
    }
    let evidence = import::open(&path, Options { payloads: true, threads: 2 }).unwrap();
    let pages = pages(Arc::into_inner(evidence.into_trace().unwrap()).unwrap());
    let summary = text(pages.answer("/", &[]));
    assert!(!summary.contains("Waiting threads"), "nobody looked at threads that wait");
    assert!(!summary.contains("Locks and waits"), "a tab of empty tables");
    let (first, _) = summary.split_once("range-line").unwrap();
    assert!(
        first.contains("Running threads") && !first.contains("The other lanes"),
        "a time line of nothing"
    );
    let stacks = text(pages.answer("/stacks", &[]));
    assert!(stacks.contains("CPU time") && !stacks.contains("stops the program"));
}

#[test]
fn async_plumbing_is_folded_and_counted_and_one_link_shows_it() {
    let box_of = "AsyncStateMachineBox";
    let dispatch = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch()";
    let query = |query: &[(&str, &str)]| -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let pages = pages(read("healthy.nettrace.zst"));
    let page = |of: &[(&str, &str)]| text(pages.answer("/stacks", &query(of)));
    for show in ["flame", "tree", "methods"] {
        let by_total = ("methods.sort", "-total");
        let folded = page(&[("show", show), by_total]);
        assert!(!folded.contains(box_of), "{show}");
        assert!(
            folded.contains("frames of async plumbing are folded")
                && folded.contains("plumbing=1\">show them")
        );
        let shown = page(&[("show", show), by_total, ("plumbing", "1")]);
        assert!(shown.contains(box_of) && shown.contains("Async plumbing is shown"), "{show}");
    }
    // Tables of other tabs link to such methods.
    let callers = page(&[("show", "callers"), ("method", dispatch)]);
    assert!(callers.contains("Async plumbing is shown, because") && !callers.contains("No stack of this"));
    // In just my code, one frame of each thread's beginning is all that would be shown.
    let count = |of: &[(&str, &str)]| {
        let page = page(of);
        let (before, _) = page.split_once(" of async plumbing").unwrap();
        before.rsplit("</b>").next().unwrap().to_owned()
    };
    assert_ne!(count(&[]), count(&[("my", "1")]));
    let both = Pages::compared(read("starvation.nettrace.zst").into(), read("healthy.nettrace.zst").into());
    let compared = text(both.unwrap().answer("/stacks", &[]));
    assert!(compared.contains(" of async plumbing here and ") && !compared.contains(box_of));
}

#[test]
fn idle_threads_are_left_out_and_counted_and_one_link_shows_them() {
    let pages = pages(read("healthy.nettrace.zst"));
    let samples = |query: &str| -> (f64, String) {
        let page = text(pages.answer("/stacks", &params(query)));
        let said = page.split_once("<p class=\"said\">").unwrap().1.split_once("</p>").unwrap().0.to_owned();
        let total = said.split_once("<b>").unwrap().1.split(' ').next().unwrap().replace(',', "");
        (total.parse().unwrap(), said)
    };
    let ((busy, said), (all, said_of_all)) = (samples("metric=waiting"), samples("metric=waiting&idle=1"));
    let left_out = said.split_once(" of idle threads").unwrap().0;
    let left_out =
        left_out.trim_end_matches(" samples").trim_end_matches(" sample").rsplit(' ').next().unwrap();
    assert!(said.contains("idle=1"), "{said}");
    assert!(said_of_all.contains("leave them out"), "{said_of_all}");
    assert!(all > busy && (all - busy - left_out.replace(',', "").parse::<f64>().unwrap()).abs() < 0.5);
    // Whoever asks for one kind of wait gets all of it.
    assert!(!samples("metric=waiting&on=queue").1.contains("left out"));
}

#[test]
fn a_comparison_is_not_a_list_of_hundreds_of_rows_but_a_sentence_findings_and_ten_rows() {
    let of = |name| Evidence::from(read(name));
    let pages = Pages::compared(of("starvation.nettrace.zst"), of("healthy.nettrace.zst")).unwrap();
    let page = text(pages.answer("/diff", &[]));
    let (_, body) = page.split_once("What changed</h2>").unwrap();
    assert!(body.starts_with("<p class=\"headline "), "{}", &body[..200]);
    let (read_first, rest) = body.split_once("</table>").unwrap();
    let rows = read_first.matches("<tr class=").count();
    assert!((1..=10).contains(&rows), "{rows} rows to read first");
    assert!(read_first.contains("Findings</h3>") && read_first.contains("<dt>New</dt>"));
    assert!(read_first.contains("sync-over-async"));
    assert!(rest.contains("not proven beyond noise</summary>"));
    // The summary of the recording begins with the same, and has it once.
    let summary = text(pages.answer("/", &[]));
    let sentence = between(&summary, "<h1 class=\"headline note\">", "</h1>");
    assert_eq!(summary.matches(sentence).count(), 1, "{sentence}");
    assert_eq!(summary.matches("<h1").count(), 1);
    assert!(summary.contains("<b>This recording: </b>"));
}

/// What stands between two texts, the first time.
fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(behind).unwrap_or_else(|| panic!("no {behind}")).0
}

/// The summary of a comparison of two fixtures, and that of one file.
fn compared(here: &str, earlier: &str) -> (Pages, String) {
    let of = |name: &str| Evidence::from(read(&format!("{name}.nettrace.zst")));
    let pages = Pages::compared(of(here), of(earlier)).unwrap();
    let summary = text(pages.answer("/", &[]));
    (pages, summary)
}

/// The card of a finding.
fn card<'a>(page: &'a str, id: &str) -> &'a str {
    between(page, &format!("id=\"finding-{id}\""), "</article>")
}

#[test]
fn each_card_of_a_comparison_says_whether_the_finding_is_new_gone_or_still_there() {
    let (_, new) = compared("starvation", "healthy");
    assert!(card(&new, "sync-over-async").contains("<span class=\"became new\">new</span>"));
    let (pages, gone) = compared("healthy", "starvation");
    let past = card(&gone, "sync-over-async");
    assert!(past.contains("<span class=\"became gone\">gone</span>") && !past.contains("Try first"));
    // Its pictures and figures are of the other recording; its links lead to a comparison or nowhere.
    assert!(past.contains("lane-plot") && past.contains("flame-small") && past.contains("/starve/"));
    let links: Vec<&str> = past.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links, ["stacks?metric=waiting&amp;my=1"]);
    assert!(
        text(pages.answer("/stacks", &params("metric=waiting&my=1"))).contains("the other recording has")
    );
    let (_, stayed) = compared("starvation", "starvation");
    let both = card(&stayed, "sync-over-async");
    assert!(both.contains("<span class=\"became stayed\">stayed</span>"));
    let figures = between(both, "<dl class=\"figures\">", "</dl>");
    assert_eq!(figures.matches(" → ").count(), figures.matches("<dt>").count());
}

#[test]
fn a_comparison_shows_both_time_lines_the_earlier_one_above() {
    let (pages, summary) = compared("starvation", "healthy");
    let both = between(&summary, "aria-label=\"Time lines of both recordings\"", "</section>");
    let pairs = both.matches("class=\"lane-pair\"").count();
    assert!((2..=4).contains(&pairs), "{pairs}");
    for pair in both.split("class=\"lane-pair\"").skip(1) {
        let (before, after) = (pair.find("before: "), pair.find("after: "));
        assert!(before.unwrap() < after.unwrap());
    }
    assert!(both.contains("data-lane=\"waiting\""), "the lane that the finding names");
    // The time line that selects a range is one click away; a selected range opens it.
    assert!(summary.contains("<details class=\"alone\">"));
    assert!(!text(pages.answer("/", &params("from=1&to=2"))).contains("<details class=\"alone\">"));
    assert!(pages.file().contains("aria-label=\"Time lines of both recordings\""));
}

#[test]
fn a_comparison_shows_the_stacks_that_changed_most_and_none_if_nothing_changed() {
    let (pages, summary) = compared("lock", "healthy");
    let widest = between(&summary, "aria-label=\"What changed most\"", "</section>");
    assert!(widest.contains("flame-small") && widest.contains("more"));
    let href = between(widest, "<a class=\"button\" href=\"", "\"").replace("&amp;", "&");
    let (_, query) = href.split_once('?').unwrap();
    let decoded: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    assert!(decoded.iter().any(|(name, _)| *name == "include" || *name == "on"), "{href}");
    assert_eq!(pages.answer("/stacks", &params(query)).status, 200);
    let (_, same) = compared("lock", "lock");
    assert!(same.contains("No method's samples changed beyond noise") && !same.contains("What changed most"));
}

#[test]
fn two_recordings_that_do_not_differ_are_not_called_well() {
    let sick = || Evidence::from(read("starvation.nettrace.zst"));
    let pages = Pages::compared(sick(), sick()).unwrap();
    let page = text(pages.answer("/diff", &[]));
    assert!(page.contains("<p class=\"headline unclear\">"), "{page}");
}

#[test]
fn the_first_page_names_the_slowest_routes_with_their_latency() {
    let pages = pages(read("starvation.nettrace.zst"));
    let page = text(pages.answer("/", &[]));
    let (_, routes) = page.split_once("title=\"Routes, the slowest first\">route</th>").unwrap();
    let (routes, _) = routes.split_once("</table>").unwrap();
    for column in ["p99", "p50", "rate", "failed"] {
        assert!(routes.contains(&format!("<th class=\"num\" scope=\"col\">{column}</th>")), "{routes}");
    }
    assert!((1..=3).contains(&routes.matches("<td class=\"name\"").count()), "{routes}");
}

#[test]
fn two_kinds_are_not_compared_and_which_is_which_is_said() {
    let [trace, bench] = [Kind::Trace, Kind::Bench].map(Kind::empty);
    let check = |result: Result<Pages, Error>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    let named = |file: &str| {
        let mut trace = Trace::default();
        trace.exhibit.file = file.to_owned();
        Evidence::from(trace)
    };
    let expected = "a.nettrace is a trace, and  is a benchmark file: only two of one kind can be compared";
    check(Pages::compared(named("a.nettrace"), bench.clone()), expected);
    check(Pages::compared(bench.clone(), bench.clone()), "two benchmark files cannot be compared on pages");
    assert!(Pages::new(bench).is_ok());
    assert!(Pages::compared(trace.clone(), trace).is_ok());
}

/// A kind without an extent in time, of which nothing but its tables is known.
#[derive(Debug)]
struct Timeless(Arc<dyn Tables>, Explanation);

const PLAIN: Tab<Timeless> = Tab {
    path: "/",
    title: "Summary",
    shown: Shown::Always,
    lanes: &[],
    parts: &[],
    above: Some(crate::summary::headline),
    body: Body::Drawn(|ctx| crate::summary::summary(ctx, &html! {})),
    in_file: InFile::Same,
    preload: None,
    own: (),
};

impl KindOfPages for Timeless {
    type Own = ();
    const NOUN: &'static str = "collection";
    const TABS: &'static [Tab<Self>] = &[
        PLAIN,
        Tab { path: "/empty", title: "Empty", shown: Shown::Rows(&["benchmarks"]), ..PLAIN },
        Tab { path: "/all", title: "All", body: Body::Tables(&[all]), ..PLAIN },
        Tab {
            path: crate::paths::SQL,
            title: "SQL",
            body: Body::Drawn(crate::sqlpage::sql_page),
            in_file: InFile::Nothing,
            ..PLAIN
        },
    ];
    const PARTS: &'static [PartPlace] = &[];
    const TIME: Option<TimeLine<Self>> = None;
    const QUESTIONS: &'static [Question] = &[Question { text: "Which?", sql: "select * from benchmarks" }];

    fn tables(&self) -> &Arc<dyn Tables> {
        &self.0
    }

    fn explanation(&self) -> &Explanation {
        &self.1
    }
}

fn all(ctx: &Ctx<'_, Timeless>) -> TableView {
    let sql = format!("select * from benchmarks where {}", ctx.during("ts_ns"));
    TableView::new("all", "All", "Each of them.", sql)
}

fn timeless() -> Site<Timeless> {
    let heading = Heading { name: "things".to_owned(), ..Heading::default() };
    let explanation = Explanation { heading, ..Explanation::default() };
    Site::new(Timeless(Kind::Bench.empty().tables(), explanation))
}

#[test]
fn a_kind_without_time_has_no_time_bar_and_no_range() {
    let site = timeless();
    for path in ["/", "/all", "/sql", "/nothing"] {
        for query in ["", "from=1&to=2&zoom=1", "from=3&to=2"] {
            let html = text(site.answer(path, &params(query)));
            for sign in ["timebar", "Time line", "name=\"from\" step", "Times ", "range", "recording"] {
                assert!(!html.contains(sign), "{path} {query}: {sign} in {html}");
            }
            assert!(html.contains("A value that the collection cannot give is missing, never 0."));
        }
    }
    assert_eq!(site.answer("/lanes.json", &[]).status, 404);
    assert!(text(site.answer("/all", &params("from=1"))).contains(" has none."));
    assert!(!site.file().contains("Time line"));
}

#[test]
fn a_tab_that_is_not_in_the_list_or_has_nothing_on_it_has_no_page() {
    let site = timeless();
    assert_eq!(site.tabs(), ["/", "/all", "/sql"]);
    for (path, status) in
        [("/all", 200), ("/empty", 404), ("/gc", 404), ("/stacks", 404), ("/flame.json", 404)]
    {
        assert_eq!(site.answer(path, &[]).status, status, "{path}");
    }
    assert!(!text(site.answer("/", &[])).contains("href=\"empty\""));
    assert!(!site.file().contains("id=\"sql\""), "what needs a server is in a file");
}
