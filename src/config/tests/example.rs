//! `accounts.example.toml` is true.

use acctpool_actors::NotificationKind;
use toml::de::DeValue;

use super::*;

const EXAMPLE: &str = include_str!("../../../accounts.example.toml");

/// The example with every setting in force: `#key` is one, `# text` is not.
fn with_every_setting() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(line).collect()
}

fn read(text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("secrets")).unwrap();
    fs::write(directory.path().join("secrets/lite-1.key"), "key-in-file").unwrap();
    super::tls::write_pair(directory.path(), &super::tls::Pair::new());
    let path = directory.path().join("accounts.toml");
    let secret = format!("whsec_{}", "A".repeat(32));
    fs::write(directory.path().join("secrets/pager.secret"), &secret).unwrap();
    let env = |name: &str| match name {
        "ACCTPOOL_KEY_FREE_1" => Some("key-in-env".to_owned()),
        "ACCTPOOL_CHAT_SECRET" => Some(secret.clone()),
        _ => None,
    };
    let (config, report) = Config::parse(text, &path, &env).unwrap_or_else(|e| panic!("{e}"));
    let unexpected: Vec<_> = report
        .problems()
        .iter()
        .filter(|problem| !matches!(problem.fault, Fault::ReadableByOthers { .. }))
        .collect();
    assert!(unexpected.is_empty(), "{report}");
    config
}

#[test]
fn example_is_accepted_as_it_is() {
    let config = read(EXAMPLE);

    assert_eq!(config.accounts.len(), 1);
    assert_eq!(config.accounts[0].api_key.expose_secret(), "key-in-env");
    assert_eq!(config.tokens.names().count(), 1);
}

#[test]
fn settings_in_the_example_are_the_defaults() {
    let config = read(&with_every_setting());

    assert!(config.server.certificate.is_some());
    let server = Server {
        certificate: None,
        ..config.server
    };
    assert_eq!(server, Server::default());
    assert_eq!(config.policy, Policy::default());
    let endpoints = config.ibm.endpoints.clone();
    let ibm = Ibm {
        endpoints,
        ..Ibm::default()
    };
    assert_eq!(
        config.ibm, ibm,
        "where IBM's APIs are is not for the configuration to know"
    );
    assert_eq!(config.keep, Keep::default());
    assert_eq!(config.types["free"], TypeSettings::default());
    assert_eq!(config.accounts.len(), 3);
    assert_eq!(config.webhooks.len(), 3);
    assert_eq!(config.webhooks[0].events, NotificationKind::ALL.into());
}

#[test]
fn every_key_that_is_read_is_in_the_example() {
    let text = with_every_setting();
    let document = DeTable::parse(&text).unwrap();
    let mut shown = Vec::new();
    collect("the top level", document.get_ref(), &mut shown);

    for schema in SCHEMAS {
        for key in schema.keys {
            let place = (schema.name.to_owned(), (*key).to_owned());
            assert!(shown.contains(&place), "`{key}` of {}", schema.name);
        }
    }
}

/// Collects the keys of a table and of those inside, with the names that schemas give them.
fn collect(name: &str, table: &DeTable<'_>, shown: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let key = key.get_ref();
        shown.push((name.to_owned(), key.to_string()));
        match value.get_ref() {
            DeValue::Table(inner) if key == "types" => {
                for entry in inner.values() {
                    collect("[types.*]", entry.get_ref().as_table().unwrap(), shown);
                }
            }
            DeValue::Table(inner) => collect(&format!("[{key}]"), inner, shown),
            DeValue::Array(entries) => {
                for entry in entries
                    .iter()
                    .filter_map(|entry| entry.get_ref().as_table())
                {
                    collect(&format!("[[{key}]]"), entry, shown);
                }
            }
            _ => {}
        }
    }
}
