//! What `serve` does not start with: one line on stderr says why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::bench::Bench;
use crate::process::{Ended, acctpool, run};

fn serve(home: &Path, arguments: &[&str]) -> Ended {
    let mut all = vec!["serve"];
    all.extend(arguments);
    let ended = run(&mut acctpool(home, &all));
    assert_eq!(ended.stdout, "");
    ended
}

/// The only line that was said.
fn line(ended: &Ended) -> &str {
    let said = ended.stderr.trim_end_matches('\n');
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing.toml");
    let ended = serve(home.path(), &["--config", missing.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78));
    assert!(line(&ended).contains("missing.toml"), "{}", ended.stderr);
    assert!(line(&ended).contains("No such file"), "{}", ended.stderr);

    let ended = serve(home.path(), &["--config", home.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(78));
    assert!(line(&ended).contains("directory"), "{}", ended.stderr);
}

#[test]
fn without_a_configuration_the_option_is_named() {
    let home = tempfile::tempdir().unwrap();
    let ended = serve(home.path(), &[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--config <FILE>"), "{}", ended.stderr);
}

#[test]
fn clear_text_beyond_this_machine_is_refused() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let ended = serve(
        bench.path(),
        &["--config", config.to_str().unwrap(), "--bind", "0.0.0.0:0"],
    );
    assert_eq!(ended.code, Some(1));
    assert!(
        line(&ended).starts_with("error: --bind 0.0.0.0:0: "),
        "{}",
        ended.stderr
    );
    assert!(line(&ended).contains("behind_proxy"), "{}", ended.stderr);
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let directory = bench.path().join("state");
    let arguments = [
        "--config",
        config.to_str().unwrap(),
        "--bind",
        "127.0.0.1:0",
        "--state-dir",
        directory.to_str().unwrap(),
    ];
    fs::create_dir(&directory).unwrap();
    let key = directory.join("master.key");
    fs::write(&key, [7; 32]).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let ended = serve(bench.path(), &arguments);
        assert_eq!(ended.code, Some(1));
        assert!(line(&ended).contains("master.key"), "{}", ended.stderr);
        assert!(line(&ended).contains("make it 600"), "{}", ended.stderr);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, [7; 31]).unwrap();
    let ended = serve(bench.path(), &arguments);
    assert_eq!(ended.code, Some(1));
    assert!(
        line(&ended).contains("31 bytes instead of 32"),
        "{}",
        ended.stderr
    );
    assert!(bench.simulator.requests().is_empty(), "nobody was asked");
}
