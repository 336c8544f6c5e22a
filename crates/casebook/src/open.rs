//! `casebook open`: pages of an exhibit in the browser, alone or compared with an earlier one.

use crate::completions::candidates;
use crate::config::Config;
use crate::mine;
use crate::reading;
use crate::serving::{self, Site};
use page::{Pages, Together};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  casebook open slow
  casebook open trace.nettrace.zst
  casebook open after --against before       # what changed
  casebook open slow --no-browser            # over ssh: prints the tunnel too
  casebook open Parse-report-full.json       # benchmark results

To send the pages to someone, write them into one file:
  casebook export slow --to html";

/// Open a recording in the browser: findings, flame graphs, time line, GC, requests, locks, SQL
///
/// Pages are served on this machine only, until Ctrl-C. On a desktop they open in your browser; otherwise a link is printed,
/// which works once. Enter on the terminal prints a new link, for example after you closed the browser. The browser gets the
/// link's secret from a file in your home folder that only you can read and that is removed at once.
///
/// What you select on a page is in its address. The pages work without JavaScript too. Pages of benchmark results show the
/// figures, the distribution of each benchmark, every measurement, and SQL.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A recording's or load run's folder, a .nettrace file (compressed or not), a latency log (.hlog), or benchmark results (*-report-full.json)
    #[arg(add = candidates::recordings())]
    file: PathBuf,
    /// An earlier recording to compare with
    #[arg(long, value_name = "OTHER", add = candidates::recordings())]
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

impl Site for Together {
    fn answer(&self, path: &str, query: &[(String, String)]) -> page::Reply {
        Self::answer(self, path, query)
    }
}

pub(crate) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mine = args.mine.code(config)?;
    let [before, after] = args.whose.before_and_after()?;
    let run = if args.against.is_none() { reading::open_run(&args.file, true, after)? } else { None };
    if let Some(run) = run {
        let pages = run.pages(&args.file, &mine);
        mine::warn(pages.explanation());
        return serving::serve(pages, &args.serving);
    }
    let here = reading::open(&args.file, true, after)?;
    let earlier = args.against.as_ref().map(|other| reading::open(other, true, before)).transpose()?;
    let pages = Pages::of(here, earlier, &mine)?;
    mine::warn(pages.explanation());
    serving::serve(pages, &args.serving)
}
