//! The other verbs that talk to a server: `reserve` and what follows it, `list`, `status`, and
//! `completion`.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::{Bench, Server, write_private};
use crate::environment;
use crate::process::{Ended, Process, acctpool, command, run};
use crate::run::client;
use crate::scripted_pool::{Heard, Said, ScriptedPool};

pub(crate) const ID: &str = "0b6c2f6e-6d2c-4c58-8f0e-0d8b6f1f0001";

struct Pool {
    bench: Bench,
    server: Server,
}

impl Pool {
    fn start(accounts: usize) -> Self {
        let bench = Bench::new(accounts);
        let server = bench.serve(&bench.configure(""));
        server.until("ready", accounts as u64);
        Self { bench, server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = client(self.bench.path(), &self.server.url, &self.bench.token);
        command.args(arguments);
        command
    }

    fn try_to(&self, arguments: &[&str]) -> Ended {
        run(&mut self.command(arguments))
    }

    fn does(&self, arguments: &[&str]) -> String {
        let ended = self.try_to(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.does(arguments);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// Asks a scripted server; returns what the program says, too.
pub(crate) fn asking(pool: &ScriptedPool, arguments: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    run(client(home.path(), &pool.url, "acctpool_secret").args(arguments))
}

fn found(id: &str) -> Said {
    Said::Answer(
        "302 Found",
        format!("location: /reservations/{id}\r\n"),
        Value::Null,
    )
}

pub(crate) fn ok(body: Value) -> Said {
    Said::Answer("200 OK", String::new(), body)
}

fn active() -> Value {
    json!({
        "id": ID, "state": "active", "type": "lite", "expiration": "2999-05-01T11:00:00Z",
        "account": {"id": "A"},
        "credentials": {"api_key": "leased-key", "iam_url": "https://iam.cloud.ibm.com"},
    })
}

#[test]
fn a_reservation_is_shown_renewed_listed_and_released() {
    let pool = Pool::start(1);
    let reserved = pool.json(&[
        "reserve",
        "--type",
        "lite",
        "--duration",
        "30m",
        "-o",
        "json",
    ]);
    let id = reserved["id"].as_str().unwrap();
    let key = reserved["credentials"]["api_key"].as_str().unwrap();
    assert!(pool.bench.simulator.working_key(key).is_some());

    let shown = pool.json(&["show", id, "-o", "json"]);
    assert_eq!(shown["state"], "active");
    assert!(shown.get("credentials").is_none(), "{shown}");
    let told = pool.does(&["show", id]);
    assert!(
        told.contains("state active") && !told.contains(key),
        "{told}"
    );

    let before = reserved["expiration"].as_str().unwrap();
    let renewed = pool.does(&["renew", id, "--duration", "60m"]);
    assert!(
        renewed.trim_end() > before,
        "{renewed} is not after {before}"
    );

    let listed = pool.json(&["list", "-o", "json"]);
    assert_eq!(listed[0]["id"], *id);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let table = pool.does(&["list", "--state", "active"]);
    let row = table.lines().nth(1).unwrap();
    assert!(
        row.starts_with(id) && row.contains(&pool.bench.accounts[0].id),
        "{table}"
    );
    assert_eq!(
        pool.json(&["list", "--state", "pending", "-o", "json"]),
        json!([])
    );

    assert_eq!(pool.does(&["release", id]), "");
    assert_eq!(pool.does(&["release", id]), "", "it may be repeated");
    assert_eq!(pool.bench.simulator.working_key(key), None);
    for verb in [&["show", id][..], &["renew", id]] {
        let ended = pool.try_to(verb);
        assert_eq!(ended.code, Some(3), "{verb:?}: {}", ended.stderr);
    }
}

#[test]
fn a_shell_takes_its_credentials_from_a_reservation() {
    let pool = Pool::start(1);
    let program = "\
eval \"$(acctpool reserve --type lite --format env)\"
test \"$IBMCLOUD_API_KEY\" = \"$IC_API_KEY\"
eval \"$(acctpool show --format env)\"
printf '%s %s' \"$ACCTPOOL_ACCOUNT_ID\" \"$IBMCLOUD_API_KEY\"
acctpool release";
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_acctpool"));
    let mut path = binary.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut bash = command("bash", pool.bench.path());
    bash.args(["-eu", "-c", program])
        .env("PATH", path)
        .env("ACCTPOOL_URL", &pool.server.url);
    let file = pool.bench.path().join("token");
    write_private(&file, &format!("{}\n", pool.bench.token));
    let ended = run(bash.env("ACCTPOOL_TOKEN_FILE", file));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (account, key) = ended.stdout.split_once(' ').unwrap();
    assert_eq!(account, pool.bench.accounts[0].id);
    let secrets = pool.bench.simulator.secrets();
    assert!(secrets.iter().any(|secret| secret == key));
    pool.server.until("leased", 0);
}

#[test]
fn a_github_job_masks_what_it_hands_to_later_steps() {
    let pool = ScriptedPool::start(|heard, _| match heard.method.as_str() {
        "POST" => found(ID),
        _ => ok(active()),
    });
    let home = tempfile::tempdir().unwrap();
    let [environment, output] = ["env", "output"].map(|name| home.path().join(name));
    fs::write(&environment, "BEFORE=1\n").unwrap();
    let mut reserve = client(home.path(), &pool.url, "acctpool_secret");
    reserve
        .args(["reserve", "--format", "github"])
        .env("GITHUB_ENV", &environment)
        .env("GITHUB_OUTPUT", &output)
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", "me/it")
        .env("GITHUB_RUN_ID", "7");
    let ended = run(&mut reserve);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let masks = "::add-mask::leased-key\n";
    assert_eq!(ended.stdout, masks.repeat(2));
    let set = fs::read_to_string(&environment).unwrap();
    assert!(
        set.starts_with("BEFORE=1\nACCTPOOL_RESERVATION_ID="),
        "{set}"
    );
    assert!(set.contains("\nIBMCLOUD_API_KEY=leased-key\n"), "{set}");
    let output = fs::read_to_string(&output).unwrap();
    let expected = format!("reservation_id={ID}\nexpiration=2999-05-01T11:00:00Z\naccount_id=A\n");
    assert_eq!(output, expected);
    let asked: Value = serde_json::from_str(&pool.heard()[0].body).unwrap();
    assert_eq!(
        asked,
        json!({"link": "https://github.com/me/it/actions/runs/7"})
    );

    // Elsewhere nothing is reserved.
    let before = pool.heard().len();
    let ended = asking(&pool, &["reserve", "--format", "github"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(pool.heard().len(), before);
}

#[test]
fn nothing_secret_is_printed_unless_its_format_is_asked_for() {
    let pool = ScriptedPool::start(|heard, _| match heard.method.as_str() {
        "POST" if heard.target == "/reservations" => found(ID),
        "GET" if heard.target == "/reservations?limit=100" => {
            ok(json!({"reservations": [active()]}))
        }
        _ => ok(active()),
    });
    for arguments in [
        &["reserve"][..],
        &["reserve", "-o", "text"],
        &["show", ID],
        &["show", ID, "-o", "json"],
        &["list"],
        &["run", "true"],
    ] {
        let ended = asking(&pool, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains("DEBUG"), "nothing is shown: {said}");
        for secret in ["leased-key", "acctpool_secret"] {
            assert!(!said.contains(secret), "{arguments:?}: {said}");
        }
    }
    let asked = asking(&pool, &["reserve", "-o", "env"]).stdout;
    assert!(
        asked.contains("export IC_API_KEY='leased-key'\n"),
        "{asked}"
    );
}

#[test]
fn a_lost_answer_makes_no_second_reservation() {
    let pool = ScriptedPool::start(|heard, before| match (heard.method.as_str(), before) {
        ("POST", 0) => Said::Nothing,
        ("POST", 1) => Said::Answer(
            "503 Service Unavailable",
            "retry-after: 0\r\n".into(),
            Value::Null,
        ),
        ("POST", _) => found(ID),
        _ => ok(active()),
    });
    let ended = asking(&pool, &["reserve"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let heard = pool.heard();
    let keys: Vec<_> = heard[..3]
        .iter()
        .map(|heard| heard.header("idempotency-key"))
        .collect();
    assert!(keys[0].is_some());
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(
        (&heard[0].body, &heard[0].target),
        (&heard[2].body, &heard[2].target)
    );
}

#[test]
fn the_token_goes_nowhere_but_to_the_server_that_was_named() {
    let elsewhere = ScriptedPool::start(|_, _| ok(active()));
    let url = elsewhere.url.clone();
    let location = format!("location: {url}/reservations/{ID}\r\n");
    let pool = ScriptedPool::start(move |heard, _| match heard.method.as_str() {
        "POST" => Said::Answer("302 Found", location.clone(), Value::Null),
        _ if heard.target == format!("/reservations/{ID}") => ok(active()),
        _ => Said::Answer("307 Temporary Redirect", location.clone(), Value::Null),
    });
    assert_eq!(asking(&pool, &["reserve"]).code, Some(0));
    let redirected = asking(&pool, &["list"]);
    assert_eq!(redirected.code, Some(1), "{}", redirected.stderr);
    assert!(
        redirected.reason().contains("another address"),
        "{}",
        redirected.stderr
    );
    assert!(elsewhere.heard().is_empty(), "{:?}", elsewhere.heard());
    let heard = pool.heard();
    let bearer = heard[0].header("authorization");
    assert_eq!(bearer, Some("Bearer acctpool_secret"));
    assert!(heard.iter().all(|heard| !heard.target.contains("token")));
}

#[test]
fn a_server_that_does_not_hold_its_answers_is_asked_when_it_says() {
    let pool = ScriptedPool::start(
        |heard: &Heard, before| match (heard.method.as_str(), before) {
            ("POST", _) => found(ID),
            (_, 1) => {
                let pending = json!({"id": ID, "state": "pending", "type": "lite"});
                Said::Answer("200 OK", "retry-after: 1\r\n".into(), pending)
            }
            _ => ok(active()),
        },
    );
    let start = Instant::now();
    let ended = asking(&pool, &["reserve", "--wait", "20s"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let heard = pool.heard();
    assert_eq!(heard.len(), 3, "{heard:?}");
    // As long as it is still to be waited for.
    let wait = heard[1]
        .header("prefer")
        .unwrap()
        .strip_prefix("wait=")
        .unwrap();
    assert!((15..=20).contains(&wait.parse::<u32>().unwrap()), "{wait}");
}

#[test]
fn exit_codes_tell_scripts_what_is_wrong() {
    let refusing = |status: &'static str, code: &'static str| {
        let pool = ScriptedPool::start(move |_, _| {
            let problem = json!({"code": code, "detail": "so it is", "request_id": "r1"});
            Said::Answer(status, String::new(), problem)
        });
        let ended = asking(&pool, &["renew", ID]);
        let expected = format!(
            "not renewed: so it is ({} {code}, request r1)",
            &status[..3]
        );
        assert_eq!(ended.reason(), expected);
        ended.code
    };
    for (status, code, exit) in [
        ("400 Bad Request", "invalid_parameter", 2),
        ("401 Unauthorized", "unauthorized", 4),
        ("403 Forbidden", "role_not_allowed", 4),
        ("404 Not Found", "unknown_reservation", 3),
        ("409 Conflict", "reservation_ended", 3),
        ("409 Conflict", "reservation_pending", 5),
        ("422 Unprocessable Entity", "idempotency_key_reused", 5),
        ("429 Too Many Requests", "rate_limited", 1),
        ("500 Internal Server Error", "internal", 1),
        ("503 Service Unavailable", "unavailable", 7),
    ] {
        assert_eq!(refusing(status, code), Some(exit), "{status} {code}");
    }
    let home = tempfile::tempdir().unwrap();
    let ask = |url: &str, token: &str, arguments: &[&str]| {
        let ended = run(client(home.path(), url, token).args(arguments));
        assert_eq!(ended.stdout, "");
        ended.code
    };
    let nowhere = "http://127.0.0.1:9";
    assert_eq!(ask(nowhere, "t", &["show", ID]), Some(7));
    assert_eq!(ask(nowhere, "t", &["reserve", "--wait", "0"]), Some(7));
    assert_eq!(
        ask(nowhere, "t", &["run", "--wait", "0", "true"]),
        Some(124)
    );
    assert_eq!(ask(nowhere, "", &["list"]), Some(2), "no token");
    assert_eq!(ask(nowhere, "two words", &["list"]), Some(2));
    assert_eq!(
        ask("http://pool.example.com", "t", &["list"]),
        Some(2),
        "in the clear"
    );
    let ca = [
        "list",
        "--url",
        "https://127.0.0.1:9",
        "--ca",
        "/no/such/file",
    ];
    assert_eq!(ask(nowhere, "t", &ca), Some(2));
}

#[test]
fn who_waits_in_vain_for_a_reservation_leaves_the_line() {
    let pool = Pool::start(1);
    let id = pool.json(&["reserve", "--type", "lite", "-o", "json"])["id"].clone();
    let ended = pool.try_to(&["reserve", "--type", "lite", "--wait", "1s"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(6), ""),
        "{}",
        ended.stderr
    );

    let mut waiting = Process::start(&mut pool.command(&["reserve", "--type", "lite"]));
    waiting.says("POST /reservations: 302");
    waiting.signal("INT");
    let ended = waiting.end();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(130), ""),
        "{}",
        ended.stderr
    );
    let pending = pool.json(&["list", "--state", "pending", "-o", "json"]);
    assert_eq!(pending, json!([]));
    pool.does(&["release", id.as_str().unwrap()]);
}

#[test]
fn what_cannot_be_printed_does_not_stay_reserved() {
    let pool = Pool::start(1);
    let mut shell = command("sh", pool.bench.path());
    shell
        .args(["-c", "exec \"$0\" reserve --type lite -o json > /dev/full"])
        .arg(env!("CARGO_BIN_EXE_acctpool"))
        .env("ACCTPOOL_URL", &pool.server.url)
        .env("ACCTPOOL_TOKEN", &pool.bench.token);
    let ended = run(&mut shell);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let active = pool.json(&["list", "--state", "active", "-o", "json"]);
    assert_eq!(active, json!([]));
}

#[test]
fn several_accounts_come_together() {
    let pool = Pool::start(2);
    let arguments = ["reserve", "--type", "lite", "--count", "2"];
    let said = pool.does(&[&arguments[..], &["-o", "env"]].concat());
    for number in [1, 2] {
        let name = format!("export IBMCLOUD_API_KEY_{number}='");
        let (_, rest) = said
            .split_once(&name)
            .unwrap_or_else(|| panic!("{name}: {said}"));
        let (key, _) = rest.split_once('\'').unwrap();
        assert!(pool.bench.simulator.working_key(key).is_some());
    }
    let (_, rest) = said.split_once("ACCTPOOL_RESERVATION_ID='").unwrap();
    pool.does(&["release", &rest[..36]]);
    pool.server.until("ready", 2);
}

#[test]
fn status_tells_how_the_pool_is_to_everybody() {
    let pool = Pool::start(2);
    let home = tempfile::tempdir().unwrap();
    let status = |arguments: &[&str]| {
        let mut command = acctpool(home.path(), &["status", "--url", &pool.server.url]);
        let ended = run(command.args(arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let table = status(&[]);
    let words: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        words,
        ["lite", "2", "2", "0", "0", "0", "0", "0", "0", "0"],
        "{table}"
    );
    let told: Value = serde_json::from_str(&status(&["-o", "json"])).unwrap();
    assert_eq!(told["accounts"]["lite"]["ready"], 2);

    let watch = [
        "status",
        "--watch",
        "--interval",
        "100ms",
        "--url",
        &pool.server.url,
    ];
    let mut watching = Process::start(&mut acctpool(home.path(), &watch));
    watching.prints("ok, acctpool ");
    let id = pool.json(&["reserve", "--type", "lite", "-o", "json"])["id"].clone();
    // Ready and leased.
    watching.prints("lite  2      1      1");
    pool.does(&["release", id.as_str().unwrap()]);
    watching.signal("INT");
    assert_eq!(watching.end().code, None, "as Ctrl-C ends everything");
}

#[test]
fn a_server_is_believed_that_somebody_trusted_vouches_for() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("{}/tests/program/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    // Python speaks TLS without more ado.
    let program = "\
import http.server, json, ssl, sys
class Pool(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'status': 'ok', 'version': 'tls'}).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Pool)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
server.socket = context.wrap_socket(server.socket, server_side=True)
print('port', server.server_port, flush=True)
server.serve_forever()";
    let mut python = command(environment::interpreter(), home.path());
    python.args(["-c", program, &file("certificate.pem"), &file("key.pem")]);
    let mut server = Process::start(&mut python);
    let url = format!("https://127.0.0.1:{}", server.prints("port "));
    let status = |trusting: &[&str]| {
        let mut status = acctpool(home.path(), &["status", "--url", &url]);
        run(status.args(trusting))
    };
    let ended = status(&["--ca", &file("ca.pem")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("ok, acctpool tls\n"),
        "{}",
        ended.stdout
    );
    let ended = status(&[]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(7), ""),
        "{}",
        ended.stderr
    );
    assert!(ended.reason().contains("certificate"), "{}", ended.stderr);
    for useless in ["key.pem", "README.md"] {
        let ended = status(&["--ca", &file(useless)]);
        assert_eq!(ended.code, Some(2), "{useless}: {}", ended.stderr);
    }
}

#[test]
fn shells_learn_the_verbs() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(&mut acctpool(home.path(), &["completion", shell]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for word in ["reserve", "quarantine", "token-file"] {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
    }
    let program = "\
source <(\"$0\" completion bash)
COMP_WORDS=(acctpool r); COMP_CWORD=1
_acctpool acctpool r acctpool
printf '%s ' \"${COMPREPLY[@]}\"";
    let mut bash = command("bash", home.path());
    let ended = run(bash.args(["-c", program, env!("CARGO_BIN_EXE_acctpool")]));
    let expected = "run reserve renew release revoke receipts ";
    assert_eq!(ended.stdout, expected, "{}", ended.stderr);
}
