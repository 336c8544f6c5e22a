//! Statements that are made to take all time, memory or disk: each ends, and none harms another.

use crate::{Answer, Cell, Database, Error, Limits, QueryOptions};
use model::{NO_INT, SampleRow, Trace};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fmt::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The time that a query is given here.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time within which every query ends: of its thread, since the machine may do other things too.
const ENDS: Duration = Duration::from_secs(10);
/// A query that is never over.
const ENDLESS: &str = "with recursive n(x) as (select 1 union all select x + 1 from n)";

fn timed(after: Option<Duration>) -> QueryOptions {
    QueryOptions { limit: None, interrupt_after: after }
}

/// A recording of which each sample waits on one of these texts.
fn of_texts(texts: &[&str]) -> Arc<Trace> {
    let mut recording = Trace::default();
    for (text, ts_ns) in texts.iter().zip(0..) {
        let waiting_on = recording.strings.intern(text);
        recording.samples.push(SampleRow { ts_ns, waiting_on, ..SampleRow::blank() });
    }
    recording.thread_ids.push(NO_INT);
    Arc::new(recording)
}

/// As a page opens it.
fn page(recording: Arc<Trace>) -> Database {
    Database::of(recording).unwrap().within(Limits::OF_A_PAGE).unwrap()
}

/// The time that this thread has run.
fn used() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap()
}

/// Runs a statement as a page does; it ends in time, whatever it answers.
fn ends(database: &Database, sql: &str) -> Result<Answer, Error> {
    let before = used();
    let answer = database.query(sql, timed(Some(PATIENCE)));
    let took = used().saturating_sub(before);
    let shown: String = sql.chars().take(300).collect();
    assert!(took < ENDS, "{took:?}: {shown}");
    answer
}

/// Texts as long as a value may be, each the worst for some function.
static WORST: LazyLock<Vec<String>> = LazyLock::new(|| {
    let full = |text: &str| text.repeat(999_990 / text.len());
    let many = |one: &dyn Fn(u32) -> String| {
        let mut text = String::new();
        let mut at = 0;
        while text.len() < 990_000 {
            text.push_str(&one(at));
            at += 1;
        }
        text
    };
    let object = |name: &str| {
        let members = many(&|at| format!(r#""{name}{at}":{at},"#));
        format!(r#"{{{members}"end":1}}"#)
    };
    vec![
        full("a"),
        format!("{}b", "a".repeat(500_000)),
        many(&|at| char::from_u32(0x100 + at % 0xd000).unwrap().to_string()),
        object("a"),
        object("b"),
        format!("[{}1]", "1,".repeat(490_000)),
        format!("{}{}", "[1,".repeat(900), "]".repeat(900)),
        format!("{}b", "%a_".repeat(16_000)),
        full("1"),
        full("%d%s%Q%.999999999f"),
        full("+1 day "),
        format!("${}", "[#-1]".repeat(199_000)),
    ]
});

/// What functions are called with: a text of the recording by its number, or an expression.
fn arguments() -> Vec<String> {
    let mut all: Vec<String> = (0..WORST.len()).map(|at| format!("t{at}.waiting_on")).collect();
    let short = [
        "zeroblob(1000000)",
        "randomblob(1000000)",
        "9223372036854775807",
        "-1",
        "1e308",
        "null",
        "'%999999999d'",
        "'%.999999999c%.999999999f%999999s'",
        "'$.end'",
        "'localtime'",
    ];
    all.extend(short.map(str::to_owned));
    all
}

/// `select … from` the rows of the texts that an expression names.
fn select(expression: &str) -> String {
    let named = (0..WORST.len()).filter(|at| expression.contains(&format!("t{at}.")));
    let tables: Vec<String> =
        named.map(|at| format!("(select waiting_on from samples where rowid = {at}) as t{at}")).collect();
    let from = if tables.is_empty() { String::new() } else { format!(" from {}", tables.join(", ")) };
    format!("select length({expression}){from}")
}

/// SQLite's functions: name, number of arguments or -1, and whether they are of rows, as a window or not.
fn functions() -> Vec<(String, i64, String)> {
    let connection = Connection::open_in_memory().unwrap();
    let sql = "select distinct name, narg, type from pragma_function_list order by 1, 2, 3";
    let mut statement = connection.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Calls of a function with the worst arguments: alone, in pairs, and with more. Of those with more only a part, for they
/// are very many, and what takes long with three takes long with two.
fn calls(name: &str, count: i64, is_of_rows: bool) -> Vec<String> {
    let all = arguments();
    let call = |list: &[&str]| format!("\"{name}\"({})", list.join(", "));
    let with = |at: usize, step: usize, count: usize| {
        let list: Vec<&str> = (0..count).map(|turn| all[(at + step * turn) % all.len()].as_str()).collect();
        call(&list)
    };
    let counts: Vec<usize> =
        if count < 0 { vec![1, 2, 3, 20] } else { vec![usize::try_from(count).unwrap()] };
    let mut calls = Vec::new();
    for of in counts {
        let pairs = (0..all.len()).flat_map(|at| (0..all.len()).map(move |step| (at, step)));
        match of {
            0 => calls.push(call(&[])),
            1 => calls.extend(all.iter().map(|one| call(&[one]))),
            2 if !is_of_rows && count > 0 => {
                let pairs = pairs.filter(|(at, step)| *at < WORST.len() && step % 2 == 0);
                calls.extend(pairs.map(|(at, step)| with(at, step, of)));
            }
            20 => calls.extend((0..all.len()).map(|at| with(at, 5, of))),
            _ => calls
                .extend(pairs.filter(|(at, step)| (at + step) % 9 == 0).map(|(at, step)| with(at, step, of))),
        }
    }
    calls
}

/// Calls a function in all ways.
fn try_function(database: &Database, (name, count, kind): &(String, i64, String)) {
    for call in calls(name, *count, kind != "s") {
        drop(ends(database, &select(&call)));
        if kind == "w" {
            drop(ends(database, &select(&format!("{call} over (rows between 1 preceding and current row)"))));
        }
    }
    if kind == "w" && *count == 1 {
        drop(ends(database, &format!("select \"{name}\"(waiting_on) from samples")));
    }
}

#[test]
fn no_function_holds_a_query_beyond_its_time() {
    let texts: Vec<&str> = WORST.iter().map(String::as_str).collect();
    let recording = of_texts(&texts);
    // What only fills memory is over sooner.
    let limits = Limits { memory_bytes: 50_000_000, ..Limits::OF_A_PAGE };
    // The first database has to be there before SQLite's functions are asked for.
    let database = || Database::of(recording.clone()).unwrap().within(limits).unwrap();
    drop(database());
    let all = functions();
    assert!(all.len() > 150, "{}", all.len());
    std::thread::scope(|scope| {
        for share in 0..2 {
            let (all, database) = (&all, &database);
            scope.spawn(move || {
                let database = database();
                all.iter().skip(share).step_by(2).for_each(|function| try_function(&database, function));
            });
        }
    });
}

/// One expression many times over, as long as a browser's address may be: the machine does not look for interruptions
/// between them.
fn many(expression: &str, joined: &str) -> String {
    vec![expression; 14_000 / (expression.len() + joined.len())].join(joined)
}

#[test]
fn many_slow_calls_in_one_row_end_in_time() {
    let texts: Vec<&str> = WORST.iter().map(String::as_str).collect();
    let database = page(of_texts(&texts));
    let rows: Vec<String> = (0..WORST.len())
        .map(|at| format!("(select waiting_on as t{at} from samples where rowid = {at})"))
        .collect();
    let from = rows.join(", ");
    for call in [
        "t0 like t7",
        "t0 glob '*a*a*a*b'",
        "instr(t0,t1)",
        "trim(t2,t2)",
        "hex(t0)",
        "lower(t0)",
        "unicode(t2)",
        "length(t2)",
        "json_patch(t3,'{}')",
        "json_set(t3,'$.end',1)",
        "t3->>'$.end'",
        "json_array_length(t5)",
        "json_valid(t6)",
        "printf(t9,1)",
        "replace(t0,'a','b')",
        "upper(t2) = t2",
        "t0 = t1 collate nocase",
        "abs(t8)",
        "unhex(t8,t2)",
        "quote(t0)",
        "soundex(t0)",
        "date(t10)",
        "t0 || ''",
        "cast(t8 as real)",
        "substr(t2,-1)",
        "octet_length(t2)",
    ] {
        drop(ends(&database, &format!("select {} from {from}", many(call, ","))));
        drop(ends(&database, &format!("select max({}) from {from}", vec![call; 99].join(","))));
    }
    drop(ends(&database, &format!("select {} from {from}", many("t0 like t7", " or "))));
    drop(ends(&database, &format!("select {} from {from}", many("(t0 like '%a_b')", " + "))));
}

#[test]
fn statements_that_are_hard_to_understand_end_in_time() {
    let texts: Vec<&str> = WORST.iter().map(String::as_str).collect();
    let database = page(of_texts(&texts));
    let doubled: String = (1..200).fold(String::from("with a0 as (select 1 as x)"), |mut sql, at| {
        write!(sql, ", a{at} as (select a.x from a{} a, a{} b limit 5)", at - 1, at - 1).unwrap();
        sql
    });
    let joined = |count: usize| {
        let of: Vec<String> = (0..count).map(|at| format!("samples s{at}")).collect();
        let on: Vec<String> = (1..count).map(|at| format!("s{at}.ts_ns = s{}.stack", at - 1)).collect();
        format!("select count(*) from {} where {}", of.join(", "), on.join(" and "))
    };
    // As on a thread of the server.
    std::thread::scope(|scope| {
        let (database, work) = (database, move |database: Database| {
            for sql in [
                format!("{doubled} select * from a40"),
                format!("{doubled} select * from a199"),
                format!("{} 1 {}", "select * from (".repeat(900), ")".repeat(900)),
                format!("{}select 1{}", "select * from (".repeat(1_500), ")".repeat(1_500)),
                format!("select {}1{}", "(select ".repeat(1_500), ")".repeat(1_500)),
                format!("select {}1{}", "(".repeat(7_000), ")".repeat(7_000)),
                format!("select {}1", "not ".repeat(3_900)),
                format!("select {}", many("1", "+")),
                format!("select {}", many("'a'", "||")),
                format!("values {}", many("(1)", ",")),
                many("select 1", " union select "),
                many("select 1", " union all "),
                many("select 1", " intersect "),
                format!("select 1 from samples where ts_ns in ({})", many("1", ",")),
                format!("select 1 from samples where {}", many("ts_ns=1 and stack=2", " or ")),
                format!("select 1 from samples where {}", many("(ts_ns=1 or stack=2)", " and ")),
                format!("select {} from samples", many("sum(1) over (order by ts_ns)", ",")),
                joined(20),
                joined(60),
                format!("{ENDLESS} select count(*) from n"),
                format!("{ENDLESS} select x from n order by x"),
                format!("{ENDLESS} select median(x) from n"),
                format!("{ENDLESS} select group_concat(x) over (order by x) from n"),
                "with recursive r(x) as (select hex(zeroblob(400000)) union select r.x || (s.ts_ns + length(r.x) % 7) \
                 from r, samples s) select count(*) from r"
                    .to_owned(),
                "select count(*) from samples a, samples b, samples c, samples d, samples e, samples f, samples g, \
                 samples h where a.waiting_on || b.waiting_on < c.waiting_on"
                    .to_owned(),
            ] {
                drop(ends(&database, &sql));
            }
        });
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        thread.spawn_scoped(scope, move || work(database)).unwrap().join().unwrap();
    });
}

/// A statement that wants more memory than a page has, of values as long as they may be.
fn greedy() -> String {
    let columns: Vec<String> = (0..400).map(|at| format!("hex(zeroblob({}))", 499_000 + at)).collect();
    format!("select {}", columns.join(", "))
}

#[test]
fn a_query_at_its_limit_of_memory_fails_alone() {
    let others = Database::of(of_texts(&["x"])).unwrap().within(Limits::OF_A_PAGE).unwrap();
    let count = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) \
                 select count(distinct x), length(group_concat(x)) from n";
    let expected = others.query(count, timed(None)).unwrap().rows;
    std::thread::scope(|scope| {
        let greedy = scope.spawn(|| {
            let database = page(of_texts(&["x"]));
            for _ in 0..10 {
                let error = database.query(&greedy(), timed(Some(ENDS))).unwrap_err();
                assert!(matches!(error, Error::Memory(256_000_000)), "{error:?}");
                // Nor does it leave anything behind for the next one on this thread.
                assert_eq!(database.query("select 1", timed(None)).unwrap().rows, [[Cell::Int(1)]]);
            }
        });
        while !greedy.is_finished() {
            assert_eq!(others.query(count, timed(Some(ENDS))).unwrap().rows, expected);
        }
        greedy.join().unwrap();
    });
}

#[test]
fn a_query_without_memory_says_which_limit_it_reached_whatever_function_needs_it() {
    let limits = Limits { memory_bytes: 20_000_000, value_bytes: 64 << 20, ..Limits::OF_A_PAGE };
    let database = Database::of(of_texts(&["x"])).unwrap().within(limits).unwrap();
    for needs in [
        "json_group_array(x)",
        "json_group_object(x, x)",
        "jsonb_group_array(x)",
        "group_concat(x || 'xxxxxxxxxxxxxxxxxxxxx')",
        "string_agg(x, ',')",
        "median(x)",
        "percentile(x, 99)",
        "percentile_cont(x, 0.5)",
        "percentile_disc(x, 0.5)",
        "hex(zeroblob(15000000))",
        "replace(hex(zeroblob(3000000)), '0', 'abcd')",
        "json_array(hex(zeroblob(6000000)), hex(zeroblob(6000000)))",
        "printf('%30000000c', 'x')",
    ] {
        let error = database.query(&format!("{ENDLESS} select {needs} from n"), timed(None)).unwrap_err();
        assert!(matches!(error, Error::Memory(20_000_000)), "{needs}: {error:?}");
        let words = error.to_string();
        assert!(words.contains("more than 20 MB of memory") && words.contains("--max-memory"), "{words}");
        assert_eq!(database.query("select 1", timed(None)).unwrap().rows, [[Cell::Int(1)]]);
    }
}

/// An order of values on which a quicksort with the median of three as its pivot takes time with their square: it is asked
/// what it compares, and each pivot becomes the smallest value that is left.
fn worst_order(len: usize) -> Vec<usize> {
    // `at[i]`: which of the original places stands at i, as the sort swaps them about.
    let mut at: Vec<usize> = (0..len).collect();
    let mut values = vec![usize::MAX; len];
    let (mut from, mut next) = (0, 0);
    // The smallest two of the first, the middle and the last become the first and the second of the rest, all others
    // are larger, and the rest is again of this kind.
    while len - from > 3 {
        let middle = from + (len - from) / 2;
        for place in [from, middle] {
            values[at[place]] = next;
            next += 1;
        }
        // The pivot goes next to the first, in exchange for what is there.
        at.swap(middle, from + 1);
        from += 2;
    }
    for place in from..len {
        values[at[place]] = next;
        next += 1;
    }
    values
}

#[test]
fn percentiles_of_an_order_that_is_made_to_be_slow_are_there_in_time() {
    let last = 400_000;
    let mut recording = Trace::default();
    for value in worst_order(last + 1) {
        let ts_ns = i64::try_from(value).unwrap();
        recording.samples.push(SampleRow { ts_ns, ..SampleRow::blank() });
    }
    let database = page(Arc::new(recording));
    for (call, expected) in [
        ("median(ts_ns)", 200_000.0),
        ("percentile(ts_ns, 75)", 300_000.0),
        ("percentile_cont(ts_ns, 1)", 400_000.0),
        ("percentile_disc(ts_ns, 0.9)", 360_000.0),
    ] {
        let before = used();
        let answer = database.query(&format!("select {call} from samples"), timed(None)).unwrap();
        assert!(used().saturating_sub(before) < ENDS, "{call}");
        assert_eq!(answer.rows, [[Cell::Real(expected)]], "{call}");
    }
}

#[test]
fn patches_of_documents_end_in_time_also_within_the_limits_of_the_program() {
    let database = Database::of(of_texts(&[])).unwrap();
    let object = |name: &str, members: usize| {
        format!(
            "(with recursive n(x) as (select 1 union all select x + 1 from n where x < {members}) \
             select json_group_object('{name}' || x, x) from n)"
        )
    };
    for (target, patch) in [(5_000, 5_000), (400_000, 1_000), (2_000_000, 10), (1_000_000, 1_000_000)] {
        let sql = format!("select length(json_patch({}, {}))", object("a", target), object("b", patch));
        let before = used();
        let answer = database.query(&sql, timed(None));
        let took = used().saturating_sub(before);
        assert!(took < ENDS, "{target} and {patch}: {took:?}");
        assert!(answer.is_ok() || answer.unwrap_err().to_string().contains("json_patch"));
    }
}

#[test]
fn a_text_that_is_longer_than_a_value_may_be_does_not_make_its_table_an_error() {
    let long = "é".repeat(600_000);
    let database = page(of_texts(&["short", &long]));
    let answer = database.query("select waiting_on from samples order by rowid", timed(None)).unwrap();
    let texts: Vec<&str> = answer.rows.iter().map(|row| text_of(&row[0])).collect();
    assert_eq!(texts[0], "short");
    assert!(texts[1].starts_with("éé") && texts[1].ends_with("é… (cut here: the text has 1200000 bytes)"));
    // It can be asked for in parts, and other statements about it go on.
    let part = database.query("select substr(waiting_on, 1, 3) || 'x' from samples", timed(None)).unwrap();
    assert_eq!(part.rows[1], [Cell::Text("éééx".to_owned())]);
}

fn text_of(cell: &Cell) -> &str {
    if let Cell::Text(text) = cell { text } else { "" }
}

#[test]
fn temporary_files_of_a_query_are_bounded_and_given_back() {
    let limits = Limits { disk_bytes: 40_000_000, ..Limits::OF_A_PAGE };
    let database = Database::of(of_texts(&[])).unwrap().within(limits).unwrap();
    let sorted = |rows: u32| {
        let rows = format!("{ENDLESS}, r as (select x, hex(zeroblob(50000)) as y from n limit {rows})");
        format!("{rows} select count(*) from (select * from r order by y, x limit -1 offset 1)")
    };
    let unique = |rows: u32| {
        format!(
            "{ENDLESS}, r as (select x || hex(zeroblob(50000)) from n limit {rows}) \
        select count(*) from (select distinct * from r)"
        )
    };
    for _ in 0..3 {
        for large in [sorted(2_000), unique(2_000)] {
            let error = database.query(&large, timed(None)).unwrap_err();
            assert!(matches!(error, Error::Disk(40_000_000)), "{error:?}");
            let words = error.to_string();
            assert!(words.contains("more than 40 MB of temporary files"), "{words}");
            assert!(words.contains("--max-temporary"), "{words}");
        }
        for small in [sorted(100), unique(100)] {
            assert!(matches!(database.query(&small, timed(None)).unwrap().rows[0][0], Cell::Int(99 | 100)));
        }
    }
}

#[test]
fn an_answer_that_is_too_large_is_cut_and_says_so() {
    let database = page(of_texts(&[]));
    let rows = format!("{ENDLESS} select hex(zeroblob(400000)) from n limit 1000");
    let answer = database.query(&rows, timed(None)).unwrap();
    assert!(answer.truncated);
    assert!((50..=80).contains(&answer.rows.len()), "{}", answer.rows.len());
    // A value that SQLite has once stands in a row many times.
    let columns = vec!["t"; 1_000].join(",");
    let wide = format!("with v(t) as materialized (select hex(zeroblob(400000))) select {columns} from v");
    let error = database.query(&wide, timed(None)).unwrap_err();
    assert!(matches!(error, Error::Memory(_) | Error::TooLarge(_)), "{error:?}");
    let long = database.query("select hex(zeroblob(900000))", timed(None)).unwrap_err();
    assert!(matches!(long, Error::LongValue(1_000_000)), "{long:?}");
}

#[test]
fn time_that_is_over_is_told_whatever_sqlite_calls_it() {
    let database = page(of_texts(&[]));
    let after = Some(Duration::from_millis(50));
    for sql in [
        format!("{ENDLESS} select count(*) from n"),
        format!("{ENDLESS} select count(hex(zeroblob(400000))) from n"),
        format!("{ENDLESS} select count(trim(hex(zeroblob(400000)), '0é')) from n"),
    ] {
        let error = database.query(&sql, timed(after)).unwrap_err();
        assert!(matches!(error, Error::Interrupted(of) if Some(of) == after), "{sql}: {error:?}");
        assert_eq!(database.query("select 1", timed(after)).unwrap().rows, [[Cell::Int(1)]]);
    }
}

/// Values that are texts, valid or not, numbers or nothing.
fn value() -> impl Strategy<Value = String> {
    let alphabet = prop::sample::select(vec![
        &b"a"[..],
        b"A",
        b"b",
        b"%",
        b"_",
        b"*",
        b"?",
        b"[",
        b"]",
        b"^",
        b"-",
        b"\\",
        b" ",
        b"\0",
        b"4",
        b"F",
        b"\xc3",
        b"\xa9",
        b"\xc3\xa9",
        b"\xe2\x82\xac",
        b"\xff",
        b"\xf0\x9f\x98\x80",
    ]);
    let bytes = || {
        let hex = |parts: Vec<&[u8]>| {
            parts.concat().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
        };
        prop::collection::vec(alphabet.clone(), 0..12).prop_map(hex)
    };
    prop_oneof![
        12 => bytes().prop_map(|hex| format!("cast(x'{hex}' as text)")),
        2 => bytes().prop_map(|hex| format!("x'{hex}'")),
        1 => prop::sample::select(vec!["null", "44", "-4.25", "4.0", "1e300"]).prop_map(str::to_owned),
    ]
}

/// Arguments of functions of numbers, usual ones first.
fn number() -> impl Strategy<Value = String> {
    let odd = [
        "null",
        "0",
        "-0.0",
        "1",
        "-1",
        "'7'",
        "' 7.5 '",
        "'7x'",
        "'x'",
        "x'37'",
        "''",
        "1e300",
        "-1e300",
        "9e999",
        "-9e999",
        "1e-300",
        "9223372036854775807",
        "-9223372036854775808",
        "'9223372036854775808'",
        "'0x10'",
        "'inf'",
        "'nan'",
    ];
    prop_oneof![
        2 => (-20.0..20.0).prop_map(|value: f64| format!("{value:?}")),
        1 => (-20i64..20).prop_map(|value| value.to_string()),
        2 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn our_percentiles_answer_as_sqlite_s_own(
        values in prop::collection::vec(
            prop::sample::select(vec!["1", "2", "-3.5", "1e300", "null", "7", "7", "9e999", "'4'", "x'00'"]), 0..12),
        usual in prop::collection::vec(-5i32..50, 0..12),
        fraction in prop::sample::select(vec!["0", "1", "0.5", "0.31", "'0.9'", "50", "99.9", "100", "-1", "null", "'x'"]),
    ) {
        let ours = page(of_texts(&[]));
        let own = Connection::open_in_memory().unwrap();
        let usual: Vec<String> = usual.iter().map(i32::to_string).collect();
        let values: Vec<&str> = values.into_iter().collect();
        for list in [values, usual.iter().map(String::as_str).collect()] {
            let rows: Vec<String> = list.iter().map(|value| format!("select {value} as x")).collect();
            let rows = if rows.is_empty() { "select 1 as x where 0".to_owned() } else { rows.join(" union all ") };
            for call in [
                "median(x)".to_owned(),
                format!("percentile(x, {fraction})"),
                format!("percentile_cont(x, {fraction})"),
                format!("percentile_disc(x, {fraction})"),
                format!("percentile_disc(x, {fraction} + 0.002 * (x > 5))"),
                format!("percentile(x, {fraction}) over (rows between 2 preceding and 1 following)"),
                "median(x) over (rows between current row and unbounded following)".to_owned(),
            ] {
                let sql = format!("select {call} as y from ({rows})");
                let all = |connection: &Connection| -> Result<Vec<Option<f64>>, rusqlite::Error> {
                    connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
                };
                let expected = all(&own).map_err(|error| error.to_string());
                let found = ours.query(&sql, timed(None)).map(|answer| {
                    answer.rows.iter().map(|row| match row[0] {
                        Cell::Real(value) => Some(value),
                        _ => None,
                    }).collect::<Vec<_>>()
                });
                match (&expected, &found) {
                    (Ok(expected), Ok(found)) => prop_assert_eq!(expected, found, "{}", sql),
                    (Err(expected), Err(found)) => {
                        let found = found.to_string();
                        prop_assert!(found.contains(expected), "{}: {} {}", sql, expected, found);
                    }
                    _ => prop_assert!(false, "{}: {:?} {:?}", sql, expected, found),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn our_functions_answer_as_sqlite_s_own(one in value(), two in value(), three in value()) {
        let ours = page(of_texts(&[]));
        let own = Connection::open_in_memory().unwrap();
        for call in [
            format!("instr({one}, {two})"),
            format!("replace({one}, {two}, {three})"),
            format!("trim({one})"),
            format!("trim({one}, {two})"),
            format!("ltrim({one}, {two})"),
            format!("rtrim({one}, {two})"),
            format!("unhex({one})"),
            format!("unhex({one}, {two})"),
            format!("({one}) like ({two})"),
            format!("({one}) like ({two}) escape ({three})"),
            format!("({one}) like ({two}) escape '_'"),
            format!("({one}) glob ({two})"),
            format!("json_array(json_patch('{{\"a\":1}}', json_object('b', hex({one}))))"),
            format!("hex(jsonb_patch('{{\"a\":[1]}}', json_object('b', hex({one}))))"),
            format!("json_patch({one}, {two})"),
        ] {
            let sql = format!("select typeof(x), hex(x) from (select {call} as x)");
            let of_row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            let expected = own.query_row(&sql, [], of_row).ok();
            let found = ours.query(&sql, timed(None)).ok().map(|answer| match &answer.rows[0][..] {
                [Cell::Text(kind), Cell::Text(hex)] => (kind.clone(), hex.clone()),
                other => panic!("{other:?}"),
            });
            prop_assert_eq!(found, expected, "{}", call);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn our_functions_of_numbers_answer_as_sqlite_s_own(one in number(), two in number()) {
        let ours = page(of_texts(&[]));
        let own = Connection::open_in_memory().unwrap();
        let of_one = "acos acosh asin asinh atan atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 radians sin \
            sinh sqrt tan tanh trunc";
        let calls = of_one.split(' ').map(|name| format!("{name}({one})"));
        let calls = calls.chain(["atan2", "log", "mod", "pow", "power"].map(|name| format!("{name}({one}, {two})")));
        for call in calls.chain(["pi()".to_owned()]) {
            // SQLite looks at the type of the base twice, and not at that of the number.
            if call.starts_with("log(") && ["'7x'", "x'37'"].iter().any(|no| call.ends_with(&format!(", {no})"))) {
                continue;
            }
            let sql = format!("select {call}");
            let expected = match own.query_row(&sql, [], |row| row.get::<_, Value>(0)).unwrap() {
                Value::Integer(value) => Cell::Int(value),
                Value::Real(value) => Cell::Real(value),
                Value::Null => Cell::Null,
                other => panic!("{other:?}"),
            };
            let found = ours.query(&sql, timed(None)).unwrap().rows[0][0].clone();
            // Libraries of mathematics differ in the last digits.
            let is_equal = match (&found, &expected) {
                (Cell::Real(found), Cell::Real(expected)) => {
                    found.total_cmp(expected).is_eq() || (found - expected).abs() <= expected.abs() * 1e-14
                }
                (found, expected) => found == expected,
            };
            prop_assert!(is_equal, "{}: {:?}, not {:?}", call, found, expected);
        }
    }
}
