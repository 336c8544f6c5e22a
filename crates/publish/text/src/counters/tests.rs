//! Pages as they are seen, without their colours.

use super::*;

fn reading<'a>(seconds: i64, at: &[&'a str; 4], kind: &'a str, value: f64) -> Reading<'a> {
    let [provider, name, unit, tags] = *at;
    let is_change = name_is_change(name);
    Reading { ts_ns: seconds * 1_000_000_000, provider, name, unit, kind, value, tags, is_change }
}

fn name_is_change(name: &str) -> bool {
    name == "http.server.active_requests"
}

const DURATION: &str = "http.server.request.duration";
const HOSTING: &str = "Microsoft.AspNetCore.Hosting";

/// A service under rising load for so many seconds.
fn table(seconds: i64) -> Table {
    let mut table = Table::new(1_000_000_000);
    let json = r#"{"http.request.method":"GET","http.response.status_code":"200","http.route":"/json/{n}"}"#;
    let slow = r#"{"http.request.method":"GET","http.response.status_code":"500","http.route":"/slow"}"#;
    for at in 1..=seconds {
        let mut put = |at_series: [&str; 4], kind, value| table.take(&reading(at, &at_series, kind, value));
        for (tags, count, base) in [(json, 100.0, 0.0012), (slow, 2.0, 1.5)] {
            let series = [HOSTING, DURATION, "s", tags];
            put(series, "p50", base);
            put(series, "p95", base * 4.0);
            put(series, "p99", base * 9.5);
            put(series, "count", count * at as f64);
            put(series, "sum", count);
        }
        let gauge = [
            HOSTING,
            "http.server.active_requests",
            "{request}",
            r#"{"http.request.method":"GET","url.scheme":"http"}"#,
        ];
        put(gauge, "value", 4.0);
        for generation in 0..3 {
            let tags = format!(r#"{{"gc.heap.generation":"gen{generation}"}}"#);
            let series = ["System.Runtime", "dotnet.gc.collections", "{collection}", tags.as_str()];
            if at > 1 {
                put(series, "rate", 0.2 / f64::from(generation + 1));
            }
            put(series, "total", 12.0 * at as f64);
        }
        put(["System.Runtime", "dotnet.gc.heap.total_allocated", "By", "{}"], "rate", 12_345_678.0);
        put(["System.Runtime", "dotnet.gc.heap.total_allocated", "By", "{}"], "total", 1e9);
        put(["System.Runtime", "dotnet.process.memory.working_set", "By", "{}"], "value", 98_765_432.0);
        put(
            ["System.Runtime", "dotnet.thread_pool.queue.length", "{work_item}", "{}"],
            "value",
            (at % 5) as f64,
        );
    }
    table
}

fn page(table: &Table, columns: usize, rows: Option<usize>, notes: &[String]) -> String {
    let title = "Orders · process 4711 · .NET 10.0.12 · watching 12 s · 14:03:22 UTC";
    let lines = table.page(Frame { columns, rows, title, notes, view: View::default(), footer: None }).lines;
    let plain: Vec<String> = lines
        .iter()
        .map(|line| anstream::adapter::strip_str(line).to_string().trim_end().to_owned())
        .collect();
    assert!(rows.is_none_or(|rows| plain.len() <= rows), "{} lines of {rows:?}", plain.len());
    for line in &plain {
        assert!(line.chars().count() <= columns, "wider than {columns}: {line}");
    }
    plain.join("\n")
}

#[track_caller]
fn check(page: &str, expected: &str) {
    assert_eq!(page, expected.trim_start_matches('\n'), "\n{page}\n");
}

#[test]
fn the_page_at_80_columns() {
    check(
        &page(&table(12), 80, None, &[]),
        "
Orders · process 4711 · .NET 10.0.12 · watching 12 s · 14:03:22 UTC
                                        now      p50      p95      p99    last 8
Microsoft.AspNetCore.Hosting  http.server.…
  active_requests GET http               +4                since start  ────────
  request.duration /json/{n} 200    1,200/s  1.20 ms  4.80 ms  11.4 ms  ▄▄▅▆▆▇██
    /slow 500                          24/s   1.50 s      6 s   14.2 s  ▄▄▅▆▆▇██

System.Runtime  dotnet.…
  gc.collections gen0                0.20/s                  total 144  ────────
    gen1                             0.10/s                  total 144  ────────
    gen2                             0.07/s                  total 144  ────────
  gc.heap.total_allocated         12.3 MB/s                 total 1 GB  ────────
  process.memory.working_set        98.8 MB                             ────────
  thread_pool.queue.length                2                             ▁▂▄▆█▁▂▄",
    );
}

#[test]
fn the_page_at_140_columns() {
    check(
        &page(&table(12), 140, Some(50), &["note: 7 events lost".to_owned()]),
        "
Orders · process 4711 · .NET 10.0.12 · watching 12 s · 14:03:22 UTC
                                        now      p50      p95      p99       last 12
Microsoft.AspNetCore.Hosting  http.server.…
  active_requests GET http               +4                since start  ────────────
  request.duration /json/{n} 200    1,200/s  1.20 ms  4.80 ms  11.4 ms  ▁▂▂▃▄▄▅▆▆▇██
    /slow 500                          24/s   1.50 s      6 s   14.2 s  ▁▂▂▃▄▄▅▆▆▇██

System.Runtime  dotnet.…
  gc.collections gen0                0.20/s                  total 144   ───────────
    gen1                             0.10/s                  total 144   ───────────
    gen2                             0.07/s                  total 144   ───────────
  gc.heap.total_allocated         12.3 MB/s                 total 1 GB  ────────────
  process.memory.working_set        98.8 MB                             ────────────
  thread_pool.queue.length                2                             ▂▄▆█▁▂▄▆█▁▂▄
note: 7 events lost",
    );
}

#[test]
fn a_page_without_room_says_how_much_is_missing() {
    check(
        &page(&table(12), 80, Some(10), &["note: 7 events lost".to_owned()]),
        "
Orders · process 4711 · .NET 10.0.12 · watching 12 s · 14:03:22 UTC
                                        now      p50      p95      p99    last 8
Microsoft.AspNetCore.Hosting  http.server.…
  request.duration /json/{n} 200    1,200/s  1.20 ms  4.80 ms  11.4 ms  ▄▄▅▆▆▇██
  … 2 more rows
System.Runtime  dotnet.…
  gc.heap.total_allocated         12.3 MB/s                 total 1 GB  ────────
  process.memory.working_set        98.8 MB                             ────────
  … 4 more rows
note: 7 events lost",
    );
}

#[test]
fn a_page_with_hardly_any_room_names_what_there_is() {
    check(
        &page(&table(12), 80, Some(5), &[]),
        "
Orders · process 4711 · .NET 10.0.12 · watching 12 s · 14:03:22 UTC
                                        now      p50      p95      p99    last 8
Microsoft.AspNetCore.Hosting  http.server.…
  … 3 more rows
… 1 more provider",
    );
}

#[test]
fn a_narrow_page_keeps_names_and_first_numbers() {
    check(
        &page(&table(12), 40, Some(12), &[]),
        "
Orders · process 4711 · .NET 10.0.12 · …
                                     now
Microsoft.AspNetCore.Hosting  …
  active_requests GET http            +4
  request.duration /json… 200    1,200/s
    /slow 500                       24/s
System.Runtime  dotnet.…
  gc.collections gen0             0.20/s
  gc.heap.total_allocated      12.3 MB/s
  process.memory.working_set     98.8 MB
  thread_pool.queue.length             2
  … 2 more rows",
    );
}

/// The page in an order, scrolled. Also how far it can be.
fn viewed(view: View, rows: usize) -> (Vec<String>, usize, usize) {
    let frame = Frame { columns: 80, rows: Some(rows), title: "", notes: &[], view, footer: Some("keys") };
    let page = table(12).page(frame);
    assert_eq!(page.lines.len(), rows);
    let plain = page.lines.iter().map(|line| {
        let plain = anstream::adapter::strip_str(line).to_string();
        plain.chars().take(34).collect::<String>().trim_end().to_owned()
    });
    (plain.collect(), page.scroll, page.end)
}

#[test]
fn a_page_that_is_scrolled_names_the_provider_and_the_instrument_of_its_first_rows() {
    let (top, scroll, end) = viewed(View { scroll: 1, ..View::default() }, 8);
    assert_eq!((scroll, end), (1, 7));
    assert_eq!(
        top[2..],
        [
            "Microsoft.AspNetCore.Hosting  http",
            "  active_requests GET http",
            "  request.duration /json/{n} 200",
            "    /slow 500",
            "System.Runtime  dotnet.…",
            "keys"
        ]
    );
    let (end, scroll, _) = viewed(View { scroll: usize::MAX, ..View::default() }, 8);
    assert_eq!(scroll, 7);
    assert_eq!(
        end[2..],
        [
            "System.Runtime  dotnet.…",
            "  gc.collections gen2",
            "  gc.heap.total_allocated",
            "  process.memory.working_set",
            "  thread_pool.queue.length",
            "keys"
        ]
    );
}

#[test]
fn rows_by_value_stand_together_by_their_measure() {
    let view = View { sort: Sort::Value, ..View::default() };
    let rows = viewed(view, 30).0;
    assert_eq!(
        rows[2..5],
        [
            "  http.server.…ation /json/… 200",
            "  http.server.r…ration /slow 500",
            "  dotnet.gc.collections gen0",
        ]
    );
    let reversed = viewed(View { reversed: true, ..view }, 30).0;
    assert_eq!(reversed[2], "  dotnet.process.memor…rking_set");
    let growth = viewed(View { sort: Sort::Growth, ..View::default() }, 30).0;
    assert!(growth[2].contains("/json/") && growth[3].contains("/slow"), "{growth:?}");
}

#[test]
fn the_keys_are_in_the_last_line() {
    let rows = viewed(View::default(), 30).0;
    assert_eq!((rows[28].as_str(), rows[29].as_str()), ("", "keys"));
}

#[test]
fn what_is_no_longer_published_keeps_its_last_value_and_is_faint() {
    let mut table = table(2);
    table.take(&reading(20, &["System.Runtime", "dotnet.timer.count", "{timer}", "{}"], "value", 3.0));
    let frame = Frame { columns: 80, rows: None, title: "", notes: &[], view: View::default(), footer: None };
    let lines = table.page(frame).lines;
    let faint = |name: &str| {
        let line = lines.iter().find(|line| line.contains(name)).unwrap();
        line.starts_with(&row::FAINT.render().to_string())
    };
    assert!(faint("working_set") && !faint("timer.count"), "{lines:?}");
}

#[test]
fn names_from_the_subject_do_not_steer_the_terminal() {
    let hostile = "a\u{1b}]0;b\u{7}\r\nc\u{9b}2J\u{202e}d";
    let tags = serde_json::json!({ hostile: hostile }).to_string();
    let mut table = Table::new(1_000_000_000);
    for kind in ["value", "rate", "total", "p50", "count"] {
        table.take(&reading(1, &[hostile, hostile, hostile, &tags], kind, 1.0));
        table.take(&reading(1, &["A", hostile, hostile, &tags], kind, 1.0));
    }
    let notes = [format!("note: {hostile}")];
    let view = View::default();
    let frame =
        Frame { columns: 100, rows: None, title: hostile, notes: &notes, view, footer: Some(hostile) };
    for line in table.page(frame).lines {
        let own = anstream::adapter::strip_str(&line).to_string();
        assert!(!own.chars().any(|c| c.is_control() || c == '\u{202e}'), "{own:?}");
        // Nothing but colours is left that begins with an escape.
        assert_eq!(line.matches('\u{1b}').count(), line.matches("\u{1b}[").count(), "{line:?}");
        assert!(!line.contains("2J") || own.contains("2J"), "{line:?}");
    }
}

#[test]
fn no_size_of_the_terminal_is_too_small() {
    let table = table(70);
    let notes = vec!["note: something that is far longer than a narrow terminal is wide".to_owned(); 5];
    for columns in 20..160 {
        for rows in [0, 1, 2, 5, 9, 24, 60] {
            page(&table, columns, Some(rows), &notes);
        }
    }
}

#[test]
fn series_without_end_stay_within_their_limit() {
    let mut table = Table::new(1_000_000_000);
    for at in 0..MAX_SERIES + 500 {
        table.take(&reading(1, &["P", &format!("counter.{at}"), "", "{}"], "value", 1.0));
    }
    assert_eq!((table.series, table.left_out()), (MAX_SERIES, 500));
    // A minute later those that are no longer published make room.
    table.take(&reading(70, &["P", "counter.1", "", "{}"], "value", 1.0));
    table.take(&reading(70, &["P", "new", "", "{}"], "value", 1.0));
    assert_eq!((table.series, table.left_out()), (2, 500));
}

#[test]
fn the_names_of_a_provider_share_a_prefix_up_to_a_dot() {
    assert_eq!(common_prefix(&["dotnet.gc.a", "dotnet.gc.b", "dotnet.x"]), "dotnet.");
    assert_eq!(common_prefix(&["dotnet.gc.a"]), "");
    assert_eq!(common_prefix(&["cpu-usage", "working-set"]), "");
}
