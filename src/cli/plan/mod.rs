//! `acctpool plan`: what a cleaning would do.

mod json;
mod text;

use std::io::Write;
use std::time::{Duration, Instant};

use acctpool_actors::cloud::{CloudError, Leftover};
use acctpool_actors::pool::{AccountId, Credential};
use clap::{Args, ValueEnum};

use super::Failure;
use super::account::{KnownAccount, Named};
use super::status_line::StatusLine;
use crate::baselines::{FileBaselines, UnchangedBaselines};
use crate::ibm::{Ibm, Plan};

/// How often the line is renewed that says how far the reading is.
const REFRESH: Duration = Duration::from_millis(200);

const EXIT_CODES: &str = "\
Exit codes: 0 when the plan was made, 1 when it was not, 2 for wrong usage, 78 for a configuration that
is not usable. With --exit-code, 3 when a cleaning would have something to do.

With --format json it prints one object:
  account, is_leased, to_do (whether a cleaning would have anything to do), requests
  steps       in the order of the cleaning; each has stage, collection, region (or null) and the lists
              delete, wait (on its way out already), stuck (needs a person), keep
  credential  what belongs to the lease credential in use: every cleaning replaces it
  settings    what would be restored; the ids are the names of settings
  search      what Global Search alone knows: nothing deletes it, it ends in quarantine
  missing     what the baseline has and the account has not: it ends in quarantine
Each item has collection, id, name (or null), region (if it is in one) and reason.";

/// See the verb.
#[derive(Args, Debug)]
#[command(after_long_help = EXIT_CODES)]
pub(super) struct Show {
    #[command(flatten)]
    named: Named,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Names every item; else those of short lists only.
    #[arg(long, short = 'v', visible_alias = "verbose")]
    items: bool,
    /// Ends with exit code 3 when a cleaning would have something to do.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What is shown.
struct Shown<'a> {
    account: &'a AccountId,
    is_leased: bool,
    plan: Plan,
    /// What of the plan is the lease credential that the pool knows: every cleaning replaces it.
    credential: Vec<Leftover>,
    took: Duration,
}

impl Show {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.named.load_config()?;
        let files = FileBaselines::within(&self.named.state.path()?);
        let baselines = UnchangedBaselines::from(files);
        let account = self.named.find(&config, baselines)?;
        let started = Instant::now();
        let plan = actix_rt::System::new().block_on(async {
            let cloud = account.cloud(&account.client());
            read(&cloud, cloud.plan(account.keys())).await
        });
        let plan = plan.map_err(Failure::of(format!("no plan of account {}", account.id())))?;
        let shown = Shown::of(&account, plan, started.elapsed());
        let text = match self.format {
            Format::Text => shown.text(self.items),
            Format::Json => shown.json(),
        };
        writeln!(std::io::stdout(), "{text}").map_err(Failure::of("cannot print"))?;
        if self.exit_code && shown.is_to_do() {
            return Err(Failure::ToDo);
        }
        Ok(())
    }
}

/// Waits for something that reads a whole account, and shows on a terminal that it goes on.
pub(super) async fn read<T>(
    cloud: &Ibm,
    reading: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, CloudError> {
    let line = StatusLine::new();
    let mut reading = std::pin::pin!(reading);
    let mut refresh = tokio::time::interval(REFRESH);
    loop {
        tokio::select! {
            done = &mut reading => return done,
            _ = refresh.tick(), if line.is_seen() => {
                let requests = cloud.traffic().requests;
                line.show(&format!("reading the account: {requests} requests"));
            }
        }
    }
}

impl<'a> Shown<'a> {
    fn of(account: &'a KnownAccount, mut plan: Plan, took: Duration) -> Self {
        let credential = take_credential(&mut plan, account);
        Self {
            account: account.id(),
            is_leased: account.is_leased(),
            plan,
            credential,
            took,
        }
    }

    /// Tells whether a cleaning would do more than replace the lease credential.
    fn is_to_do(&self) -> bool {
        self.plan.items().next().is_some()
    }
}

/// Takes the lease credential that the pool knows of out of a plan.
pub(super) fn take_credential(plan: &mut Plan, account: &KnownAccount) -> Vec<Leftover> {
    let credential = account.credential();
    credential.map_or_else(Vec::new, |credential| take(plan, credential))
}

/// Takes a lease credential out of a plan: by its ids, since names can be chosen.
fn take(plan: &mut Plan, credential: &Credential) -> Vec<Leftover> {
    let is_part = |item: &mut Leftover| {
        [&credential.service_id, &credential.key_id].contains(&&item.id)
            || credential.policy_ids.contains(&item.id)
    };
    let steps = plan.steps.iter_mut();
    steps
        .flat_map(|step| step.delete.extract_if(.., is_part))
        .collect()
}

#[cfg(test)]
mod tests {
    use acctpool_actors::pool::{Fence, Generation, Timestamp};

    use super::*;
    use crate::ibm::PlannedStep;

    pub(super) fn item(collection: &str, region: Option<&str>, id: &str) -> Leftover {
        Leftover {
            collection: collection.to_owned(),
            id: id.to_owned(),
            name: None,
            region: region.map(str::to_owned),
            reason: "it would be deleted".to_owned(),
        }
    }

    pub(super) fn step(stage: &'static str, delete: Vec<Leftover>) -> PlannedStep {
        PlannedStep {
            stage,
            collection: "things",
            region: delete[0].region.clone(),
            delete,
            wait: Vec::new(),
            stuck: Vec::new(),
            keep: Vec::new(),
        }
    }

    #[test]
    fn the_credential_in_use_is_known_by_its_ids_and_not_by_its_name() {
        let mut impostor = item("service IDs", None, "ServiceId-2");
        impostor.name = Some("acctpool-lease-1".to_owned());
        let own = item("service IDs", None, "ServiceId-1");
        let policy = item("policies", None, "p");
        let mut plan = Plan {
            steps: vec![
                step("identities", vec![own.clone(), impostor.clone()]),
                step("grants", vec![policy.clone()]),
            ],
            ..Plan::default()
        };
        let credential = Credential {
            generation: Generation::default(),
            fence: Fence(1),
            service_id: "ServiceId-1".to_owned(),
            key_id: "ApiKey-1".to_owned(),
            policy_ids: vec!["p".to_owned()],
            expires_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(take(&mut plan, &credential), [own, policy]);
        assert!(plan.items().eq([&impostor]));
    }
}
