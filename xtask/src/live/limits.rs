//! `cargo xtask live limits`: healthy services under limits that they do not reach stay without findings above `note`.

use super::backend::Backend;
use super::common::{Common, Kept};
use super::judge;
use super::load::{Group, Load};
use super::services::{Ground, ORDERS, Start};
use super::session::{Casebook, client, write};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::time::Duration;

const SECONDS: u64 = 12;
const WARM_UP: Duration = Duration::from_secs(6);
const PERIOD_MICROS: u64 = 100_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

/// A limit that the load does not reach.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// A setting of the runtime.
    Setting(&'static str, &'static str),
    /// One core.
    Core(&'static str),
    /// A control group with so many MB, so many thousandths of a core, or both.
    Group { memory_mb: Option<u64>, millicores: Option<u64> },
}

struct Case {
    name: &'static str,
    service: &'static str,
    load: Vec<Group>,
    limit: Limit,
}

/// Whether all that could be recorded are healthy.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    let Some(Kept { ground, casebook, out }) = args.common.prepare(workspace, "limits")? else {
        return Ok(true);
    };
    let cases = args.common.wanted(cases(), |case| case.name)?;
    if args.common.records() {
        record(&ground, &casebook, &cases, &out)?;
    }
    if !args.common.judges() {
        return Ok(true);
    }
    let (mut right, mut judged) = (0, 0);
    for case in &cases {
        let exhibit = out.join(case.name);
        if !exhibit.exists() {
            println!("not recorded {}", case.name);
            continue;
        }
        judged += 1;
        let said = casebook.json(&["explain", exhibit.as_str()])?;
        let ids = judge::heavy_ids(&said);
        right += usize::from(ids.is_empty());
        let word = if ids.is_empty() { "right" } else { "WRONG" };
        println!("{word} {}: {}: {}", case.name, judge::state(&said), ids.join(", "));
    }
    println!("{right} of {judged} without findings above note; {} not recorded", cases.len() - judged);
    Ok(right == judged)
}

fn cases() -> Vec<Case> {
    let group = |route: &str, connections, pace| Group { routes: vec![route.to_owned()], connections, pace };
    let parcels = |pace| vec![group("/parcels/{n}", 4, Some(pace)), group("/rates/{n}", 4, Some(pace / 4.0))];
    let billing = |pace| vec![group("/balance/{n}", 4, Some(pace))];
    let both = Limit::Group { memory_mb: Some(768), millicores: Some(1500) };
    let memory = Limit::Group { memory_mb: Some(1024), millicores: None };
    let cpu = Limit::Group { memory_mb: None, millicores: Some(1500) };
    [
        (
            "heap-limit-512-mb",
            "parcels",
            parcels(800.0),
            Limit::Setting("DOTNET_GCHeapHardLimit", "0x20000000"),
        ),
        (
            "heap-limit-256-mb",
            "billing",
            billing(1000.0),
            Limit::Setting("DOTNET_GCHeapHardLimit", "0x10000000"),
        ),
        (
            "heap-limit-full-speed",
            "parcels",
            vec![group("/parcels/{n}", 8, None)],
            Limit::Setting("DOTNET_GCHeapHardLimit", "0x18000000"),
        ),
        (
            "heap-limit-percent",
            "billing",
            billing(600.0),
            Limit::Setting("DOTNET_GCHeapHardLimitPercent", "0x32"),
        ),
        (
            "one-processor",
            ORDERS,
            vec![group("/json/60", 4, Some(400.0))],
            Limit::Setting("DOTNET_PROCESSOR_COUNT", "1"),
        ),
        ("core-0", "billing", billing(600.0), Limit::Core("0")),
        ("core-1", "parcels", parcels(400.0), Limit::Core("1")),
        ("group-memory", "parcels", parcels(600.0), memory),
        ("group-cpu", "billing", billing(800.0), cpu),
        ("group-both", ORDERS, vec![group("/json/60", 4, Some(300.0)), group("/async/20", 4, None)], both),
    ]
    .map(|(name, service, load, limit)| Case { name, service, load, limit })
    .into()
}

fn record(ground: &Ground, casebook: &Casebook, cases: &[Case], out: &Utf8Path) -> Result<()> {
    let backend = Backend::start()?;
    ground.compile(cases.iter().map(|case| case.service))?;
    for case in cases {
        eprintln!("recording {}", case.name);
        record_one(ground, casebook, &backend, case, out).with_context(|| case.name.to_owned())?;
    }
    Ok(())
}

fn record_one(
    ground: &Ground,
    casebook: &Casebook,
    backend: &Backend,
    case: &Case,
    out: &Utf8Path,
) -> Result<()> {
    let mut environment = Vec::new();
    let mut wrapper = Vec::new();
    let mut groups = Vec::new();
    match case.limit {
        Limit::Setting(name, value) => environment.push((name.to_owned(), value.to_owned())),
        Limit::Core(core) => wrapper.extend(["taskset", "-c", core].map(str::to_owned)),
        Limit::Group { memory_mb, millicores } => match ControlGroup::make(memory_mb, millicores) {
            Ok(made) => {
                wrapper.extend(["sh", "-c", JOIN, "sh"].map(str::to_owned));
                wrapper.push(made.iter().map(ControlGroup::processes).collect::<Vec<_>>().join(" "));
                groups = made;
            }
            Err(error) => {
                eprintln!("  this machine does not allow it: {error:#}");
                return Ok(());
            }
        },
    }
    let words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let service = ground.start(&Start {
        service: case.service,
        environment: &environment,
        backend: &backend.url(),
        wrapper: &words,
    })?;
    let load = Load::start(service.port, &case.load)?;
    std::thread::sleep(WARM_UP);
    let interval = casebook.record(service.pid(), SECONDS, "default", &out.join(case.name))?;
    let seen = client(&load.finish()?, backend, interval)?;
    eprintln!("  {} requests/s, {} errors", seen["requests_per_second"], seen["errors"]);
    // A group can be removed only after its last process has ended.
    drop(service);
    drop(groups);
    write(&out.join(format!("{}.client.json", case.name)), &seen)
}

/// Joins the groups that the first argument lists, then becomes the program behind it.
const JOIN: &str = r#"for file in $1; do echo $$ > "$file" || exit 1; done; shift; exec "$@""#;

/// A control group of our own; it is removed when it is dropped.
#[derive(Debug)]
struct ControlGroup(Utf8PathBuf);

impl ControlGroup {
    /// One group in the unified hierarchy, or one per controller in the older ones.
    fn make(memory_mb: Option<u64>, millicores: Option<u64>) -> Result<Vec<Self>> {
        let root = Utf8Path::new("/sys/fs/cgroup");
        let memory = memory_mb.map(|mb| (mb * 1024 * 1024).to_string());
        let quota = millicores.map(|of| of * PERIOD_MICROS / 1000);
        if root.join("cgroup.controllers").exists() {
            let group = Self::at(root)?;
            if let Some(memory) = memory {
                group.set("memory.max", &memory)?;
            }
            if let Some(quota) = quota {
                group.set("cpu.max", &format!("{quota} {PERIOD_MICROS}"))?;
            }
            return Ok(vec![group]);
        }
        let mut groups = Vec::new();
        if let Some(memory) = memory {
            let group = Self::at(&root.join("memory"))?;
            group.set("memory.limit_in_bytes", &memory)?;
            groups.push(group);
        }
        if let Some(quota) = quota {
            let group = Self::at(&root.join("cpu"))?;
            group.set("cpu.cfs_period_us", &PERIOD_MICROS.to_string())?;
            group.set("cpu.cfs_quota_us", &quota.to_string())?;
            groups.push(group);
        }
        Ok(groups)
    }

    fn at(parent: &Utf8Path) -> Result<Self> {
        let folder = parent.join(format!("casebook-live-{}", std::process::id()));
        if !parent.exists() {
            bail!("there is no {parent}");
        }
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {folder}"))?;
        Ok(Self(folder))
    }

    fn set(&self, file: &str, value: &str) -> Result<()> {
        let path = self.0.join(file);
        std::fs::write(&path, value).with_context(|| format!("cannot write {path}"))
    }

    fn processes(&self) -> String {
        self.0.join("cgroup.procs").into_string()
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // The kernel refuses while a process is in it; then it stays, empty soon.
        drop(std::fs::remove_dir(&self.0));
    }
}
