//! What TLS is spoken with: two files that belong together.

use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A certificate and its key, in PEM.
pub(super) struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::valid(2000, 3000)
    }

    /// Returns a pair that is valid from the beginning of a year to that of another one.
    fn valid(from: i32, until: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["pool.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

pub(super) fn write_pair(directory: &Path, pair: &Pair) {
    let key = directory.join("server.key");
    fs::write(directory.join("server.pem"), &pair.certificate).unwrap();
    fs::write(&key, &pair.key).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o640)).unwrap();
}

const BOTH: &str = "tls_certificate = \"server.pem\"\ntls_key = \"server.key\"";

/// Reads a file with lines of `[server]` beside a pair; `spoil` may change the files. Returns what is
/// said, without where the file is.
fn said(lines: &str, pair: &Pair, spoil: impl Fn(&Path)) -> (Option<Config>, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), pair);
    spoil(directory.path());
    let path = directory.path().join("accounts.toml");
    let (config, report) =
        match Config::parse(&format!("[server]\n{lines}\n{MINIMAL}"), &path, &no_env) {
            Ok((config, report)) => (Some(config), report.to_string()),
            Err(error) => (None, error.to_string()),
        };
    let place = format!("{}:", path.display());
    let said = report.lines().map(|line| line.replace(&place, ""));
    (config, said.collect())
}

fn refused_as(lines: &str, spoil: impl Fn(&Path)) -> String {
    let (config, said) = said(lines, &Pair::new(), spoil);
    assert!(config.is_none());
    said.join("\n")
}

#[test]
fn a_pair_is_read_and_allows_any_address() {
    let lines = format!("bind = \"0.0.0.0:443\"\n{BOTH}");
    let (config, said) = said(&lines, &Pair::new(), |_| {});
    assert_eq!(said, [""; 0]);
    let certificate = config.unwrap().server.certificate.unwrap();
    assert_eq!(certificate.to_string(), "valid until 3000-01-01T00:00:00Z");
}

#[test]
fn files_that_were_read_are_known_until_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accounts.toml");
    let text = format!("[server]\n{BOTH}\n{MINIMAL}");
    let files = || match Config::parse(&text, &path, &no_env) {
        Ok((_, report)) | Err(ConfigError::Refused(report)) => report.files().clone(),
        Err(error) => panic!("{error}"),
    };
    let missing = files();
    assert_eq!(missing, missing.look_again());
    write_pair(directory.path(), &Pair::new());
    assert_ne!(missing, missing.look_again(), "both are there now");
    let read = files();
    assert_eq!(read, read.look_again());
    for name in ["server.pem", "server.key"] {
        let before = read.look_again();
        fs::write(directory.path().join(name), "-").unwrap();
        assert_ne!(before, read.look_again(), "{name}");
    }
}

#[test]
fn half_of_a_pair_is_refused_where_it_stands() {
    assert_eq!(
        refused_as(
            "bind = \"0.0.0.0:1\"\ntls_certificate = \"server.pem\"",
            |_| {}
        ),
        "3:19: `tls_certificate` needs `tls_key` beside it"
    );
    assert_eq!(
        refused_as("tls_key = \"server.key\"", |_| {}),
        "2:11: `tls_key` needs `tls_certificate` beside it"
    );
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let other = Pair::new();
    assert_eq!(
        refused_as(BOTH, |there| {
            fs::write(there.join("server.key"), &other.key).unwrap();
        }),
        "3:11: `tls_key` does not name the key of the certificate that `tls_certificate` names"
    );
}

#[test]
fn files_that_are_something_else_are_refused_and_not_repeated() {
    let not_a_certificate = "2:19: what `tls_certificate` names must hold certificates in PEM: the \
                             server's own, then those that lead to its authority";
    let not_a_key = "3:11: what `tls_key` names must hold a private key in PEM without a passphrase \
                     (PKCS#8, SEC1 or PKCS#1)";
    let canary = "canary7f3a9c51e0b24d68";
    for text in [
        String::new(),
        canary.to_owned(),
        format!("-----BEGIN CERTIFICATE-----\n{canary}\n-----END CERTIFICATE-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n"),
        Pair::new().certificate[..300].to_owned(),
        Pair::new().key[..100].to_owned(),
    ] {
        for (name, expected) in [("server.pem", not_a_certificate), ("server.key", not_a_key)] {
            let refused = refused_as(BOTH, |there| fs::write(there.join(name), &text).unwrap());
            assert_eq!(refused, expected, "{text}");
        }
    }
    assert_eq!(
        refused_as("tls_certificate = \".\"\ntls_key = \"none.key\"", |_| {}),
        "2:19: the file named by `tls_certificate` cannot be read: is a directory\n\
         3:11: the file named by `tls_key` cannot be read: entity not found"
    );
}

#[test]
fn a_key_that_everybody_can_read_is_refused() {
    assert_eq!(
        refused_as(BOTH, |there| {
            let everybody = fs::Permissions::from_mode(0o644);
            fs::set_permissions(there.join("server.key"), everybody).unwrap();
        }),
        "3:11: everybody on this machine can read the file named by `tls_key`: chmod o-r, and \
         consider the key known"
    );
}

#[test]
fn a_certificate_whose_time_it_is_not_is_a_warning() {
    let (config, expired) = said(BOTH, &Pair::valid(2000, 2001), |_| {});
    assert!(config.is_some());
    assert_eq!(
        expired,
        ["2:19: warning: the certificate has expired at 2001-01-01T00:00:00Z"]
    );
    let (config, early) = said(BOTH, &Pair::valid(2990, 2991), |_| {});
    assert!(config.is_some());
    assert_eq!(
        early,
        ["2:19: warning: the certificate is not valid before 2990-01-01T00:00:00Z"]
    );
}
