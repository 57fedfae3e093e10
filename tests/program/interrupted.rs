//! The crash table of the management key's rotation (`ibm-cloud.md` 13.2): the service is stopped
//! between each two steps, and started again with its records, or with nothing but its master key. The
//! account works, acctpool knows its key, and no stray key is left.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use acctpool::keyring::{Keyring, MasterKey};
use acctpool::simulator::LoggedRequest;
use acctpool::store::SqliteStore;
use acctpool_actors::pool::{Epoch, Generation, ManagementKey, ManagementKeys};
use acctpool_actors::store::Store;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::bench::Bench;
use crate::failpoint::{Call, Failpoint};
use crate::process::eventually;
use crate::promises::{check_left, known_key, makes_a_key};
use crate::spoiled::state_directory;

/// Which calls of a life are the steps of its first rotation, counted from 0.
#[derive(Clone, Copy)]
struct Steps {
    create: u32,
    exchange: u32,
    /// The first one with the new key as the current one: it has been promoted.
    reopen: u32,
    disable: u32,
    delete: u32,
}

impl Steps {
    /// Lets a rotation happen undisturbed. Equal questions get equal answers from the simulator, so
    /// every other first rotation takes the same calls.
    fn of_a_rotation() -> Self {
        static STEPS: OnceLock<Steps> = OnceLock::new();
        *STEPS.get_or_init(|| {
            let bench = before_the_first_rotation();
            let server = bench.serve(&rotating(&bench));
            let calls = eventually("the end of a rotation", || {
                let calls = bench.simulator.requests();
                let made = calls.iter().position(makes_a_key)?;
                calls[made..].iter().any(deletes_a_key).then_some(calls)
            });
            assert_eq!(server.end().code, Some(0));
            Self::among(&calls)
        })
    }

    fn among(calls: &[LoggedRequest]) -> Self {
        let after = |from: u32, is: fn(&LoggedRequest) -> bool| {
            let skipped = usize::try_from(from).unwrap();
            let found = calls.iter().skip(skipped).position(is);
            from + u32::try_from(found.expect("it is part of a rotation")).unwrap()
        };
        let exchanges = |call: &LoggedRequest| call.path == "/identity/token";
        let create = after(0, makes_a_key);
        let exchange = after(create, exchanges);
        Self {
            create,
            exchange,
            reopen: after(exchange + 1, exchanges),
            disable: after(create, |call| call.path.ends_with("/disable")),
            delete: after(create, deletes_a_key),
        }
    }
}

fn deletes_a_key(call: &LoggedRequest) -> bool {
    call.method == "DELETE" && call.path.starts_with("/v1/apikeys/")
}

/// A pool whose account was ready, with the configured key.
fn before_the_first_rotation() -> Bench {
    let bench = Bench::new(1);
    let server = bench.serve(&resting(&bench));
    server.until("ready", 1);
    assert_eq!(server.end().code, Some(0));
    bench.simulator.clear_requests();
    bench
}

fn rotating(bench: &Bench) -> PathBuf {
    bench.configure("rotate_every = \"1ms\"")
}

fn resting(bench: &Bench) -> PathBuf {
    bench.configure("rotate_every = \"never\"")
}

/// What is to be found after the stop.
struct Found {
    keys: ManagementKeys,
    /// Whether the key of epoch 1 works.
    new: bool,
    /// Whether the configured key works, or is disabled, or is gone.
    configured: Configured,
}

#[derive(Debug, PartialEq, Eq)]
enum Configured {
    Works,
    Disabled,
    Gone,
}

/// The first key that acctpool makes.
const NEW: ManagementKey = ManagementKey {
    epoch: Epoch(1),
    generation: Generation(0),
};

/// Only the intent is written down.
const INTENDED: ManagementKeys = ManagementKeys {
    current: ManagementKey::CONFIGURED,
    pending: Some(NEW),
    previous: None,
    newest: Epoch(1),
    verified: true,
};

/// The new key is the one to use, the old one is to go.
const PROMOTED: ManagementKeys = ManagementKeys {
    current: NEW,
    pending: None,
    previous: Some(ManagementKey::CONFIGURED),
    newest: Epoch(1),
    verified: true,
};

/// There is no other key any more.
const FORGOTTEN: ManagementKeys = ManagementKeys {
    previous: None,
    ..PROMOTED
};

fn stop_and_start_again(row: fn(Steps) -> Failpoint, expected: &Found) {
    for records_are_lost in [false, true] {
        let bench = before_the_first_rotation();
        row(Steps::of_a_rotation()).kill(&bench, &rotating(&bench), |_| {});
        check_found(&bench, expected);
        if records_are_lost {
            lose_the_records(&bench);
            // Which keys there are besides the one that works is found out by the next rotation.
            let server = bench.serve(&rotating(&bench));
            bench.simulator.clear_requests();
            eventually("a rotation", || {
                let calls = bench.simulator.requests();
                calls.iter().any(makes_a_key).then_some(())
            });
            assert_eq!(server.end().code, Some(0));
        }
        let server = bench.serve(&resting(&bench));
        server.until("ready", 1);
        // Without records nobody knows who disabled the configured key: the operator may have.
        let left = records_are_lost && expected.configured == Configured::Disabled;
        check_left(&bench, "after an interrupted rotation", usize::from(left));
        let configured = bench.accounts[0].api_key.expose_secret();
        assert_ne!(known_key(&bench, &bench.accounts[0]), configured);
        let (_, lease) = server.lease(&bench.token);
        let key = lease["credentials"]["api_key"].as_str().unwrap();
        assert!(bench.simulator.working_key(key).is_some());
        assert_eq!(server.end().code, Some(0));
    }
}

fn check_found(bench: &Bench, expected: &Found) {
    let directory = state_directory(bench);
    let mut records = SqliteStore::inspect(&directory.join("state.db")).unwrap();
    let account = &bench.accounts[0];
    let id = account.id.as_str().into();
    assert_eq!(records.load().unwrap().accounts[&id].keys, expected.keys);

    let master = MasterKey::load(&directory.join("master.key")).unwrap();
    let keyring = Keyring::new(master, Uuid::nil());
    let new = keyring.management(&id, NEW).unwrap();
    let works = |key: &str| bench.simulator.working_key(key).is_some();
    assert_eq!(works(new.expose_secret()), expected.new, "the new key");

    let inventory = bench.simulator.inventory(&account.id);
    let old = inventory
        .of("api_keys")
        .into_iter()
        .find(|key| key.contains(&account.owner_iam_id) && !key.contains("acctpool-mgmt-"));
    let configured = match (works(account.api_key.expose_secret()), old) {
        (true, _) => Configured::Works,
        (false, Some(_)) => Configured::Disabled,
        (false, None) => Configured::Gone,
    };
    assert_eq!(configured, expected.configured, "{inventory}");
}

fn lose_the_records(bench: &Bench) {
    for file in fs::read_dir(state_directory(bench)).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            fs::remove_dir_all(file.path()).unwrap();
        } else if file.file_name() != "master.key" {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

#[test]
fn the_intent_was_committed_and_no_key_made() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.create)),
        &Found {
            keys: INTENDED,
            new: false,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_key_was_created_and_its_reply_lost() {
    stop_and_start_again(
        |steps| Failpoint::AfterCallBeforeReply(Call::after(steps.create)),
        &Found {
            keys: INTENDED,
            new: true,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_key_was_created_and_not_exchanged() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.exchange)),
        &Found {
            keys: INTENDED,
            new: true,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_key_was_exchanged_and_not_proven() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.exchange + 1)),
        &Found {
            keys: INTENDED,
            new: true,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_key_was_proven_and_not_promoted() {
    stop_and_start_again(
        |steps| Failpoint::AfterCallBeforeReply(Call::after(steps.reopen - 1)),
        &Found {
            keys: INTENDED,
            new: true,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_key_was_promoted_and_the_old_one_works() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.disable)),
        &Found {
            keys: PROMOTED,
            new: true,
            configured: Configured::Works,
        },
    );
}

#[test]
fn the_old_key_was_disabled_and_the_new_one_not_verified_again() {
    stop_and_start_again(
        |steps| Failpoint::AfterCallBeforeReply(Call::after(steps.disable)),
        &Found {
            keys: PROMOTED,
            new: true,
            configured: Configured::Disabled,
        },
    );
}

#[test]
fn the_new_key_was_verified_again_and_the_old_one_not_deleted() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.delete)),
        &Found {
            keys: PROMOTED,
            new: true,
            configured: Configured::Disabled,
        },
    );
}

#[test]
fn the_old_key_was_deleted_and_not_forgotten() {
    stop_and_start_again(
        |steps| Failpoint::AfterCallBeforeReply(Call::after(steps.delete)),
        &Found {
            keys: PROMOTED,
            new: true,
            configured: Configured::Gone,
        },
    );
}

#[test]
fn the_old_key_was_forgotten() {
    stop_and_start_again(
        |steps| Failpoint::BeforeCall(Call::after(steps.delete + 1)),
        &Found {
            keys: FORGOTTEN,
            new: true,
            configured: Configured::Gone,
        },
    );
}
