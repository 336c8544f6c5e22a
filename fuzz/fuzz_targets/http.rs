//! Any bytes as requests to the server of pages: nobody without the key gets an answer of the site.

#![no_main]

use casebook_fuzz::meter::{self, Limits};
use libfuzzer_sys::fuzz_target;
use server::{LocalDoor, Request, Response, Site, Stop};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A request needs no more.
const PATIENCE: Duration = Duration::from_secs(5);
/// What an answer without the key may have.
const MAX_ANSWER: usize = 1 << 20;

/// Nobody has the key, so nobody gets here.
struct Nothing;

impl Site for Nothing {
    fn answer(&self, request: &Request) -> Response {
        eprintln!("the site was asked for {}", request.path);
        std::process::abort();
    }
}

fuzz_target!(|bytes: &[u8]| {
    let port = *port();
    meter::within(Limits::READER, bytes.len(), || {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        // Who is refused may be disconnected before all is sent.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        drop(Read::by_ref(&mut stream).take(MAX_ANSWER as u64).read_to_end(&mut answer));
        assert!(answer.len() < MAX_ANSWER, "an endless answer");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    });
});

/// The port of a server that runs until the end.
fn port() -> &'static u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    PORT.get_or_init(|| {
        let options = server::ServerOptions {
            program: "fuzz",
            host: Some(std::net::Ipv4Addr::LOCALHOST),
            port: 0,
            limits: server::Limits::of_one_user(),
        };
        let bound = server::bind(options).expect("a port");
        let port = bound.port();
        let door = LocalDoor::new(&bound).expect("a door");
        std::thread::spawn(move || drop(server::serve(bound, door, Arc::new(Nothing), &Stop::new())));
        port
    })
}
