//! What most tests begin with: a home directory, simulated accounts, a configuration, `serve` on top,
//! and curl.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use acctpool::simulator::{AccountSpec, Lags, Settings, Simulator, Time};
use acctpool::token::NewToken;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, acctpool, command, eventually, run};

/// A line of every type's section: how much there is to clean is not what these tests are about, and
/// the whole plan takes many times the requests.
pub(crate) const LITE: &str = "profile = \"lite\"\n";

/// Simulated accounts, all of type `lite`, in this process, whose truth a test can look at.
pub(crate) struct Bench {
    pub(crate) home: TempDir,
    pub(crate) simulator: Simulator,
    pub(crate) accounts: Vec<AccountSpec>,
    pub(crate) token: String,
    /// Another consumer's.
    pub(crate) stranger: String,
    token_lines: String,
}

impl Bench {
    pub(crate) fn new(accounts: usize) -> Self {
        let accounts: Vec<_> = (1..=accounts)
            .map(|number| AccountSpec::generate("lite", number, 23))
            .collect();
        let settings = Settings {
            accounts: accounts.clone(),
            lags: Lags::none(),
            time: Time::Real,
            seed: 23,
        };
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let [token, stranger] =
            ["ci", "stranger"].map(|name| NewToken::generate(name.parse().unwrap()).unwrap());
        Self {
            home: tempfile::tempdir().unwrap(),
            simulator: Simulator::start(anywhere, &settings).unwrap(),
            accounts,
            token: token.reveal().to_owned(),
            stranger: stranger.reveal().to_owned(),
            token_lines: format!("{}\n{}", token.toml(), stranger.toml()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Writes a configuration; `policy` are lines of that section.
    pub(crate) fn configure(&self, policy: &str) -> PathBuf {
        let accounts = self.accounts.iter().map(|account| (account, "lite"));
        self.configure_with(policy, accounts)
    }

    /// Writes a configuration that names only these accounts, with their types. Sections may follow
    /// the lines of `policy`.
    pub(crate) fn configure_with<'a>(
        &self,
        policy: &str,
        accounts: impl IntoIterator<Item = (&'a AccountSpec, &'a str)>,
    ) -> PathBuf {
        let path = self.path().join("accounts.toml");
        write_private(&path, &self.configuration(policy, accounts));
        path
    }

    /// Returns the text of such a configuration.
    pub(crate) fn configuration<'a>(
        &self,
        policy: &str,
        accounts: impl IntoIterator<Item = (&'a AccountSpec, &'a str)>,
    ) -> String {
        let mut text = format!(
            "[ibm]\nendpoint = \"{}\"\nallow_plain_http = true\n\n\
             [policy]\nsettle = \"20ms\"\nproof_gap = \"10ms\"\npass_interval = \"10ms\"\n\
             backoff_min = \"10ms\"\nbackoff_max = \"100ms\"\n{policy}\n{}",
            self.simulator.url(),
            self.token_lines
        );
        let accounts: Vec<_> = accounts.into_iter().collect();
        let labels: BTreeSet<_> = accounts.iter().map(|(_, label)| label).collect();
        for label in labels {
            let section = format!("[types.{label}]\n");
            // Who writes the section says the same in it.
            if !policy.contains(&section) {
                write!(text, "\n{section}{LITE}").unwrap();
            }
        }
        for (account, label) in accounts {
            write!(
                text,
                "\n[[accounts]]\nid = \"{}\"\ntype = \"{label}\"\napi_key = \"{}\"\n",
                account.id,
                account.api_key.expose_secret()
            )
            .unwrap();
        }
        text
    }

    pub(crate) fn serve(&self, config: &Path) -> Server {
        Server::start(self.path(), config)
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A running `acctpool serve`, at the finest log level.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
    home: PathBuf,
}

impl Server {
    pub(crate) fn start(home: &Path, config: &Path) -> Self {
        Self::start_with(home, config, "127.0.0.1:0", &[])
    }

    /// Starts one where another one was.
    pub(crate) fn start_at(home: &Path, config: &Path, bind: &str) -> Self {
        Self::start_with(home, config, bind, &[])
    }

    /// Starts one with more in its environment.
    pub(crate) fn start_with(
        home: &Path,
        config: &Path,
        bind: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let config = config.to_str().unwrap();
        let arguments = ["serve", "--config", config, "--bind", bind];
        let mut command = acctpool(home, &arguments);
        command
            .env("ACCTPOOL_LOG", "trace")
            .envs(more.iter().copied());
        let mut process = Process::start(&mut command);
        let listening = process.says("listening on ");
        let (url, _) = listening.split_once(',').unwrap();
        Self {
            url: url.to_owned(),
            process,
            home: home.to_owned(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.url)
    }

    /// Waits until so many accounts, of whatever type, are in a state.
    pub(crate) fn until(&self, state: &str, count: u64) {
        eventually(&format!("{count} accounts {state}"), || {
            let status = curl(&self.home, &[&self.url]).json();
            let types = status["accounts"].as_object().unwrap().values();
            let found: u64 = types.filter_map(|of_type| of_type[state].as_u64()).sum();
            (found == count).then_some(())
        });
    }

    /// Asks for an account and waits for it; returns the reservation's address and itself.
    pub(crate) fn lease(&self, token: &str) -> (String, Value) {
        let asked = format!("{}/reservations?type=lite&token={token}", self.url);
        let landed = curl(
            &self.home,
            &["-L", "-d", "", "-w", "\n%{url_effective}", &asked],
        );
        let (_, location) = landed.body.rsplit_once('\n').unwrap();
        let lease = eventually("a lease", || {
            let shown = curl(&self.home, &[location]).json();
            (shown["state"] == "active").then_some(shown)
        });
        (location.to_owned(), lease)
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(self) -> crate::process::Ended {
        self.process.signal("TERM");
        self.process.end()
    }
}

/// Returns the address in a URL such as `https://127.0.0.1:8080/x`.
pub(crate) fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// An answer, as curl prints it.
pub(crate) struct Answer {
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Runs curl, which must get an answer.
pub(crate) fn curl(home: &Path, arguments: &[&str]) -> Answer {
    let mut curl = command("curl", home);
    let ended = run(curl.args(["-sS", "--max-time", "20"]).args(arguments));
    assert_eq!(ended.code, Some(0), "curl {arguments:?}: {}", ended.stderr);
    Answer { body: ended.stdout }
}

/// Runs curl for the status alone.
pub(crate) fn status_of(home: &Path, arguments: &[&str]) -> u16 {
    let mut all = vec!["-o", "/dev/null", "-w", "%{http_code}"];
    all.extend(arguments);
    curl(home, &all).body.parse().unwrap()
}
