//! How connections to a service are made: which host, how many, and what they speak.

use anyhow::bail;
use load::{Protocol, Target, Trust};
use std::path::PathBuf;

/// The most connections of a run.
pub(super) const MAX_CONNECTIONS: i64 = 60_000;
/// The most streams of a connection.
const MAX_STREAMS: i64 = 10_000;
/// The most requests that may be under way at once.
const MAX_UNDER_WAY: u64 = 1_000_000;

/// The options of connections.
#[derive(Debug, clap::Args)]
pub(super) struct Connecting {
    /// How many connections there may be. If all are busy, requests wait, and that time counts
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    pub(super) connections: u32,
    /// Speak HTTP/2: with https as agreed with the service, with http from the first byte
    #[arg(long, conflicts_with = "no_keepalive")]
    http2: bool,
    /// With --http2: how many requests may be under way at once on each connection
    #[arg(long, value_name = "N", default_value_t = 1, requires = "http2", value_parser = clap::value_parser!(u32).range(1..=MAX_STREAMS))]
    streams: u32,
    /// Connect to another host and port than those of the URL: HOST:PORT, or HOST1:PORT1:HOST2:PORT2 as curl writes it
    #[arg(long, value_name = "PLACE")]
    connect_to: Option<String>,
    /// Open a new connection for each request
    #[arg(long)]
    pub(super) no_keepalive: bool,
    /// With https: accept certificates that are signed by one in this file (PEM), instead of those that the system trusts
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// With https: accept any certificate
    #[arg(long)]
    insecure: bool,
    /// A host that is not this machine, on which you may put load. May be given several times
    #[arg(long, value_name = "HOST")]
    pub(super) yes_this_host: Vec<String>,
}

impl Connecting {
    /// Where requests go to, if load may go there.
    pub(super) fn target(&self, target: Target) -> anyhow::Result<Target> {
        let target = match &self.connect_to {
            Some(place) => target.connect_to(place)?,
            None => target,
        };
        target.check(&self.yes_this_host)?;
        if !target.is_tls && (self.insecure || self.cacert.is_some()) {
            bail!("--insecure and --cacert are for https, and {} is http", target.url());
        }
        let (connections, streams) = (u64::from(self.connections), u64::from(self.streams));
        if connections * streams > MAX_UNDER_WAY {
            bail!(
                "{connections} connections with {streams} streams each are more than {MAX_UNDER_WAY} requests at once"
            );
        }
        Ok(target)
    }

    /// How requests are written.
    pub(super) fn protocol(&self) -> Protocol {
        if self.http2 { Protocol::Http2 { streams: self.streams } } else { Protocol::Http1 }
    }

    /// Whose certificates are accepted.
    pub(super) fn trust(&self) -> Trust {
        match &self.cacert {
            _ if self.insecure => Trust::Anyone,
            Some(file) => Trust::File(file.clone()),
            None => Trust::System,
        }
    }
}
