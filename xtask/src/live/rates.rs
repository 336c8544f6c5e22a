//! `cargo xtask live rates`: requests and outgoing calls per second as the client and the back end counted them, against
//! every surface that says such a rate.
//!
//! One process is recorded with each profile, twice with those that come in two orders: activity ids stay on in a process
//! once it was recorded with the profile requests, so a later recording sees more than its own profile asks for.

use super::backend::Backend;
use super::common::{Common, Kept};
use super::load::{Group, Load};
use super::services::{Ground, ORDERS, Start};
use super::session::{Casebook, client, write};
use super::surfaces::{Of, Said, Surface, of_diff, of_recording};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;
use serde_json::Value;
use std::time::Duration;

const SECONDS: u64 = 10;
const WARM_UP: Duration = Duration::from_secs(6);
/// The share by which a surface may differ from the client.
const ALLOWED: f64 = 0.1;
/// Profiles in the order of their recordings, with the names of these.
const ORDER: [(&str, &str); 7] = [
    ("default", "default"),
    ("light", "light"),
    ("cpu", "cpu"),
    ("requests", "requests"),
    ("default-after-requests", "default"),
    ("cpu-after-requests", "cpu"),
    ("logs", "logs"),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

/// A service under load.
struct Subject {
    name: &'static str,
    load: Vec<Group>,
}

/// Whether every surface is within the limit.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    let Some(Kept { ground, casebook, out }) = args.common.prepare(workspace, "rates")? else {
        return Ok(true);
    };
    let subjects = args.common.wanted(subjects(), |subject| subject.name)?;
    if args.common.records() {
        record(&ground, &casebook, &subjects, &out)?;
    }
    if !args.common.judges() {
        return Ok(true);
    }
    let mut wrong = 0;
    for subject in &subjects {
        for (recording, _) in ORDER {
            wrong += judge(&casebook, subject, recording, &out)?;
        }
        wrong += diffs(&casebook, subject, &out)?;
    }
    println!("{wrong} rates are more than {} % off", ALLOWED * 100.0);
    Ok(wrong == 0)
}

/// Services with and without routing, with outgoing calls that are short, and some that outlast a burst of samples.
fn subjects() -> Vec<Subject> {
    let group = |route: &str, connections, pace| Group { routes: vec![route.to_owned()], connections, pace };
    let parcels = vec![group("/parcels/{n}", 4, Some(300.0)), group("/rates/{n}", 4, Some(150.0))];
    let billing = vec![group("/balance/{n}", 4, Some(250.0)), group("/rate/{n}", 16, None)];
    // It calls itself, so that outgoing calls are requests too.
    let orders = vec![group("/outgoing/80", 8, None), group("/json/20", 4, Some(200.0))];
    [("parcels", parcels), ("billing", billing), (ORDERS, orders)]
        .map(|(name, load)| Subject { name, load })
        .into()
}

fn record(ground: &Ground, casebook: &Casebook, subjects: &[Subject], out: &Utf8Path) -> Result<()> {
    let backend = Backend::start()?;
    ground.compile(subjects.iter().map(|subject| subject.name))?;
    for subject in subjects {
        let service = ground.start(&Start::plain(subject.name, &backend.url()))?;
        let load = Load::start(service.port, &subject.load)?;
        std::thread::sleep(WARM_UP);
        let mut intervals = Vec::new();
        for (recording, profile) in ORDER {
            eprintln!("recording {} {recording}", subject.name);
            let exhibit = out.join(format!("{}-{recording}", subject.name));
            intervals.push((recording, casebook.record(service.pid(), SECONDS, profile, &exhibit)?));
        }
        let answers = load.finish()?;
        for (recording, interval) in intervals {
            let seen = client(&answers, &backend, interval)?;
            write(&out.join(format!("{}-{recording}.client.json", subject.name)), &seen)?;
        }
    }
    Ok(())
}

/// What is true: requests, of a route, and outgoing calls per second.
struct Truth {
    client: Value,
    /// The service calls itself: each request of this route is two, and one outgoing call.
    own: Option<&'static str>,
}

impl Truth {
    fn read(subject: &Subject, recording: &str, out: &Utf8Path) -> Result<Self> {
        let path = out.join(format!("{}-{recording}.client.json", subject.name));
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(Self { client: serde_json::from_str(&text)?, own: (subject.name == ORDERS).then_some("outgoing") })
    }

    fn of(&self, of: &Of) -> f64 {
        let all = self.client["requests_per_second"].as_f64().unwrap_or(f64::NAN);
        let outgoing = self.client["outgoing_per_second"].as_f64().unwrap_or(f64::NAN);
        let own = self.own.map_or(0.0, |own| self.route(own));
        match of {
            Of::Requests => all + own,
            Of::Route(route) => self.route(route),
            Of::Outgoing => outgoing + own,
        }
    }

    fn route(&self, wanted: &str) -> f64 {
        let routes = self.client["routes"].as_array().into_iter().flatten();
        let of =
            routes.filter(|route| route["route"].as_str().is_some_and(|path| first_word(path) == wanted));
        of.filter_map(|route| route["requests_per_second"].as_f64()).sum()
    }
}

fn first_word(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Prints a line per surface of one recording; how many are wrong.
fn judge(casebook: &Casebook, subject: &Subject, recording: &str, out: &Utf8Path) -> Result<usize> {
    let truth = Truth::read(subject, recording, out)?;
    let exhibit = out.join(format!("{}-{recording}", subject.name));
    let routes =
        subject.load.iter().flat_map(|group| &group.routes).map(|route| first_word(route).to_owned());
    let surfaces = of_recording(casebook, &exhibit, &routes.collect::<Vec<_>>())?;
    println!("{} {recording}", subject.name);
    Ok(surfaces.iter().filter(|surface| !holds(surface, truth.of(&surface.of))).count())
}

/// The first default recording against each of the others: both columns.
fn diffs(casebook: &Casebook, subject: &Subject, out: &Utf8Path) -> Result<usize> {
    let (first, _) = ORDER[0];
    let exhibit = |recording: &str| out.join(format!("{}-{recording}", subject.name));
    let mut wrong = 0;
    for (recording, _) in ORDER.iter().skip(1) {
        println!("{} diff {first} {recording}", subject.name);
        let said = of_diff(casebook, &exhibit(first), &exhibit(recording))?;
        for (said, (column, of)) in said.into_iter().zip([("before", first), ("after", *recording)]) {
            let surface = Surface { name: format!("diff, {column}"), of: Of::Requests, said };
            let truth = Truth::read(subject, of, out)?.of(&Of::Requests);
            wrong += usize::from(!holds(&surface, truth));
        }
    }
    Ok(wrong)
}

/// Prints a surface beside the truth; whether it holds.
fn holds(surface: &Surface, truth: f64) -> bool {
    let what = if surface.of == Of::Outgoing { "calls" } else { "requests" };
    let (said, word) = match &surface.said {
        Said::Rate(said) if (said - truth).abs() <= ALLOWED * truth => (format!("{said:.1}/s"), ""),
        Said::Rate(said) => (format!("{said:.1}/s"), "WRONG"),
        Said::Unknown(reason) => (format!("not known ({reason})"), ""),
        Said::Nothing => ("says nothing".to_owned(), ""),
    };
    println!("  {:<36} {truth:>9.1}/s {what:<8} by the client; {said} {word}", surface.name);
    word.is_empty()
}
