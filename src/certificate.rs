//! The certificate that the server shows, with its key.
//!
//! Depends on nothing else in the program: the configuration reads it, the HTTP server shows it.
//! Promises that the key belongs to the certificate, and that no text of either, the key above all, is in
//! an error or in `Debug`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError as Verdict, Error, RootCertStore};

/// A certificate, those that lead from it to an authority, and its key.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

/// Why two files are not a certificate and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The first file holds no certificates.
    #[error("what should be a certificate is not {}", Certificate::CHAIN)]
    Chain,
    /// The second file holds no key.
    #[error("what should be a key is not {}", Certificate::KEY)]
    Key,
    /// The key is that of another certificate.
    #[error("the key is not that of the certificate")]
    Mismatch,
}

/// Why clients do not accept a certificate at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It was valid until then.
    Expired(SystemTime),
    /// It is valid from then on.
    NotValidYet(SystemTime),
}

impl Certificate {
    /// What the first file has to hold.
    pub const CHAIN: &'static str =
        "certificates in PEM: the server's own, then those that lead to its authority";
    /// What the second file has to hold.
    pub const KEY: &'static str =
        "a private key in PEM without a passphrase (PKCS#8, SEC1 or PKCS#1)";

    /// Reads a certificate and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::Chain)?;
        let all_can_be_read = chain
            .iter()
            .all(|certificate| ParsedCertificate::try_from(certificate).is_ok());
        if chain.is_empty() || !all_can_be_read {
            return Err(CertificateError::Chain);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::Key)?;
        let provider = rustls::crypto::ring::default_provider();
        match CertifiedKey::from_der(chain, key, &provider) {
            Ok(pair) => Ok(Self(Arc::new(pair))),
            Err(Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
            Err(_) => Err(CertificateError::Key),
        }
    }

    /// Returns what a handshake is done with.
    pub(crate) fn pair(&self) -> &Arc<CertifiedKey> {
        &self.0
    }

    /// Returns until when clients accept it; `None` for a certificate that never was valid.
    #[must_use]
    pub fn expiration(&self) -> Option<SystemTime> {
        let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
        match self.unfit_at(end_of_time)? {
            Unfit::Expired(at) => Some(at),
            Unfit::NotValidYet(_) => None,
        }
    }

    /// Tells why clients do not accept it at present, as far as that is a matter of time.
    #[must_use]
    pub fn unfit_now(&self) -> Option<Unfit> {
        self.unfit_at(UnixTime::now())
    }

    /// Asks the judge that clients ask. Nobody vouches for the certificate here; but whether it is its
    /// time is what a verdict begins with.
    fn unfit_at(&self, moment: UnixTime) -> Option<Unfit> {
        let own = self.0.end_entity_cert().ok()?;
        let own = ParsedCertificate::try_from(own).ok()?;
        let nobody = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(&own, &nobody, &[], moment, &[]) {
            Err(Error::InvalidCertificate(Verdict::ExpiredContext { not_after, .. })) => {
                Some(Unfit::Expired(moment_of(not_after)))
            }
            Err(Error::InvalidCertificate(Verdict::NotValidYetContext { not_before, .. })) => {
                Some(Unfit::NotValidYet(moment_of(not_before)))
            }
            _ => None,
        }
    }
}

fn moment_of(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

/// Says until when clients accept it: `valid until 2026-05-01T10:00:00Z`.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expiration() {
            Some(at) => write!(f, "valid until {}", humantime::format_rfc3339_seconds(at)),
            None => f.write_str("never valid"),
        }
    }
}

/// The key follows from the certificate, which names its public half.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}
