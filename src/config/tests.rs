//! The whole file is read right, or refused with all its problems in place.

mod example;
mod refusals;
mod secrets;
mod settings;
mod tls;
mod webhooks;

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::token::TokenHash;

/// Enough for a file to be accepted without warnings.
const MINIMAL: &str = r#"
[[tokens]]
name = "ci"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
[[accounts]]
id = "0123456789abcdef0123456789abcdef"
type = "lite"
api_key = "key-of-the-owner"
"#;

fn no_env(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<(Config, Report), ConfigError> {
    Config::parse(text, Path::new("accounts.toml"), &no_env)
}

fn accepted(text: &str) -> (Config, Report) {
    parse(text).unwrap_or_else(|error| panic!("must be accepted:\n{error}\n{text}"))
}

fn refused(text: &str) -> Report {
    match parse(text) {
        Err(ConfigError::Refused(report)) => report,
        other => panic!("must be refused: {other:?}\n{text}"),
    }
}

#[test]
fn what_is_not_set_has_its_default() {
    let (config, report) = accepted(MINIMAL);

    assert!(report.is_empty(), "{report}");
    assert_eq!(config.server, Server::default());
    assert_eq!(config.policy, Policy::default());
    assert_eq!(config.ibm, Ibm::default());
    assert_eq!(config.keep, Keep::default());
    assert_eq!(config.types["lite"], TypeSettings::default());
    assert_eq!(config.types.len(), 1);
    let account = &config.accounts[0];
    assert_eq!(account.id, "0123456789abcdef0123456789abcdef");
    assert_eq!(account.account_type, "lite");
    assert_eq!(account.api_key.expose_secret(), "key-of-the-owner");
    assert_eq!(account.owner, None);
    assert_eq!(config.tokens.identify("abc").unwrap().as_str(), "ci");
}

#[test]
fn flag_that_binds_off_loopback_is_refused_like_the_file() {
    let everywhere = "0.0.0.0:80".parse().unwrap();
    let mut server = Server::default();
    assert_eq!(
        server.bind_to(everywhere),
        Err(PlaintextOffLoopback(everywhere))
    );
    assert_eq!(server, Server::default());

    server.behind_proxy = true;
    assert_eq!(server.bind_to(everywhere), Ok(()));
    assert_eq!(server.bind, everywhere);
}

#[test]
fn api_keys_come_from_file_and_variable_too() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.key"), "key-in-file\n").unwrap();
    let text = r#"
        [[accounts]]
        id = "00000000000000000000000000000001"
        type = "a"
        api_key_file = "a.key"
        owner = "IBMid-1"
        [[accounts]]
        id = "00000000000000000000000000000002"
        type = "b"
        api_key_env = "KEY_B""#;
    let path = directory.path().join("accounts.toml");
    let env = |name: &str| (name == "KEY_B").then(|| "key-in-env".to_owned());
    let (config, _) = Config::parse(text, &path, &env).unwrap();

    let keys: Vec<&str> = config
        .accounts
        .iter()
        .map(|account| account.api_key.expose_secret())
        .collect();
    assert_eq!(keys, ["key-in-file", "key-in-env"]);
    assert_eq!(config.accounts[0].owner.as_deref(), Some("IBMid-1"));
}

#[test]
fn absent_file_is_named_with_its_cause() {
    let path = Path::new("/nonexistent/accounts.toml");
    let error = Config::load(path, &no_env).unwrap_err();

    assert_eq!(error.to_string(), "cannot read /nonexistent/accounts.toml");
    assert!(matches!(
        error,
        ConfigError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound
    ));
}

#[test]
fn file_that_is_no_text_is_refused_where_it_stops_being_text() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), b"[server]\n# caf\xe9\n").unwrap();
    let error = Config::load(file.path(), &no_env).unwrap_err();

    let expected = format!("{}:2:6: the file must be UTF-8 text", file.path().display());
    assert_eq!(error.to_string(), expected);
}

#[cfg(unix)]
#[test]
fn secrets_that_everybody_can_read_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let second = "[[accounts]]\nid = \"00000000000000000000000000000002\"\ntype = \"lite\"\n\
                  api_key_file = \"b.key\"\n";
    let text = format!("{MINIMAL}{second}");
    let warnings = |file_mode, key_mode| {
        write("b.key", "key-b", key_mode);
        let path = write("accounts.toml", &text, file_mode);
        let (_, report) = Config::load(&path, &no_env).unwrap();
        let places = report.problems().iter().map(|problem| {
            assert!(matches!(problem.fault, Fault::ReadableByOthers { .. }));
            (problem.line, problem.column)
        });
        places.collect::<Vec<_>>()
    };

    assert_eq!(warnings(0o600, 0o600), []);
    assert_eq!(warnings(0o640, 0o600), []);
    assert_eq!(warnings(0o644, 0o600), [(8, 11)]);
    assert_eq!(warnings(0o600, 0o604), [(12, 16)]);
}

#[test]
fn ten_thousand_accounts_are_read_with_keys_of_their_own() {
    let account = |n: u32| {
        let account_type = n % 7;
        format!("[[accounts]]\nid = \"{n:032x}\"\ntype = \"t{account_type}\"\napi_key = \"k{n}\"\n")
    };
    let text = (0..10_000).map(account).collect::<Vec<_>>().concat();
    let (config, _) = accepted(&text);

    assert_eq!(config.accounts.len(), 10_000);
    assert_eq!(config.types.len(), 7);
}

#[test]
fn debug_shows_no_secret() {
    let (config, report) = accepted(MINIMAL);
    let shown = format!("{config:?} {report:?}");

    assert!(!shown.contains("key-of-the-owner"), "{shown}");
    assert!(!shown.contains(&TokenHash::of("abc").to_hex()), "{shown}");
}
