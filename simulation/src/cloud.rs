//! IBM Cloud in the simulation: the simulator's services, who owns the accounts, and the truth about
//! what is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use acctpool::ibm::{
    self, BaseUrl, Baselines, Endpoints, FleetingBaselines, Incoming, Keep, Limits, Outgoing,
    Profile, Rights,
};
use acctpool::keyring::{Keyring, MasterKey};
use acctpool::simulator::{AccountSpec, Direct, Fault, FaultAction, Lags, Mess, Settings, Time};
use acctpool_actors::pool::{
    AccountId, AccountType, Credential, Epoch, Fence, Generation, ManagementKey, ManagementKeys,
    Timestamp,
};
use awc::http::StatusCode;
use awc::http::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use uuid::Uuid;

/// How many accounts there are of each of the two types.
const ACCOUNTS_PER_TYPE: usize = 10;

/// The master key that everything is derived from.
const MASTER_KEY: Generation = Generation(0);

/// The label of the accounts whose leases have administrator's rights.
pub(crate) const ADMINISTRATED: &str = "lite";

/// In one life of so many, an account is cleaned by the profile `full`. Two thousand requests a cleaning
/// would leave little of a year in an hour, were it every account of every life.
const LIVES_PER_FULL_ACCOUNT: u64 = 12;

/// See the module.
pub(crate) struct Cloud {
    services: Direct,
    pub(crate) keyring: Arc<Keyring>,
    owners: BTreeMap<AccountId, Owner>,
    /// They outlive the processes, as the records do.
    baselines: Arc<dyn Baselines>,
}

/// An account as it was before anybody used it.
struct Owner {
    spec: AccountSpec,
    account_type: AccountType,
    profile: Profile,
    untouched: BTreeSet<String>,
    /// What in it cannot be deleted, by its ids.
    undeletable: BTreeSet<String>,
}

impl Cloud {
    /// Returns a cloud with untouched accounts.
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let specs: Vec<(AccountType, AccountSpec)> = ["free", ADMINISTRATED]
            .into_iter()
            .flat_map(|label| {
                let numbers = 0..ACCOUNTS_PER_TYPE;
                numbers.map(move |n| (label.into(), AccountSpec::generate(label, n, seed)))
            })
            .collect();
        let services = Direct::new(&Settings {
            accounts: specs.iter().map(|(_, spec)| spec.clone()).collect(),
            lags: Lags::realistic(),
            time: Time::Frozen(now),
            seed,
        });
        let mut full = seed
            .is_multiple_of(LIVES_PER_FULL_ACCOUNT)
            .then_some(ADMINISTRATED);
        let owners = specs.into_iter().map(|(account_type, spec)| {
            let is_full = full.take_if(|label| account_type.as_str() == *label);
            let untouched = services.inventory(&spec.id).lines.into_iter().collect();
            let owner = Owner {
                spec,
                account_type,
                profile: is_full.map_or(Profile::Lite, |_| Profile::Full),
                untouched,
                undeletable: BTreeSet::new(),
            };
            (owner.spec.id.as_str().into(), owner)
        });
        let owners = owners.collect();
        let master = MasterKey::random().expect("the system has random numbers");
        Self {
            services,
            owners,
            baselines: Arc::new(FleetingBaselines::default()),
            keyring: Arc::new(Keyring::new(master, Uuid::from_u128(1))),
        }
    }

    /// Returns the accounts with their types.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&AccountId, &AccountType)> {
        self.owners
            .iter()
            .map(|(id, owner)| (id, &owner.account_type))
    }

    /// Returns what the adapter is told of each account.
    pub(crate) fn settings(&self) -> Vec<ibm::Settings> {
        let url: BaseUrl = self
            .services
            .url()
            .parse()
            .expect("the services are on this machine");
        let of_owner = |(id, owner): (&AccountId, &Owner)| ibm::Settings {
            account: id.clone(),
            api_key: Some(owner.spec.api_key.clone()),
            owner: Some(owner.spec.owner_iam_id.clone()),
            rights: if owner.account_type.as_str() == ADMINISTRATED {
                Rights::Administrator
            } else {
                Rights::Standard
            },
            keep: Keep::default(),
            protected: BTreeSet::new(),
            endpoints: Endpoints::all_at(&url).into(),
            limits: Limits::default(),
            profile: owner.profile,
            baselines: Arc::clone(&self.baselines),
        };
        self.owners.iter().map(of_owner).collect()
    }

    /// Moves the cloud's time; what falls due happens.
    pub(crate) fn move_to(&self, now: Timestamp) {
        self.services.move_to(now);
    }

    /// Does what the service asks for, or what `strike` says; `None` means that nothing comes back.
    pub(crate) fn answer(
        &self,
        outgoing: &Outgoing,
        strike: Option<FaultAction>,
    ) -> Option<Incoming> {
        let mut headers = HashMap::new();
        for (name, value) in &outgoing.headers {
            let value = value.to_str().expect("acctpool's headers are text");
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
        let body = outgoing.body.as_ref().map_or("", |(media, body)| {
            headers.insert("content-type".to_owned(), (*media).to_owned());
            body
        });
        let target = outgoing
            .url
            .strip_prefix(self.services.url())
            .expect("calls go to configured endpoints only");
        let method = outgoing.method.as_str();
        let answer = self
            .services
            .answer(method, target, headers, body.as_bytes(), strike)?;
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers {
            let value = HeaderValue::from_str(&value).expect("the services' headers are text");
            headers.insert(HeaderName::from_static(name), value);
        }
        Some(Incoming {
            status: StatusCode::from_u16(answer.status)
                .expect("services answer with HTTP statuses"),
            headers,
            body: answer
                .body
                .map_or(Vec::new(), |body| body.to_string().into()),
        })
    }

    /// Makes a call as a borrower does, on a line that never fails: status and body.
    pub(crate) fn call(
        &self,
        method: &str,
        target: &str,
        token: Option<&str>,
        body: Option<(&str, &str)>,
    ) -> (u16, Value) {
        let mut headers = HashMap::new();
        if let Some(token) = token {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        let body = body.map_or("", |(media, body)| {
            headers.insert("content-type".to_owned(), media.to_owned());
            body
        });
        let answer = self
            .services
            .answer(method, target, headers, body.as_bytes(), None);
        answer.map_or((0, Value::Null), |answer| {
            (answer.status, answer.body.unwrap_or(Value::Null))
        })
    }

    /// Tells whether an account is cleaned of infrastructure in regions too.
    pub(crate) fn is_full(&self, account: &AccountId) -> bool {
        self.owners[account].profile == Profile::Full
    }

    /// Lets a borrower leave infrastructure in an account, as much as a life follows from `seed`.
    pub(crate) fn mess(&self, account: &AccountId, seed: u64) {
        let mess = Mess {
            seed,
            size: 12,
            undeletable: 0,
            networking: false,
            services: false,
        };
        let _everything_goes = self.services.mess(account.as_str(), &mess);
    }

    /// Lets a resource instance refuse to be deleted.
    pub(crate) fn forbid_deletion(&mut self, account: &AccountId, guid: &str) {
        let refusal = FaultAction::Status {
            status: 422,
            code: "RC-ServiceBrokerErrorResponse".to_owned(),
            message: "The broker refuses to delete this.".to_owned(),
            retry_after: None,
        };
        let fault = Fault::new(guid, refusal).method("DELETE");
        self.services.inject(fault.account(account.as_str()));
        let owner = self.owner_mut(account);
        owner.undeletable.insert(guid.to_owned());
    }

    /// Lets everything in an account be deleted again.
    pub(crate) fn allow_deletion(&mut self, account: &AccountId) {
        self.services.clear_faults_of(account.as_str());
        self.owner_mut(account).undeletable.clear();
    }

    /// Returns what in an account cannot be deleted, by its ids.
    pub(crate) fn undeletable(&self, account: &AccountId) -> &BTreeSet<String> {
        &self.owners[account].undeletable
    }

    /// Returns the id of the lease key of `fence`, if it opens the account now.
    pub(crate) fn lease_key(&self, account: &AccountId, fence: Fence) -> Option<String> {
        let value = self.lease_value(account, fence);
        self.services.working_key(value.expose_secret())
    }

    /// Returns the value of the lease key of `fence`.
    pub(crate) fn lease_value(&self, account: &AccountId, fence: Fence) -> SecretString {
        let value = self.keyring.lease(account, MASTER_KEY, fence);
        value.expect("there is one master key")
    }

    /// Tells whether the management key of `epoch` opens the account now.
    pub(crate) fn management_key_works(&self, account: &AccountId, epoch: Epoch) -> bool {
        let value = self.management_key(account, epoch);
        self.services.working_key(value.expose_secret()).is_some()
    }

    fn management_key(&self, account: &AccountId, epoch: Epoch) -> SecretString {
        let key = ManagementKey {
            epoch,
            generation: MASTER_KEY,
        };
        let derived = self.keyring.management(account, key);
        derived.unwrap_or_else(|| self.owners[account].spec.api_key.clone())
    }

    /// Returns what is in an account and should not be, where these credentials are in use.
    pub(crate) fn excess(
        &self,
        account: &AccountId,
        keys: ManagementKeys,
        credential: Option<&Credential>,
    ) -> Vec<String> {
        let owner = &self.owners[account];
        let mut in_use: BTreeSet<&str> = BTreeSet::new();
        if let Some(credential) = credential {
            in_use.extend([credential.service_id.as_str(), credential.key_id.as_str()]);
            in_use.extend(credential.policy_ids.iter().map(String::as_str));
        }
        let known: BTreeSet<Epoch> = keys.known().map(|key| key.epoch).collect();
        let lines = self.services.inventory(account.as_str()).lines;
        let belongs = |line: &String| {
            let mut words = line.split(' ');
            let collection = words.next().unwrap_or_default();
            let id = words.next().unwrap_or_default();
            let name = words.next().unwrap_or_default().trim_matches('"');
            let epoch = match (collection, owner.untouched.contains(line)) {
                ("api_keys", true) => Some(Epoch(0)),
                ("api_keys", false) => epoch_of(name),
                (_, true) => return true,
                _ => None,
            };
            epoch.is_some_and(|epoch| known.contains(&epoch)) || in_use.contains(id)
        };
        lines.into_iter().filter(|line| !belongs(line)).collect()
    }

    /// Returns the ids of the service IDs in an account that were made for leases.
    pub(crate) fn lease_service_ids(&self, account: &AccountId) -> Vec<String> {
        let inventory = self.services.inventory(account.as_str());
        let service_ids = inventory.of("service_ids").into_iter();
        service_ids
            .filter(|line| line.contains("\"acctpool-lease-"))
            .filter_map(|line| line.split(' ').nth(1).map(ToOwned::to_owned))
            .collect()
    }

    /// Returns the secrets that came to exist after so many.
    pub(crate) fn secrets_after(&self, known: usize) -> Vec<SecretString> {
        self.services.secrets_after(known)
    }

    /// Forgets the log of requests.
    pub(crate) fn forget_requests(&self) {
        self.services.clear_requests();
    }

    fn owner_mut(&mut self, account: &AccountId) -> &mut Owner {
        self.owners
            .get_mut(account)
            .expect("the cloud knows every account of the pool")
    }
}

fn epoch_of(name: &str) -> Option<Epoch> {
    let digits = name.strip_prefix("acctpool-mgmt-")?;
    digits.parse().ok().map(Epoch)
}
