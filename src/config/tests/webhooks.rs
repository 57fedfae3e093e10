//! What `[[webhooks]]` takes, and what it refuses.

use acctpool_actors::NotificationKind;

use super::refusals::problems;
use super::*;
use crate::webhook::{Address, Destination, Secret};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn webhook(lines: &str) -> String {
    format!("[[webhooks]]\nname = \"pager\"\n{lines}\n")
}

/// A webhook with a good secret.
fn with(lines: &str) -> String {
    webhook(&format!("secret = \"{SECRET}\"\n{lines}"))
}

/// What is said of a file, but for the warnings that there is nothing else in it.
fn said(text: &str) -> Vec<String> {
    let nothing = |line: &String| !line.starts_with("1:1: warning: no [[");
    problems(text).into_iter().filter(nothing).collect()
}

#[test]
fn a_webhook_is_told_of_what_it_names_or_of_everything() {
    let url = "https://hooks.example.com/x?key=1";
    let one = with(&format!("url = \"{url}\""));
    let events = "events = [\"key_rotated\", \"pool_exhausted\"]";
    let other = one.replace("pager", "chat") + events;
    let (config, _) = accepted(&format!("{one}{other}"));
    let expected = |name: &str, events: &[NotificationKind]| Webhook {
        name: name.to_owned(),
        destination: Destination {
            address: Address::parse(url).unwrap(),
            secret: Secret::parse(SECRET).unwrap(),
        },
        events: events.iter().copied().collect(),
    };
    let some = [
        NotificationKind::PoolExhausted,
        NotificationKind::KeyRotated,
    ];
    let all = expected("pager", &NotificationKind::ALL);
    assert_eq!(config.webhooks, [all, expected("chat", &some)]);
}

#[test]
fn plain_http_is_for_this_machine_and_only_where_it_is_allowed() {
    let refused = "4:7: `url` must begin with https://; plain http is for loopback addresses only, \
                   and needs `allow_plain_http = true`";
    let local = with("url = \"http://127.0.0.1:1/x\"");
    assert_eq!(said(&local), [refused]);
    assert_eq!(said(&format!("{local}allow_plain_http = true")), [""; 0]);
    let elsewhere = with("url = \"http://hooks.example.com/x\"\nallow_plain_http = true");
    assert_eq!(said(&elsewhere), [refused]);
}

#[test]
fn an_address_has_neither_user_nor_fragment() {
    let refused = "4:7: `url` must be a URL such as \"https://hooks.example.com/acctpool\", without \
                   user and fragment";
    for url in [
        "https://me:pw@hooks.example.com",
        "https://hooks.example.com/#x",
        "hooks.example.com",
        "ftp://hooks.example.com",
    ] {
        assert_eq!(said(&with(&format!("url = \"{url}\""))), [refused], "{url}");
    }
}

#[test]
fn an_unknown_event_is_refused_with_those_that_there_are() {
    let text = |events| with(&format!("url = \"https://a.example\"\nevents = {events}"));
    assert_eq!(
        said(&text("[\"account_lost\"]")),
        [
            "5:11: each entry of `events` must be \"account_quarantined\", \"pool_exhausted\", \
          \"pool_recovered\", \"key_rotated\" or \"verification_failed\""
        ]
    );
    let twice = text("[\"key_rotated\", \"key_rotated\"]");
    assert_eq!(said(&twice), ["5:26: the same event as in line 5"]);
    assert_eq!(
        said(&text("[]")),
        ["5:10: `events` must name an event; without it, the webhook is told of all"]
    );
}

#[test]
fn every_event_is_named_where_one_is_refused() {
    for kind in NotificationKind::ALL {
        assert!(values::EVENT.allowed.contains(kind.as_str()), "{kind:?}");
    }
}

#[test]
fn a_webhook_has_one_secret_and_a_name_of_its_own() {
    let url = "url = \"https://a.example\"";
    let sources = "a webhook needs exactly one of `secret`, `secret_file`, `secret_env`; found: ";
    assert_eq!(said(&webhook(url)), [format!("1:1: {sources}0")]);
    let both = with(&format!("{url}\nsecret_env = \"A\""));
    assert_eq!(said(&both), [format!("3:10: {sources}2")]);
    let short = webhook(&format!("secret = \"whsec_AAAA\"\n{url}"));
    let refused = format!("3:10: `secret` must be {}", Secret::ALLOWED);
    assert_eq!(said(&short), [refused]);
    let unset = webhook(&format!("secret_env = \"NONE\"\n{url}"));
    assert_eq!(
        said(&unset),
        ["3:14: the environment variable named by `secret_env` is not set"]
    );
    let one = with(url);
    assert_eq!(
        said(&format!("{one}{one}")),
        ["6:8: the same name as in line 2"]
    );
}

#[test]
fn neither_a_secret_nor_what_follows_the_host_is_shown() {
    let (config, report) = accepted(&with("url = \"https://a.example/T0KEN?key=T0KEN\""));
    let shown = format!("{config:?} {report:?}");
    assert!(shown.contains("a.example"), "{shown}");
    for secret in ["T0KEN", &SECRET[6..]] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pager.secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    let text = webhook("url = \"https://a.example\"\nsecret_file = \"pager.secret\"");
    let warning = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (_, report) = Config::parse(&text, &directory.path().join("a.toml"), &no_env).unwrap();
        report.to_string().contains(
            "the file named by `secret_file` holds a webhook's secret and everybody on this machine \
             can read it",
        )
    };
    assert!(warning(0o644));
    assert!(!warning(0o600));
}
