//! `casebook open`: an exhibit as pages in the browser, alone or compared with an earlier one.

use crate::mine;
use crate::reading;
use crate::serving::{self, Site};
use page::Pages;
use std::path::PathBuf;
use std::process::ExitCode;

/// A recording as pages in the browser: findings, flame graphs, time line, GC, requests, locks, events, SQL
///
/// Of benchmark results the pages show the figures, the distribution of each benchmark, every measurement, and SQL. Pages
/// are served on this machine only. On a desktop they open in your browser, which gets its key from a file in your home that
/// only you can read and that is removed at once; otherwise a link is printed, which works once. Enter on the terminal prints
/// a new link, for example after you closed the browser. Everything that you choose on a page is in its address. The pages
/// work without script, too.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook open trace.nettrace.zst\n  casebook open Parse-report-full.json\n  casebook open after/ --against before/      # what changed: differential flame graphs, one list of changes\n  casebook open trace.nettrace --no-browser      # over ssh, it says which tunnel leads there\n\nTo send a page, write it into one file: casebook export trace.nettrace --to html"
)]
pub(crate) struct Args {
    /// A recording (.nettrace, packed or not), benchmark results (*-report-full.json), or an exhibit's folder
    file: PathBuf,
    /// An earlier recording to compare with
    #[arg(long, value_name = "OTHER")]
    against: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::WhoseTwo,
    #[command(flatten)]
    mine: mine::Mine,
    #[command(flatten)]
    serving: serving::Where,
}

impl Site for Pages {
    fn answer(&self, path: &str, query: &[(String, String)]) -> page::Reply {
        Self::answer(self, path, query)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mine = args.mine.code()?;
    let [before, after] = args.whose.before_and_after()?;
    let here = reading::open(&args.file, true, after)?;
    let earlier = args.against.as_ref().map(|other| reading::open(other, true, before)).transpose()?;
    let pages = Pages::of(here, earlier, &mine)?;
    mine::tell(pages.explanation());
    serving::serve(pages, &args.serving)
}
