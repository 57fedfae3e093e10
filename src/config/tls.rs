//! The certificate of `[server]` and its key, which are two files or none.

use std::path::Path;

use super::report::Fault;
use super::section::Section;
use crate::certificate::{Certificate, CertificateError, Unfit};

pub(super) const CERTIFICATE: &str = "tls_certificate";
pub(super) const KEY: &str = "tls_key";

/// Longer than any chain or key, in bytes, so that a device ends.
const LONGEST: u64 = 1024 * 1024;

/// Reads what TLS is spoken with. Relative paths begin at `directory`.
pub(super) fn read(section: &mut Section<'_, '_, '_>, directory: &Path) -> Option<Certificate> {
    for (key, other) in [(CERTIFICATE, KEY), (KEY, CERTIFICATE)] {
        if section.has(key) && !section.has(other) {
            section.refuse(key, Fault::Alone { key, other });
        }
    }
    let chain = section.read_file(CERTIFICATE, directory, LONGEST);
    let key = section.read_file(KEY, directory, LONGEST);
    if key.as_ref().is_some_and(|key| key.is_readable_by_others) {
        section.refuse(KEY, Fault::KnownTlsKey);
    }
    match Certificate::from_pem(&chain?.bytes, &key?.bytes) {
        Ok(certificate) => {
            match certificate.unfit_now() {
                Some(Unfit::Expired(at)) => section.refuse(CERTIFICATE, Fault::Expired(at)),
                Some(Unfit::NotValidYet(at)) => section.refuse(CERTIFICATE, Fault::NotValidYet(at)),
                None => {}
            }
            Some(certificate)
        }
        Err(error) => {
            let (key, fault) = match error {
                CertificateError::Chain => (CERTIFICATE, unfit(CERTIFICATE, Certificate::CHAIN)),
                CertificateError::Key => (KEY, unfit(KEY, Certificate::KEY)),
                CertificateError::Mismatch => (KEY, Fault::KeyMismatch),
            };
            section.refuse(key, fault);
            None
        }
    }
}

fn unfit(key: &'static str, allowed: &'static str) -> Fault {
    Fault::UnfitSource { key, allowed }
}
