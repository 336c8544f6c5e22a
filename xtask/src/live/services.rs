//! The two services of `xtask/services`: compiled by the lab's compiler, started by its runtime.

use super::load;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use base::time::Deadline;
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a service may take until it answers.
const START: Duration = Duration::from_secs(30);

/// Where the lab's runtime and the compiled services are.
#[derive(Debug)]
pub(crate) struct Ground {
    script: Utf8PathBuf,
    /// The lab, the compiled services, their logs and data.
    folder: Utf8PathBuf,
    sources: Utf8PathBuf,
}

/// How a service is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) service: &'a str,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) backend: &'a str,
    /// Words before the service's own command, which end by becoming it, such as `taskset -c 0`.
    pub(crate) wrapper: &'a [&'a str],
}

impl<'a> Start<'a> {
    /// As the service is, without settings or limits.
    pub(crate) fn plain(service: &'a str, backend: &'a str) -> Self {
        Self { service, environment: &[], backend, wrapper: &[] }
    }
}

/// A route that is answered with 2xx when the service is ready, and is healthy in every behaviour.
fn ready(service: &str) -> &'static str {
    match service {
        "parcels" => "/parcels/1",
        "billing" => "/ping",
        _ => "/health",
    }
}

/// A service that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
}

impl Ground {
    /// None, with the reason printed, where the lab is missing.
    pub(crate) fn find(workspace: &Workspace) -> Option<Self> {
        let script = workspace.root.join("../shared/lab/lab");
        if !script.exists() {
            println!("skipped: ../shared/lab is not there, so no service can be compiled or started");
            return None;
        }
        let folder = workspace.target.join("live");
        Some(Self { script, folder, sources: workspace.root.join("xtask/services") })
    }

    /// A folder below the build folder for what is recorded without `--out`.
    pub(crate) fn out(&self, task: &str) -> Utf8PathBuf {
        self.folder.join("recordings").join(task)
    }

    /// Compiles each of these services once.
    pub(crate) fn compile<'a>(&self, services: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let services: BTreeSet<&str> = services.into_iter().collect();
        services.into_iter().try_for_each(|service| self.compile_one(service))
    }

    /// Compiles a service from all its sources.
    fn compile_one(&self, service: &str) -> Result<()> {
        if service == ORDERS {
            return self.lab(&["unpack"]);
        }
        eprintln!("compiling {service}");
        std::fs::create_dir_all(self.folder.join(service))?;
        let folder = self.sources.join(service);
        let mut sources = Vec::new();
        for entry in folder.read_dir_utf8().with_context(|| format!("cannot read {folder}"))? {
            let path = entry?.into_path();
            if path.extension() == Some("cs") {
                sources.push(path.into_string());
            }
        }
        sources.sort();
        let program = self.program(service);
        let mut words = vec!["csc", program.as_str()];
        words.extend(sources.iter().map(String::as_str));
        self.lab(&words)
    }

    fn lab(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.script);
        command.args(words).env("LAB", self.lab_folder()).stdin(Stdio::null());
        let done = command.output().context("cannot start the lab's script")?;
        ensure!(done.status.success(), "lab {}: {}", words[0], String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    fn lab_folder(&self) -> Utf8PathBuf {
        self.folder.join("lab")
    }

    fn program(&self, service: &str) -> Utf8PathBuf {
        if service == ORDERS {
            return self.lab_folder().join("orders/orders.dll");
        }
        self.folder.join(service).join(format!("{service}.dll"))
    }

    /// The command that starts a service at a port. It ends with this program, however that ends.
    pub(crate) fn command(&self, start: &Start<'_>, port: u16) -> Result<Command> {
        let data = self.folder.join("data").join(start.service);
        std::fs::create_dir_all(&data)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(start.wrapper);
        command.arg(self.lab_folder().join("dotnet/dotnet")).arg(self.program(start.service));
        command
            .env("DOTNET_ROOT", self.lab_folder().join("dotnet"))
            .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
            .env("ASPNETCORE_URLS", format!("http://127.0.0.1:{port}"))
            .env("ORDERS_DB", "none");
        for name in ["CARRIER_URL", "BANK_URL"] {
            command.env(name, start.backend);
        }
        for name in ["PARCELS_DATA", "BILLING_DATA"] {
            command.env(name, &data);
        }
        command.envs(start.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Starts a service and waits until it answers.
    pub(crate) fn start(&self, start: &Start<'_>) -> Result<Service> {
        let port = free_port()?;
        let log = self.folder.join(format!("{}.log", start.service));
        let output = File::create(&log).with_context(|| format!("cannot write {log}"))?;
        let mut command = self.command(start, port)?;
        command.stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("cannot start setpriv (Debian: util-linux)")?;
        let mut service = Service { child, port };
        service
            .wait_for(ready(start.service))
            .with_context(|| format!("{}; its output: {}", start.service, tail(&log)))?;
        Ok(service)
    }
}

/// The lab's own service, beside those of `xtask/services`.
pub(crate) const ORDERS: &str = "orders";

/// A port that nobody uses now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn tail(log: &Utf8Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

impl Service {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_for(&mut self, ready: &str) -> Result<()> {
        let deadline = Deadline::after(START);
        while !load::answers(self.port, ready) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status}");
            }
            ensure!(
                deadline.pause(Duration::from_millis(100)),
                "the service did not answer {ready} within {START:?}"
            );
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
