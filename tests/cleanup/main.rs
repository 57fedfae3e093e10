//! Whole accounts cleaned under virtual time: the real pool's rules and the real IBM adapter against the
//! simulator's services, without sockets. What an account holds is judged by the simulator's own state.

#![allow(clippy::unwrap_used)]

mod arena;
mod collections;
mod doors;
mod messes;
mod requests;
