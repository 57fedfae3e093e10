//! The port to the cloud: what a cleaner asks of it, and what it can answer.
//!
//! Each verb is one pass: it does what can be done now, and returns. When the next pass runs, how
//! backoff grows and when a person is needed is decided by the pool.

use std::future::Future;

use crate::messages::Clean;
pub use crate::pool::{CloudError, Leftover, Pass, Probe, Proof, Traffic, Verified};
use crate::pool::{
    Credential, Done, Fence, Generation, Job, ManagementKey, ManagementKeys, Timestamp,
};

/// One account at the cloud.
///
/// Every verb first makes sure that the management key belongs to the configured account and that
/// the account is not protected, and answers [`CloudError::WrongAccount`] before a single write
/// otherwise. Every verb may be repeated: what is already done counts as done.
///
/// `keys` says which management keys may work. Where the current one does not, an implementation
/// looks for one that does (`design.md` 7), and [`Cloud::verify`] reports which.
pub trait Cloud: 'static {
    /// Makes sure that the account is usable and that its management key sees what is known to
    /// exist, so that an empty list means something.
    fn verify(&self, keys: ManagementKeys) -> impl Future<Output = Result<Verified, CloudError>>;

    /// Takes away every lease credential of the account: `credential` first and at once, then all
    /// that can be found by name.
    fn revoke(
        &self,
        keys: ManagementKeys,
        credential: Option<&Credential>,
    ) -> impl Future<Output = Result<(), CloudError>>;

    /// Deletes what can be deleted now, in one pass over the account.
    fn sweep(&self, keys: ManagementKeys) -> impl Future<Output = Result<Pass, CloudError>>;

    /// Reads the whole account with a fresh token and reports everything that should not be there.
    /// Writes nothing.
    fn prove(&self, keys: ManagementKeys) -> impl Future<Output = Result<Proof, CloudError>>;

    /// Makes the lease credential of `fence`, after taking away any other one. The value of its key
    /// is derived from the master key of `generation` and the fence.
    fn mint(
        &self,
        keys: ManagementKeys,
        generation: Generation,
        fence: Fence,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Credential, CloudError>>;

    /// Tells whether a lease credential already works, policies included.
    fn probe(
        &self,
        keys: ManagementKeys,
        credential: &Credential,
    ) -> impl Future<Output = Result<Probe, CloudError>>;

    /// Makes the management key `to`, unless it exists, and proves that it works.
    fn rotate(
        &self,
        keys: ManagementKeys,
        to: ManagementKey,
    ) -> impl Future<Output = Result<(), CloudError>>;

    /// Takes away every management key but the current one.
    fn retire(&self, keys: ManagementKeys) -> impl Future<Output = Result<(), CloudError>>;
}

/// Does one job of a cleaner.
pub async fn perform(cloud: &impl Cloud, clean: Clean) -> Result<Done, CloudError> {
    let Clean { fence, keys, job } = clean;
    match job {
        Job::Revoke(credential) => cloud
            .revoke(keys, credential.as_ref())
            .await
            .map(|()| Done::Revoked),
        Job::Verify => cloud.verify(keys).await.map(Done::Verified),
        Job::Sweep => cloud.sweep(keys).await.map(Done::Swept),
        Job::Prove => cloud.prove(keys).await.map(Done::Proved),
        Job::Rotate(to) => cloud.rotate(keys, to).await.map(|()| Done::Rotated),
        Job::Retire => cloud.retire(keys).await.map(|()| Done::Retired),
        Job::Mint {
            generation,
            expires_at,
        } => cloud
            .mint(keys, generation, fence, expires_at)
            .await
            .map(Done::Minted),
        Job::Probe(credential) => cloud.probe(keys, &credential).await.map(Done::Probed),
    }
}
