//! What has happened: the facts that a turn produced, in order.
//!
//! [`Event::JobIssued`] is the only one with an effect, a message to a cleaner. All of them are for
//! the log, and some for the audit. None carries a secret.

use std::fmt;

use super::account::{Phase, Purpose, Quarantine};
use super::credentials::{Credential, KeyChange, ManagementKey, ManagementKeys};
use super::ids::{
    AccountId, AccountType, Fence, Generation, ReservationId, Subject, Timestamp, TokenId, rfc3339,
};
use super::operator::Operator;
use super::progress::{Lasting, Progress};
use super::reconfiguration::Reconfigured;
use super::reservation::EndReason;
use super::view::TypeStatistics;

/// One thing that a cleaner is asked to do: one call of the Cloud port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Takes lease credentials away, the given one first.
    Revoke(Option<Credential>),
    /// Verifies the account.
    Verify,
    /// Makes one deleting pass.
    Sweep,
    /// Reads the whole account.
    Prove,
    /// Makes this management key.
    Rotate(ManagementKey),
    /// Takes away every management key but the current one.
    Retire,
    /// Makes the lease credential of the job's fence.
    Mint {
        /// The master key to derive it from.
        generation: Generation,
        /// When IBM Cloud itself is to stop accepting it.
        expires_at: Timestamp,
    },
    /// Tells whether the lease credential works.
    Probe(Credential),
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what the variant says")]
pub enum Event {
    /// Somebody asked for an account.
    ReservationRequested {
        reservation: ReservationId,
        token: TokenId,
        account_type: AccountType,
        count: usize,
    },
    /// A reservation got what it asked for.
    ReservationGranted {
        reservation: ReservationId,
        token: TokenId,
        leases: Vec<(AccountId, Fence)>,
        expiration: Timestamp,
    },
    /// A reservation's owner has been shown the credentials of what it holds.
    CredentialShown {
        reservation: ReservationId,
        token: TokenId,
        accounts: Vec<AccountId>,
    },
    /// A lease goes on.
    ReservationRenewed {
        reservation: ReservationId,
        token: TokenId,
        expiration: Timestamp,
        /// Whether its end by duration has moved, and not only its time without a renewal begun anew.
        is_longer: bool,
    },
    /// A reservation is over.
    ReservationEnded {
        reservation: ReservationId,
        token: TokenId,
        reason: EndReason,
        accounts: Vec<AccountId>,
    },
    /// An ended reservation can no longer be read.
    ReservationForgotten { reservation: ReservationId },
    /// A cleaning began.
    CleaningStarted {
        account: AccountId,
        purpose: Purpose,
    },
    /// A cleaner is to be called.
    JobIssued {
        account: AccountId,
        fence: Fence,
        keys: ManagementKeys,
        job: Job,
    },
    /// A cleaner did not answer in time.
    JobTimedOut { account: AccountId, phase: Phase },
    /// No lease credential is left.
    CredentialRevoked { account: AccountId },
    /// A lease credential was made, for a lease that is to come.
    CredentialMinted { account: AccountId, fence: Fence },
    /// A pass of a sweep ended: where the cleaning is, and for how long it has been there.
    PassEnded {
        account: AccountId,
        pass: u32,
        progress: Progress,
        stuck: usize,
        lasting: Lasting,
        /// Whether it is not what was said before, or that was a while ago.
        is_news: bool,
    },
    /// A proof found something.
    ProofFailed {
        account: AccountId,
        leftovers: usize,
    },
    /// A second proof found nothing either.
    AccountProven { account: AccountId },
    /// A fault was met; the phase goes on later.
    FaultMet {
        account: AccountId,
        phase: Phase,
        error: String,
        retry_at: Timestamp,
    },
    /// A cleaning ran out of time and begins anew.
    CleaningTimedOut { account: AccountId, attempt: u32 },
    /// The account's management key changed.
    KeyChanged {
        account: AccountId,
        account_type: AccountType,
        key: ManagementKey,
        cause: KeyChange,
    },
    /// A verification found that the account cannot be used as it is.
    VerificationFailed {
        account: AccountId,
        account_type: AccountType,
        reason: String,
    },
    /// The account can be granted.
    AccountReady { account: AccountId },
    /// The account needs a person.
    AccountQuarantined {
        account: AccountId,
        account_type: AccountType,
        quarantine: Quarantine,
    },
    /// An operator wants the account cleaned.
    CleaningRequested {
        account: AccountId,
        by: Option<Operator>,
    },
    /// An operator wants the account out.
    DrainRequested {
        account: AccountId,
        by: Option<Operator>,
    },
    /// The account is out.
    AccountDrained { account: AccountId },
    /// An operator brought the account back.
    AccountEnabled {
        account: AccountId,
        by: Option<Operator>,
    },
    /// An operator wants to look at the account.
    QuarantineRequested {
        account: AccountId,
        by: Option<Operator>,
    },
    /// An operator wants the reservation to end.
    RevocationRequested {
        reservation: ReservationId,
        by: Option<Operator>,
    },
    /// What an operator wants cannot be done.
    InterventionRefused {
        intervention: &'static str,
        /// What it was to be done to, if there is such a thing.
        subject: Option<Subject>,
        refusal: String,
        by: Operator,
    },
    /// The operator wants the account's management key rotated.
    RotationRequested { account: AccountId },
    /// The operator's file says something else from now on.
    Reconfigured(Box<Reconfigured>),
    /// The operator's file names the account from now on.
    AccountAdded {
        account: AccountId,
        account_type: AccountType,
    },
    /// The operator's file says something else about the account.
    AccountChanged {
        account: AccountId,
        account_type: AccountType,
    },
    /// The operator's file does not name the account any more.
    AccountRemoved { account: AccountId },
    /// Somebody has waited for too long.
    PoolExhausted {
        account_type: AccountType,
        oldest_wait: Lasting,
        counts: TypeStatistics,
    },
    /// Nobody waits any more.
    PoolRecovered {
        account_type: AccountType,
        lasted: Lasting,
    },
    /// Keys are derived from another master key from now on.
    MasterKeyIntroduced { generation: Generation },
    /// No key is derived from a master key any more.
    MasterKeyForgotten { generation: Generation },
}

impl fmt::Display for Event {
    #[expect(
        clippy::too_many_lines,
        reason = "a table: a line of the log for each event"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservationRequested {
                reservation,
                token,
                account_type,
                count: 1,
            } => write!(
                f,
                "reservation {reservation}: {token} asks for a {account_type} account"
            ),
            Self::ReservationRequested {
                reservation,
                token,
                account_type,
                count,
            } => write!(
                f,
                "reservation {reservation}: {token} asks for {count} {account_type} accounts"
            ),
            Self::ReservationGranted {
                reservation,
                token,
                leases,
                expiration,
            } => write!(
                f,
                "reservation {reservation}: {token} gets {} until {}",
                named(leases.iter().map(|(account, _)| account)),
                rfc3339(expiration.truncate_to_second())
            ),
            Self::CredentialShown {
                reservation,
                accounts,
                ..
            } => write!(
                f,
                "reservation {reservation}: credential of {} fetched",
                named(accounts.iter())
            ),
            Self::ReservationRenewed {
                reservation,
                expiration,
                ..
            } => write!(
                f,
                "reservation {reservation}: renewed until {}",
                rfc3339(expiration.truncate_to_second())
            ),
            Self::ReservationEnded {
                reservation,
                reason,
                accounts,
                ..
            } => {
                write!(f, "reservation {reservation}: {}", reason.as_str())?;
                match accounts[..] {
                    [] => Ok(()),
                    [_] => write!(f, ", {} comes back", named(accounts.iter())),
                    _ => write!(f, ", {} come back", named(accounts.iter())),
                }
            }
            Self::ReservationForgotten { reservation } => {
                write!(f, "reservation {reservation}: forgotten")
            }
            Self::CleaningStarted { account, purpose } => {
                write!(f, "account {account}: {}", purpose.as_sentence())
            }
            Self::JobIssued {
                account,
                fence,
                job,
                ..
            } => write!(f, "account {account}: {} (fence {fence})", job.as_str()),
            Self::JobTimedOut { account, phase } => write!(
                f,
                "account {account}: no answer to {}, tried again",
                phase.as_str()
            ),
            Self::CredentialRevoked { account } => {
                write!(f, "account {account}: no lease credential is left")
            }
            Self::CredentialMinted { account, fence } => {
                write!(
                    f,
                    "account {account}: lease credential of fence {fence} made"
                )
            }
            Self::PassEnded {
                account,
                pass,
                progress,
                stuck,
                lasting,
                ..
            } => {
                write!(f, "account {account}: {progress}")?;
                if progress.remaining == 0 {
                    return write!(f, ": pass {pass} found nothing");
                }
                if *stuck > 0 {
                    write!(f, ", {stuck} of them refuse to go")?;
                }
                write!(f, ", pass {pass}, for {lasting}")
            }
            Self::ProofFailed { account, leftovers } => {
                write!(f, "account {account}: proof found {leftovers} leftovers")
            }
            Self::AccountProven { account } => write!(f, "account {account}: proven empty"),
            Self::FaultMet {
                account,
                phase,
                error,
                retry_at,
            } => write!(
                f,
                "account {account}: {} met a fault, next try at {}: {error}",
                phase.as_str(),
                rfc3339(retry_at.truncate_to_second())
            ),
            Self::CleaningTimedOut { account, attempt } => {
                write!(f, "account {account}: cleaning {attempt} ran out of time")
            }
            Self::KeyChanged { account, key, .. } => {
                write!(f, "account {account}: {key} is in use")
            }
            Self::VerificationFailed {
                account, reason, ..
            } => {
                write!(f, "account {account}: verification failed: {reason}")
            }
            Self::AccountReady { account } => write!(f, "account {account}: ready"),
            Self::AccountQuarantined {
                account,
                quarantine,
                ..
            } => write!(f, "account {account}: quarantined: {quarantine}"),
            Self::CleaningRequested { account, by } => {
                write!(f, "account {account}: is to be cleaned{}", Author(by))
            }
            Self::DrainRequested { account, by } => {
                write!(f, "account {account}: is to be drained{}", Author(by))
            }
            Self::AccountDrained { account } => write!(f, "account {account}: drained"),
            Self::AccountEnabled { account, by } => {
                write!(f, "account {account}: enabled{}", Author(by))
            }
            Self::QuarantineRequested { account, by } => {
                write!(f, "account {account}: is to be quarantined{}", Author(by))
            }
            Self::RevocationRequested { reservation, by } => {
                write!(
                    f,
                    "reservation {reservation}: is to be revoked{}",
                    Author(by)
                )
            }
            Self::InterventionRefused {
                intervention,
                subject,
                refusal,
                by,
            } => {
                if let Some(subject) = subject {
                    write!(f, "{subject}: ")?;
                }
                write!(f, "{intervention} refused, {refusal}, {by}")
            }
            Self::RotationRequested { account } => {
                write!(f, "account {account}: its management key is to be rotated")
            }
            Self::Reconfigured(changes) => write!(f, "configuration: {changes}"),
            Self::AccountAdded {
                account,
                account_type,
            } => write!(
                f,
                "account {account}: joins the pool, of type {account_type}"
            ),
            Self::AccountChanged {
                account,
                account_type,
            } => write!(
                f,
                "account {account}: has other settings now, of type {account_type}"
            ),
            Self::AccountRemoved { account } => {
                write!(f, "account {account}: is not in the configuration any more")
            }
            Self::PoolExhausted {
                account_type,
                oldest_wait,
                counts,
            } => write!(
                f,
                "type {account_type}: exhausted, {} wait, the first for {oldest_wait}",
                counts.pending,
            ),
            Self::PoolRecovered {
                account_type,
                lasted,
            } => write!(
                f,
                "type {account_type}: nobody waits any more, exhausted for {lasted}",
            ),
            Self::MasterKeyIntroduced { generation } => {
                write!(
                    f,
                    "master key {generation}: keys are derived from it from now on"
                )
            }
            Self::MasterKeyForgotten { generation } => {
                write!(f, "master key {generation}: no account needs it any more")
            }
        }
    }
}

/// Who wanted it, where that is known, behind what was wanted.
struct Author<'a>(&'a Option<Operator>);

impl fmt::Display for Author<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(operator) => write!(f, ", {operator}"),
            None => Ok(()),
        }
    }
}

/// Returns how a line of the log names accounts.
fn named<'a>(accounts: impl Iterator<Item = &'a AccountId>) -> String {
    let names: Vec<&str> = accounts.map(AccountId::as_str).collect();
    match names[..] {
        [name] => format!("account {name}"),
        _ => format!("accounts {}", names.join(", ")),
    }
}

impl Event {
    /// Tells whether the operator should look.
    #[must_use]
    pub fn is_alarming(&self) -> bool {
        matches!(
            self,
            Self::AccountQuarantined { .. }
                | Self::CleaningTimedOut { .. }
                | Self::JobTimedOut { .. }
                | Self::FaultMet { .. }
                | Self::VerificationFailed { .. }
                | Self::PoolExhausted { .. }
        )
    }
}

impl Job {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Revoke(_) => "revoke",
            Self::Verify => "verify",
            Self::Sweep => "sweep",
            Self::Prove => "prove",
            Self::Rotate(_) => "rotate",
            Self::Retire => "retire",
            Self::Mint { .. } => "mint",
            Self::Probe(_) => "probe",
        }
    }
}

impl Phase {
    /// Returns the phase's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Verify => "verify",
            Self::Sweep => "sweep",
            Self::ProveOnce => "first proof",
            Self::ProveTwice => "second proof",
            Self::Rotate => "rotate",
            Self::Retire => "retire",
            Self::Mint => "mint",
            Self::Probe => "probe",
        }
    }
}

impl Purpose {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Check => "check",
            Self::Remint => "remint",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
        }
    }

    fn as_sentence(self) -> &'static str {
        match self {
            Self::Full => "cleaning starts",
            Self::Check => "verification is due",
            Self::Remint => "a fresh lease credential is due",
            Self::Rotate => "a fresh management key is due",
            Self::Revoke => "its lease credential is taken away",
        }
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than a log line wants to name.
        const NAMED: usize = 10;
        f.write_str(&self.reason)?;
        for leftover in self.leftovers.iter().take(NAMED) {
            write!(f, "; {leftover}")?;
        }
        let more = self.leftovers.len().saturating_sub(NAMED);
        if more > 0 {
            write!(f, "; and {more} more")?;
        }
        match self.revoke {
            Some(_) => {
                f.write_str("; a lease credential may still work, and is tried to be revoked")
            }
            None => Ok(()),
        }
    }
}
