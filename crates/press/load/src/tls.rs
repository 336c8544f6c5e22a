//! Whom to trust, and sessions of TLS with a service.

use crate::outcome::Failure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whose certificates are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts.
    #[default]
    System,
    /// Those signed by a certificate in this file (PEM).
    File(PathBuf),
    /// All of them: whoever answers may be anyone.
    Anyone,
}

/// Why no encrypted connection can be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file has no certificates, or cannot be read.
    #[error("no certificate can be read from {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The system trusts nobody.
    #[error("this system has no trusted certificates: name a file with --cacert, or install ca-certificates")]
    NoRoots,
    /// The host has a name that no certificate can have.
    #[error("`{0}` cannot be the name of a host in a certificate")]
    Name(String),
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// What encrypted connections to one host share.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// What was wrong when TLS first failed.
    first_error: Arc<OnceLock<String>>,
}

impl Client {
    /// A client of a host. `protocols` are offered, the preferred one first (RFC 7301).
    pub(crate) fn new(host: &str, trust: &Trust, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let config = match trust {
            Trust::Anyone => config.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
            Trust::System => config.with_root_certificates(system_roots()?),
            Trust::File(path) => {
                config.dangerous().with_custom_certificate_verifier(Arc::new(Named::new(path, provider)?))
            }
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_invalid| TlsError::Name(host.to_owned()))?;
        Ok(Self { config: Arc::new(config), name, first_error: Arc::default() })
    }

    /// Encrypts a connection upon tokio.
    pub(crate) async fn connect(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), socket).await.map_err(|error| match Failure::of_io(&error) {
            Failure::Tls | Failure::Closed | Failure::Other => self.failed(&error),
            failure => failure,
        })
    }

    /// A new session.
    pub(crate) fn session(&self) -> Result<ClientConnection, Failure> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|error| self.failed(&error))
    }

    /// TLS failed. Its first error is kept.
    pub(crate) fn failed(&self, error: &dyn std::error::Error) -> Failure {
        self.first_error.get_or_init(|| error.to_string());
        Failure::Tls
    }

    /// What was wrong when TLS first failed.
    pub(crate) fn first_error(&self) -> Option<String> {
        self.first_error.get().cloned()
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be read are of no use; without any, nothing can be trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// Accepts what is signed by a certificate of a file, and a certificate of the file itself: one that `openssl req -x509` makes is that
/// of an authority, which rustls does not accept from a server.
#[derive(Debug)]
struct Named {
    certificates: Vec<CertificateDer<'static>>,
    signed: Arc<WebPkiServerVerifier>,
}

impl Named {
    fn new(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let failed = |cause: String| TlsError::File { path: path.display().to_string(), cause };
        let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
        let certificates: Vec<_> =
            read.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("it has none".to_owned()));
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self { certificates, signed: signed.map_err(|error| failed(error.to_string()))? })
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.signed.verify_server_cert(certificate, between, name, ocsp, now);
        // Of the other errors, those about time and names hold for a certificate of the file, too.
        let is_not_of_a_server =
            matches!(verified, Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))));
        if is_not_of_a_server && self.certificates.iter().any(|of| of == certificate) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Accepts any certificate, but only signatures that fit it.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
