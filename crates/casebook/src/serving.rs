//! Pages served on this machine until Ctrl-C.

use crate::{browser, enter, interrupt, number, terminal};
use anyhow::Context;
use page::Reply;
use server::{LinkMaker, LocalDoor, Request, Response, StatusCode, Stop, Weight};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::Arc;

/// Where and how to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The address, within 127.0.0.0/8 [default: a random one on Linux, elsewhere 127.0.0.1]
    ///
    /// On a machine with other users, do not choose both the address and --port: another user may have served pages there
    /// before, and what those left in your browser (a service worker) would see yours.
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    host: Option<Ipv4Addr>,
    /// The port; 0 means a free one
    #[arg(long, value_name = "PORT", default_value_t = 0, value_parser = number::port)]
    port: u16,
    /// Print a link instead of opening the browser
    #[arg(long)]
    no_browser: bool,
}

fn loopback(text: &str) -> anyhow::Result<Ipv4Addr> {
    let address = text.parse().ok().filter(Ipv4Addr::is_loopback);
    address
        .context("expected an address that only this machine can reach: 127.0.0.1, or another in 127.0.0.0/8")
}

/// Something that answers requests with pages.
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
        // A number that is not a status is a fault of the page.
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Response::new(status, reply.content_type, reply.body)
    }

    fn weight(&self, request: &Request) -> Weight {
        if request.path.contains("/assets/") { Weight::Light } else { Weight::Heavy }
    }
}

/// Serves pages until Ctrl-C, SIGTERM or SIGHUP. On a desktop it opens them in the browser, otherwise it prints a link.
pub(crate) fn serve(site: impl Site, at: &Where) -> anyhow::Result<ExitCode> {
    // In WSL, the browser of Windows reaches 127.0.0.1 only.
    let host = at.host.or_else(|| browser::is_within_windows().then_some(Ipv4Addr::LOCALHOST));
    let limits = server::Limits::of_one_user();
    let options = server::ServerOptions { program: "casebook", host, port: at.port, limits };
    let bound = server::bind(options).context("cannot serve pages")?;
    let door = LocalDoor::new(&bound).context("cannot serve pages")?;
    let (links, place) = (door.links(), SocketAddrV4::new(bound.host(), bound.port()));
    let stop = Stop::new();
    let on_signal = stop.clone();
    interrupt::on_first(move |_signal| on_signal.stop())?;
    let is_failed = |links: &LinkMaker| drop(print_link(links, "the browser did not open; this works once"));
    let handed = if at.no_browser { None } else { browser::open(&links, is_failed) };
    // This drops the door, even if serving fails. The key then opens nothing, and its file can be removed.
    let served = say_how_to_enter(&links, handed.is_some(), place)
        .and_then(move |()| Ok(server::serve(bound, door, Arc::new(Adapter(site)), &stop)?));
    if let Some(handed) = handed {
        handed.remove();
    }
    served.map(|_report| ExitCode::SUCCESS)
}

/// Says where the pages are. A link holds a secret key and stays visible on the terminal, so one is printed only if no
/// browser was opened.
fn say_how_to_enter(links: &LinkMaker, is_handed: bool, place: SocketAddrV4) -> anyhow::Result<()> {
    let is_asked = {
        let links = links.clone();
        enter::on_enter(move || print_link(&links, "works once"))
    };
    match (is_handed, is_asked) {
        (true, true) => Ok(terminal::print_sentences(&format!(
            "The pages open in the browser, at {place}   (Enter prints a link for another one, Ctrl-C ends it)\n"
        ))?),
        (false, true) => print_link(links, "works once; Enter prints another, Ctrl-C ends it"),
        (_, false) => print_link(links, "works once; Ctrl-C ends it"),
    }?;
    let is_far = !is_handed && std::env::var_os("SSH_CONNECTION").is_some();
    if is_far {
        terminal::print_sentences(&tunnel(place))?;
    }
    Ok(())
}

/// How a browser on the machine that runs ssh reaches the pages.
fn tunnel(place: SocketAddrV4) -> String {
    let (host, port) = (place.ip(), place.port());
    format!(
        "To open them on the machine that you came from, run there: ssh -L {port}:{place} …, and open the link with \
         localhost:{port} instead of {host}:{port}\n"
    )
}

/// Prints a new link.
fn print_link(links: &LinkMaker, note: &str) -> anyhow::Result<()> {
    Ok(terminal::print_sentences(&format!("Open {}   ({note})\n", links.url()?))?)
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
