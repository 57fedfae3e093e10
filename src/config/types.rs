//! `[types.*]`: what a reservation of each type may ask for, and what its lease may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::report::Fault;
use super::section::{Schema, Section};
use super::values::{DURATION, LABEL, PROFILE, RIGHTS, is_label};

pub(super) const SCHEMA: Schema = Schema {
    name: "[types.*]",
    keys: &["default_duration", "max_duration", "rights", "profile"],
};

/// What a lease credential may do in its account (`ibm-cloud.md` 13.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// Editor and Manager on all IAM-enabled services and on resource groups; no account
    /// management.
    #[default]
    Standard,
    /// Everything that a service ID can be allowed.
    Administrator,
}

/// How much of the cleaning plan an account of a type needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Everything.
    #[default]
    Full,
    /// Only what every account can hold: no infrastructure in regions, no clusters, no networks.
    Lite,
}

/// The settings of one type of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeSettings {
    /// The duration of a lease that does not ask for one; at most `max_duration`.
    pub default_duration: Duration,
    /// The longest duration that may be asked for.
    pub max_duration: Duration,
    /// What a lease may do.
    pub rights: Rights,
    /// How much of the cleaning plan its accounts need.
    pub profile: Profile,
}

impl Default for TypeSettings {
    fn default() -> Self {
        Self {
            default_duration: Duration::from_hours(1),
            max_duration: Duration::from_hours(12),
            rights: Rights::default(),
            profile: Profile::default(),
        }
    }
}

impl TypeSettings {
    fn read(mut section: Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let max_duration = section
            .read("max_duration", &DURATION)
            .unwrap_or(default.max_duration);
        let settings = Self {
            default_duration: section
                .read("default_duration", &DURATION)
                // Who sets only a short maximum has said enough.
                .unwrap_or(default.default_duration.min(max_duration)),
            max_duration,
            rights: section.read("rights", &RIGHTS).unwrap_or(default.rights),
            profile: section.read("profile", &PROFILE).unwrap_or(default.profile),
        };
        if settings.default_duration > max_duration {
            let fault = Fault::TooLong {
                key: "default_duration",
                limit: "max_duration",
                value: max_duration,
            };
            section.refuse("default_duration", fault);
        }
        settings
    }
}

/// Reads the settings of every type that has a section or an account.
pub(super) fn read(
    root: &mut Section<'_, '_, '_>,
    used: BTreeSet<String>,
) -> BTreeMap<String, TypeSettings> {
    let mut types: BTreeMap<String, TypeSettings> = used
        .into_iter()
        .map(|name| (name, TypeSettings::default()))
        .collect();
    for (at, name, entry) in root.named("types") {
        let Some(section) = root.open_entry(&SCHEMA, entry) else {
            continue;
        };
        let settings = TypeSettings::read(section);
        if !is_label(name) {
            let allowed = LABEL.allowed;
            root.refuse_at(at, Fault::UnfitType { allowed });
        } else if types.insert(name.to_owned(), settings).is_none() {
            root.refuse_at(at, Fault::UnusedType);
        }
    }
    types
}
