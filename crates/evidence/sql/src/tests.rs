//! Queries over small recordings, and random ones with and without push-down.

use crate::answer::Collector;
use crate::{Answer, Cell, Database, Error, QueryOptions, Rows, output, tables_used};
use model::{
    ActivityId, AllocationRow, Bench, BenchmarkRow, EventKind, Kind, NO_INT, StackId, Sym, Tables, ThreadId,
    Trace,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

mod files;

const ALL: QueryOptions = QueryOptions { limit: None, interrupt_after: None };

fn answer(database: &Database, sql: &str) -> Answer {
    database.query(sql, ALL).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn open(recording: Trace) -> Database {
    Database::open(vec![(None, Arc::new(recording))]).unwrap()
}

fn error(sql: &str) -> String {
    open(small()).query(sql, ALL).unwrap_err().to_string()
}

fn json(sql: &str) -> serde_json::Value {
    let mut out = Vec::new();
    let mut rows = output::Json::new(&mut out);
    let truncated = open(small()).stream(sql, ALL, &mut rows).unwrap();
    rows.finish(truncated).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn int(value: i64) -> Cell {
    Cell::Int(value)
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

/// Two frames, two stacks, forty samples.
fn small() -> Trace {
    let mut recording = Trace { thread_ids: vec![100, 200].into(), ..Trace::default() };
    let stacks: [&[&str]; 3] = [&["App!Main()"], &["App!Main()", "App!Work()"], &[]];
    for (at, stack) in (0..40).zip(stacks.into_iter().cycle()) {
        let kind = ["managed", "external"][usize::from(at % 4 == 0)];
        let thread = ThreadId::at(u16::try_from(at * 10 % 3).unwrap());
        recording.sample(at * 10, thread, [kind, "running", ""], stack);
    }
    recording
}

#[test]
fn samples_join_their_stacks_and_frames() {
    let sql = "select f.name, count(*) as n from samples s join stacks k on k.id = s.stack \
               join frames f on f.id = k.frame group by 1 order by 1";
    let found = answer(&open(small()), sql);
    assert_eq!(found.rows, [[text("App!Main()"), int(14)], [text("App!Work()"), int(13)]]);
    let plan = answer(&open(small()), &format!("explain query plan {sql}"));
    assert!(format!("{:?}", plan.rows).contains("VIRTUAL TABLE INDEX 0:=0"), "{plan:?}");
}

#[test]
fn a_join_on_a_column_that_is_no_id_uses_the_order_made_for_it() {
    let sql = "select count(*) from samples a join samples b on b.ts_ns = a.ts_ns and b.stack = a.stack \
               join samples c on c.stack = b.stack";
    let pushed = answer(&open(small()), sql);
    let plain = Database::open_with(vec![(None, Arc::new(small()))], false).unwrap();
    assert_eq!(pushed.rows, answer(&plain, sql).rows);
    assert_eq!(pushed.rows, [[int(14 * 14 + 13 * 13)]]);
}

#[test]
fn plain_columns_keep_type_and_unit_through_subqueries() {
    let sql = "select ts_ns as t, ts_ns + 1, thread, waiting_on from (select * from samples) limit 1";
    assert_eq!(
        json(sql),
        serde_json::json!({
            "columns": [
                {"name": "t", "type": "integer", "unit": "ns"},
                {"name": "ts_ns + 1", "type": "integer", "unit": ""},
                {"name": "thread", "type": "integer", "unit": ""},
                {"name": "waiting_on", "type": "text", "unit": ""},
            ],
            "rows": [[0, 1, 100, null]],
            "truncated": false,
        })
    );
}

#[test]
fn a_limit_is_told_only_when_it_cut_something() {
    let database = open(small());
    for (limit, rows, truncated) in [(39, 39, true), (40, 40, false), (0, 0, true)] {
        let options = QueryOptions { limit: Some(limit), interrupt_after: None };
        let found = database.query("select * from samples", options).unwrap();
        assert_eq!((found.rows.len(), found.truncated), (rows, truncated));
    }
}

fn named(alias: &str, tables: impl Tables + 'static) -> (Option<String>, Arc<dyn Tables>) {
    (Some(alias.to_owned()), Arc::new(tables))
}

#[test]
fn exhibits_of_two_kinds_have_each_its_own_tables() {
    let mut bench = Bench::default();
    let name = bench.strings.intern("Parse.Split");
    let unit = bench.strings.intern("ns");
    let row = BenchmarkRow { id: 0, name, n: 3, mean: 2.5, median: 2.0, unit, ..BenchmarkRow::blank() };
    bench.benchmarks.push(row);
    let database = Database::open(vec![named("load", small()), named("bench", bench)]).unwrap();
    let found =
        answer(&database, "select mean, (select count(*) from load.samples) as n, low from bench.benchmarks");
    assert_eq!(found.rows, [[Cell::Real(2.5), int(40), Cell::Null]]);
    assert_eq!((found.columns[0].unit.as_str(), found.columns[1].unit.as_str()), ("ns", ""));
    let message = |sql: &str| database.query(sql, ALL).unwrap_err().to_string();
    assert!(message("select 1 from benchmarks").contains("load.<table> or bench.<table>"));
    let unknown = message("select 1 from bench.gc");
    assert!(unknown.contains("benchmarks, measurements, metrics behind `bench.`"), "{unknown}");
}

#[test]
fn two_recordings_are_told_apart_and_plain_names_are_refused() {
    let mut other = small();
    other.sample(999, ThreadId::FIRST, ["managed", "running", ""], &[]);
    let database = Database::open(vec![named("a", small()), named("b", other)]).unwrap();
    let sql = "select (select count(*) from a.samples), (select count(*) from b.samples)";
    assert_eq!(answer(&database, sql).rows, [[int(40), int(41)]]);
    let message = |sql: &str| database.query(sql, ALL).unwrap_err().to_string();
    let refused = message("select * from samples");
    assert!(refused.contains("a.<table> or b.<table>"), "{refused}");
    assert!(message("select * from c.samples").contains("each behind `a.` or `b.`"));
    let twice = vec![named("a", Trace::default()), named("A", Trace::default())];
    assert!(matches!(Database::open(twice), Err(Error::Alias(_))));
}

#[test]
fn nothing_but_one_reading_statement_is_run() {
    for (sql, expected) in [
        ("attach 'x.db' as x", "ATTACH is not allowed"),
        ("pragma journal_mode = wal", "PRAGMA journal_mode is not allowed"),
        ("select load_extension('x')", "load_extension is not allowed"),
        ("create table t(x)", "writing is not allowed"),
        ("delete from gc", "changing a table is not allowed: a query is one SELECT"),
        (
            "select percentile(ts_ns) from samples",
            "write percentile(value, percent), with percent from 0 to 100",
        ),
        ("begin", "a transaction is not allowed"),
        ("select 1; select 2", "more than one statement"),
        (" -- nothing", "no statement"),
        ("select * from gcs", "no such table: gcs; the tables are events, samples"),
        ("select duration from gc", "`casebook tables`"),
        ("select dur from gc", "(there is gc.dur_ns); gc has number, generation, type,"),
        ("select a.nope from gc as a", "no such column: a.nope; gc has number, generation, type,"),
        ("select 1 as one where nope = 2", "no such column: nope; `casebook tables`"),
    ] {
        let message = error(sql);
        assert!(message.contains(expected), "{sql}: {message}");
    }
}

#[test]
fn a_query_that_does_not_end_is_interrupted() {
    let sql = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
    let options = QueryOptions { limit: None, interrupt_after: Some(Duration::from_millis(5)) };
    let database = open(small());
    assert!(matches!(database.query(sql, options), Err(Error::Interrupted(_))));
    assert_eq!(answer(&database, "select 1").rows, [[int(1)]]);
}

#[test]
fn the_columns_that_a_statement_reads_are_known_beforehand() {
    let pairs = |sql, aliases: &[&str]| {
        let of = |alias: Option<&str>| (alias.map(str::to_owned), Kind::Trace);
        let named: Vec<_> = aliases.iter().map(|alias| of(Some(alias))).collect();
        let plain = [of(None)];
        tables_used(sql, if named.is_empty() { &plain } else { &named }).unwrap()
    };
    let pair = |table: &str, column: &str| (table.to_owned(), column.to_owned());
    let events = [pair("events", "fields"), pair("events", "name")];
    assert_eq!(pairs("select fields from events where name = 'x'", &[]), events);
    let aliases = ["a", "b"];
    let sql = "select fields from b.events, (select 1 from a.gc) where name = 'x'";
    assert!(pairs(sql, &aliases).starts_with(&events));
    assert!(!pairs("select count(*) from events", &[]).contains(&pair("events", "fields")));
    assert!(pairs("select * from events", &[]).contains(&pair("events", "fields")));
}

fn sheet() -> Answer {
    let column = |name: &str| crate::AnswerColumn { name: name.to_owned(), kind: None, unit: String::new() };
    Answer {
        columns: ["ts_ns", "share", "a,b"].map(column).to_vec(),
        rows: vec![
            vec![int(1500), Cell::Real(0.5), text("say \"x\",\r\ny")],
            vec![Cell::Null, int(2), text("")],
            vec![int(-1), Cell::Null, Cell::Null],
        ],
        truncated: false,
    }
}

#[test]
fn csv_quotes_what_would_break_a_line_and_tells_null_from_empty() {
    let mut out = Vec::new();
    let mut csv = output::Csv::new(&mut out);
    csv.begin(&sheet().columns).unwrap();
    sheet().rows.into_iter().for_each(|row| csv.row(row).unwrap());
    let expected = "ts_ns,share,\"a,b\"\r\n1500,0.5,\"say \"\"x\"\",\r\ny\"\r\n,2,\"\"\r\n-1,,\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_table_aligns_numbers_and_cuts_texts_to_the_width() {
    let mut out = Vec::new();
    output::write_table(&sheet(), &mut out, 24).unwrap();
    let expected =
        "ts_ns  share  a,b\n-----  -----  ----------\n 1500    0.5  say \"x\", …\n           2\n   -1\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_table_that_is_too_wide_is_a_block_for_each_row_and_paths_keep_what_tells_them_apart() {
    let written = |sheet: &Answer, width| {
        let mut out = Vec::new();
        output::write_table(sheet, &mut out, width).unwrap();
        String::from_utf8(out).unwrap()
    };
    let mut sheet = sheet();
    sheet.rows.truncate(2);
    let expected =
        "row 1\n  ts_ns  1500\n  share  0.5\n  a,b    say \"x\",  y\n\nrow 2\n  ts_ns\n  share  2\n  a,b\n";
    assert_eq!(written(&sheet, 20), expected);
    sheet.columns.truncate(1);
    sheet.rows =
        vec![vec![text("fixtures/of/ours/leak.nettrace")], vec![text("fixtures/of/ours/lock.nettrace")]];
    assert_eq!(written(&sheet, 16), "ts_ns\n----------------\n…s/leak.nettrace\n…s/lock.nettrace\n");
    sheet.rows = vec![vec![text("leak in the heap of it")], vec![text("lock in the heap of it")]];
    assert_eq!(written(&sheet, 12), "ts_ns\n------------\nleak in the…\nlock in the…\n");
}

#[test]
fn one_long_text_neither_ends_the_program_nor_pads_every_row() {
    let mut sheet = sheet();
    sheet.rows[0][2] = text(&"x".repeat(70_000));
    sheet.columns.rotate_right(1);
    sheet.rows.iter_mut().for_each(|row| row.rotate_right(1));
    let mut out = Vec::new();
    output::write_table(&sheet, &mut out, usize::MAX).unwrap();
    let out = String::from_utf8(out).unwrap();
    let widest = out.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(200 + "  ts_ns  share".len()));
    assert!(out.lines().any(|line| line.contains("xx…   1500")), "{out}");
}

/// Takes a few bytes, and then is closed.
struct Closed(usize);

impl std::io::Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_answer_without_end_is_written_as_it_comes() {
    let sql = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n";
    let database = open(small());
    let mut csv = output::Csv::new(Closed(1000));
    assert!(matches!(database.stream(sql, ALL, &mut csv), Err(Error::Write(_))));
    let mut json = output::Json::new(Closed(1000));
    assert!(matches!(database.stream(sql, ALL, &mut json), Err(Error::Write(_))));
    let mut kept = Collector::new(10_000);
    assert!(matches!(database.stream(sql, ALL, &mut kept), Err(Error::TooLarge(10_000))));
}

#[test]
fn percentiles_and_roots_are_there() {
    let found = answer(&open(small()), "select percentile(ts_ns, 50), sqrt(max(thread)) from samples");
    assert_eq!(found.rows, [[Cell::Real(195.0), Cell::Real(200.0_f64.sqrt())]]);
}

/// Whoever installs the program cannot set SQLite's flags for it.
#[test]
fn no_function_of_numbers_or_percentiles_is_sqlite_s_own() {
    let names = "acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 median mod \
        percentile percentile_cont percentile_disc pi pow power radians sin sinh sqrt tan tanh trunc";
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::functions::install(&connection).unwrap();
    let sql = "select count(distinct narg) from pragma_function_list where name = ? and not builtin";
    for name in names.split(' ') {
        let ours: i64 = connection.query_row(sql, [name], |row| row.get(0)).unwrap();
        assert_eq!(ours, if name == "log" { 2 } else { 1 }, "{name}");
    }
}

#[test]
fn parquet_reads_back_with_nulls_and_moments() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let dir = std::env::temp_dir().join(format!("casebook-sql-{}.parquet", std::process::id()));
    output::write_parquet(&sheet(), std::fs::File::create(&dir).unwrap(), Some(1_000_000)).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(&dir).unwrap()).unwrap();
    let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    std::fs::remove_file(&dir).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0].starts_with("{ts_ns: 1500, share: 0.5, a,b: \"say \"x\",\r\ny\", ts: 1970-01-01 00:00:01")
    );
    assert_eq!(rows[1], "{ts_ns: null, share: 2.0, a,b: \"\", ts: null}");
    assert!(rows[2].contains("ts_ns: -1, share: null, a,b: null, ts: 1970-01-01 00:00:00"), "{}", rows[2]);
}

/// A recording whose columns are of every kind, with nulls and ids that lead nowhere.
fn random(rows: &[(i64, u8, u8, i64)]) -> Trace {
    let mut recording = Trace { thread_ids: vec![5, NO_INT, 7].into(), ..small() };
    recording.activities = vec![[1; 16], [2; 16]].into();
    let syms: Vec<Sym> = ["", "a", "B", "5", "é"].iter().map(|text| recording.strings.intern(text)).collect();
    let sym = |at: u8| syms.get(usize::from(at) % 7).copied().unwrap_or(Sym::NONE);
    for at in 0..4 {
        let kind = EventKind { provider: sym(at), name: sym(at + 3), id: i64::from(at), version: NO_INT };
        recording.events.add_kind(kind);
    }
    let mut times: Vec<i64> = rows.iter().map(|row| row.0).collect();
    times.sort_unstable();
    for (ts_ns, (_, one, two, number)) in times.into_iter().zip(rows) {
        let (small, id) = (u16::from(*one % 6), Some(u16::from(*two % 4)).filter(|_| *two % 5 != 0));
        let weight_bytes = if *two % 4 == 0 { f64::NAN } else { f64::from(*two) / 2.0 };
        recording.allocations.push(AllocationRow {
            ts_ns,
            thread: small.into(),
            class: sym(*one),
            kind: sym(*two),
            bytes: *number,
            source: sym(0),
            weight_bytes,
            stack: id.map(StackId::from),
        });
        let events = &mut recording.events;
        events.ts_ns.push(ts_ns);
        events.kind.push(small.into());
        events.thread.push(small.into());
        events.stack.push(id.map(StackId::from));
        events.activity.push(id.map(ActivityId::from));
        events.stream.push(u16::from(*two % 3));
    }
    recording
}

const GUID: &str = "'01010101-0101-0101-0101-010101010101'";

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        (-4_i64..9).prop_map(|value| value.to_string()),
        (-8_i32..18).prop_map(|value| format!("{:.1}", f64::from(value) / 2.0)),
        prop::sample::select(vec![
            "''",
            "'a'",
            "'B'",
            "'5'",
            "'5.0'",
            "' 5'",
            "'é'",
            "'zz'",
            "NULL",
            "x'61'",
            "1e300",
            "-1e300",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808.0",
            "4294967295",
            "-0.0",
            "5.5",
            "'5' || ''",
            "2 + 3",
            GUID,
            "'01010101-0101-0101-0101-01010101010A'",
        ])
        .prop_map(str::to_owned),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let columns = vec![
        "e.ts_ns",
        "e.provider",
        "e.name",
        "e.id",
        "e.version",
        "e.thread",
        "e.stack",
        "e.activity",
        "e.stream",
        "a.ts_ns",
        "a.thread",
        "a.type",
        "a.kind",
        "a.bytes",
        "a.weight_bytes",
        "a.stack",
        "a.rowid",
    ];
    let column = || prop::sample::select(columns.clone());
    let operators = vec!["=", ">", ">=", "<", "<=", "<>", "is", "is not"];
    prop_oneof![
        5 => (column(), prop::sample::select(operators.clone()), literal())
            .prop_map(|(column, op, value)| format!("{column} {op} {value}")),
        1 => (column(), literal()).prop_map(|(column, value)| format!("{column} = {value} collate nocase")),
        1 => column().prop_map(|column| format!("{column} is null")),
        1 => column().prop_map(|column| format!("{column} is not null")),
        2 => (column(), prop::collection::vec(literal(), 1..4))
            .prop_map(|(column, values)| format!("{column} in ({})", values.join(", "))),
        1 => (column(), column(), prop::sample::select(operators))
            .prop_map(|(one, two, op)| format!("{one} {op} {two}")),
    ]
}

fn rows() -> impl Strategy<Value = Vec<(i64, u8, u8, i64)>> {
    let time = prop_oneof![8 => -3_i64..9, 1 => Just(NO_INT), 1 => Just(i64::MAX)];
    let number = prop_oneof![8 => -3_i64..9, 1 => Just(NO_INT), 1 => Just(i64::MAX)];
    prop::collection::vec((time, any::<u8>(), any::<u8>(), number), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn pushing_down_changes_no_answer(
        rows in rows(),
        conditions in prop::collection::vec(condition(), 1..4),
        join in prop::sample::select(vec![
            "join allocations a on a.ts_ns = e.ts_ns",
            "left join allocations a on a.stack = e.stack",
            "join allocations a on a.type = e.provider",
            "left join allocations a on a.rowid = e.rowid",
            "join allocations a on a.weight_bytes = e.id join events f on f.activity = e.activity",
        ]),
    ) {
        let recording: Arc<dyn Tables> = Arc::new(random(&rows));
        let sql = format!("select e.rowid, a.rowid, e.ts_ns, a.bytes from events e {join} where {} \
             order by e.ts_ns, e.rowid, a.rowid", conditions.join(" and "));
        let pushed = Database::open_with(vec![(None, Arc::clone(&recording))], true).unwrap();
        let plain = Database::open_with(vec![(None, recording)], false).unwrap();
        prop_assert_eq!(answer(&pushed, &sql), answer(&plain, &sql), "{}", sql);
        for order in ["e.ts_ns", "e.ts_ns desc"] {
            let own: Vec<&str> = conditions.iter().map(String::as_str).filter(|c| !c.contains("a.")).collect();
            let filter = if own.is_empty() { "1".to_owned() } else { own.join(" and ") };
            let sql = format!("select e.ts_ns from events e where {filter} order by {order}");
            prop_assert_eq!(answer(&pushed, &sql), answer(&plain, &sql), "{}", sql);
        }
    }
}

fn condition_on_file() -> impl Strategy<Value = String> {
    let values = vec!["'a'", "'b'", "'A'", "'c'", "7", "NULL", "a.file", "x'61'"];
    let operators = vec!["=", "<>", "<", ">=", "is", "is not", "in"];
    (prop::sample::select(operators), prop::sample::select(values.clone()), prop::sample::select(values))
        .prop_map(|(operator, value, other)| match operator {
            "in" => format!("e.file in ({value}, {other})"),
            operator => format!("e.file {operator} {value}"),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn pushing_down_changes_no_answer_over_several_files(
        one in rows(),
        other in rows(),
        mut conditions in prop::collection::vec(condition(), 0..3),
        of_file in prop::collection::vec(condition_on_file(), 1..3),
        join in prop::sample::select(vec![
            "join allocations a on a.file = e.file and a.ts_ns = e.ts_ns",
            "left join allocations a on a.stack = e.stack and a.file = e.file",
            "join allocations a on a.type = e.provider",
        ]),
    ) {
        conditions.extend(of_file);
        let named = |name: &str, rows: &[_]| -> (String, Arc<dyn Tables>) { (name.to_owned(), Arc::new(random(rows))) };
        let files = || vec![named("a", &one), named("b", &other), named("empty", &[])];
        let pushed = Database::open_files_with(files(), true).unwrap();
        let plain = Database::open_files_with(files(), false).unwrap();
        let sql = format!("select e.file, e.rowid, a.file, a.rowid, e.ts_ns, a.bytes from events e {join} where {} \
             order by e.ts_ns, e.rowid, a.rowid", conditions.join(" and "));
        prop_assert_eq!(answer(&pushed, &sql), answer(&plain, &sql), "{}", sql);
    }
}
