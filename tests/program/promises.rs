//! What must be true of IBM Cloud, whatever happened to the service: read from the simulator's own
//! state, past its API.

use acctpool::keyring::{Keyring, MasterKey};
use acctpool::simulator::{AccountSpec, LoggedRequest};
use acctpool_actors::pool::{Epoch, Generation, ManagementKey};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::bench::Bench;
use crate::process::{acctpool, eventually, run};
use crate::spoiled::state_directory;

/// How far ahead of the last epoch that was seen the next one is looked for.
const EPOCHS: u32 = 20;

/// What must be true of IBM Cloud at every moment.
pub(crate) struct Cloud<'a> {
    bench: &'a Bench,
    /// Of each account, the newest epoch whose key was seen working.
    newest: Vec<Epoch>,
    pub(crate) rotations: usize,
    pub(crate) calls: usize,
}

impl<'a> Cloud<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        Self {
            bench,
            newest: vec![Epoch(0); bench.accounts.len()],
            rotations: 0,
            calls: 0,
        }
    }

    /// Takes in what was asked of IBM Cloud since the last time, and makes sure that a management key
    /// of every account works.
    pub(crate) fn check(&mut self, when: &str) {
        let simulator = &self.bench.simulator;
        let requests = simulator.requests();
        simulator.clear_requests();
        self.calls += requests.len();
        self.rotations += requests.iter().filter(|call| makes_a_key(call)).count();

        let path = state_directory(self.bench).join("master.key");
        let Ok(master) = MasterKey::load(&path) else {
            // The first start was killed before it had made one, or anything else.
            assert!(self.newest.iter().all(|epoch| *epoch == Epoch(0)), "{when}");
            return;
        };
        let keyring = Keyring::new(master, Uuid::nil());
        for (account, newest) in self.bench.accounts.iter().zip(&mut self.newest) {
            let id = account.id.as_str().into();
            let works = |epoch: &Epoch| {
                let key = ManagementKey {
                    epoch: *epoch,
                    generation: Generation(0),
                };
                let derived = keyring.management(&id, key);
                let key = derived.as_ref().unwrap_or(&account.api_key);
                simulator.working_key(key.expose_secret()).is_some()
            };
            let found = (newest.0..newest.0 + EPOCHS).rev().map(Epoch).find(works);
            *newest = found.unwrap_or_else(|| {
                panic!("management_key_never_lost: {when}: {}", account.id);
            });
        }
    }
}

/// Whether a call made a management key.
pub(crate) fn makes_a_key(call: &LoggedRequest) -> bool {
    call.applied && call.method == "POST" && call.path == "/v1/apikeys"
}

/// Once nothing is lent and no rotation is under way, an account holds one lease credential, and one
/// management key, which acctpool knows.
pub(crate) fn check_nothing_is_left(bench: &Bench, when: &str) {
    check_left(bench, when, 0);
}

/// The same with so many keys that are disabled: whose they are, nobody knows any more.
pub(crate) fn check_left(bench: &Bench, when: &str, disabled: usize) {
    for account in &bench.accounts {
        let what = format!("an account without leftovers {when}");
        eventually(&what, || {
            let inventory = bench.simulator.inventory(&account.id);
            let count = |collection| inventory.of(collection).len();
            let keys = inventory.of("api_keys");
            let active = keys.iter().filter(|key| key.contains(" active of "));
            let clean = count("service_ids") == 1
                && count("resource_instances") == 0
                && (active.count(), keys.len()) == (2, 2 + disabled);
            clean.then_some(())
        });
        let known = known_key(bench, account);
        assert!(
            bench.simulator.working_key(&known).is_some(),
            "management_key_never_lost: {when}: {}",
            account.id
        );
    }
}

/// Returns the management key of which the records say that it is the current one.
pub(crate) fn known_key(bench: &Bench, account: &AccountSpec) -> String {
    let shown = run(&mut acctpool(bench.path(), &["key", "show", &account.id]));
    if shown.code == Some(0) {
        return shown.stdout.trim().to_owned();
    }
    assert!(shown.stderr.contains("never rotated"), "{}", shown.stderr);
    account.api_key.expose_secret().to_owned()
}
