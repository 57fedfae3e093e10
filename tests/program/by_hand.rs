//! `acctpool plan`, `baseline` and `clean`: an operator at work on one account, with and without a
//! server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use acctpool::simulator::catalog::{COS_LITE, PLAIN, Plan};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::bench::{Bench, curl, status_of, write_private};
use crate::process::{Ended, Process, acctpool, command, run};

/// Accounts that can hold everything.
const EVERYTHING: &str = "[types.lite]\nprofile = \"full\"\n";

impl Bench {
    /// Runs a verb on the first account.
    fn by_hand(&self, verb: &str, more: &[&str]) -> Ended {
        run(&mut acctpool(self.path(), &self.words(verb, more)))
    }

    fn words<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut words = vec![verb, &*self.accounts[0].id, "--config", "accounts.toml"];
        words.extend(more);
        words
    }

    /// Makes a mess in the first account; returns the CRNs of what nobody can delete.
    fn mess(&self, size: usize, undeletable: usize) -> Vec<String> {
        let account = &self.accounts[0].id;
        let url = format!(
            "{}/_simulator/accounts/{account}/mess",
            self.simulator.url()
        );
        let mess = json!({"seed": 5, "size": size, "undeletable": undeletable}).to_string();
        let made = curl(self.path(), &["-d", &mess, &url]).json();
        let crns = made["undeletable"].as_array().unwrap();
        crns.iter()
            .map(|crn| crn.as_str().unwrap().to_owned())
            .collect()
    }

    /// Asks the simulated cloud as the first account's owner.
    fn as_owner(&self, path: &str, arguments: &[&str]) -> Value {
        let target = format!("{}{path}", self.simulator.url());
        let bearer = self.bearer();
        let mut all = vec!["-H", &*bearer, "-H", "Content-Type: application/json"];
        all.extend(arguments);
        all.push(&target);
        let body = curl(self.path(), &all).body;
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// Returns the header that makes somebody the first account's owner.
    fn bearer(&self) -> String {
        let url = self.simulator.url();
        let key = format!("apikey={}", self.accounts[0].api_key.expose_secret());
        let grant = "grant_type=urn:ibm:params:oauth:grant-type:apikey";
        let exchange = format!("{url}/identity/token");
        let token = curl(self.path(), &["-d", &key, "-d", grant, &exchange]).json();
        let token = token["access_token"].as_str().unwrap();
        format!("Authorization: Bearer {token}")
    }

    /// Describes an instance that is to be made in the first account.
    fn instance(&self, name: &str, plan: &Plan) -> Value {
        let account = &self.accounts[0].id;
        let groups = self.as_owner(&format!("/v2/resource_groups?account_id={account}"), &[]);
        json!({
            "name": name, "target": "global", "resource_plan_id": plan.plan_id,
            "resource_group": groups["resources"][0]["id"],
        })
    }

    /// Makes an instance in the first account; returns its CRN.
    fn make_instance(&self, name: &str, plan: &Plan) -> String {
        let instance = self.instance(name, plan);
        let made = self.as_owner("/v2/resource_instances", &["-d", &instance.to_string()]);
        made["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    fn inventory(&self) -> Vec<String> {
        self.simulator.inventory(&self.accounts[0].id).lines
    }

    fn holds(&self, crn: &str) -> bool {
        self.inventory().iter().any(|line| line.contains(crn))
    }
}

/// Makes many instances of so many bytes each, and returns how many bytes a plan of the account took
/// at most.
fn memory_of_plan(instances: usize, bytes: usize) -> usize {
    let bench = Bench::new(1);
    bench.configure(EVERYTHING);
    let mut instance = bench.instance("large", &PLAIN);
    instance["parameters"] = json!({"text": "x".repeat(bytes)});
    let body = bench.path().join("instance.json");
    fs::write(&body, instance.to_string()).unwrap();
    let (bearer, url) = (bench.bearer(), bench.simulator.url());
    // One request for each number; what follows the `#` is not sent.
    let target = format!("{url}/v2/resource_instances#[1-{instances}]");
    let made = run(command("curl", bench.path())
        .args(["-sS", "--fail", "-o", "made.json", "-d", "@instance.json"])
        .args([
            "-H",
            &bearer,
            "-H",
            "Content-Type: application/json",
            &target,
        ]));
    assert_eq!(made.code, Some(0), "{}", made.stderr);

    let words = bench.words("plan", &["--format", "json"]);
    let program = env!("CARGO_BIN_EXE_acctpool");
    let measure = "import resource, subprocess, sys\n\
                   code = subprocess.run(sys.argv[1:]).returncode\n\
                   sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))\n\
                   sys.exit(code)";
    let measured = ["-c", measure, program].into_iter().chain(words);
    let planned = run(command("python3", bench.path()).args(measured));
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let steps = plan["steps"].as_array().unwrap().iter();
    let found: usize = steps
        .map(|step| step["delete"].as_array().unwrap().len())
        .sum();
    assert_eq!(found, instances);
    let kibibytes: usize = planned.stderr.rsplit('\n').next().unwrap().parse().unwrap();
    kibibytes * 1024
}

#[test]
fn a_plan_takes_memory_for_the_names_of_items_and_not_for_what_they_hold() {
    const INSTANCES: usize = 1000;
    const BYTES: usize = 20_000;
    let small = memory_of_plan(INSTANCES, 10);
    let large = memory_of_plan(INSTANCES, BYTES);
    let more = large.saturating_sub(small);
    // A page of a hundred is there at once, as text and as values, for each of the lists that are read
    // side by side; the whole list never is.
    assert!(
        more < INSTANCES * BYTES / 4 * 3,
        "{small} bytes for small items, {more} more for large ones"
    );
}

#[test]
fn plan_lists_a_mess_and_makes_no_write_call() {
    let bench = Bench::new(1);
    bench.configure(EVERYTHING);
    let undeletable = bench.mess(80, 2);
    let before = bench.inventory();
    let ended = bench.by_hand("plan", &["--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan["to_do"], true);
    let steps = plan["steps"].as_array().unwrap();
    let count = |list: &str| -> usize {
        let lists = steps
            .iter()
            .map(|step| step[list].as_array().unwrap().len());
        lists.sum()
    };
    assert!(count("delete") > 40, "{}", ended.stdout);
    // What a service refuses is seen when it is asked to go; what only a person may delete, before.
    for crn in &undeletable {
        let id = crn.rsplit(':').find(|part| !part.is_empty()).unwrap();
        assert!(ended.stdout.contains(id), "{crn}");
    }
    let requests = bench.simulator.requests();
    assert!(requests.len() > 100, "{}", requests.len());
    for request in requests {
        let call = (request.method.as_str(), request.path.as_str());
        let reads = match call {
            ("GET", _) => true,
            ("POST", path) => ["/identity/token", "/v3/resources/search"].contains(&path),
            _ => false,
        };
        let is_ours = !request.path.starts_with("/_simulator");
        assert!(!is_ours || (reads && !request.is_write), "{call:?}");
    }
    assert_eq!(bench.inventory(), before);
    assert_eq!(
        fs::read_dir(bench.path()).unwrap().count(),
        1,
        "no file was made"
    );

    let text = bench.by_hand("plan", &["--exit-code"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(3), ""));
    let total = format!("total{:>1$}", count("delete"), 0);
    let has_total = text
        .stdout
        .lines()
        .any(|line| line.split_whitespace().collect::<String>() == total);
    assert!(has_total, "{total}: {}", text.stdout);
    assert!(text.stdout.contains(": needs a person"), "{}", text.stdout);
}

#[test]
fn plan_beside_a_server_tells_the_credential_in_use_from_what_is_left() {
    let bench = Bench::new(1);
    let server = bench.serve(&bench.configure(""));
    server.until("ready", 1);
    let clean = bench.by_hand("plan", &["--exit-code"]);
    assert_eq!(clean.code, Some(0), "{}{}", clean.stdout, clean.stderr);
    assert!(clean.stdout.contains(": clean, there is nothing to delete"));
    assert!(
        clean.stdout.contains("lease credential in use"),
        "{}",
        clean.stdout
    );

    let (_, lease) = server.lease(&bench.token);
    assert_eq!(lease["state"], "active");
    bench.make_instance("borrowed", &PLAIN);
    let leased = bench.by_hand("plan", &["--exit-code"]);
    assert_eq!(leased.code, Some(3), "{}", leased.stderr);
    for words in ["it is leased", "resource instances", "borrowed"] {
        assert!(leased.stdout.contains(words), "{words}: {}", leased.stdout);
    }
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn what_the_baseline_has_stays_through_leases_and_is_missed_when_it_is_gone() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let kept = bench.make_instance("cannot-be-made-again", &COS_LITE);
    let recorded = bench.by_hand("baseline", &[]);
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    assert!(
        recorded.stdout.contains("  resource instances      1\n"),
        "{}",
        recorded.stdout
    );
    let state = bench.path().join(".local/state/acctpool");
    let mode = fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "the state directory is its owner's");

    let again = bench.by_hand("baseline", &[]);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("has 1 items already; --force"),
        "{}",
        again.stderr
    );
    assert_eq!(bench.by_hand("baseline", &["--force"]).code, Some(0));
    let shown = bench.by_hand("baseline", &["--show"]).stdout;
    assert!(
        shown.contains(&format!("  resource instances {kept}\n")),
        "{shown}"
    );

    let server = bench.serve(&config);
    server.until("ready", 1);
    let (location, _) = server.lease(&bench.token);
    let refused = bench.by_hand("baseline", &["--force"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("it is leased"),
        "{}",
        refused.stderr
    );
    let left = bench.make_instance("left-behind", &PLAIN);
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    server.until("ready", 1);
    assert!(bench.holds(&kept) && !bench.holds(&left));
    let requests = bench.simulator.requests();
    let creations = requests
        .iter()
        .filter(|request| request.method == "POST" && request.path == "/v2/resource_instances");
    assert_eq!(
        creations.count(),
        2,
        "nobody but this test made an instance"
    );

    let (location, _) = server.lease(&bench.token);
    let encoded = form_urlencoded::byte_serialize(kept.as_bytes()).collect::<String>();
    bench.as_owner(
        &format!("/v2/resource_instances/{encoded}"),
        &["-X", "DELETE"],
    );
    assert_eq!(status_of(bench.path(), &["-X", "DELETE", &location]), 204);
    server.until("quarantined", 1);
    let ended = server.end();
    let missed = format!("resource instances {kept}: the baseline has it, and it is gone");
    assert!(ended.stderr.contains(&missed), "{missed}");
}

#[test]
fn clean_empties_an_account_and_proves_it() {
    let bench = Bench::new(1);
    bench.configure(EVERYTHING);
    let untouched = bench.inventory();
    bench.mess(60, 0);
    assert!(bench.inventory().len() >= untouched.len() + 60);
    let ended = bench.by_hand("clean", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains(": clean, proven once; "),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains(" 0 left, "), "{}", ended.stdout);
    assert!(ended.stderr.contains("pass 1: "), "{}", ended.stderr);
    assert_eq!(bench.inventory(), untouched);
    let plan = bench.by_hand("plan", &["--exit-code"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
}

#[test]
fn clean_names_what_refuses_to_go() {
    let bench = Bench::new(1);
    bench.configure("");
    let refusing = bench.make_instance("refusing", &acctpool::simulator::catalog::REFUSING);
    let ended = bench.by_hand("clean", &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let named = format!("resource instances {refusing} (refusing): 422");
    assert!(ended.stderr.contains(&named), "{}", ended.stderr);
    assert!(ended.stderr.contains("is not clean: cannot be deleted"));
}

#[test]
fn clean_keeps_away_from_servers_and_holders() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let server = bench.serve(&config);
    server.until("ready", 1);
    let beside = bench.by_hand("clean", &[]);
    assert_eq!(beside.code, Some(1));
    assert!(
        beside
            .stderr
            .contains("another acctpool uses the state directory")
    );
    server.lease(&bench.token);
    assert_eq!(server.end().code, Some(0));
    let held = bench.inventory();
    let leased = bench.by_hand("clean", &[]);
    assert_eq!(leased.code, Some(1));
    assert!(leased.stderr.contains("is leased"), "{}", leased.stderr);
    assert_eq!(bench.inventory(), held, "its holder goes on with it");
}

#[test]
fn interrupted_clean_ends_between_requests() {
    let bench = Bench::new(1);
    let config = bench.configure("");
    let text = fs::read_to_string(&config).unwrap();
    let long = text.replace("pass_interval = \"10ms\"", "pass_interval = \"1h\"");
    write_private(&config, &long);
    bench.make_instance("refusing", &acctpool::simulator::catalog::REFUSING);
    let words = bench.words("clean", &[]);
    let mut clean = Process::start(&mut acctpool(bench.path(), &words));
    clean.says("pass 1: ");
    clean.signal("INT");
    let ended = clean.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("is not clean: interrupted"),
        "{}",
        ended.stderr
    );
}

#[test]
fn account_that_nobody_configured_is_not_looked_at() {
    let bench = Bench::new(2);
    bench.configure_with("", [(&bench.accounts[1], "lite")]);
    for verb in ["plan", "baseline", "clean"] {
        let ended = bench.by_hand(verb, &[]);
        assert_eq!(ended.code, Some(1), "{verb}");
        assert!(
            ended.stderr.contains("is not in accounts.toml"),
            "{}",
            ended.stderr
        );
    }
    assert!(bench.simulator.requests().is_empty());
}
