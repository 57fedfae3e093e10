//! What a simulator is started with: its accounts, its lags and its time.
//!
//! Depends on the clock and the random generator only.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use super::clock::Time;
use super::random::Random;

/// Everything that [`Simulator::start`](super::Simulator::start) needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The accounts that exist. Ids and API keys must differ.
    pub accounts: Vec<AccountSpec>,
    /// How slow and how awkward the imitated services are.
    pub lags: Lags,
    /// How time passes.
    pub time: Time,
    /// What ids, chosen secrets and random faults are derived from: equal seeds, equal runs.
    pub seed: u64,
}

/// One account at the start: empty but for its owner, the owner's API key and what every account has
/// (default resource group, default service-id group, *Public Access* group).
#[derive(Clone)]
pub struct AccountSpec {
    /// 32 hex digits.
    pub id: String,
    /// The account's name.
    pub name: String,
    /// The owner's e-mail address.
    pub owner_email: String,
    /// The owner's IAM id, `IBMid-…`.
    pub owner_iam_id: String,
    /// The value of the owner's API key.
    pub api_key: SecretString,
}

impl AccountSpec {
    /// Makes a plausible account named after `label` and `number`. Everything in it follows from the
    /// three arguments.
    #[must_use]
    pub fn generate(label: &str, number: usize, seed: u64) -> Self {
        let named = label.bytes().fold(seed, |mixed, byte| {
            Random::new(mixed ^ u64::from(byte)).next()
        });
        let mut random = Random::new(named.wrapping_add(number as u64));
        Self {
            id: random.hex(),
            name: format!("{label}-{number}"),
            owner_email: format!("owner-{label}-{number}@example.com"),
            owner_iam_id: format!("IBMid-{}", &random.hex()[..10].to_uppercase()),
            api_key: random.key_value().into(),
        }
    }
}

impl fmt::Debug for AccountSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountSpec")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("owner_iam_id", &self.owner_iam_id)
            .finish_non_exhaustive()
    }
}

/// How slow the imitated services are, and how awkward. Durations are of the simulator's clock.
#[derive(Debug, Clone)]
pub struct Lags {
    /// From a policy's or a membership's creation until it gives rights, and from that of a
    /// context-based restriction until it takes them.
    pub policy_effect: Duration,
    /// From the removal of a policy, a membership or a subject until its rights are gone, and of a
    /// context-based restriction until they are back (`ibm-cloud.md` 4, 5.4).
    pub policy_removal: Duration,
    /// From the creation of an asynchronous instance until it is active.
    pub instance_create: Duration,
    /// From an instance's DELETE until it reads `removed` or `pending_reclamation`.
    pub instance_delete: Duration,
    /// From then until its reclamation is listed (`ibm-cloud.md` 6.3).
    pub reclamation_appears: Duration,
    /// From the `reclaim` action until the instance is destroyed.
    pub reclaim: Duration,
    /// How far Global Search is behind the truth (`ibm-cloud.md` 7).
    pub search_index: Duration,
    /// How long a deleted resource group's name stays reserved (`ibm-cloud.md` 6.4).
    pub group_name_reserved: Duration,
    /// How long a user tag is still listed after it was detached from its last resource.
    pub detached_tag: Duration,
    /// From the v3 removal of a user until they are gone.
    pub user_removal: Duration,
    /// From the creation of a VPC resource, or of one of the network services beside it, until it is
    /// usable, from a change of one until it can be
    /// changed again, and from the loss of a member until its instance group has another.
    pub vpc_create: Duration,
    /// From the DELETE of most VPC resources, of connections, of Transit Gateways and of what DNS
    /// Services hold in a VPC until they are gone.
    pub vpc_delete: Duration,
    /// The same for instances, instance groups, load balancers, VPN gateways and Direct Links (`ibm-cloud.md` 8.2:
    /// up to 30 minutes).
    pub vpc_slow_delete: Duration,
    /// From one round of a backup plan to the next; none are made when it is zero.
    pub vpc_backup: Duration,
    /// From the end of a cluster until its workers and its load balancer go, too (`ibm-cloud.md` 8.2,
    /// invisible holders).
    pub cluster_linger: Duration,
    /// From one apply of a Schematics workspace to the next; there is the first only when it is zero.
    pub workspace_apply: Duration,
    /// Lifetime of an access token; `None` leaves it to each account's settings (3600 s at first).
    pub token_lifetime: Option<Duration>,
    /// How often an asynchronous operation must be looked at, besides its time, before it ends.
    pub async_polls: u32,
    /// How many deletions of a service id are answered 409 before one succeeds.
    pub service_id_conflicts: u32,
    /// The status that answers the deletion of an instance pending reclamation: 400 or 422
    /// (`ibm-cloud.md` 6.1 knows both).
    pub pending_reclamation_status: u16,
}

impl Lags {
    /// Everything takes effect at once.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            policy_effect: Duration::ZERO,
            policy_removal: Duration::ZERO,
            instance_create: Duration::ZERO,
            instance_delete: Duration::ZERO,
            reclamation_appears: Duration::ZERO,
            reclaim: Duration::ZERO,
            search_index: Duration::ZERO,
            group_name_reserved: Duration::ZERO,
            detached_tag: Duration::ZERO,
            user_removal: Duration::ZERO,
            vpc_create: Duration::ZERO,
            vpc_delete: Duration::ZERO,
            vpc_slow_delete: Duration::ZERO,
            vpc_backup: Duration::ZERO,
            cluster_linger: Duration::ZERO,
            workspace_apply: Duration::ZERO,
            token_lifetime: None,
            async_polls: 0,
            service_id_conflicts: 0,
            pending_reclamation_status: 422,
        }
    }

    /// Every awkwardness is there, and none lasts longer than about a second: for demonstrations.
    #[must_use]
    pub const fn short() -> Self {
        Self {
            policy_effect: Duration::from_millis(300),
            policy_removal: Duration::from_millis(800),
            instance_create: Duration::from_millis(300),
            instance_delete: Duration::from_millis(600),
            reclamation_appears: Duration::from_millis(400),
            reclaim: Duration::from_millis(800),
            search_index: Duration::from_secs(1),
            group_name_reserved: Duration::from_secs(1),
            detached_tag: Duration::from_millis(500),
            user_removal: Duration::from_millis(500),
            vpc_create: Duration::from_millis(300),
            vpc_delete: Duration::from_millis(400),
            vpc_slow_delete: Duration::from_millis(800),
            vpc_backup: Duration::from_mins(1),
            cluster_linger: Duration::from_millis(800),
            workspace_apply: Duration::from_secs(1),
            token_lifetime: None,
            async_polls: 1,
            service_id_conflicts: 1,
            pending_reclamation_status: 422,
        }
    }

    /// As slow as the real services were seen to be.
    #[must_use]
    pub const fn realistic() -> Self {
        Self {
            policy_effect: Duration::from_secs(20),
            policy_removal: Duration::from_mins(10),
            instance_create: Duration::from_mins(1),
            instance_delete: Duration::from_secs(30),
            reclamation_appears: Duration::from_secs(15),
            reclaim: Duration::from_secs(20),
            search_index: Duration::from_mins(1),
            group_name_reserved: Duration::from_mins(5),
            detached_tag: Duration::from_mins(10),
            user_removal: Duration::from_secs(30),
            vpc_create: Duration::from_secs(20),
            vpc_delete: Duration::from_secs(30),
            vpc_slow_delete: Duration::from_mins(3),
            vpc_backup: Duration::from_hours(1),
            cluster_linger: Duration::from_mins(10),
            workspace_apply: Duration::from_mins(2),
            token_lifetime: None,
            async_polls: 2,
            service_id_conflicts: 1,
            pending_reclamation_status: 422,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AccountSpec;
    use secrecy::ExposeSecret;

    #[test]
    fn generated_accounts_follow_from_their_seed_and_differ() {
        let account = AccountSpec::generate("lite", 1, 42);
        assert_eq!(account.id, AccountSpec::generate("lite", 1, 42).id);
        assert_eq!(account.id.len(), 32);
        for other in [("lite", 2, 42), ("free", 1, 42), ("lite", 1, 43)] {
            let other = AccountSpec::generate(other.0, other.1, other.2);
            assert_ne!(account.id, other.id);
            assert_ne!(
                account.api_key.expose_secret(),
                other.api_key.expose_secret()
            );
        }
    }

    #[test]
    fn debug_of_an_account_hides_its_key() {
        let account = AccountSpec::generate("lite", 1, 42);
        assert!(!format!("{account:?}").contains(account.api_key.expose_secret()));
    }
}
