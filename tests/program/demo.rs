//! `acctpool demo`: its lesson, line by line.

use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::bench::{address, curl, status_of};
use crate::process::{Process, acctpool, command, eventually, run};

/// A running demonstration.
pub(crate) struct Demo {
    process: Process,
    pub(crate) url: String,
    pub(crate) cloud: String,
    pub(crate) token: String,
}

impl Demo {
    /// Starts one, and waits until an account of type `lite` is ready.
    pub(crate) fn start(home: &Path) -> Self {
        let arguments = ["demo", "--bind", "127.0.0.1:0"];
        let mut process = Process::start(&mut acctpool(home, &arguments));
        let place = process.prints("acctpool lends simulated accounts at ");
        let cloud = process.prints("IBM Cloud is simulated at ");
        let token = process.prints("export TOKEN=");
        process.prints("Ctrl-C ends");
        let demo = Self {
            url: place.split("/ ").next().unwrap().to_owned(),
            cloud: cloud.split(". ").next().unwrap().to_owned(),
            token,
            process,
        };
        eventually("a ready account", || {
            let status = curl(home, &[&demo.url]).json();
            (status["accounts"]["lite"]["ready"] == 1).then_some(())
        });
        demo
    }

    /// The lines that are to be pasted into another terminal.
    fn lesson(&self) -> String {
        let stdout = self.process.stdout();
        let (_, rest) = stdout.split_once("In another terminal:\n").unwrap();
        let (lesson, _) = rest.split_once("Ctrl-C").unwrap();
        lesson.to_owned()
    }

    pub(crate) fn end(self) -> String {
        self.process.signal("INT");
        let ended = self.process.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr
    }
}

#[test]
fn the_lesson_works_as_it_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let demo = Demo::start(home.path());
    let marked = demo.lesson().replace("\n  # ", "\necho @@@\n  # ");
    let script = format!("{marked}\necho @@@\nprintf %s \"$URL\"");
    let mut bash = command("bash", home.path());
    let ended = run(bash.args(["-eu", "-c", &script]));
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{script}"
    );
    let steps: Vec<_> = ended.stdout.split("@@@\n").collect();
    let [
        nothing,
        asked,
        shown,
        used,
        returned,
        run,
        operated,
        enabled,
        url,
    ] = steps[..]
    else {
        panic!("another lesson: {steps:?}")
    };
    assert_eq!((nothing, asked, returned), ("", "", ""));
    let shown: Value = serde_json::from_str(shown).unwrap();
    assert!(run.contains("\nIBMCLOUD_API_KEY="), "{run}");
    assert!(!run.contains("ACCTPOOL_TOKEN"), "{run}");
    let account = shown["account"]["id"].as_str().unwrap();
    for seen in ["ok, acctpool ", "quarantined", account] {
        assert!(operated.contains(seen), "{seen}: {operated}");
    }
    assert!(
        enabled.starts_with(&format!("account {account}: ")),
        "{enabled}"
    );
    eventually("what the operator did in the log", || {
        let log = demo.process.stderr();
        let (_, after) = log.split_once("drained, operator operator: to see how")?;
        after
            .contains("enabled, operator operator: seen")
            .then_some(())
    });
    assert_eq!(
        (&shown["state"], &shown["duration"]),
        (&"active".into(), &30.into())
    );
    assert!(shown["expiration"].is_string());
    let used: Value = serde_json::from_str(used).unwrap();
    assert_eq!(used["token_type"], "Bearer", "{used}");
    assert!(
        url.starts_with(&format!("{}/reservations/", demo.url)),
        "{url}"
    );

    let ended = curl(home.path(), &[url]).json();
    assert_eq!(ended["end_reason"], "cancelled");
    let key = format!(
        "apikey={}",
        shown["credentials"]["api_key"].as_str().unwrap()
    );
    let grant = "grant_type=urn:ibm:params:oauth:grant-type:apikey";
    let token_url = format!("{}/identity/token", demo.cloud);
    eventually("the key's refusal", || {
        let status = status_of(home.path(), &["-d", &key, "-d", grant, &token_url]);
        (status == 400).then_some(())
    });

    // What happens is told as it happens.
    eventually("the account's return", || {
        let log = demo.process.stderr();
        let (_, after) = log.split_once(&format!("gets account {account} until "))?;
        after
            .contains(&format!("account {account}: ready"))
            .then_some(())
    });
    demo.end();
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let demo = Demo::start(home.path());
    let sockets = [address(&demo.url), address(&demo.cloud)];
    for socket in sockets {
        TcpStream::connect(socket).expect("it listens");
    }
    demo.end();
    for socket in sockets {
        TcpStream::connect(socket).expect_err("nobody listens any more");
    }
    let files = home.path().read_dir().unwrap();
    assert_eq!(files.count(), 0, "a demonstration keeps nothing");
}

#[test]
fn root_certificates_that_cannot_be_read_are_no_end() {
    let home = tempfile::tempdir().unwrap();
    let broken = home.path().join("roots.pem");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&broken, pem).unwrap();
    for roots in [broken, home.path().join("missing.pem")] {
        let mut demo = acctpool(home.path(), &["demo", "--bind", "127.0.0.1:0"]);
        let mut demo = Process::start(demo.env("SSL_CERT_FILE", roots));
        demo.prints("acctpool lends simulated accounts");
    }
}
