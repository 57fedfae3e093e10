//! The deciding half of acctpool: the pure [`pool`], the actors around it, and the ports to the
//! world.
//!
//! No HTTP, no TOML, no files, no IBM: this crate's manifest is the wall.
//!
//! ```text
//! HTTP ─ PoolHandle ─▶ PoolActor ─ Decision ─▶ StoreActor ─ Clean ─▶ CleanerActor (one per account)
//!                        ▲   ▲                     ├─ reply to whoever asked      │
//!                        │   │                     └─ Published ─▶ whoever reads   │
//!      SchedulerActor ───┘   └────────────────── ReportCleaning ──────────────────┘
//! HTTP ─ Receipts ──── FindReceipts ─────────▶ StoreActor ─ Listener ─▶ metrics
//! HTTP ─ Audit ─────── FindEntries ──────────▶ AuditActor
//!                                                ▲   NotifierActor (one per webhook)
//!                                  FollowAudit ──┘    │
//!                                        StoreActor ◀─┘ Decision: what was told
//! ```

pub mod clock;
pub mod cloud;
pub mod courier;
pub mod messages;
pub mod pool;
pub mod store;

mod audit;
mod cleaner_actor;
mod deliveries;
mod notification;
mod notifier_actor;
mod outbox;
mod pool_actor;
mod published;
mod receipts;
mod scheduler_actor;
mod store_actor;

pub use audit::{Audit, AuditActor, AuditUnavailable, FindEnd, FindEntries, FollowAudit};
pub use cleaner_actor::{CleanerActor, Succeed};
pub use deliveries::{Attempt, Condition, Deliveries, Tally};
pub use notification::{About, Notification, NotificationKind, UnknownKind};
pub use notifier_actor::{Dismiss, NotifierActor, Reroute, Surroundings};
pub use pool_actor::{Employ, PoolActor, PoolHandle, PoolUnavailable};
pub use published::{Page, PageOf, Published, PublishedReservation, Publisher};
pub use receipts::{Receipts, ReceiptsUnavailable};
pub use scheduler_actor::SchedulerActor;
pub use store_actor::{Listener, OnFailure, StoreActor};

/// Ends the process at once: what its memory says is not to be believed any more.
fn break_off() -> ! {
    log::logger().flush();
    std::process::abort()
}
