//! `casebook load` against nginx, whose log says how many requests have come: HTTP/1.1 and HTTP/2, each with and without TLS.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::json;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running nginx. It ends with the test.
struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    /// Plain, plain with HTTP/2, encrypted with both.
    ports: [u16; 3],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Nginx {
    /// Starts it. `None` where it is not installed.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(folder.path().join("file"), "x".repeat(100_000)).unwrap();
        let ports = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), ports)).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf"));
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = nginx.spawn().ok()?;
        let nginx = Self { process, folder, ports };
        let is_up = || ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
        for _ in 0..500 {
            if is_up() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        unreachable!("nginx does not listen: {}", nginx.read("error.log"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn configuration(folder: &Path, [plain, plain2, tls]: [u16; 3]) -> String {
    let folder = folder.display();
    // One process, so that killing it ends all of it. A connection takes 100 requests, so that many are closed under way.
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
         events {{ worker_connections 512; }}
         http {{
           log_format counted '$server_protocol $status'; access_log {folder}/access.log counted;
           client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
           uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
           keepalive_requests 100; root {folder};
           ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
           server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{plain2} http2; listen 127.0.0.1:{tls} ssl http2; }}
         }}"
    )
}

#[test]
fn every_request_arrives_and_is_answered() {
    let Some(nginx) = Nginx::start() else {
        return base::ground::skip("every_request_arrives_and_is_answered", "nginx is not installed");
    };
    let certificate = nginx.folder.path().join("certificate.pem");
    let certificate = ["--cacert", certificate.to_str().unwrap()];
    let [plain, plain2, tls] = nginx.ports;
    let cases: [(String, &[&str], &str); 4] = [
        (format!("http://127.0.0.1:{plain}/file"), &[], "HTTP/1.1"),
        (format!("http://127.0.0.1:{plain2}/file"), &["--http2", "--streams", "20", "-c", "2"], "HTTP/2.0"),
        (format!("https://localhost:{tls}/file"), &certificate, "HTTP/1.1"),
        (
            format!("https://localhost:{tls}/file"),
            &[&certificate[..], &["--http2", "--streams", "20"]].concat(),
            "HTTP/2.0",
        ),
    ];
    for (url, options, protocol) in cases {
        let before = nginx.read("access.log").len();
        let run = ["load", &url, "--rate", "500", "-d", "2s", "--format", "json"];
        let of = json(&[&run[..], options].concat());
        assert_eq!(
            (of["planned"].as_u64(), of["responses"].as_u64()),
            (Some(1_000), Some(1_000)),
            "{url}: {of}"
        );
        assert!(of["bytes_received"].as_u64().unwrap() > 100_000_000, "{url}: {of}");
        // It writes a line before the last byte of its answer is read, or soon after.
        let lines = || {
            nginx.read("access.log")[before..]
                .lines()
                .filter(|line| *line == format!("{protocol} 200"))
                .count()
        };
        for _ in 0..100 {
            if lines() >= 1_000 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(lines(), 1_000, "{url}");
    }
}
