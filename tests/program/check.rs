//! `acctpool check`: what `serve` would say, and what IBM Cloud says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use secrecy::{ExposeSecret, SecretString};

use crate::bench::{Bench, write_private};
use crate::process::{Ended, acctpool, run};

fn check(bench: &Bench, more: &[&str]) -> Ended {
    let path = bench.path().join("accounts.toml");
    let mut arguments = vec!["check", path.to_str().unwrap()];
    arguments.extend(more);
    run(&mut acctpool(bench.path(), &arguments))
}

#[test]
fn a_good_file_is_called_good() {
    let bench = Bench::new(2);
    let path = bench.configure("");
    let ended = check(&bench, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let said = format!("{}: good, 2 accounts, 2 tokens\n", path.display());
    assert_eq!(ended.stdout, said);
    assert!(bench.simulator.requests().is_empty(), "nobody was asked");
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_no_secret() {
    let bench = Bench::new(2);
    let path = bench.configure("verify_evry = \"6h\"\nclaim_timeout = \"soon\"");
    let text = fs::read_to_string(&path).unwrap();
    let ids: Vec<_> = bench.accounts.iter().map(|account| &*account.id).collect();
    let pasted = "s3cr3t-pasted-in-the-wrong-place-0123456789";
    let text = text.replace(ids[1], ids[0]).replacen(
        "type = \"lite\"",
        &format!("type = \"{pasted}{pasted}\""),
        1,
    );
    write_private(&path, &text);
    let place_of = |part: &str| {
        let at = text.rfind(part).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        format!("{}:{line}:", path.display())
    };

    let ended = check(&bench, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""));
    for (part, word) in [
        ("verify_evry", "verify_every"),
        ("claim_timeout", "90m"),
        (ids[0], "the same"),
        (pasted, "lowercase letters"),
    ] {
        let place = place_of(part);
        let complaint = ended.stderr.lines().find(|line| line.starts_with(&place));
        let complaint = complaint.unwrap_or_else(|| panic!("{place} {}", ended.stderr));
        assert!(complaint.contains(word), "{complaint}");
        let column = complaint[place.len()..].split(':').next().unwrap();
        assert!(column.parse::<usize>().is_ok(), "{complaint}");
    }
    let keys = bench
        .accounts
        .iter()
        .map(|account| account.api_key.expose_secret());
    for secret in keys.chain([pasted, &bench.token]) {
        assert!(!ended.stderr.contains(secret));
    }

    let mut serve = acctpool(
        bench.path(),
        &["serve", "--bind", "127.0.0.1:0", "--config"],
    );
    let refused = run(serve.arg(&path));
    assert_eq!((refused.code, refused.stderr), (Some(78), ended.stderr));
}

#[test]
fn online_verifies_every_account_and_writes_nothing() {
    let bench = Bench::new(2);
    bench.configure("");
    let ended = check(&bench, &["--online"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for account in &bench.accounts {
        assert!(
            ended
                .stdout
                .contains(&format!("account {}: good\n", account.id))
        );
    }
    let requests = bench.simulator.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.path.contains("/v1/apikeys/details"))
    );
    assert!(!requests.iter().any(|request| request.is_write));
    assert_eq!(
        fs::read_dir(bench.path()).unwrap().count(),
        1,
        "no file was made"
    );
}

#[test]
fn verbose_tells_how_ibm_cloud_answers_and_nothing_that_is_secret() {
    let bench = Bench::new(1);
    bench.configure("");
    let ended = check(&bench, &["--online", "-v"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let seen = |subject: &str| {
        let mut lines = ended.stdout.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with(subject));
        line.unwrap_or_else(|| panic!("{subject}: {}", ended.stdout))
            .to_owned()
    };
    for (subject, finding) in [
        ("account (1)", "type PAYG, status ACTIVE"),
        ("token", "of a user, good for 60 minutes"),
        ("search (6)", "1 by default, 1 with is_reclaimed=any"),
        ("regions", "available: eu-de"),
        ("vpc ", "lists answer"),
        ("direct_link", "1 of 1 lists answer"),
        ("not seen", "a chosen key that exists (3)"),
    ] {
        assert!(seen(subject).contains(finding), "{}", seen(subject));
    }
    assert!(
        !bench
            .simulator
            .requests()
            .iter()
            .any(|request| request.is_write)
    );
    for secret in bench.simulator.secrets() {
        assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret));
    }
    let offline = check(&bench, &["-v"]);
    assert_eq!(
        offline.code,
        Some(2),
        "there is nothing to say without asking"
    );
}

#[test]
fn online_says_which_account_cannot_be_used() {
    let mut bench = Bench::new(2);
    let wrong = "a-key-that-ibm-cloud-does-not-know-at-all-00";
    bench.accounts[1].api_key = SecretString::from(wrong);
    bench.configure("");
    let ended = check(&bench, &["--online"]);
    assert_eq!(
        (ended.code, ended.stderr.trim_end()),
        (Some(1), "error: 1 account cannot be used")
    );
    let [good, bad] = &bench.accounts[..] else {
        panic!("two were made")
    };
    assert!(
        ended
            .stdout
            .contains(&format!("account {}: good\n", good.id))
    );
    let start = format!("account {}: ", bad.id);
    let complaint = ended
        .stdout
        .lines()
        .find(|line| line.starts_with(&start))
        .unwrap();
    assert!(complaint.contains("BXNIM0415E"), "{complaint}");
    for secret in bench
        .simulator
        .secrets()
        .iter()
        .map(String::as_str)
        .chain([wrong])
    {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
    }
    assert!(
        !bench
            .simulator
            .requests()
            .iter()
            .any(|request| request.is_write)
    );
}

#[test]
fn a_master_key_that_systemd_hands_over_is_taken() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let directory = bench.path().join("credentials");
    fs::create_dir(&directory).unwrap();
    let key = directory.join("master-key");
    fs::write(&key, [7; 32]).unwrap();
    // The group's place holds the mask of an access control list.
    fs::set_permissions(&key, Permissions::from_mode(0o440)).unwrap();
    let arguments = ["check", "--online", config.to_str().unwrap()];
    let mut check = acctpool(bench.path(), &arguments);
    check.env("ACCTPOOL_MASTER_KEY_FILE", &key);
    let elsewhere = run(&mut check);
    assert!(elsewhere.stderr.contains("make it 600"), "{elsewhere:?}");
    let handed_over = run(check.env("CREDENTIALS_DIRECTORY", &directory));
    assert_eq!(handed_over.code, Some(0), "{handed_over:?}");
}
