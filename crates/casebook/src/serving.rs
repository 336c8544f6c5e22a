//! Pages served on this machine until Ctrl-C.

use crate::browser;
use crate::terminal;
use anyhow::Context;
use page::Reply;
use server::{LocalDoor, Request, Response, StatusCode, Stop, Weight};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Where and how to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Print the address, and open no browser
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

/// Serves pages until Ctrl-C or SIGTERM; prints the address, and opens it in a browser where there is a desktop.
pub(crate) fn serve(site: impl Site, at: &Where) -> anyhow::Result<ExitCode> {
    let options =
        server::Options { program: "casebook", port: at.port, limits: server::Limits::of_one_user() };
    let bound = server::bind(options).context("cannot serve pages")?;
    let door = LocalDoor::new(&bound).context("cannot serve pages")?;
    let stop = Stop::new();
    stop_on_signals(stop.clone())?;
    let mut out = terminal::stdout();
    writeln!(out, "Open {}   (Ctrl-C ends it)", door.url()?)?;
    out.flush()?;
    if !at.no_browser {
        // With a link of its own, so that the printed one still works in another browser.
        browser::open(&door.url()?);
    }
    server::serve(bound, door, Arc::new(Adapter(site)), &stop)?;
    Ok(ExitCode::SUCCESS)
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
