//! Pages served on this machine until Ctrl-C.

use crate::{browser, enter, interrupt, terminal};
use anyhow::Context;
use page::Reply;
use server::{Links, LocalDoor, Request, Response, StatusCode, Stop, Weight};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::Arc;

/// Where and how to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The address, one of 127.0.0.0/8 [default on Linux: one by chance, elsewhere 127.0.0.1]
    ///
    /// At 127.0.0.1 with a --port that others can foresee, a service worker that another user's server left there in
    /// your browser reads along.
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    host: Option<Ipv4Addr>,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Print a link, and open no browser
    #[arg(long)]
    no_browser: bool,
}

fn loopback(text: &str) -> anyhow::Result<Ipv4Addr> {
    let address = text.parse().ok().filter(Ipv4Addr::is_loopback);
    address.context(
        "it must be an address of this machine alone: 127.0.0.1, or another one that begins with 127",
    )
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
    // Windows shows what listens at 127.0.0.1 of the Linux within it, and no other address.
    let host = at.host.or_else(|| browser::is_within_windows().then_some(Ipv4Addr::LOCALHOST));
    let limits = server::Limits::of_one_user();
    let options = server::Options { program: "casebook", host, port: at.port, limits };
    let bound = server::bind(options).context("cannot serve pages")?;
    let door = LocalDoor::new(&bound).context("cannot serve pages")?;
    let (links, place) = (door.links(), SocketAddrV4::new(bound.host(), bound.port()));
    let stop = Stop::new();
    stop_on_signals(stop.clone())?;
    let handed = if at.no_browser { None } else { browser::open(&links) };
    // The door is gone after this, also if nothing was served. That ends the key.
    let served = say_how_to_enter(&links, handed.is_some(), place)
        .and_then(move |()| Ok(server::serve(bound, door, Arc::new(Adapter(site)), &stop)?));
    if let Some(handed) = handed {
        handed.remove();
    }
    served.map(|_report| ExitCode::SUCCESS)
}

/// Says where the pages are. The link with a key is printed only if somebody needs it: it is a secret that stays on the
/// terminal.
fn say_how_to_enter(links: &Links, is_handed: bool, place: SocketAddrV4) -> anyhow::Result<()> {
    let is_asked = {
        let links = links.clone();
        enter::on_enter(move || print_link(&links, "works once"))
    };
    match (is_handed, is_asked) {
        (true, true) => say(&format!(
            "The pages open in the browser, at {place}   (Enter prints a link for another one, Ctrl-C ends it)"
        )),
        (false, true) => print_link(links, "works once; Enter prints another, Ctrl-C ends it"),
        (_, false) => print_link(links, "works once; Ctrl-C ends it"),
    }?;
    let is_far = !is_handed && std::env::var_os("SSH_CONNECTION").is_some();
    if is_far { say(&tunnel(place)) } else { Ok(()) }
}

/// How a browser on another machine gets to the pages.
fn tunnel(place: SocketAddrV4) -> String {
    let (host, port) = (place.ip(), place.port());
    format!(
        "From the machine that you came from with ssh: ssh -L {port}:{place} …, then open the link there with \
         localhost:{port} in place of {host}:{port}"
    )
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
    let mut signals =
        signal_hook::iterator::Signals::new(interrupt::ending()).context("cannot catch signals")?;
    let wait = move || {
        if signals.forever().next().is_some() {
            stop.stop();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cannot_be_served_to_the_network_by_mistake() {
        for text in ["127.0.0.1", "127.3.2.1"] {
            assert!(loopback(text).is_ok());
        }
        for text in ["0.0.0.0", "192.168.0.1", "localhost", "::1", "128.0.0.1", ""] {
            loopback(text).unwrap_err();
        }
    }

    #[test]
    fn a_reader_on_another_machine_learns_the_whole_tunnel() {
        let line = tunnel(SocketAddrV4::new(Ipv4Addr::new(127, 3, 2, 1), 8080));
        assert!(line.contains("ssh -L 8080:127.3.2.1:8080 "), "{line}");
    }
}
