//! A directory that the service can be started on: configuration and records, as after long use.
//!
//! Every account is held, by a reservation whose owner has seen the credential. So nothing is
//! cleaned, nobody calls IBM Cloud, and all that is measured is the service itself.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acctpool::clock::SystemClock;
use acctpool::store::{SqliteStore, StateDirectory};
use acctpool::token::NewToken;
use acctpool_actors::clock::Clock;
use acctpool_actors::pool::{
    Account, AccountState, AccountType, Change, Credential, EndReason, Fence, Generation,
    Reservation, ReservationId, ReservationState, Timestamp, TokenId,
};
use acctpool_actors::store::Store;
use tempfile::TempDir;
use uuid::Uuid;

use crate::Failure;

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stock {
    /// Accounts, each with a reservation that holds it.
    pub(crate) held: usize,
    /// Reservations that wait.
    pub(crate) waiting: usize,
    /// Reservations that are over.
    pub(crate) ended: usize,
}

/// See the module.
pub(crate) struct Installation {
    home: TempDir,
    pub(crate) token: Arc<str>,
    pub(crate) held: Arc<[ReservationId]>,
    pub(crate) waiting: Arc<[ReservationId]>,
}

const TOKEN: &str = "bench";
const TYPE: &str = "lite";
/// Longer than any benchmark; the longest that the default policy allows.
const LEASE: Duration = Duration::from_hours(12);
/// How many records are written at once.
const CHUNK: usize = 20_000;

impl Installation {
    /// Makes it, on the disk that the program is built on.
    pub(crate) fn new(stock: Stock) -> Result<Self, Failure> {
        let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let token = NewToken::generate(TOKEN.parse()?)?;
        configure(home.path(), &token, stock)?;
        let records = Records::new(stock);
        records.write(&home.path().join("state"))?;
        Ok(Self {
            home,
            token: token.reveal().into(),
            held: records.ids(0..stock.held),
            waiting: records.ids(stock.held..stock.held + stock.waiting),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }
}

/// Writes the configuration: defaults, but for limits that a benchmark exceeds by design.
fn configure(home: &Path, token: &NewToken, stock: Stock) -> Result<(), Failure> {
    let mut text = format!(
        "[policy]\nmax_pending = 100_000\nmax_pending_per_token = 100_000\nmax_ended = {}\n\n{}\n",
        stock.ended.max(100_000),
        token.toml()
    );
    for number in 0..stock.held {
        write!(
            text,
            "[[accounts]]\nid = \"{}\"\ntype = \"{TYPE}\"\napi_key = \"key-of-account-{number}\"\n\n",
            account_id(number)
        )?;
    }
    let mut file = File::create_new(home.join("accounts.toml"))?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file.write_all(text.as_bytes())?)
}

fn account_id(number: usize) -> String {
    format!("{number:032x}")
}

/// The records of a stock.
struct Records {
    stock: Stock,
    now: Timestamp,
    ids: Vec<ReservationId>,
}

impl Records {
    fn new(stock: Stock) -> Self {
        let reservations = stock.held + stock.waiting + stock.ended;
        Self {
            stock,
            now: SystemClock.now(),
            ids: (0..reservations).map(|_| Uuid::new_v4().into()).collect(),
        }
    }

    fn ids(&self, range: std::ops::Range<usize>) -> Arc<[ReservationId]> {
        self.ids[range].into()
    }

    fn write(&self, directory: &Path) -> Result<(), Failure> {
        fs::create_dir(directory)?;
        let file = StateDirectory::database_in(directory);
        let mut store = SqliteStore::open(&file, self.now)?;
        let accounts = (0..self.stock.held).map(|number| self.account(number));
        let reservations = (0..self.ids.len()).map(|number| self.reservation(number));
        let mut changes = accounts.chain(reservations).peekable();
        while changes.peek().is_some() {
            store.commit(
                changes.by_ref().take(CHUNK).collect(),
                Vec::new(),
                Vec::new(),
            )?;
        }
        Ok(())
    }

    fn account(&self, number: usize) -> Change {
        let unknown = Account::unknown(account_id(number).into(), TYPE.into(), self.now);
        let fence = Fence(7);
        Change::Account(Account {
            fence,
            state: AccountState::Leased {
                reservation: self.ids[number],
            },
            credential: Some(Credential {
                generation: Generation::default(),
                fence,
                service_id: format!("ServiceId-{}", self.ids[number]),
                key_id: format!("ApiKey-{}", self.ids[number]),
                policy_ids: vec![Uuid::new_v4().to_string(), Uuid::new_v4().to_string()],
                expires_at: self.now + 2 * LEASE,
            }),
            ..unknown
        })
    }

    fn reservation(&self, number: usize) -> Change {
        let Stock { held, waiting, .. } = self.stock;
        let state = if number < held {
            ReservationState::Active {
                accounts: vec![account_id(number).into()],
                granted_at: self.now,
                expiration: self.now + LEASE,
                claimed: true,
            }
        } else if number < held + waiting {
            ReservationState::Pending
        } else {
            ReservationState::Ended {
                reason: EndReason::Cancelled,
                ended_at: self.now,
            }
        };
        Change::Reservation(Reservation {
            id: self.ids[number],
            sequence: number as u64 + 1,
            token: TokenId::from(TOKEN),
            account_type: AccountType::from(TYPE),
            count: 1,
            duration: LEASE,
            ttl: None,
            purpose: None,
            link: None,
            repeatable: None,
            created_at: self.now,
            state,
            silent_since: self.now,
        })
    }
}
