//! `acctpool simulate`: the simulator alone, and the configuration that makes a pool of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use log::info;
use secrecy::ExposeSecret;

use super::Failure;
use super::interrupt::interrupted;
use crate::simulator::{AccountSpec, Lags, Settings, Simulator, Time};
use crate::token::NewToken;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Simulate {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9090")]
    bind: SocketAddr,
    /// How many accounts of which types. Those of type `lite` are cleaned by the profile `lite`.
    #[arg(long, value_name = "TYPE=N,…", default_value = "free=3,lite=2")]
    accounts: Crowd,
    /// Writes a configuration for `acctpool serve` there, with short times. Its comment lines hold
    /// a consumer's token and an operator's in clear, so that anybody can play.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Takes as long for everything as the real services were seen to.
    #[arg(long)]
    realistic: bool,
}

impl Simulate {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.bind.ip().is_loopback() {
            return Err(Failure::Found(format!(
                "--bind {}: the simulator serves this machine only, so the address must be a loopback one",
                self.bind
            )));
        }
        let simulated = Simulated::start(self.bind, &self.accounts, self.realistic)?;
        if let Some(path) = &self.write_config {
            simulated.write_config(path)?;
            info!("wrote {}", path.display());
        }
        info!(
            "simulating {} accounts at {}; GET /_simulator/requests shows what was asked",
            simulated.accounts.len(),
            simulated.simulator.url()
        );
        actix_rt::System::new().block_on(async {
            let end = interrupted().map_err(Failure::of("cannot listen for signals"))?;
            end.await;
            simulated.simulator.stop();
            Ok(())
        })
    }
}

/// How many accounts of which types there are.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Vec<(String, usize)>);

impl FromStr for Crowd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_type = |part: &str| {
            let (label, count) = part.split_once('=')?;
            let count = count
                .parse()
                .ok()
                .filter(|count| (1..=1000).contains(count))?;
            crate::config::is_type_label(label).then(|| (label.to_owned(), count))
        };
        let types: Option<Vec<_>> = text.split(',').map(of_type).collect();
        let once = |types: &Vec<(String, usize)>| {
            let labels: BTreeSet<_> = types.iter().map(|(label, _)| label).collect();
            labels.len() == types.len()
        };
        types.filter(once).map(Self).ok_or_else(|| {
            "must be like free=3,lite=2: types, each once and with 1 to 1000 accounts".to_owned()
        })
    }
}

/// A running simulator, with what a pool on top of it needs.
pub(super) struct Simulated {
    pub(super) simulator: Simulator,
    /// A consumer's.
    pub(super) token: NewToken,
    pub(super) operator: NewToken,
    accounts: Vec<(String, AccountSpec)>,
    policy: &'static str,
}

/// Safe with [`Lags::short`], under which no right outlives its removal by a second.
const SHORT_POLICY: &str = "\
[policy]
# Short, as everything in this simulator is.
settle = \"2s\"
proof_gap = \"1s\"
pass_interval = \"500ms\"
backoff_min = \"200ms\"
backoff_max = \"2s\"

";

/// Removed rights live on for as long as at IBM Cloud: so do the defaults.
const REALISTIC_POLICY: &str =
    "# [policy] is the default: everything takes as long as at IBM Cloud.\n\n";

/// The type whose accounts are cleaned by the profile of the same name.
const LITE: &str = "lite";

const LITE_TYPE: &str = "
[types.lite]
# Without the infrastructure in regions: done in a moment. Other types get the whole plan.
profile = \"lite\"
";

impl Simulated {
    pub(super) fn start(bind: SocketAddr, crowd: &Crowd, realistic: bool) -> Result<Self, Failure> {
        let (lags, policy) = if realistic {
            (Lags::realistic(), REALISTIC_POLICY)
        } else {
            (Lags::short(), SHORT_POLICY)
        };
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let accounts: Vec<_> = crowd
            .0
            .iter()
            .flat_map(|(label, count)| {
                (1..=*count)
                    .map(|number| (label.clone(), AccountSpec::generate(label, number, seed)))
            })
            .collect();
        let settings = Settings {
            accounts: accounts
                .iter()
                .map(|(_, account)| account.clone())
                .collect(),
            lags,
            time: Time::Real,
            seed,
        };
        let action = format!("cannot simulate on {bind}");
        let simulator = Simulator::start(bind, &settings).map_err(Failure::of(action))?;
        Ok(Self {
            simulator,
            token: new_token("demo")?,
            operator: new_token("operator")?,
            accounts,
            policy,
        })
    }

    /// Returns a configuration for `serve`.
    pub(super) fn config(&self) -> String {
        let mut text = format!(
            "# A pool of simulated accounts: for playing, not for keeping.\n\
             # token: {token}\n\
             # token of an operator: {operator}\n\n\
             [ibm]\nendpoint = \"{url}\"\nallow_plain_http = true\n\n\
             {policy}{entry}\n\n{operators_entry}\nrole = \"operator\"\n",
            policy = self.policy,
            token = self.token.reveal(),
            operator = self.operator.reveal(),
            url = self.simulator.url(),
            entry = self.token.toml().trim_end(),
            operators_entry = self.operator.toml().trim_end(),
        );
        if self.accounts.iter().any(|(label, _)| label == LITE) {
            text.push_str(LITE_TYPE);
        }
        for (label, account) in &self.accounts {
            write!(
                text,
                "\n[[accounts]]\nid = \"{}\"\ntype = \"{label}\"\napi_key = \"{}\"\nowner = \"{}\"\n",
                account.id,
                account.api_key.expose_secret(),
                account.owner_iam_id,
            )
            .expect("a String takes everything");
        }
        text
    }

    fn write_config(&self, path: &Path) -> Result<(), Failure> {
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)?;
            // It may have been there before, for everybody to read.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(self.config().as_bytes())
        };
        write().map_err(Failure::of(format!("cannot write {}", path.display())))
    }
}

fn new_token(name: &str) -> Result<NewToken, Failure> {
    let name = name.parse().map_err(Failure::of("cannot name a token"))?;
    NewToken::generate(name).map_err(Failure::of("cannot make a token"))
}
