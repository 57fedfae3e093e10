//! The actor that does the work at the cloud: one per account, one job at a time.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle,
    WrapFuture,
};
use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::cloud::{Cloud, CloudError, perform};
use crate::messages::{Ask, Clean};
use crate::pool::{AccountId, ReportCleaning};

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
        let cloud = Rc::clone(&self.cloud);
        let work = AssertUnwindSafe(async move { perform(&*cloud, clean).await })
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

/// To a cleaner: from its next job on it works with another adapter, made from the present one where
/// that lives. A job that is under way is not broken off.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Succeed<C>(pub Box<dyn FnOnce(&C) -> C + Send>);

impl<C: Cloud> Handler<Succeed<C>> for CleanerActor<C> {
    type Result = ();

    fn handle(&mut self, Succeed(make): Succeed<C>, _: &mut Self::Context) {
        self.cloud = Rc::new(make(&self.cloud));
    }
}
