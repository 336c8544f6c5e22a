//! Where load goes to: a URL, and whether it may.

use http::Uri;
use http::uri::Scheme;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// How long the name of a host may take to be resolved.
const RESOLVING: Duration = Duration::from_secs(10);

/// Why there is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is not a URL.
    #[error("`{0}` is not a URL: expected http://HOST[:PORT]/PATH")]
    NoUrl(String),
    /// Another protocol.
    #[error("`{0}` is neither http nor https")]
    Scheme(String),
    /// It is not a host and a port.
    #[error("`{0}` is not a place to connect to: expected HOST:PORT, or HOST1:PORT1:HOST2:PORT2")]
    NoPlace(String),
    /// The place stands for another host or port than that of the URL.
    #[error("`{text}` applies to another host or port than {url}, so it would change nothing")]
    OtherPlace {
        /// What the user wrote.
        text: String,
        /// The host and port of the URL.
        url: String,
    },
    /// The host is not this machine, and the user did not say that load may go there.
    #[error(
        "{host} is not this machine. Load can hurt a service and whatever it depends on. If you may put load on {host}, say so with \
         --yes-this-host {host}, or in the scenario file with `allow`"
    )]
    NotAllowed {
        /// The host.
        host: String,
    },
}

/// Where requests go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// The path with its query.
    pub path: String,
    /// The header `Host`.
    pub authority: String,
    /// The host and port that are contacted instead, if they are others.
    pub via: Option<(String, u16)>,
}

impl Target {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let no_url = || TargetError::NoUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_no_uri| no_url())?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) => return Err(TargetError::Scheme(scheme.to_string())),
            None => return Err(no_url()),
        };
        let authority = uri.authority().ok_or_else(no_url)?;
        // A name and password before the host belong into a header.
        if authority.as_str().contains('@') {
            return Err(no_url());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // A port that is none must not become the usual one.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" | ":" => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
            port => port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(no_url)?,
        };
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, port, is_tls, path, authority: authority.to_string(), via: None })
    }

    /// Contacts another host, while the URL and the name in certificates stay as they are: `HOST:PORT`, or as curl writes it
    /// `HOST1:PORT1:HOST2:PORT2`, where the first two must be those of the URL unless they are empty.
    pub fn connect_to(self, text: &str) -> Result<Self, TargetError> {
        let no_place = || TargetError::NoPlace(text.to_owned());
        let parts = parts(text).ok_or_else(no_place)?;
        let (from, host, port) = match parts.as_slice() {
            [host, port] => (None, *host, *port),
            [from, from_port, host, port] => (Some((*from, *from_port)), *host, *port),
            _ => return Err(no_place()),
        };
        if let Some((from, from_port)) = from {
            let is_host = from.is_empty() || from.eq_ignore_ascii_case(&self.host);
            if !is_host || !(from_port.is_empty() || from_port.parse() == Ok(self.port)) {
                let url = format!("{}:{}", self.host, self.port);
                return Err(TargetError::OtherPlace { text: text.to_owned(), url });
            }
        }
        let host = if host.is_empty() { self.host.clone() } else { host.to_owned() };
        let port = if port.is_empty() { Some(self.port) } else { port.parse().ok() };
        Ok(Self { via: Some((host, port.ok_or_else(no_place)?)), ..self })
    }

    /// The host and port that are contacted.
    fn contacted(&self) -> (&str, u16) {
        self.via.as_ref().map_or((&self.host, self.port), |(host, port)| (host, *port))
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        format!("{}://{}{}", if self.is_tls { "https" } else { "http" }, self.authority, self.path)
    }

    /// The path of a text that is a path itself, or a URL of the same origin.
    pub(crate) fn own_path<'a>(&self, text: &'a str) -> Result<&'a str, String> {
        if text.starts_with('/') {
            return Ok(text);
        }
        let from = text.find("://").map(|at| at + 3);
        let Some((from, rest)) = from.and_then(|from| Some((from, text.get(from..)?))) else {
            return Err(format!("`{text}` is not a path: expected /PATH, or a URL of the same origin"));
        };
        let len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (origin, path) = text.split_at(from + len);
        let other = Self::parse(origin).map_err(|error| error.to_string())?;
        let is_same = other.host.eq_ignore_ascii_case(&self.host)
            && (other.port, other.is_tls) == (self.port, self.is_tls);
        match path {
            _ if !is_same => Err(format!(
                "`{text}` is of another origin than {}: a run has one origin",
                Self { path: String::new(), ..self.clone() }.url()
            )),
            path if path.starts_with('/') => Ok(path),
            "" => Ok("/"),
            _ => Err(format!("`{text}` has no path: expected a `/` before the query")),
        }
    }

    /// Whether the host that is contacted can only be this machine, by its name alone.
    pub fn is_loopback(&self) -> bool {
        let (host, _) = self.contacted();
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_address = host.parse().is_ok_and(|address: IpAddr| is_loopback(address));
        is_address || name == "localhost" || name.ends_with(".localhost")
    }

    /// Refuses hosts other than this machine that are not among the allowed ones, before their names are resolved.
    pub fn check<S: AsRef<str>>(&self, allowed: &[S]) -> Result<(), TargetError> {
        let (host, _) = self.contacted();
        let is_named = allowed.iter().any(|of| of.as_ref().eq_ignore_ascii_case(host));
        if self.is_loopback() || is_named {
            Ok(())
        } else {
            Err(TargetError::NotAllowed { host: host.to_owned() })
        }
    }

    /// The addresses of the host. Empty if the name has none, or takes too long. Names of this machine have no other addresses than
    /// its own.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let (host, port) = self.contacted();
        if let Ok(address) = host.parse::<IpAddr>() {
            return vec![SocketAddr::new(address, port)];
        }
        let host = host.to_owned();
        let (sender, receiver) = mpsc::sync_channel(1);
        // The system's resolver cannot be called off: a thread waits for it, if need be in vain.
        let resolve =
            move || drop(sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect)));
        let thread = std::thread::Builder::new().name("resolver".to_owned()).spawn(resolve);
        let found = thread.ok().and_then(|_running| receiver.recv_timeout(RESOLVING).ok());
        let found: Vec<SocketAddr> = found.and_then(Result::ok).unwrap_or_default();
        let is_own = self.is_loopback();
        found.into_iter().filter(|address| !is_own || is_loopback(address.ip())).collect()
    }
}

/// The parts between colons. An IPv6 address stands in brackets, which are not a part of it.
fn parts(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (part, behind) = match text.strip_prefix('[') {
            Some(address) => address.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        parts.push(part);
        rest = if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) };
    }
    Some(parts)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_place_is_contacted_than_that_of_the_url() {
        let target = Target::parse("https://shop.example/a").unwrap();
        let to = |text: &str| target.clone().connect_to(text);
        let check = |text: &str, host: &str, port| {
            let target = to(text).unwrap();
            assert_eq!((target.contacted(), target.host.as_str()), ((host, port), "shop.example"), "{text}");
            assert_eq!(target.url(), "https://shop.example/a");
        };
        check("127.0.0.1:8443", "127.0.0.1", 8443);
        check("::127.0.0.1:8443", "127.0.0.1", 8443);
        check("SHOP.example:443:[::1]:8443", "::1", 8443);
        check("shop.example::localhost:", "localhost", 443);
        check("[::1]:8443", "::1", 8443);
        for text in ["", "localhost", "a:b", "localhost:99999", "1:2:3", "a:1:b:2:c", "[::1:80", "[::1]80"] {
            assert_eq!(to(text), Err(TargetError::NoPlace(text.to_owned())), "{text}");
        }
        for text in ["other:443:localhost:1", "shop.example:80:localhost:1"] {
            assert!(matches!(to(text), Err(TargetError::OtherPlace { .. })), "{text}");
        }
        // Who is contacted decides whether load may go there.
        assert_eq!(to("127.0.0.1:8443").unwrap().check::<&str>(&[]), Ok(()));
        let outside = Target::parse("http://localhost/").unwrap().connect_to("db.invalid:80").unwrap();
        assert_eq!(
            outside.check::<&str>(&[]),
            Err(TargetError::NotAllowed { host: "db.invalid".to_owned() })
        );
        assert_eq!(outside.check(&["db.invalid"]), Ok(()));
    }

    #[test]
    fn a_url_has_its_parts() {
        let of_query = Target::parse("http://127.0.0.1?q=1").unwrap();
        assert_eq!((of_query.path.as_str(), of_query.port), ("/?q=1", 80));
        for url in ["http://127.0.0.1:83616/", "http://[::1]:65536/", "http://127.0.0.1:8o/"] {
            assert_eq!(Target::parse(url), Err(TargetError::NoUrl(url.to_owned())), "{url}");
        }
        assert_eq!(Target::parse("http://[::1]:8080/").unwrap().port, 8080);
        let target = Target::parse("http://127.0.0.1:5080/pay/20?x=1#top").unwrap();
        let parts = (
            target.host.as_str(),
            target.port,
            target.is_tls,
            target.path.as_str(),
            target.authority.as_str(),
        );
        assert_eq!(parts, ("127.0.0.1", 5080, false, "/pay/20?x=1", "127.0.0.1:5080"));
        let target = Target::parse("https://[::1]").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.is_tls, target.path.as_str()),
            ("::1", 443, true, "/")
        );
        for url in ["", "127.0.0.1:80", "/path", "http://", "http://a b/", "http://me:pass@host/"] {
            assert_eq!(Target::parse(url), Err(TargetError::NoUrl(url.to_owned())), "{url}");
        }
        assert_eq!(Target::parse("ftp://a/"), Err(TargetError::Scheme("ftp".to_owned())));
    }

    #[test]
    fn only_this_machine_gets_load_unasked() {
        for host in [
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "localhost",
            "LOCALHOST.",
            "api.localhost",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(
                Target::parse(&format!("http://{host}/")).unwrap().check::<&str>(&[]),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "example.invalid",
            "10.0.0.1",
            "[2001:db8::1]",
            "localhost.example.invalid",
            "0.0.0.0",
            "127.0.0.1.nip.invalid",
        ] {
            let target = Target::parse(&format!("http://{host}/")).unwrap();
            assert!(
                matches!(target.check(&["other.invalid"]), Err(TargetError::NotAllowed { .. })),
                "{host}"
            );
            assert_eq!(target.check(&[target.host.to_uppercase()]), Ok(()), "{host}");
        }
    }
}
