//! The README is true: every block of code in it is tried, in its order, as it stands there.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use acctpool::config::Config;
use serde_json::Value;

use crate::authority::Authority;
use crate::bench::{Bench, curl};
use crate::demo::Demo;
use crate::environment;
use crate::process::{Process, command, run};

const README: &str = include_str!("../../README.md");

/// Where the README's reader finds the service.
const ADDRESS: &str = "127.0.0.1:8080";

/// How a block is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trial {
    /// The one command that shows everything.
    Demo,
    /// The one command that runs all tests: it is running now.
    Tests,
    /// Lines of the program itself, as an operator types them.
    Verbs,
    /// A consumer's workflow in a shell.
    Shell,
    /// A consumer's workflow in Python.
    Python,
    /// A command with an account of its own.
    Command,
    /// Steps of a job in a CI.
    Job,
    /// A part of a configuration.
    Configuration,
    /// A reservation.
    Reservation,
}

struct Block {
    line: usize,
    language: String,
    text: String,
}

impl Block {
    fn trial(&self) -> Trial {
        let text = self.text.trim_end();
        let mut lines = text.lines();
        match &*self.language {
            "sh" if text == "cargo run -- demo" => Trial::Demo,
            "sh" if text == "cargo test" => Trial::Tests,
            "sh" if lines.all(|line| line.starts_with("acctpool ")) => Trial::Verbs,
            "sh" if text.contains("curl ") && !text.contains("cargo") => Trial::Shell,
            "sh" if text.contains("\nacctpool run ") => Trial::Command,
            "python" => Trial::Python,
            "yaml" => Trial::Job,
            "toml" => Trial::Configuration,
            "json" => Trial::Reservation,
            language => panic!(
                "README.md:{}: nobody tries this {language:?} block:\n{text}",
                self.line
            ),
        }
    }
}

#[test]
fn every_block_of_the_readme_works() {
    let home = tempfile::tempdir().unwrap();
    let demo = Demo::start(home.path());
    let mut tried = BTreeSet::new();
    for block in blocks(README) {
        let trial = block.trial();
        let text = block
            .text
            .replace(ADDRESS, demo.url.trim_start_matches("http://"));
        match trial {
            // It runs; all the others go through it.
            Trial::Demo => assert!(demo.url.starts_with("http://127.0.0.1:")),
            Trial::Tests => {}
            Trial::Verbs => try_verbs(&text),
            Trial::Shell => {
                let said = consume(
                    home.path(),
                    &demo,
                    command("bash", home.path()).arg("-eu"),
                    &text,
                );
                assert!(said.contains("\"access_token\":"), "{said}");
            }
            Trial::Python => {
                let mut python = command(environment::interpreter(), home.path());
                let said = consume(home.path(), &demo, &mut python, &text);
                assert!(said.starts_with("account "), "{said}");
            }
            Trial::Command => {
                let mut bash = command("bash", home.path());
                let said = consume(home.path(), &demo, with_program(bash.arg("-eu")), &text);
                assert!(said.starts_with("account "), "{said}");
            }
            Trial::Job => try_job(home.path(), &demo, &text),
            Trial::Configuration => configure(home.path(), &text),
            Trial::Reservation => compare(home.path(), &demo, &text),
        }
        tried.insert(trial);
    }
    assert_eq!(tried.len(), 9, "not in the README: {tried:?} is all");
    demo.end();
}

/// Runs a consumer's program; afterwards its account is back.
fn consume(home: &Path, demo: &Demo, interpreter: &mut Command, program: &str) -> String {
    let before = served(home, demo);
    let ended = run(interpreter.args(["-c", program]).env("TOKEN", &demo.token));
    assert_eq!(ended.code, Some(0), "{program}\n{}", ended.stderr);
    assert_eq!(served(home, demo), before, "the account was given back");
    ended.stdout
}

/// How many reservations hold or await an account.
fn served(home: &Path, demo: &Demo) -> Value {
    curl(home, &[&demo.url]).json()["reservations"]["lite"].clone()
}

/// Types the lines one after the other, in a directory with a configuration.
fn try_verbs(text: &str) {
    let bench = Bench::new(1);
    bench.configure("");
    for line in text.lines() {
        let mut bash = command("bash", bench.path());
        bash.args(["-eu", "-c", &format!("exec {line}")])
            .env("ACCTPOOL_BIND", "127.0.0.1:0");
        let mut process = Process::start(with_program(&mut bash));
        if line.starts_with("acctpool serve") {
            process.says("listening on ");
            process.signal("TERM");
        }
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{line}\n{}", ended.stderr);
    }
}

/// Lets a command find the program by its name.
fn with_program(command: &mut Command) -> &mut Command {
    with_programs_of(&[], command)
}

/// Lets a command find what is in these directories, too.
fn with_programs_of<'a>(directories: &[&Path], command: &'a mut Command) -> &'a mut Command {
    let program = Path::new(env!("CARGO_BIN_EXE_acctpool")).parent().unwrap();
    let known = env::var_os("PATH").unwrap_or_default();
    let known = env::split_paths(&known);
    let first = directories.iter().copied().chain([program]);
    let path = env::join_paths(first.map(Path::to_owned).chain(known));
    command.env("PATH", path.unwrap())
}

/// Runs the steps of a job one after the other, as the runner of GitHub Actions does. The tools that
/// they call say which account they find.
fn try_job(home: &Path, demo: &Demo, text: &str) {
    let before = served(home, demo);
    let environment = home.join("github-env");
    fs::write(&environment, "").unwrap();
    let tools = home.join("tools");
    fs::create_dir_all(&tools).unwrap();
    for tool in ["pytest", "terraform"] {
        let tool = tools.join(tool);
        fs::write(&tool, "#!/bin/sh\necho account $ACCTPOOL_ACCOUNT_ID\n").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut accounts = Vec::new();
    for (_, step) in text.lines().filter_map(|line| line.split_once("run: ")) {
        let mut bash = command("bash", home);
        bash.args(["-e", "-c", step])
            .env("ACCTPOOL_URL", &demo.url)
            .env("ACCTPOOL_TOKEN", &demo.token)
            .env("GITHUB_ENV", &environment);
        let set = fs::read_to_string(&environment).unwrap();
        bash.envs(set.lines().filter_map(|line| line.split_once('=')));
        let ended = run(with_programs_of(&[&tools], &mut bash));
        assert_eq!(ended.code, Some(0), "{step}\n{}", ended.stderr);
        let said = ended.stdout.lines();
        accounts.extend(said.filter_map(|line| Some(line.strip_prefix("account ")?.to_owned())));
    }
    assert!(
        accounts.len() == 1 && !accounts[0].is_empty(),
        "{accounts:?}"
    );
    assert_eq!(served(home, demo), before, "the account was given back");
}

/// Reads a configuration whose keys come from the environment, and its certificate from here.
fn configure(home: &Path, text: &str) {
    Authority::new().pair(2990).write(home);
    let text = text
        .replace(
            "/etc/letsencrypt/live/acctpool.example.com/fullchain",
            "server",
        )
        .replace(
            "/etc/letsencrypt/live/acctpool.example.com/privkey.pem",
            "server.key",
        );
    let key = |_: &str| Some("an-api-key-of-an-owner-0123456789-0123456789".to_owned());
    let (config, _) = Config::parse(&text, &home.join("README.md"), &key)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(!config.accounts.is_empty() || config.server.certificate.is_some());
}

/// Compares the shape of a printed reservation with that of a real one.
fn compare(home: &Path, demo: &Demo, text: &str) {
    let printed: Value = serde_json::from_str(text).unwrap();
    let asked = format!("{}/reservations?type=lite&token={}", demo.url, demo.token);
    let landed = curl(home, &["-L", "-d", "", "-w", "\n%{url_effective}", &asked]);
    let (_, location) = landed.body.rsplit_once('\n').unwrap();
    let real = crate::process::eventually("a lease", || {
        let shown = curl(home, &[location]).json();
        (shown["state"] == printed["state"]).then_some(shown)
    });
    assert_eq!(shape(&printed), shape(&real));
    curl(home, &["-X", "DELETE", location]);
}

/// The keys of an object, and of the objects in it.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        _ => Value::Null,
    }
}

/// Every fenced block, in order.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for (line, content) in (1..).zip(text.lines()) {
        match content.trim_start().strip_prefix("```") {
            Some(_) if is_inside => is_inside = false,
            Some(language) => {
                is_inside = true;
                blocks.push(Block {
                    line,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            None if is_inside => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(content);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_inside, "a block has no end");
    blocks
}
