//! `acctpool demo`: everything in one process, on simulated accounts.

use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use acctpool_actors::store::Store;
use clap::Args;

use super::Failure;
use super::interrupt::interrupted;
use super::serve::{listen, start};
use super::simulate::{Crowd, Simulated};
use crate::config::Config;
use crate::ibm::FleetingBaselines;
use crate::keyring::{Keyring, MasterKey};
use crate::store::MemoryStore;

/// See the verb.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// How many accounts of which types. Those of type `lite` are cleaned by the profile `lite`.
    #[arg(long, value_name = "TYPE=N,…", default_value = "free=2,lite=1")]
    accounts: Crowd,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulated = Simulated::start(anywhere, &self.accounts, false)?;
        let no_variables = |_: &str| None;
        let (mut config, _) = Config::parse(&simulated.config(), Path::new("demo"), &no_variables)?;
        config
            .server
            .bind_to(self.bind)
            .map_err(|refused| Failure::Found(format!("--bind {}: {refused}", self.bind)))?;
        let master_key = MasterKey::random().map_err(Failure::of("cannot make a key"))?;
        let listener = listen(self.bind)?;
        actix_rt::System::new().block_on(async {
            let end = interrupted().map_err(Failure::of("cannot listen for signals"))?;
            let store = MemoryStore::default();
            let keyring = Keyring::new(master_key, store.id());
            let baselines = Arc::new(FleetingBaselines::default());
            let audit = store.audit();
            let app = start(config, keyring, store, audit, baselines, listener).await?;
            let lesson = Lesson {
                address: app.address(),
                cloud: simulated.simulator.url(),
                token: simulated.token.reveal(),
                operator: simulated.operator.reveal(),
                program: &program()?,
            };
            std::io::stdout()
                .write_all(lesson.to_string().as_bytes())
                .map_err(Failure::of("cannot print"))?;
            end.await;
            app.stop().await;
            simulated.simulator.stop();
            Ok(())
        })
    }
}

/// Returns the directory of this program, as a shell takes it within double quotes.
fn program() -> Result<String, Failure> {
    let path = std::env::current_exe().map_err(Failure::of("cannot tell where this program is"))?;
    let directory = path.parent().unwrap_or(&path).to_string_lossy();
    let special = ['\\', '"', '$', '`'];
    let quoted = directory.chars().flat_map(|character| {
        let escape = special.contains(&character).then_some('\\');
        escape.into_iter().chain([character])
    });
    Ok(quoted.collect())
}

/// Everything that can be done with it, to be pasted into another terminal.
struct Lesson<'a> {
    address: SocketAddr,
    cloud: &'a str,
    token: &'a str,
    operator: &'a str,
    /// Where the program is.
    program: &'a str,
}

impl fmt::Display for Lesson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            cloud,
            token,
            operator,
            program,
        } = self;
        write!(
            f,
            r#"
acctpool lends simulated accounts at http://{address}/ (open it in a browser; its API is described at
http://{address}/docs/).
IBM Cloud is simulated at {cloud}. What happens is logged below.

In another terminal:

  export TOKEN={token}

  # 1. Ask for an account, for 30 minutes. The answer leads to the reservation's own address.
  URL=$(curl -s -L -d '' -o /dev/null -w '%{{url_effective}}' \
    "http://{address}/reservations?type=lite&duration=30&token=$TOKEN")

  # 2. Ask until it is active: then it has credentials and an expiration.
  until curl -s "$URL" | grep '"state":"active"'; do sleep 1; done

  # 3. Use the account: exchange the key for a token of IBM Cloud's IAM.
  KEY=$(curl -s "$URL" | sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p')
  curl -s {cloud}/identity/token -d apikey="$KEY" \
    -d grant_type=urn:ibm:params:oauth:grant-type:apikey; echo

  # 4. Give it back. Its key is refused from now on, and the account is cleaned.
  curl -s -X DELETE "$URL"

  # 5. Or leave all of that to acctpool: the command gets an account when one is clean, and its key.
  export PATH="{program}:$PATH" ACCTPOOL_URL=http://{address}
  ACCTPOOL_TOKEN=$TOKEN acctpool run --type lite -- env | grep '^ACCTPOOL_\|^IBMCLOUD_'

  # 6. Be the operator: see everything (`acctpool status --watch` follows it), and take an account out.
  export ACCTPOOL_TOKEN={operator}
  acctpool status
  acctpool account list
  ACCOUNT=$(acctpool account list --type lite | awk 'NR == 2 {{ print $1 }}')
  acctpool account drain "$ACCOUNT" --reason 'to see how it goes'

  # 7. Bring it back.
  acctpool account enable "$ACCOUNT" --reason 'seen'

Ctrl-C ends the demonstration.

"#
        )
    }
}
