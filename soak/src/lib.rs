//! The pool in a simulated world: years of its life from one seed, with every promise of
//! `design.md` 2 that can be seen at the pool checked after every event.
//!
//! - [`world`] is the pool with a disk that can be slow, a process that can crash, and a scripted
//!   cloud ([`cloud`]) that knows what really is in each account.
//! - [`model`] and [`promises`] are what the pool is judged by. They know nothing of how it works.
//! - [`life`] fills the world with [`consumers`] and their [`wishes`], operators, crashes and [`weather`].
//! - [`lives`] lives many lives, and names the seed of one that broke a promise.
//!
//! The pool's own tests use the world, the model and the promises too. It depends on the pool and
//! on nothing outside of the process; the same seed gives the same life.

#![expect(
    clippy::missing_panics_doc,
    reason = "to panic where a promise is broken is what everything here is for"
)]

pub mod cloud;
pub mod consumers;
pub mod dice;
pub mod life;
pub mod lives;
pub mod model;
pub mod promises;
pub mod tally;
pub mod weather;
pub mod wishes;
pub mod world;
