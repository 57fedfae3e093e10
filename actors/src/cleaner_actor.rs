//! The actor that does the work at the cloud: one per account, one job at a time.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, SpawnHandle, WrapFuture,
};
use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::cloud::{Cloud, CloudError};
use crate::messages::{Ask, Clean};
use crate::pool::{AccountId, Done, Job, ReportCleaning};

/// See the module.
pub struct CleanerActor<C> {
    account: AccountId,
    cloud: Rc<C>,
    pool: Recipient<Ask<ReportCleaning>>,
    running: Option<SpawnHandle>,
}

impl<C: Cloud> CleanerActor<C> {
    /// Returns a cleaner of `account`, which reports to `pool`.
    #[must_use]
    pub fn new(account: AccountId, cloud: C, pool: Recipient<Ask<ReportCleaning>>) -> Self {
        Self {
            account,
            cloud: Rc::new(cloud),
            pool,
            running: None,
        }
    }

    fn report(&self, report: ReportCleaning) {
        let (reply, _) = oneshot::channel();
        // Not bounded by the mailbox's capacity: there is at most one report per account.
        self.pool.do_send(Ask {
            command: report,
            reply,
        });
    }
}

impl<C: Cloud> Actor for CleanerActor<C> {
    type Context = Context<Self>;
}

impl<C: Cloud> Handler<Clean> for CleanerActor<C> {
    type Result = ();

    fn handle(&mut self, clean: Clean, context: &mut Self::Context) {
        if let Some(former) = self.running.take() {
            // The pool has given up on it.
            context.cancel_future(former);
        }
        let fence = clean.fence;
        let work = AssertUnwindSafe(perform(Rc::clone(&self.cloud), clean))
            .catch_unwind()
            .into_actor(self)
            .map(move |result, this, _| {
                // A bug that one account's state brings to light must not end the others' service.
                let result = result.unwrap_or_else(|_| {
                    Err(CloudError::Transient("the cleaner panicked".to_owned()))
                });
                this.report(ReportCleaning {
                    account: this.account.clone(),
                    fence,
                    result,
                });
            });
        self.running = Some(context.spawn(work));
    }
}

async fn perform<C: Cloud>(cloud: Rc<C>, clean: Clean) -> Result<Done, CloudError> {
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
