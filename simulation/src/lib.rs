//! The whole service in a simulated world: years of its life under virtual time, from one seed, with
//! every promise of `design.md` 2 checked after every step.
//!
//! What is real: the pool, its actors, the IBM adapter above its wire, the simulator's services. What
//! is scripted: time, the network between adapter and services, the disk, consumers, borrowers and the
//! operator. A process dies at any moment; its requests may still come to the cloud after that.
//!
//! - A `process` is put together as in production; a `line` is all that leaves it.
//! - `cloud` is the truth. `witness` sees what was made durable, and compares.
//! - [`life`] fills the world: requests meet `weather`, consumers come and go, `borrowers` make a mess.
//! - [`lives`] lives many lives, and names the seed of one that broke a promise.
//!
//! The same seed gives the same life.

mod agenda;
mod borrowers;
mod cleaners;
mod clock;
mod cloud;
mod disk;
pub mod life;
mod line;
pub mod lives;
mod process;
mod speech;
pub mod tally;
mod weather;
mod witness;
