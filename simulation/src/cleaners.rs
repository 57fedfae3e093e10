//! The Cloud port as the cleaners see it: the real adapter, and somebody who takes down what each call
//! was for and how it ended.

use std::future::Future;
use std::rc::Rc;

use acctpool::ibm::Ibm;
use acctpool_actors::cloud::{Cloud, CloudError, Pass, Probe, Proof, Verified};
use acctpool_actors::pool::{
    AccountId, Credential, Done, Fence, Generation, Job, ManagementKey, ManagementKeys, Timestamp,
};

use crate::line::{Line, Signal};

/// See the module.
pub(crate) struct Watched {
    pub(crate) account: AccountId,
    pub(crate) ibm: Ibm,
    pub(crate) line: Rc<Line>,
}

impl Watched {
    async fn watch<T: Clone>(
        &self,
        keys: ManagementKeys,
        job: Job,
        call: impl Future<Output = Result<T, CloudError>>,
        done: impl FnOnce(T) -> Done,
    ) -> Result<T, CloudError> {
        let _busy = self.line.busy();
        let account = self.account.clone();
        self.line.say(Signal::Began(account.clone(), job.clone()));
        let result = call.await;
        let seen = result.clone().map(done);
        self.line.say(Signal::Ended(account, keys, job, seen));
        result
    }
}

impl Cloud for Watched {
    async fn verify(&self, keys: ManagementKeys) -> Result<Verified, CloudError> {
        let call = self.ibm.verify(keys);
        self.watch(keys, Job::Verify, call, Done::Verified).await
    }

    async fn revoke(
        &self,
        keys: ManagementKeys,
        credential: Option<&Credential>,
    ) -> Result<(), CloudError> {
        let call = self.ibm.revoke(keys, credential);
        let job = Job::Revoke(credential.cloned());
        self.watch(keys, job, call, |()| Done::Revoked).await
    }

    async fn sweep(&self, keys: ManagementKeys) -> Result<Pass, CloudError> {
        let call = self.ibm.sweep(keys);
        self.watch(keys, Job::Sweep, call, Done::Swept).await
    }

    async fn prove(&self, keys: ManagementKeys) -> Result<Proof, CloudError> {
        let call = self.ibm.prove(keys);
        self.watch(keys, Job::Prove, call, Done::Proved).await
    }

    async fn mint(
        &self,
        keys: ManagementKeys,
        generation: Generation,
        fence: Fence,
        expires_at: Timestamp,
    ) -> Result<Credential, CloudError> {
        let call = self.ibm.mint(keys, generation, fence, expires_at);
        let job = Job::Mint {
            generation,
            expires_at,
        };
        self.watch(keys, job, call, Done::Minted).await
    }

    async fn probe(
        &self,
        keys: ManagementKeys,
        credential: &Credential,
    ) -> Result<Probe, CloudError> {
        let call = self.ibm.probe(keys, credential);
        let job = Job::Probe(credential.clone());
        self.watch(keys, job, call, Done::Probed).await
    }

    async fn rotate(&self, keys: ManagementKeys, to: ManagementKey) -> Result<(), CloudError> {
        let call = self.ibm.rotate(keys, to);
        self.watch(keys, Job::Rotate(to), call, |()| Done::Rotated)
            .await
    }

    async fn retire(&self, keys: ManagementKeys) -> Result<(), CloudError> {
        let call = self.ibm.retire(keys);
        self.watch(keys, Job::Retire, call, |()| Done::Retired)
            .await
    }
}
