//! `acctpool simulate`: alone, and under a server that takes the configuration as it was written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::bench::{Server, curl};
use crate::process::{Process, acctpool};

#[test]
fn serve_takes_the_written_configuration_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("simulated.toml");
    let mut simulate = Process::start(&mut acctpool(
        home.path(),
        &[
            "simulate",
            "--bind",
            "127.0.0.1:0",
            "--accounts",
            "free=1,lite=2",
            "--write-config",
            path.to_str().unwrap(),
        ],
    ));
    let simulating = simulate.says("simulating 3 accounts at ");
    let (url, _) = simulating.split_once(';').unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(&format!("endpoint = \"{url}\"")),
        "the port is the real one"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "the keys are its owner's");
    let token = text
        .lines()
        .find_map(|line| line.strip_prefix("# token: "))
        .unwrap();

    let server = Server::start(home.path(), &path);
    server.until("ready", 3);
    let (_, lease) = server.lease(token);
    assert_eq!(lease["credentials"]["iam_url"], url);
    let account = lease["account"]["id"].as_str().unwrap();
    assert!(text.contains(account));
    let inventory = curl(
        home.path(),
        &[&format!("{url}/_simulator/accounts/{account}")],
    )
    .json();
    assert!(
        inventory["inventory"]
            .to_string()
            .contains("acctpool-lease-")
    );
    assert_eq!(server.end().code, Some(0));

    simulate.signal("INT");
    let ended = simulate.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
}
