//! What is kept for an auditor: who did what to which account, and when.
//!
//! Entries are made from events, and written in the transaction of the change that they record: one
//! that cannot be written did not happen. What an account's own upkeep goes through step by step is
//! for the log; what a lease, a cleaning or an operator led to is for the auditor. None carries a
//! secret.

use std::iter;

use serde::{Serialize, Serializer};

use super::account::StateKind;
use super::event::Event;
use super::ids::{AccountId, AccountType, ReservationId, Subject, Timestamp, TokenId, rfc3339};
use super::operator::Operator;
use super::reconfiguration::Reconfigured;

/// One fact, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// What happened: a name that never changes, such as `reservation_granted`.
    pub event: &'static str,
    /// Whose token was presented: a consumer's, or an operator's.
    pub consumer: Option<TokenId>,
    /// Which account it is about.
    pub account: Option<AccountId>,
    /// Which reservation it is about.
    pub reservation: Option<ReservationId>,
    /// What else there is to know, by name.
    pub details: Vec<(&'static str, Detail)>,
}

/// What else there is to know of a fact. Written as the JSON value that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A word of ours.
    Word(&'static str),
    /// Words of somebody else's.
    Text(String),
    /// Several of them.
    Texts(Vec<String>),
    /// A count or a counter.
    Number(u64),
    /// Several of them, by name.
    Numbers(Vec<(&'static str, u64)>),
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Numbers(numbers) => {
                serializer.collect_map(numbers.iter().map(|(name, number)| (name, number)))
            }
        }
    }
}

impl AuditEntry {
    /// Returns the entries that the events of one turn are worth, in order.
    #[must_use]
    pub fn of_turn(events: &[Event], at: Timestamp) -> Vec<Self> {
        events
            .iter()
            .flat_map(|event| Self::of(event, at))
            .collect()
    }

    /// Returns a fact about nobody in particular.
    #[must_use]
    pub fn plain(at: Timestamp, event: &'static str) -> Self {
        Self {
            at,
            event,
            consumer: None,
            account: None,
            reservation: None,
            details: Vec::new(),
        }
    }

    fn of(event: &Event, at: Timestamp) -> Vec<Self> {
        let named = |name| Self::plain(at, name);
        let entry = match event {
            Event::ReservationRequested { .. }
            | Event::ReservationGranted { .. }
            | Event::CredentialShown { .. }
            | Event::ReservationRenewed { .. }
            | Event::ReservationEnded { .. }
            | Event::ReservationForgotten { .. } => return Self::of_reservation(event, at),
            Event::CleaningStarted { account, purpose } => named("cleaning_started")
                .on(account)
                .with("purpose", Detail::Word(purpose.as_str())),
            Event::CredentialRevoked { account } => named("credential_revoked").on(account),
            Event::CredentialMinted { account, fence } => named("credential_minted")
                .on(account)
                .with("fence", Detail::Number(fence.0)),
            Event::ProofFailed { account, leftovers } => named("proof_failed")
                .on(account)
                .with("leftovers", Detail::Number(*leftovers as u64)),
            Event::AccountProven { account } => named("account_proven").on(account),
            Event::CleaningTimedOut { account, attempt } => named("cleaning_timed_out")
                .on(account)
                .with("attempt", Detail::Number((*attempt).into())),
            Event::KeyChanged { .. } | Event::VerificationFailed { .. } => Self::of_key(event, at),
            Event::AccountReady { account } => named("account_ready").on(account),
            Event::AccountQuarantined {
                account,
                account_type,
                quarantine,
            } => {
                let leftovers = quarantine.leftovers.iter();
                let leftovers = leftovers.map(ToString::to_string).collect();
                named("account_quarantined")
                    .on(account)
                    .typed(account_type)
                    .with("reason", Detail::Text(quarantine.reason.clone()))
                    .with("leftovers", Detail::Texts(leftovers))
            }
            Event::CleaningRequested { account, by } => {
                named("cleaning_requested").on(account).wanted(by.as_ref())
            }
            Event::DrainRequested { account, by } => {
                named("drain_requested").on(account).wanted(by.as_ref())
            }
            Event::AccountDrained { account } => named("account_drained").on(account),
            Event::AccountEnabled { account, by } => {
                named("account_enabled").on(account).wanted(by.as_ref())
            }
            Event::QuarantineRequested { account, by } => named("quarantine_requested")
                .on(account)
                .wanted(by.as_ref()),
            Event::RevocationRequested { reservation, by } => named("revocation_requested")
                .about(*reservation)
                .wanted(by.as_ref()),
            Event::InterventionRefused {
                intervention,
                subject,
                refusal,
                by,
            } => named("intervention_refused")
                .regarding(subject.as_ref())
                .wanted(Some(by))
                .with("intervention", Detail::Word(intervention))
                .with("refusal", Detail::Text(refusal.clone())),
            Event::RotationRequested { account } => named("rotation_requested").on(account),
            Event::Reconfigured(changes) => Self::reconfigured(changes, at),
            Event::AccountAdded {
                account,
                account_type,
            } => named("account_added").on(account).typed(account_type),
            Event::AccountChanged {
                account,
                account_type,
            } => named("account_changed").on(account).typed(account_type),
            Event::AccountRemoved { account } => named("account_removed").on(account),
            Event::PoolExhausted { .. } | Event::PoolRecovered { .. } => Self::of_type(event, at),
            Event::MasterKeyIntroduced { generation } => {
                named("master_key_introduced").with("number", Detail::Number(generation.0.into()))
            }
            Event::MasterKeyForgotten { generation } => {
                named("master_key_forgotten").with("number", Detail::Number(generation.0.into()))
            }
            Event::JobIssued { .. }
            | Event::JobTimedOut { .. }
            | Event::PassEnded { .. }
            | Event::FaultMet { .. } => return Vec::new(),
        };
        vec![entry]
    }

    /// Returns the entries about a reservation: where it has accounts, one for each.
    fn of_reservation(event: &Event, at: Timestamp) -> Vec<Self> {
        let named = |name| Self::plain(at, name);
        match event {
            Event::ReservationRequested {
                reservation,
                token,
                account_type,
                count,
            } => {
                let requested = named("reservation_requested")
                    .by(token)
                    .about(*reservation)
                    .typed(account_type);
                vec![match count {
                    1 => requested,
                    _ => requested.with("count", Detail::Number(*count as u64)),
                }]
            }
            Event::ReservationGranted {
                reservation,
                token,
                leases,
                expiration,
            } => {
                let granted = named("reservation_granted").by(token).about(*reservation);
                let each = leases.iter().map(|(account, fence)| {
                    granted
                        .clone()
                        .on(account)
                        .with("fence", Detail::Number(fence.0))
                        .with("expiration", Detail::Text(rfc3339(*expiration)))
                });
                each.collect()
            }
            Event::CredentialShown {
                reservation,
                token,
                accounts,
            } => {
                let shown = named("credential_shown").by(token).about(*reservation);
                shown.on_each(accounts)
            }
            Event::ReservationRenewed {
                reservation,
                token,
                expiration,
                is_longer: true,
            } => {
                let renewed = named("reservation_renewed").by(token).about(*reservation);
                vec![renewed.with("expiration", Detail::Text(rfc3339(*expiration)))]
            }
            Event::ReservationEnded {
                reservation,
                token,
                reason,
                accounts,
            } => {
                let ended = named("reservation_ended")
                    .by(token)
                    .about(*reservation)
                    .with("reason", Detail::Word(reason.as_str()));
                if accounts.is_empty() {
                    vec![ended]
                } else {
                    ended.on_each(accounts)
                }
            }
            // Renewals that only keep a lease alive come every other minute.
            _ => Vec::new(),
        }
    }

    /// Returns the entry about an account's management key.
    fn of_key(event: &Event, at: Timestamp) -> Self {
        let named = |name| Self::plain(at, name);
        match event {
            Event::KeyChanged {
                account,
                account_type,
                key,
                cause,
            } => named("key_changed")
                .on(account)
                .typed(account_type)
                .with("epoch", Detail::Number(key.epoch.0.into()))
                .with("master_key", Detail::Number(key.generation.0.into()))
                .with("cause", Detail::Word(cause.as_str())),
            Event::VerificationFailed {
                account,
                account_type,
                reason,
            } => named("verification_failed")
                .on(account)
                .typed(account_type)
                .with("reason", Detail::Text(reason.clone())),
            _ => unreachable!("it is about no key"),
        }
    }

    /// Returns the entry about a type.
    fn of_type(event: &Event, at: Timestamp) -> Self {
        match event {
            Event::PoolExhausted {
                account_type,
                oldest_wait,
                counts,
            } => {
                let in_state = |state: StateKind| (state.as_str(), counts.accounts(state) as u64);
                let total = ("total", counts.total() as u64);
                let accounts = iter::once(total).chain(StateKind::ALL.map(in_state));
                Self::plain(at, "pool_exhausted")
                    .typed(account_type)
                    .with("waiting", Detail::Number(counts.pending as u64))
                    .with(
                        "oldest_wait_seconds",
                        Detail::Number(oldest_wait.0.as_secs()),
                    )
                    .with("accounts", Detail::Numbers(accounts.collect()))
            }
            Event::PoolRecovered {
                account_type,
                lasted,
            } => Self::plain(at, "pool_recovered")
                .typed(account_type)
                .with("lasted_seconds", Detail::Number(lasted.0.as_secs())),
            _ => unreachable!("it is about no type"),
        }
    }

    /// Returns what another configuration changed. Its accounts have entries of their own.
    fn reconfigured(changes: &Reconfigured, at: Timestamp) -> Self {
        let names = |tokens: &[TokenId]| {
            let names = tokens.iter().map(|token| token.as_str().to_owned());
            Detail::Texts(names.collect())
        };
        let policy = if changes.policy {
            "changed"
        } else {
            "unchanged"
        };
        Self::plain(at, "reconfigured")
            .with("policy", Detail::Word(policy))
            .with("tokens_added", names(&changes.tokens.added))
            .with("tokens_removed", names(&changes.tokens.removed))
            .with("tokens_changed", names(&changes.tokens.changed))
    }

    fn on_each(&self, accounts: &[AccountId]) -> Vec<Self> {
        let each = accounts.iter().map(|account| self.clone().on(account));
        each.collect()
    }

    fn by(mut self, token: &TokenId) -> Self {
        self.consumer = Some(token.clone());
        self
    }

    fn about(mut self, reservation: ReservationId) -> Self {
        self.reservation = Some(reservation);
        self
    }

    fn on(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    fn typed(self, account_type: &AccountType) -> Self {
        self.with("type", Detail::Text(account_type.as_str().to_owned()))
    }

    fn regarding(self, subject: Option<&Subject>) -> Self {
        match subject {
            Some(Subject::Account(account)) => self.on(account),
            Some(Subject::Reservation(reservation)) => self.about(*reservation),
            Some(Subject::Type(label)) => self.typed(label),
            None => self,
        }
    }

    /// Adds who wanted it, why, and from where; nothing where that was whoever runs the program.
    fn wanted(self, by: Option<&Operator>) -> Self {
        let Some(Operator {
            token,
            reason,
            from,
        }) = by
        else {
            return self;
        };
        let entry = self.by(token).with("reason", Detail::Text(reason.clone()));
        match from {
            Some(from) => entry.with("from", Detail::Text(from.to_string())),
            None => entry,
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: Detail) -> Self {
        self.details.push((name, detail));
        self
    }
}
