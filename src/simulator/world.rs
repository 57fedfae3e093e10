//! The truth of the simulator: every account and everything in it.
//!
//! Knows the services' types, since an account is made of them, but no HTTP. Promises that time-driven
//! changes happen in the order of their times, however late somebody looks.

use std::collections::{BTreeMap, HashMap};

use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::call::{Call, Caller};
use super::clock::Clock;
use super::random::Random;
use super::services::access_groups::AccessGroups;
use super::services::api_keys::ApiKey;
use super::services::classic;
use super::services::clusters::Clusters;
use super::services::context_restrictions::Restrictions;
use super::services::direct_links;
use super::services::dns::Dns;
use super::services::identity_settings::IdentitySettings;
use super::services::key_protect::Key;
use super::services::object_storage::Bucket;
use super::services::policies::{Policy, RemovedPolicy};
use super::services::reclamations::Reclamation;
use super::services::registry::Namespace;
use super::services::resource_attachments::Attachment;
use super::services::resource_groups::ResourceGroups;
use super::services::resource_instances::Instance;
use super::services::roles::CustomRole;
use super::services::schematics::Workspace;
use super::services::search::Index;
use super::services::service_ids::{ServiceId, ServiceIdGroup};
use super::services::tags::Tag;
use super::services::transit_gateways;
use super::services::trusted_profiles::{IdentityProvider, Profile};
use super::services::users::User;
use super::services::vpc::Vpc;
use super::settings::{AccountSpec, Lags, Settings};

/// All accounts, and the tokens and secrets ever issued.
pub(super) struct World {
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) clock: Clock,
    pub(super) secrets: Vec<SecretString>,
    tokens: HashMap<String, Token>,
}

/// What an issued access token proves, until it expires.
pub(super) struct Token {
    pub(super) caller: Caller,
    pub(super) expires_at: OffsetDateTime,
}

/// One account. Collections are in order of creation.
pub(super) struct Account {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner_email: String,
    pub(super) owner_iam_id: String,
    pub(super) lags: Lags,
    pub(super) random: Random,
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) service_ids: Vec<ServiceId>,
    pub(super) service_id_groups: Vec<ServiceIdGroup>,
    pub(super) profiles: Vec<Profile>,
    pub(super) identity_providers: Vec<IdentityProvider>,
    pub(super) identity_settings: IdentitySettings,
    pub(super) policies: Vec<Policy>,
    pub(super) removed_policies: Vec<RemovedPolicy>,
    pub(super) custom_roles: Vec<CustomRole>,
    pub(super) access_groups: AccessGroups,
    pub(super) users: Vec<User>,
    pub(super) instances: Vec<Instance>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) reclamations: Vec<Reclamation>,
    pub(super) resource_groups: ResourceGroups,
    pub(super) tags: Vec<Tag>,
    pub(super) vpc: Vpc,
    pub(super) clusters: Clusters,
    pub(super) namespaces: Vec<Namespace>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) transit_gateways: Vec<transit_gateways::Gateway>,
    pub(super) direct_links: Vec<direct_links::Gateway>,
    pub(super) dns: Dns,
    pub(super) keys: Vec<Key>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) restrictions: Restrictions,
    pub(super) classic: Vec<classic::Item>,
    pub(super) index: Index,
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let clock = Clock::new(settings.time);
        let now = clock.now();
        let mut random = Random::new(settings.seed);
        let mut world = Self {
            accounts: BTreeMap::new(),
            clock,
            secrets: Vec::new(),
            tokens: HashMap::new(),
        };
        for spec in &settings.accounts {
            world.secrets.push(spec.api_key.clone());
            let account = Account::new(spec, settings.lags.clone(), random.fork(), now);
            world.accounts.insert(spec.id.clone(), account);
        }
        world
    }

    /// Does everything that time has brought about up to `now`.
    pub(super) fn settle(&mut self, now: OffsetDateTime) {
        for account in self.accounts.values_mut() {
            account.settle(now);
        }
    }

    /// The caller's account.
    pub(super) fn account(&self, call: &Call) -> &Account {
        self.accounts
            .get(&call.caller.account)
            .expect("a token names an account that exists, and accounts are never removed")
    }

    /// The caller's account, to be changed.
    pub(super) fn account_mut(&mut self, call: &Call) -> &mut Account {
        self.accounts
            .get_mut(&call.caller.account)
            .expect("a token names an account that exists, and accounts are never removed")
    }

    pub(super) fn remember_token(&mut self, value: &str, token: Token) {
        self.secrets.push(value.to_owned().into());
        self.tokens.insert(value.to_owned(), token);
    }

    /// Whom a token stands for. The key behind it may be long deleted (`ibm-cloud.md` 4).
    pub(super) fn caller(&self, token: &str, now: OffsetDateTime) -> Option<&Caller> {
        let token = self.tokens.get(token)?;
        (now < token.expires_at).then_some(&token.caller)
    }

    /// The key with this value, and its account.
    pub(super) fn find_key(&self, value: &str) -> Option<(&Account, &ApiKey)> {
        self.accounts.values().find_map(|account| {
            let key = account
                .api_keys
                .iter()
                .find(|key| key.value.expose_secret() == value)?;
            Some((account, key))
        })
    }
}

impl Account {
    fn new(spec: &AccountSpec, lags: Lags, mut random: Random, now: OffsetDateTime) -> Self {
        let owner_key = ApiKey::of_owner(spec, &mut random, now);
        let default_group = ServiceIdGroup::default_group(&mut random, now);
        let identity_settings = IdentitySettings::new(&mut random);
        let resource_groups = ResourceGroups::new(&mut random, now);
        let owner = User::owner(spec, &mut random, now);
        let group = &resource_groups.groups[0].id;
        let vpc = Vpc::new(&spec.id, group, lags.clone(), random.fork());
        let mut account = Self {
            id: spec.id.clone(),
            name: spec.name.clone(),
            owner_email: spec.owner_email.clone(),
            owner_iam_id: spec.owner_iam_id.clone(),
            lags,
            random,
            api_keys: vec![owner_key],
            service_ids: Vec::new(),
            service_id_groups: vec![default_group],
            profiles: Vec::new(),
            identity_providers: Vec::new(),
            identity_settings,
            policies: Vec::new(),
            removed_policies: Vec::new(),
            custom_roles: Vec::new(),
            access_groups: AccessGroups::new(now),
            users: vec![owner],
            instances: Vec::new(),
            attachments: Vec::new(),
            reclamations: Vec::new(),
            resource_groups,
            tags: Vec::new(),
            vpc,
            clusters: Clusters::default(),
            namespaces: Vec::new(),
            workspaces: Vec::new(),
            transit_gateways: Vec::new(),
            direct_links: Vec::new(),
            dns: Dns::default(),
            keys: Vec::new(),
            buckets: Vec::new(),
            restrictions: Restrictions::default(),
            classic: Vec::new(),
            index: Index::default(),
        };
        // What exists from the start has been indexed long ago.
        account.publish(now - account.lags.search_index);
        account
    }

    /// Records the state of `now` for the search index, which shows it after its lag.
    pub(super) fn publish(&mut self, now: OffsetDateTime) {
        let lag = self.lags.search_index;
        let items = self.searchable();
        self.index.record_all(now, items, lag);
        self.publish_infrastructure(now);
    }

    /// The same for what VPC infrastructure alone has changed: it costs what has changed, and not what
    /// there is.
    pub(super) fn publish_infrastructure(&mut self, now: OffsetDateTime) {
        let lag = self.lags.search_index;
        for crn in self.vpc.take_changed() {
            let resource = self.vpc.named_by_crn(&crn);
            let item = resource.map(|resource| self.searchable_resource(resource, &crn));
            if item.is_none() {
                self.detach_all_tags(&crn, now);
            }
            self.index.record(now, &crn, item, lag);
        }
    }

    fn settle(&mut self, now: OffsetDateTime) {
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            let in_infrastructure = self.next_due_elsewhere() != Some(due);
            self.settle_instances(due);
            self.settle_reclamations(due);
            self.settle_users(due);
            self.settle_tags(due);
            self.settle_clusters(due);
            self.settle_workspaces(due);
            self.settle_transit_gateways(due);
            self.settle_direct_links(due);
            self.settle_dns(due);
            self.vpc.settle(due);
            if in_infrastructure {
                self.publish_infrastructure(due);
            } else {
                self.publish(due);
            }
        }
        self.forget_lapsed_rights(now);
    }

    /// When something changes next by time alone.
    fn next_due(&self) -> Option<OffsetDateTime> {
        let dues = self.vpc.next_due().into_iter();
        let applies = self.workspaces.iter().filter_map(Workspace::due);
        dues.chain(applies).chain(self.next_due_elsewhere()).min()
    }

    /// The same for everything that changes more than VPC infrastructure.
    fn next_due_elsewhere(&self) -> Option<OffsetDateTime> {
        let instances = self.instances.iter().filter_map(Instance::due);
        let reclamations = self.reclamations.iter().filter_map(Reclamation::due);
        let users = self.users.iter().filter_map(User::due);
        let tags = self.tags.iter().filter_map(|tag| tag.due(&self.lags));
        let clusters = self.clusters.due().into_iter();
        let transit = self.transit_gateways.iter();
        let transit = transit.filter_map(transit_gateways::Gateway::due);
        let direct = self.direct_links.iter();
        let direct = direct.filter_map(direct_links::Gateway::due);
        let networks = transit.chain(direct).chain(self.dns.due());
        let platform = instances.chain(reclamations).chain(users).chain(tags);
        platform.chain(clusters).chain(networks).min()
    }

    fn forget_lapsed_rights(&mut self, now: OffsetDateTime) {
        let removal = self.lags.policy_removal;
        self.removed_policies
            .retain(|removed| now < removed.at + removal);
        self.access_groups.forget_former_members(now, removal);
        self.restrictions.forget_lapsed(&self.lags, now);
    }
}
