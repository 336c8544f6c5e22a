//! Times a query that filters and groups a million samples against the same on a native table of SQLite.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement, run by hand")]

use model::{SampleRow, Sym, Trace};
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::time::Instant;

const ROWS: u32 = 1_000_000;
const SQL: &str = "select state, waiting_on, count(*), sum(ts_ns) from samples \
                   where kind = 'managed' and ts_ns >= 100000000 group by 1, 2";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The first database decides how SQLite counts memory.
    drop(sql::Database::open(vec![(None, Arc::new(Trace::default()))])?);
    let mut recording = Trace { thread_ids: vec![1, 2, 3, 4].into(), ..Trace::default() };
    let native = Connection::open_in_memory()?;
    native.execute_batch(
        "create table samples(ts_ns integer, thread integer, stack integer, kind text, state text, \
         waiting_on text); begin",
    )?;
    let mut insert = native.prepare("insert into samples values (?, ?, ?, ?, ?, ?)")?;
    for at in 0..ROWS {
        let mixed = at.wrapping_mul(2_654_435_761) >> 16;
        let kind = ["managed", "external", "managed", "managed"][(mixed % 4) as usize];
        let state = ["running", "waiting"][(mixed / 4 % 2) as usize];
        let waiting = ["monitor", "task", "sleep", "io"][(mixed / 8 % 4) as usize];
        let waiting = (state == "waiting").then_some(waiting);
        let ts_ns = i64::from(at) * 1000;
        insert.execute(params![ts_ns, at % 4, at % 1000, kind, state, waiting])?;
        let strings = &mut recording.strings;
        recording.samples.push(SampleRow {
            ts_ns,
            thread: model::Id::new(at as usize % 4).unwrap_or(model::Id::FIRST),
            stack: model::Id::new(at as usize % 1000),
            kind: strings.intern(kind),
            state: strings.intern(state),
            waiting_on: waiting.map_or(Sym::NONE, |text| strings.intern(text)),
        });
    }
    native.execute_batch("commit")?;
    let opened = Instant::now();
    let database = sql::Database::open(vec![(None, Arc::new(recording))])?;
    println!("open {:?}", opened.elapsed());
    let options = sql::QueryOptions { limit: None, interrupt_after: None };
    for _ in 0..5 {
        let start = Instant::now();
        let groups = native.prepare(SQL)?.query_map([], |_| Ok(()))?.count();
        let of_native = start.elapsed();
        let start = Instant::now();
        let answer = database.query(SQL, options)?;
        println!(
            "native {of_native:?} ({groups} groups), virtual {:?} ({})",
            start.elapsed(),
            answer.rows.len()
        );
    }
    Ok(())
}
