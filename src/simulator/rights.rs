//! Who may do what: policies, access groups and their lags, judged for one target.
//!
//! Depends on the world and on policies. Promises (`ibm-cloud.md` 4, 5.1): the owner may do everything
//! in their account; everybody else has what effective policies give to them or to their access groups;
//! nothing reaches over an account's border.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::call::Call;
use super::refusal::Refusal;
use super::services::access_groups::PUBLIC_ACCESS;
use super::services::policies::{Attribute, Policy};
use super::world::Account;

/// What a call is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// A service's instances, or one of them.
    Service {
        name: &'a str,
        instance: &'a str,
        resource_group: &'a str,
    },
    /// A resource group's own record.
    ResourceGroup(&'a str),
    /// An account-management service.
    Platform(&'static str),
}

/// The account-management services that are judged apart, by their service names in policies.
pub(super) const IDENTITY: Target<'_> = Target::Platform("iam-identity");
pub(super) const POLICIES: Target<'_> = Target::Platform("iam-access-management");
pub(super) const ACCESS_GROUPS: Target<'_> = Target::Platform("iam-groups");
pub(super) const USERS: Target<'_> = Target::Platform("user-management");
pub(super) const ACCOUNT: Target<'_> = Target::Platform("billing");
pub(super) const RESTRICTIONS: Target<'_> = Target::Platform("context-based-restrictions");
pub(super) const RESOURCE_GROUPS: Target<'_> = Target::Platform("resource-group-management");

/// How much of a target: each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Viewer.
    View,
    /// Operator.
    Operate,
    /// Editor.
    Edit,
    /// Administrator.
    Administer,
}

impl Level {
    /// The level that a role gives. Service roles (`serviceRole:Manager`) act inside services, which
    /// this part of the simulator does not have.
    fn of_role(role: &str) -> Option<Self> {
        match role.strip_prefix("crn:v1:bluemix:public:iam::::role:")? {
            "Viewer" => Some(Self::View),
            "Operator" => Some(Self::Operate),
            "Editor" => Some(Self::Edit),
            "Administrator" => Some(Self::Administer),
            _ => None,
        }
    }
}

impl Account {
    /// Refuses a call whose caller has less than `level` on `target`.
    pub(super) fn require(
        &self,
        call: &Call,
        target: Target<'_>,
        level: Level,
    ) -> Result<(), Refusal> {
        if self.allows(call, target, level) {
            Ok(())
        } else {
            Err(Refusal::forbidden())
        }
    }

    /// Whether the caller has at least `level` on `target`.
    pub(super) fn allows(&self, call: &Call, target: Target<'_>, level: Level) -> bool {
        call.caller.iam_id == self.owner_iam_id
            || self
                .level(&call.caller.iam_id, target, call.now)
                .is_some_and(|held| held >= level)
    }

    /// The highest level that effective policies give.
    fn level(&self, iam_id: &str, target: Target<'_>, now: OffsetDateTime) -> Option<Level> {
        self.effective(iam_id, now)
            .filter(|policy| covers(&policy.resource, target))
            .flat_map(|policy| policy.roles.iter())
            .filter_map(|role| Level::of_role(role))
            .max()
    }

    /// Whether an identity may do anything at all here.
    pub(super) fn has_rights(&self, iam_id: &str, now: OffsetDateTime) -> bool {
        iam_id == self.owner_iam_id || self.effective(iam_id, now).next().is_some()
    }

    /// The access policies that give an identity rights now.
    fn effective<'a>(
        &'a self,
        iam_id: &'a str,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = &'a Policy> {
        let groups = self.groups_of(iam_id, now);
        let current = self
            .policies
            .iter()
            .filter(move |policy| now >= policy.created_at + self.lags.policy_effect);
        let removed = self.removed_policies.iter().filter(move |removed| {
            now < removed.at + self.lags.policy_removal
                && removed.at >= removed.policy.created_at + self.lags.policy_effect
        });
        current
            .chain(removed.map(|removed| &removed.policy))
            .filter(move |policy| policy.is_access() && concerns(policy, iam_id, &groups))
            .filter(move |policy| policy.holds_at(now))
    }

    fn groups_of(&self, iam_id: &str, now: OffsetDateTime) -> BTreeSet<String> {
        let effect = self.lags.policy_effect;
        let removal = self.lags.policy_removal;
        let mut groups = self.access_groups.of_member(iam_id, now, effect, removal);
        if self.access_groups.public_access_enabled {
            groups.insert(PUBLIC_ACCESS.to_owned());
        }
        groups
    }
}

fn concerns(policy: &Policy, iam_id: &str, groups: &BTreeSet<String>) -> bool {
    policy
        .subject
        .iter()
        .any(|attribute| match attribute.key.as_str() {
            "iam_id" => attribute.value == iam_id,
            "access_group_id" => groups.contains(&attribute.value),
            _ => false,
        })
}

/// Whether every attribute of a policy's resource fits the target. A policy that names no service
/// covers all IAM-enabled services, and neither account management nor resource groups' own records.
pub(super) fn covers(resource: &[Attribute], target: Target<'_>) -> bool {
    let names_kind = resource.iter().any(|attribute| {
        matches!(
            attribute.key.as_str(),
            "serviceType" | "serviceName" | "resourceType" | "service_group_id"
        )
    });
    if !names_kind && !matches!(target, Target::Service { .. }) {
        return false;
    }
    resource
        .iter()
        .filter(|attribute| attribute.key != "accountId")
        .all(|attribute| {
            target
                .attribute(&attribute.key)
                .is_some_and(|value| attribute.fits(value))
        })
}

impl Target<'_> {
    /// The target's value for a policy attribute; `None` when it has no such attribute.
    fn attribute(&self, key: &str) -> Option<&str> {
        match (*self, key) {
            (Self::Service { .. }, "serviceType") => Some("service"),
            (Self::Service { name, .. } | Self::Platform(name), "serviceName") => Some(name),
            (Self::Service { instance, .. }, "serviceInstance") => Some(instance),
            (Self::Service { resource_group, .. }, "resourceGroupId") => Some(resource_group),
            (Self::ResourceGroup(_), "resourceType") => Some("resource-group"),
            (Self::ResourceGroup(id), "resource" | "resourceGroupId") => Some(id),
            (Self::Platform(_), "serviceType") => Some("platform_service"),
            (
                Self::Platform(
                    "iam-identity" | "iam-access-management" | "iam-groups" | "user-management",
                ),
                "service_group_id",
            ) => Some("IAM"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IDENTITY, Target, covers};
    use crate::simulator::services::policies::Attribute;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn attributes(pairs: Pairs<'_>) -> Vec<Attribute> {
        let account = ("accountId", "ACCT");
        std::iter::once(&account)
            .chain(pairs)
            .map(|(key, value)| Attribute::equals(key, value))
            .collect()
    }

    const SERVICE: Target<'_> = Target::Service {
        name: "cloud-object-storage",
        instance: "i1",
        resource_group: "g1",
    };
    const GROUP: Target<'_> = Target::ResourceGroup("g1");

    #[test]
    fn a_policy_covers_its_own_kind_of_target_only() {
        let kinds: [(Pairs, [bool; 3]); 6] = [
            (&[], [true, false, false]),
            (&[("serviceType", "service")], [true, false, false]),
            (&[("serviceType", "platform_service")], [false, false, true]),
            (&[("resourceType", "resource-group")], [false, true, false]),
            (&[("service_group_id", "IAM")], [false, false, true]),
            (&[("serviceName", "iam-identity")], [false, false, true]),
        ];
        for (pairs, expected) in kinds {
            let resource = attributes(pairs);
            let found = [SERVICE, GROUP, IDENTITY].map(|target| covers(&resource, target));
            assert_eq!(found, expected, "{pairs:?}");
        }
    }

    #[test]
    fn every_attribute_must_fit() {
        let other = attributes(&[("serviceType", "service"), ("resourceGroupId", "g2")]);
        assert!(!covers(&other, SERVICE));
        let same = attributes(&[("serviceType", "service"), ("resourceGroupId", "g1")]);
        assert!(covers(&same, SERVICE));
    }
}
