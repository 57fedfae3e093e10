//! `/`: how the pool is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::call::Call;
use super::error::ClientError;
use super::exchange::{Client, Told};

/// How the pool is. What a server does not tell is nothing.
#[derive(Deserialize)]
pub(crate) struct Statistics {
    /// `ok` or `degraded`.
    pub(crate) status: String,
    /// The server's version.
    #[serde(default)]
    pub(crate) version: String,
    /// Per type.
    #[serde(default)]
    pub(crate) accounts: BTreeMap<String, Counts>,
    /// Per type.
    #[serde(default)]
    pub(crate) reservations: BTreeMap<String, Claims>,
}

/// How many accounts of a type are in each state.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) ready: u64,
    pub(crate) leased: u64,
    pub(crate) dirty: u64,
    pub(crate) cleaning: u64,
    pub(crate) quarantined: u64,
    pub(crate) drained: u64,
}

/// How many reservations of a type wait, and how many hold accounts.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    pub(crate) pending: u64,
    pub(crate) active: u64,
}

impl Client {
    /// Asks how the pool is. Everybody may.
    pub(crate) async fn statistics(&self) -> Result<Told<Statistics>, ClientError> {
        let answer = self.send(Call::get("/")).await?;
        self.read(&answer)
    }
}
