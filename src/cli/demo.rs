//! `acctpool demo`: everything in one process, on simulated accounts.

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
            let lesson = lesson(
                app.address(),
                simulated.token.reveal(),
                simulated.simulator.url(),
            );
            std::io::stdout()
                .write_all(lesson.as_bytes())
                .map_err(Failure::of("cannot print"))?;
            end.await;
            app.stop().await;
            simulated.simulator.stop();
            Ok(())
        })
    }
}

/// The whole workflow, to be pasted into another terminal.
fn lesson(address: SocketAddr, token: &str, iam: &str) -> String {
    format!(
        r#"
acctpool lends simulated accounts at http://{address}/ (open it in a browser).
IBM Cloud is simulated at {iam}. What happens is logged below.

In another terminal:

  export TOKEN={token}

  # 1. Ask for an account, for 30 minutes. The answer leads to the reservation's own address.
  URL=$(curl -s -L -d '' -o /dev/null -w '%{{url_effective}}' \
    "http://{address}/reservations?type=lite&duration=30&token=$TOKEN")

  # 2. Ask until it is active: then it has credentials and an expiration.
  until curl -s "$URL" | grep '"state":"active"'; do sleep 1; done

  # 3. Use the account: exchange the key for a token of IBM Cloud's IAM.
  KEY=$(curl -s "$URL" | sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p')
  curl -s {iam}/identity/token -d apikey="$KEY" \
    -d grant_type=urn:ibm:params:oauth:grant-type:apikey

  # 4. Give it back. Its key is refused from now on, and the account is cleaned.
  curl -s -X DELETE "$URL"

Ctrl-C ends the demonstration.

"#
    )
}
