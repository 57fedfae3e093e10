//! What every call out of this program has in common: whom TLS trusts, and which hosts need none
//! because nothing leaves this machine.
//!
//! Depends on nothing else in the program. Both of its users, the adapter of IBM Cloud and the client
//! of a running server, build their HTTP clients on top.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

/// Returns the root certificates of the system.
///
/// One that cannot be read is not trusted, and the log says so. Without any, every call over https
/// fails; calls within this machine do not need one.
pub(crate) fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::warn!("a root certificate of the system cannot be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        log::warn!("{unusable} root certificates of the system are not usable");
    }
    if roots.is_empty() {
        log::warn!("the system has no root certificates: nothing can be reached over https");
    }
    roots
}

/// Adds every certificate of a PEM file to those that are trusted.
pub(crate) fn trust(roots: &mut RootCertStore, file: &Path) -> Result<(), TrustError> {
    let mut added = 0;
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
        added += 1;
    }
    if added == 0 {
        return Err(TrustError::NoCertificate);
    }
    Ok(())
}

/// Why a file does not say whom to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// It cannot be read, or is no PEM.
    #[error("it cannot be read as PEM")]
    Pem(#[from] pem::Error),
    /// It holds something that is no root certificate.
    #[error("it holds a certificate that is not usable")]
    Certificate(#[from] rustls::Error),
    /// It is PEM without a certificate.
    #[error("it holds no certificate")]
    NoCertificate,
}

/// Returns how TLS is spoken: HTTP/2 or 1.1 over it, with whoever one of `roots` vouches for.
pub(crate) fn tls(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the versions that it was built with")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls
}

/// Tells whether a host, as it stands in a URL, is this very machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]")
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}
