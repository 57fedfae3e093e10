//! Everything that `serve` prints, at its finest level and when everything goes wrong, holds no
//! secret.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use acctpool::simulator::catalog::{COS_STANDARD, REFUSING};
use acctpool::simulator::{Fault, FaultAction};
use acctpool::webhook::Secret;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::bench::{Bench, Server, curl, status_of};
use crate::process::{acctpool, eventually, run};

#[test]
fn what_serve_prints_holds_no_secret() {
    let bench = Bench::new(2);
    echo_keys(&bench);
    let webhook_secret = Secret::generate().unwrap();
    let webhook_secret = webhook_secret.expose_secret();
    let server = bench.serve(&bench.configure(&format!(
        "rotate_every = \"1s\"\n{}",
        webhooks(webhook_secret)
    )));
    server.until("ready", 2);
    misuse(&bench, &server);
    eventually("a rotation", || {
        let mut keys = bench
            .accounts
            .iter()
            .map(|account| account.api_key.expose_secret());
        let works = |key| bench.simulator.working_key(key).is_some();
        (!keys.any(works)).then_some(())
    });

    // IBM Cloud in its worst mood: what it answers repeats what it was told.
    let (location, lease) = server.lease(&bench.token);
    let key = lease["credentials"]["api_key"].as_str().unwrap().to_owned();
    make_a_mess(&bench, &lease, &key);
    echo_secrets(&bench);
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    server.until("quarantined", 1);
    eventually("the end of a leased key", || {
        bench.simulator.working_key(&key).is_none().then_some(())
    });

    let receipts = receipts_in_every_form(&bench, &location, &lease);
    let mut secrets = bench.simulator.secrets();
    secrets.extend([bench.token.clone(), key]);
    secrets.extend([webhook_secret, PATH, QUERY].map(str::to_owned));
    secrets.push(webhook_secret["whsec_".len()..].to_owned());
    secrets.extend(master_key_in_every_dress(&bench));
    // The write-ahead log is folded into the file at an orderly end: this is none.
    server.process.signal("KILL");
    let ended = server.process.end();
    let said = ended.stdout + &ended.stderr + &receipts;
    let told = [
        "quarantined",
        "DEBUG",
        "injected",
        "rotate",
        "webhook full: ",
    ];
    for word in told {
        assert!(
            said.contains(word),
            "{word:?} was not logged: nothing is shown"
        );
    }
    assert!(secrets.len() > 20, "{}", secrets.len());
    let kept = kept_records(&bench);
    for secret in secrets {
        let start = &secret[..6];
        assert!(!said.contains(&secret), "a secret was printed: {start}…");
        let bytes = secret.as_bytes();
        let found = kept.windows(bytes.len()).any(|window| window == bytes);
        assert!(!found, "a secret was written down: {start}…");
    }
}

/// What receivers know whom they hear by.
const PATH: &str = "T0KEN-in-the-path";
const QUERY: &str = "T0KEN-in-the-query";

/// Two that are never reached: one where nobody listens, and one whose host has no name.
fn webhooks(secret: &str) -> String {
    let hosts = [("full", "127.0.0.1:9"), ("nameless", "localhost:0")];
    let entries = hosts.map(|(name, host)| {
        format!(
            "[[webhooks]]\nname = \"{name}\"\nsecret = \"{secret}\"\nallow_plain_http = true\n\
             url = \"http://{host}/{PATH}?key={QUERY}\"\n"
        )
    });
    entries.concat()
}

/// Every byte that the server wrote below its state directory, but for the master key.
fn kept_records(bench: &Bench) -> Vec<u8> {
    let state = bench.path().join(".local/state/acctpool");
    let in_directory = |path: &Path| fs::read_dir(path).unwrap().map(Result::unwrap);
    let baselines = in_directory(&state.join("baselines"));
    let files = in_directory(&state).chain(baselines);
    let kept: Vec<u8> = files
        .filter(|file| file.file_type().unwrap().is_file())
        .filter(|file| file.file_name() != "master.key")
        .flat_map(|file| fs::read(file.path()).unwrap())
        .collect();
    let account = bench.accounts[0].id.as_bytes();
    for known in [account, b"credential_shown", b"\"step\":\"swept\""] {
        assert!(kept.windows(known.len()).any(|window| window == known));
    }
    kept
}

/// What the holder of a lease and the operator are told of the cleaning that followed.
fn receipts_in_every_form(bench: &Bench, location: &str, lease: &Value) -> String {
    let (reservation, token) = location.split_once('?').unwrap();
    let url = format!("{reservation}/receipt?{token}");
    let mut told = eventually("the end of the cleaning", || {
        let receipt = curl(bench.path(), &[&url]);
        (receipt.json()["state"] == "quarantined").then_some(receipt.body)
    });
    let account = lease["account"]["id"].as_str().unwrap();
    for format in ["text", "json"] {
        let shown = run(&mut acctpool(
            bench.path(),
            &["receipts", account, "--format", format],
        ));
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains("left"), "{}", shown.stdout);
        told += &shown.stdout;
    }
    told
}

/// Requests of clients who put the token where it does not belong.
fn misuse(bench: &Bench, server: &Server) {
    let token = &bench.token;
    let almost = &token[..token.len() - 1];
    let long = "x".repeat(9000);
    let targets = [
        format!("/reservations?token={almost}"),
        format!("/reservations/{token}"),
        format!("/reservations/{token}?token={token}"),
        format!("/{token}"),
        format!("/reservations?token={token}&token={token}"),
        format!("/reservations?token={token}&type={token}"),
        format!("/reservations?token={token}&duration={token}"),
        format!("/reservations?token={token}&{token}=1"),
        format!("/reservations?token={token}&type={long}"),
        format!("/reservations?token=%zz{token}"),
        format!("/?token={token}"),
    ];
    let headers = [
        String::new(),
        format!("authorization: Bearer {token}x\r\n"),
        format!("authorization: Basic {token}\r\n"),
        format!("authorization: {token}\r\n"),
        format!("cookie: {token}\r\n"),
        format!("{token}: {token}\r\n"),
        format!("{token}\r\n"),
    ];
    for method in ["GET", "POST", "DELETE", "BREW", token] {
        for target in &targets {
            raw(
                server,
                &format!("{method} {target} HTTP/1.1\r\nhost: pool\r\n\r\n"),
            );
        }
        for header in &headers {
            let start = format!("{method} /reservations HTTP/1.1\r\nhost: {token}\r\n");
            raw(server, &format!("{start}{header}\r\n"));
        }
    }
    raw(server, token);
    raw(server, &format!("GET / HTTP/{token}\r\n\r\n"));
    let body = format!(
        "POST /reservations HTTP/1.1\r\nhost: pool\r\ncontent-length: {}\r\n\r\n{token}",
        token.len()
    );
    raw(server, &body);
}

/// Sends bytes as they are and takes whatever comes.
fn raw(server: &Server, request: &str) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Uses the account: a key with HMAC credentials, and an instance that nobody can delete.
pub(crate) fn make_a_mess(bench: &Bench, lease: &Value, key: &str) {
    let cloud = bench.simulator.url();
    let form = format!("apikey={key}");
    let grant = "grant_type=urn:ibm:params:oauth:grant-type:apikey";
    let exchanged = curl(
        bench.path(),
        &["-d", &form, "-d", grant, &format!("{cloud}/identity/token")],
    )
    .json();
    let bearer = format!(
        "Authorization: Bearer {}",
        exchanged["access_token"].as_str().unwrap()
    );
    let ask = |arguments: &[&str]| {
        let mut all = vec!["-H", &*bearer, "-H", "Content-Type: application/json"];
        all.extend(arguments);
        curl(bench.path(), &all).json()
    };
    let account = lease["account"]["id"].as_str().unwrap();
    let groups = ask(&[&format!("{cloud}/v2/resource_groups?account_id={account}")]);
    let mut crn = Value::Null;
    for plan in [REFUSING, COS_STANDARD] {
        let instance = json!({
            "name": "left", "target": "eu-de", "resource_plan_id": plan.plan_id,
            "resource_group": groups["resources"][0]["id"],
        });
        let made = ask(&[
            "-d",
            &instance.to_string(),
            &format!("{cloud}/v2/resource_instances"),
        ]);
        crn = made["id"].clone();
        assert!(crn.is_string(), "{made}");
    }
    let hmac = json!({ "name": "hmac", "source": crn, "parameters": { "HMAC": true } });
    let made = ask(&[
        "-d",
        &hmac.to_string(),
        &format!("{cloud}/v2/resource_keys"),
    ]);
    assert!(made["credentials"]["cos_hmac_keys"].is_object(), "{made}");
}

/// Lets calls of every kind fail, with messages that repeat the secrets which those calls carry.
fn echo_secrets(bench: &Bench) {
    let secrets = bench.simulator.secrets();
    let jwt = secrets
        .iter()
        .rfind(|secret| secret.split('.').count() == 3)
        .unwrap();
    let paths = [
        "/v1/apikeys",
        "/v1/serviceids",
        "/v2/policies",
        "/v2/resource_instances",
    ];
    for path in paths {
        for status in [500, 503] {
            let action = FaultAction::Status {
                status,
                code: "injected".to_owned(),
                message: format!("injected: Bearer {jwt} \"{jwt}\" is not liked"),
                retry_after: None,
            };
            bench.simulator.inject(Fault::new(path, action).times(1));
        }
        let reset = Fault::new(path, FaultAction::Reset).times(1);
        bench.simulator.inject(reset);
    }
}

/// Lets the first exchange of each account's key fail with a message that repeats it.
fn echo_keys(bench: &Bench) {
    for account in &bench.accounts {
        let action = FaultAction::Status {
            status: 503,
            code: "injected".to_owned(),
            message: format!("injected: apikey={} …", account.api_key.expose_secret()),
            retry_after: None,
        };
        let fault = Fault::new("/identity/token", action);
        bench.simulator.inject(fault.account(&account.id).times(1));
    }
}

fn master_key_in_every_dress(bench: &Bench) -> Vec<String> {
    let path = bench.path().join(".local/state/acctpool/master.key");
    let key = fs::read(path).unwrap();
    let hex = key.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let list = format!("{}, {}, {}", key[0], key[1], key[2]);
    vec![
        hex.to_uppercase(),
        hex,
        BASE64_STANDARD_NO_PAD.encode(&key),
        BASE64_URL_SAFE_NO_PAD.encode(&key),
        format!("[{list}"),
    ]
}
