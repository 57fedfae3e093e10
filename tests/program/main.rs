//! The program as its users start it: the real binary, real signals, real time, public clients.
//!
//! Every process listens on a port that the system chose and has a home directory of its own, so the
//! tests run beside each other; each ends exactly the processes that it started.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod audit;
mod authority;
mod bench;
mod by_hand;
mod calls;
mod chance;
mod check;
mod claim;
mod consumer;
mod copies;
mod cores;
mod crash;
mod damage;
mod demo;
mod disk;
#[path = "../sdk/environment.rs"]
mod environment;
mod failpoint;
mod full;
mod generated;
mod help;
mod http_2;
mod interrupted;
mod key;
mod kills;
mod long_polls;
mod migration;
mod operator;
mod operators_verbs;
mod process;
mod promises;
mod readme;
mod receipts;
mod receiver;
mod recovery;
mod refusals;
mod reload;
mod reloads;
mod rotation;
mod run;
mod schema;
mod scripted_pool;
mod secrets;
mod serve;
mod simulate;
mod spoiled;
mod tls;
mod token;
mod unanswered;
mod verbs;
mod webhooks;
mod wire;
