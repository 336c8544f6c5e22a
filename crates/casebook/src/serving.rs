//! Pages served on this machine until Ctrl-C.

use crate::{browser, enter, terminal};
use anyhow::Context;
use page::Reply;
use server::{Links, LocalDoor, Request, Response, StatusCode, Stop, Weight};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Where and how to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Print a link, and open no browser
    #[arg(long)]
    no_browser: bool,
}

/// What has pages.
pub(crate) trait Site: Send + Sync + 'static {
    /// Answers a path with its parameters, both decoded.
    fn answer(&self, path: &str, query: &[(String, String)]) -> Reply;
}

struct Adapter<S>(S);

impl<S: Site> server::Site for Adapter<S> {
    fn answer(&self, request: &Request) -> Response {
        let reply = self.0.answer(&request.path, &request.query);
        if reply.is_asset {
            return Response::asset(reply.content_type, reply.body);
        }
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Response::new(status, reply.content_type, reply.body)
    }

    fn weight(&self, request: &Request) -> Weight {
        if request.path.contains("/assets/") { Weight::Light } else { Weight::Heavy }
    }
}

/// Serves pages until Ctrl-C or SIGTERM, and opens them in a browser if there is a desktop. Prints a link if not.
pub(crate) fn serve(site: impl Site, at: &Where) -> anyhow::Result<ExitCode> {
    let options =
        server::Options { program: "casebook", port: at.port, limits: server::Limits::of_one_user() };
    let bound = server::bind(options).context("cannot serve pages")?;
    let door = LocalDoor::new(&bound).context("cannot serve pages")?;
    let (links, port) = (door.links(), bound.port());
    let stop = Stop::new();
    stop_on_signals(stop.clone())?;
    let handed = if at.no_browser { None } else { browser::open(&links) };
    // The door is gone after this, also if nothing was served. That ends the key.
    let served = say_how_to_enter(&links, handed.is_some(), port)
        .and_then(move |()| Ok(server::serve(bound, door, Arc::new(Adapter(site)), &stop)?));
    if let Some(handed) = handed {
        handed.remove();
    }
    served.map(|_report| ExitCode::SUCCESS)
}

/// Says where the pages are. The link with a key is printed only if somebody needs it: it is a secret that stays on the
/// terminal.
fn say_how_to_enter(links: &Links, is_handed: bool, port: u16) -> anyhow::Result<()> {
    let is_asked = {
        let links = links.clone();
        enter::on_enter(move || print_link(&links, "works once"))
    };
    match (is_handed, is_asked) {
        (true, true) => say(&format!(
            "The pages open in the browser: http://127.0.0.1:{port}/   (Enter prints a link for another one, Ctrl-C ends it)"
        )),
        (false, true) => print_link(links, "works once; Enter prints another, Ctrl-C ends it"),
        (_, false) => print_link(links, "works once; Ctrl-C ends it"),
    }
}

/// Prints a new link.
pub(crate) fn print_link(links: &Links, note: &str) -> anyhow::Result<()> {
    say(&format!("Open {}   ({note})", links.url()?))
}

/// Prints a line at once.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A thread of its own waits for signals, for their handlers may do next to nothing.
fn stop_on_signals(stop: Stop) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch signals")?;
    let wait = move || {
        if signals.forever().next().is_some() {
            stop.stop();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}
