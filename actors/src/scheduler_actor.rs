//! The actor that lets time pass in the pool: a tick at the next deadline that the pool named, and
//! at least one a second.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::clock::Clock;
use crate::pool::{Tick, Timestamp};
use crate::pool_actor::{PoolHandle, PoolUnavailable};

/// How long it sleeps at most. A deadline that arises while it sleeps is met this late at worst.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// See the module.
pub struct SchedulerActor {
    pool: PoolHandle,
    clock: Arc<dyn Clock>,
}

impl SchedulerActor {
    /// Returns an actor that ticks until the pool stops.
    #[must_use]
    pub fn new(pool: PoolHandle, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let pool = self.pool.clone();
        let ticked = async move { pool.ask(Tick).await }.into_actor(self);
        context.spawn(ticked.map(|answer, this, context| this.sleep(answer, context)));
    }

    fn sleep(
        &mut self,
        answer: Result<Option<Timestamp>, PoolUnavailable>,
        context: &mut Context<Self>,
    ) {
        let pause = match answer {
            Ok(Some(deadline)) => {
                let left = deadline - self.clock.now();
                left.try_into().unwrap_or(Duration::ZERO).min(HEARTBEAT)
            }
            Ok(None) | Err(PoolUnavailable::Full) => HEARTBEAT,
            Err(PoolUnavailable::Stopped) => return,
        };
        context.run_later(pause, Self::tick);
    }
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.tick(context);
    }
}
