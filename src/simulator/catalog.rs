//! The catalogue: which plans the simulator knows, and how instances of each come and go.
//!
//! Depends on nothing. A plan that is not listed behaves as [`PLAIN`] does.

/// A service plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The service's name, as CRNs and policies have it.
    pub service: &'static str,
    /// The service's id in the global catalogue.
    pub resource_id: &'static str,
    /// The plan's id: what a creation asks for as `resource_plan_id`.
    pub plan_id: &'static str,
    /// How instances are deleted.
    pub deletion: Deletion,
    /// Whether instances are provisioned asynchronously.
    pub slow_to_create: bool,
    /// Whether an account may have one instance only, as of Lite plans (`ibm-cloud.md` 10).
    pub single: bool,
}

/// How the instances of a plan are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// DELETE answers 204, and the instance is removed at once.
    Immediate,
    /// DELETE answers 202, and the instance is removed later.
    Slow,
    /// DELETE answers 204, and the instance awaits reclamation later (`ibm-cloud.md` 6.1).
    Reclaimed,
    /// DELETE answers 202, and the instance awaits reclamation later.
    SlowThenReclaimed,
    /// DELETE is refused by the broker for ever: 422.
    Refused,
}

/// Object Storage, standard plan: 204, then pending reclamation.
pub const COS_STANDARD: Plan = Plan {
    service: "cloud-object-storage",
    resource_id: "dff97f5c-bc5e-4455-b470-411c3edbe49c",
    plan_id: "744bfc56-d12c-4866-88d5-dac9139e0e5d",
    deletion: Deletion::Reclaimed,
    slow_to_create: false,
    single: false,
};

/// Object Storage, Lite plan: one per account, deleted at once.
pub const COS_LITE: Plan = Plan {
    service: "cloud-object-storage",
    resource_id: "dff97f5c-bc5e-4455-b470-411c3edbe49c",
    plan_id: "2fdf0c08-2d32-4f46-84b5-32e0c92fffd8",
    deletion: Deletion::Immediate,
    slow_to_create: false,
    single: true,
};

/// A database: everything takes time, and its deletion ends in pending reclamation.
pub const DATABASE: Plan = Plan {
    service: "databases-for-postgresql",
    resource_id: "databases-for-postgresql",
    plan_id: "databases-for-postgresql-standard",
    deletion: Deletion::SlowThenReclaimed,
    slow_to_create: true,
    single: false,
};

/// Code Engine: a project is an instance of this plan (`ibm-cloud.md` 9).
pub const CODE_ENGINE: Plan = Plan {
    service: "codeengine",
    resource_id: "2ad2fdd0-bba5-11ea-8966-5d6402fed1c7",
    plan_id: "814fb158-af9c-4d3c-a06b-c7da42392845",
    deletion: Deletion::SlowThenReclaimed,
    slow_to_create: true,
    single: false,
};

/// Secrets Manager: 204, then pending reclamation.
pub const SECRETS_MANAGER: Plan = Plan {
    service: "secrets-manager",
    resource_id: "secrets-manager",
    plan_id: "7713c3a8-3be8-4a9a-81bb-ee822fcaac3d",
    deletion: Deletion::Reclaimed,
    slow_to_create: true,
    single: false,
};

/// Key Protect: refused while a key is not destroyed; then 204 and pending reclamation.
pub const KEY_PROTECT: Plan = Plan {
    service: "kms",
    resource_id: "ee41347f-b18e-4ca6-bf80-b5467c63f9a6",
    plan_id: "eedd3585-90c6-4c8f-be3d-062069e99fc3",
    deletion: Deletion::Reclaimed,
    slow_to_create: false,
    single: false,
};

/// DNS Services: refused while it has a custom resolver or a permitted network.
pub const DNS_SERVICES: Plan = Plan {
    service: "dns-svcs",
    resource_id: "b4ed8a30-936f-11e9-b289-1d079699cbe5",
    plan_id: "2c8fa097-d7c2-4df2-b53e-2efb7874cdf7",
    deletion: Deletion::Slow,
    slow_to_create: false,
    single: false,
};

/// Hyper Protect Crypto Services: refused while its crypto units are initialised. Both ids are the
/// simulator's own.
pub const HYPER_PROTECT: Plan = Plan {
    service: "hs-crypto",
    resource_id: "hs-crypto",
    plan_id: "hs-crypto-standard",
    deletion: Deletion::Slow,
    slow_to_create: false,
    single: false,
};

/// A `PowerVS` workspace: its end takes its contents along, and its time.
pub const POWER_VS: Plan = Plan {
    service: "power-iaas",
    resource_id: "abd259f0-9990-11e8-acc8-b9f54a8f1661",
    plan_id: "f165dd34-3a40-423b-9d95-e90a23f724dd",
    deletion: Deletion::Slow,
    slow_to_create: true,
    single: false,
};

/// A plain service: 202, then removed. Plans that the catalogue does not know behave like this one.
pub const PLAIN: Plan = Plan {
    service: "simulated-service",
    resource_id: "51a1e000-0000-4000-8000-000000000001",
    plan_id: "51a1e000-0000-4000-8000-0000000000a1",
    deletion: Deletion::Slow,
    slow_to_create: false,
    single: false,
};

/// A service whose broker refuses every deletion.
pub const REFUSING: Plan = Plan {
    service: "simulated-refusing-service",
    resource_id: "51a1e000-0000-4000-8000-000000000002",
    plan_id: "51a1e000-0000-4000-8000-0000000000a2",
    deletion: Deletion::Refused,
    slow_to_create: false,
    single: false,
};

/// Every plan of the catalogue.
pub const PLANS: &[Plan] = &[
    COS_STANDARD,
    COS_LITE,
    DATABASE,
    CODE_ENGINE,
    SECRETS_MANAGER,
    KEY_PROTECT,
    DNS_SERVICES,
    HYPER_PROTECT,
    POWER_VS,
    PLAIN,
    REFUSING,
];

/// The plan with this id, if the catalogue knows it.
pub(super) fn find(plan_id: &str) -> Option<Plan> {
    PLANS.iter().find(|plan| plan.plan_id == plan_id).copied()
}
