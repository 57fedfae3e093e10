//! A cleaning without a pool: the verbs of the Cloud port in their order, with the pauses, deadlines and
//! limits of the pool's policy.
//!
//! Depends on the port and the policy. Promises that after an interruption no further call is made.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use acctpool_actors::cloud::{Cloud, CloudError, Leftover};
use acctpool_actors::pool::{AccountId, Credential, ManagementKeys, Policy};
use log::{info, warn};

use super::super::account::KnownAccount;
use super::tally::Tally;
use crate::ibm::Ibm;

/// Why an account is not clean.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclean {
    #[error("cannot be deleted")]
    Stuck,
    #[error("found by the proof, and no sweep deletes it")]
    Unproven,
    #[error("it takes longer than the cleaning_timeout of [policy]")]
    TooLong,
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Refused(CloudError),
}

/// See the module.
pub(super) struct Cleaning<'a> {
    account: &'a AccountId,
    cloud: &'a Ibm,
    policy: &'a Policy,
    /// Whether somebody sees how far it is, and needs no line for each pass.
    is_watched: bool,
    keys: Cell<ManagementKeys>,
    /// The lease credential that waits in the account.
    credential: Option<Credential>,
    started: Instant,
    is_calling: Cell<bool>,
    is_interrupted: Cell<bool>,
    tally: RefCell<Tally>,
}

impl<'a> Cleaning<'a> {
    pub(super) fn new(
        account: &'a KnownAccount,
        cloud: &'a Ibm,
        policy: &'a Policy,
        is_watched: bool,
    ) -> Self {
        Self {
            account: account.id(),
            cloud,
            policy,
            is_watched,
            keys: Cell::new(account.keys()),
            credential: account.credential().cloned(),
            started: Instant::now(),
            is_calling: Cell::new(false),
            is_interrupted: Cell::new(false),
            tally: RefCell::new(Tally::default()),
        }
    }

    /// Cleans the account, and proves once that it is clean.
    pub(super) async fn run(&self) -> Result<(), Unclean> {
        // First, as the pool: it lifts what could lock us out, too.
        let credential = self.credential.as_ref();
        self.call(|| self.cloud.revoke(self.keys.get(), credential))
            .await?;
        let verified = self.call(|| self.cloud.verify(self.keys.get())).await?;
        let mut keys = self.keys.get();
        keys.current = verified.current;
        keys.newest = verified.newest;
        self.keys.set(keys);
        let mut failed_proofs = 0;
        loop {
            self.sweep().await?;
            let proof = self.call(|| self.cloud.prove(self.keys.get())).await?;
            if proof.is_clean() {
                return Ok(());
            }
            self.tally.borrow_mut().take_proof(proof);
            failed_proofs += 1;
            // As the pool: a search index that lags corrects itself; what no sweep sees does not.
            if failed_proofs > self.policy.stuck_passes {
                return Err(Unclean::Unproven);
            }
            let wait = self.policy.proof_gap;
            self.wait(wait.saturating_mul(1 << failed_proofs.min(10)))
                .await?;
        }
    }

    /// Asks for nothing any more.
    pub(super) fn interrupt(&self) {
        self.is_interrupted.set(true);
        self.cloud.end();
    }

    /// Tells whether requests may be under way.
    pub(super) fn is_calling(&self) -> bool {
        self.is_calling.get()
    }

    /// Says in a short line how far it is.
    pub(super) fn status(&self) -> String {
        let requests = self.cloud.traffic().requests;
        self.tally.borrow().status(requests)
    }

    /// Says what was done.
    pub(super) fn summary(&self) -> String {
        let requests = self.cloud.traffic().requests;
        self.tally
            .borrow()
            .summary(requests, self.started.elapsed())
    }

    /// Returns what was left when it was last looked at.
    pub(super) fn left(&self) -> Vec<Leftover> {
        self.tally.borrow().left.clone()
    }

    /// Sweeps until a pass finds nothing.
    async fn sweep(&self) -> Result<(), Unclean> {
        let mut refusals = 0;
        loop {
            let pass = self.call(|| self.cloud.sweep(self.keys.get())).await?;
            let is_clean = pass.is_clean();
            refusals = if pass.is_refused() { refusals + 1 } else { 0 };
            let gives_up = self.policy.gives_up(refusals, &pass);
            let told = self.tally.borrow_mut().take_pass(pass);
            if let Some(words) = told.filter(|_| !self.is_watched) {
                info!("account {}: {words}", self.account);
            }
            if is_clean {
                return Ok(());
            }
            if gives_up {
                return Err(Unclean::Stuck);
            }
            let pause = self.policy.pass_interval;
            self.wait(pause.saturating_mul(refusals.max(1))).await?;
        }
    }

    /// Makes a call, again while that may help.
    async fn call<T>(&self, verb: impl AsyncFn() -> Result<T, CloudError>) -> Result<T, Unclean> {
        let mut faults = 0;
        loop {
            self.is_calling.set(true);
            let outcome = verb().await;
            self.is_calling.set(false);
            if self.is_interrupted.get() {
                return Err(Unclean::Interrupted);
            }
            faults += 1;
            let pause = self.policy.backoff(faults);
            let (error, pause) = match outcome {
                Ok(done) => return Ok(done),
                Err(error @ CloudError::Transient(_)) => (error, pause),
                Err(error @ CloudError::Throttled { retry_after, .. }) => {
                    (error, pause.max(retry_after))
                }
                Err(error) => return Err(Unclean::Refused(error)),
            };
            warn!(
                "account {}: {error}; trying again in {pause:?}",
                self.account
            );
            self.wait(pause).await?;
        }
    }

    /// Pauses, if there is time for it.
    async fn wait(&self, pause: Duration) -> Result<(), Unclean> {
        let left = self
            .policy
            .cleaning_timeout
            .checked_sub(self.started.elapsed());
        if left.is_none_or(|left| left < pause) {
            return Err(Unclean::TooLong);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
