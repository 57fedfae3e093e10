//! Webhooks: whoever is to be told of what happens is told, in order, signed, and over a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use acctpool::token::NewToken;

use crate::bench::{Bench, Server, curl, status_of};
use crate::process::{acctpool, eventually, run};
use crate::receiver::{Attempt, Receiver};
use crate::reload::reload;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// An entry of a configuration.
fn webhook(name: &str, receiver: &Receiver, more: &str) -> String {
    format!(
        "\n[[webhooks]]\nname = \"{name}\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n\
         allow_plain_http = true\n{more}\n",
        receiver.url
    )
}

/// Some simulated accounts, and an operator who can quarantine them.
struct Scene {
    bench: Bench,
    operator: NewToken,
}

impl Scene {
    fn new(accounts: usize) -> Self {
        Self {
            bench: Bench::new(accounts),
            operator: NewToken::generate("ops".parse().unwrap()).unwrap(),
        }
    }

    fn configure(&self, policy: &str, webhooks: &[String]) -> PathBuf {
        let mut lines = format!("{policy}\n{}role = \"operator\"\n", self.operator.toml());
        for webhook in webhooks {
            write!(lines, "{webhook}").unwrap();
        }
        self.bench.configure(&lines)
    }

    fn serve(&self, policy: &str, webhooks: &[String]) -> Server {
        self.bench.serve(&self.configure(policy, webhooks))
    }

    fn account(&self, number: usize) -> &str {
        &self.bench.accounts[number].id
    }

    fn quarantine(&self, server: &Server, number: usize) {
        self.order(server, number, "quarantine");
    }

    fn order(&self, server: &Server, number: usize, order: &str) {
        let bearer = format!("Authorization: Bearer {}", self.operator.reveal());
        let account = self.account(number);
        let url = format!("{}/accounts/{account}/{order}?reason=test", server.url);
        let status = status_of(self.bench.path(), &["-X", "POST", "-H", &bearer, &url]);
        assert_eq!(status, 200);
    }
}

fn accepts(_: &Attempt) -> (u16, &'static str) {
    (204, "")
}

fn refuses(_: &Attempt) -> (u16, &'static str) {
    (503, "")
}

#[test]
fn each_account_is_told_of_in_order_signed_and_again_until_it_is_taken() {
    let scene = Scene::new(2);
    let slow = scene.account(0).to_owned();
    let mut refusals = 0;
    let receiver = Receiver::start(move |attempt| {
        let is_refused = attempt.is_about("key_rotated", &slow) && refusals < 1;
        refusals += u32::from(is_refused);
        // A redirect is no success, and nobody follows it.
        if is_refused {
            (307, "location: /elsewhere\r\n")
        } else {
            (200, "")
        }
    });
    let webhooks = [webhook("pager", &receiver, "")];
    let server = scene.serve("rotate_every = \"200ms\"", &webhooks);
    let epochs = || {
        let mut epochs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for attempt in receiver.attempts().iter().filter(|a| a.answered == 200) {
            let data = &attempt.json()["data"];
            assert_eq!(data["type"], "lite");
            let account = data["account"].as_str().unwrap().to_owned();
            let epoch = data["epoch"].as_u64().unwrap();
            epochs.entry(account).or_default().push(epoch);
        }
        epochs
    };
    let told = eventually("ten rotations of each account", || {
        let told = epochs();
        let is_enough = told.len() == 2 && told.values().all(|epochs| epochs.len() >= 10);
        is_enough.then_some(told)
    });
    server.end();
    for (account, epochs) in told {
        let in_order: Vec<u64> = (1..=epochs.len() as u64).collect();
        assert_eq!(epochs, in_order, "of {account}");
    }

    let attempts = receiver.attempts();
    let refused = attempts.iter().position(|a| a.answered == 307).unwrap();
    let (refused, later) = attempts[refused..].split_first().unwrap();
    let of_same: Vec<_> = later
        .iter()
        .filter(|attempt| attempt.is_about("key_rotated", scene.account(0)))
        .collect();
    assert_eq!(
        of_same[0].id(),
        refused.id(),
        "the same again, before others"
    );
    assert_eq!(of_same[0].body, refused.body);
    let others = later
        .iter()
        .take_while(|attempt| attempt.id() != refused.id());
    assert!(others.count() > 0, "the other account was not held up");
    let ids: BTreeSet<_> = attempts.iter().map(Attempt::id).collect();
    assert_eq!(ids.len(), attempts.len() - 1);
    for attempt in [refused, of_same[0]] {
        assert!(attempt.is_signed_with(SECRET), "{attempt:?}");
        assert!(!attempt.is_signed_with("whsec_AAAA"), "{attempt:?}");
        let line = "POST /hook?key=k3y-in-the-url HTTP/1.1";
        assert_eq!(attempt.request_line, line);
        assert_eq!(attempt.headers["content-type"], "application/json");
        let agent = concat!("acctpool/", env!("CARGO_PKG_VERSION"));
        assert_eq!(attempt.headers["user-agent"], agent);
    }
}

#[test]
fn nothing_is_lost_by_a_kill_between_what_happens_and_its_delivery() {
    let scene = Scene::new(2);
    let receiver = Receiver::start(refuses);
    let webhooks = [webhook(
        "pager",
        &receiver,
        "events = [\"account_quarantined\"]",
    )];
    let config = scene.configure("", &webhooks);
    let server = scene.bench.serve(&config);
    server.until("ready", 2);
    scene.quarantine(&server, 0);
    let is_first = |attempt: &Attempt| attempt.is_about("account_quarantined", scene.account(0));
    let refused = receiver.gets("a first attempt", is_first);
    // Nobody has tried to tell of this one by the time of the kill, or hardly.
    scene.quarantine(&server, 1);
    server.process.signal("KILL");
    server.process.end();

    receiver.answer_with(accepts);
    let server = scene.bench.serve(&config);
    let taken = receiver.gets("the first, again", |attempt| {
        attempt.answered == 204 && is_first(attempt)
    });
    assert_eq!((taken.id(), &taken.body), (refused.id(), &refused.body));
    let second = receiver.gets("the second", |attempt| {
        attempt.answered == 204 && attempt.is_about("account_quarantined", scene.account(1))
    });
    assert_eq!(second.json()["data"]["reason"], "operator ops: test");
    assert!(second.is_signed_with(SECRET));
    // What was taken is written down, and not told again after that.
    let metrics = eventually("what was told", || {
        let told = curl(scene.bench.path(), &[&format!("{}/metrics", server.url)]).body;
        let delivered =
            "acctpool_webhook_deliveries_total{webhook=\"pager\",result=\"delivered\"} 2";
        told.contains(delivered).then_some(told)
    });
    assert!(
        metrics.contains("acctpool_webhook_pending{webhook=\"pager\"} 0"),
        "{metrics}"
    );
    assert_eq!(server.end().code, Some(0));
    let before = receiver.attempts().len();
    let server = scene.bench.serve(&config);
    scene.order(&server, 1, "enable");
    server.until("ready", 1);
    scene.quarantine(&server, 1);
    receiver.gets("a third", |attempt| {
        attempt.is_about("account_quarantined", scene.account(1)) && attempt.id() != second.id()
    });
    assert_eq!(receiver.attempts().len(), before + 1);
}

#[test]
fn an_exhausted_type_and_its_recovery_are_told() {
    let scene = Scene::new(1);
    let receiver = Receiver::start(accepts);
    let webhooks = [webhook(
        "pager",
        &receiver,
        "events = [\"pool_recovered\", \"pool_exhausted\"]",
    )];
    let server = scene.serve("exhausted_after = \"10ms\"", &webhooks);
    server.until("ready", 1);
    let token = &scene.bench.token;
    let (held, _) = server.lease(token);
    let asked = format!("{}/reservations?type=lite&token={token}", server.url);
    curl(scene.bench.path(), &["-d", "", &asked]);
    let exhausted = receiver.gets("exhaustion", |attempt| attempt.kind() == "pool_exhausted");
    let data = &exhausted.json()["data"];
    let counts = (&data["type"], &data["waiting"], &data["accounts"]["leased"]);
    assert_eq!(counts, (&"lite".into(), &1.into(), &1.into()), "{data}");
    assert!(data["oldest_wait_seconds"].is_u64(), "{data}");
    assert_eq!(status_of(scene.bench.path(), &["-X", "DELETE", &held]), 204);
    let recovered = receiver.gets("recovery", |attempt| attempt.kind() == "pool_recovered");
    assert_eq!(recovered.json()["data"]["type"], "lite");
    // It may have been exhausted before, while the account was cleaned: always by turns.
    let kinds: Vec<_> = receiver.attempts().iter().map(Attempt::kind).collect();
    let by_turns = ["pool_exhausted", "pool_recovered"].into_iter().cycle();
    assert!(
        kinds.iter().zip(by_turns).all(|(kind, turn)| kind == turn),
        "{kinds:?}"
    );
}

#[test]
fn webhooks_come_and_go_and_who_is_gone_is_told_nothing_until_the_next_reload() {
    let scene = Scene::new(2);
    let gone = Receiver::start(|_| (410, ""));
    let later = Receiver::start(accepts);
    let first = webhook("pager", &gone, "");
    scene.configure("", std::slice::from_ref(&first));
    let mut server = scene.serve("", std::slice::from_ref(&first));
    server.until("ready", 2);
    scene.quarantine(&server, 0);
    gone.gets("what makes it say that it is gone", |_| true);
    let ready = eventually("what is said of it", || {
        let ready = format!("{}/readyz?verbose", server.url);
        let told = curl(scene.bench.path(), &[&ready]).json();
        let mut checks = told["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["name"] == "webhook pager");
        let is_gone = check.is_some_and(|check| check["status"] == "degraded");
        is_gone.then_some(told)
    });
    assert_eq!(ready["status"], "ok", "it keeps nobody from reserving");
    scene.quarantine(&server, 1);

    // One that is new is told of what comes.
    gone.answer_with(accepts);
    let chat = webhook("chat", &later, "");
    scene.configure("", &[first, chat.clone()]);
    assert!(reload(&mut server).ends_with(": webhooks changed"));
    for number in [0, 1] {
        gone.gets("everything", |attempt| {
            attempt.answered == 204
                && attempt.is_about("account_quarantined", scene.account(number))
        });
    }
    scene.order(&server, 0, "enable");
    server.until("ready", 1);
    scene.quarantine(&server, 0);
    later.gets("what comes", |attempt| {
        attempt.is_about("account_quarantined", scene.account(0))
    });
    assert_eq!(later.attempts().len(), 1);

    // One that is out is told nothing more, and the others are.
    scene.configure("", &[chat]);
    assert!(reload(&mut server).ends_with(": webhooks changed"));
    let told = gone.attempts().len();
    for round in 2..4 {
        scene.order(&server, 0, "enable");
        server.until("ready", 1);
        scene.quarantine(&server, 0);
        eventually("another one", || {
            (later.attempts().len() == round).then_some(())
        });
    }
    assert_eq!(gone.attempts().len(), told);
}

#[test]
fn a_secret_is_made_and_a_webhook_is_tried_by_hand() {
    let scene = Scene::new(1);
    let home = scene.bench.path();
    let made = run(&mut acctpool(home, &["webhook", "secret"]));
    let secret = made.stdout.trim().to_owned();
    assert!(secret.starts_with("whsec_"), "{}", made.stderr);
    let receiver = Receiver::start(accepts);
    let entry = webhook("pager", &receiver, "").replace(SECRET, &secret);
    let config = scene.configure("", &[entry]);
    let test = |name| {
        let config = config.to_str().unwrap();
        run(&mut acctpool(
            home,
            &["webhook", "test", name, "--config", config],
        ))
    };
    let tried = test("pager");
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    assert_eq!(tried.stdout, "webhook pager answered 204 No Content\n");
    let [attempt] = &receiver.attempts()[..] else {
        panic!("once");
    };
    assert_eq!(attempt.kind(), "test");
    assert!(attempt.is_signed_with(&secret));

    receiver.answer_with(refuses);
    let refused = test("pager");
    assert_eq!(refused.code, Some(1));
    let said = "error: webhook pager answered 503 Service Unavailable\n";
    assert_eq!(refused.stderr, said);
    let unknown = test("chat");
    assert_eq!(unknown.code, Some(3));
    assert_eq!(unknown.stderr, "error: no webhook is called \"chat\"\n");
}
