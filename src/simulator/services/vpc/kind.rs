//! What a kind of resource is: the columns of the table in `kinds`, and how a row is written.
//!
//! Depends on the store by name only, for the quirks that a row may have. Promises that what a row says
//! holds for every way of making and deleting: through the API, as part of something else, in a mess.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::resource::{Phase, Resource};
use super::store::Vpc;
use crate::simulator::refusal::Refusal;

/// One kind of resource.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a row may state"
)]
pub(crate) struct Kind {
    /// Its collection below `/v1`; `{}` stands for the id of a parent.
    pub(crate) path: &'static str,
    /// The word for one of them, as CRNs and Global Search have it, such as `floating-ip`.
    pub(crate) word: &'static str,
    /// Whether it has a CRN, and so is known to Global Search.
    pub(super) has_crn: bool,
    /// Whether it is in a zone, and not in the region as a whole.
    pub(super) zonal: bool,
    /// Whether the API can make one, or one comes only along with something else.
    pub(super) creatable: bool,
    /// Whether its list comes in pages.
    pub(super) paged: bool,
    /// What a request must name.
    pub(super) needs: &'static [&'static str],
    /// What becomes of it when its parent is to go.
    pub(super) to_parent: Bond,
    /// What its body refers to.
    pub(super) refs: &'static [Ref],
    /// Fields of a request that become resources of their own: field, and path of the kind.
    pub(super) parts: &'static [(&'static str, &'static str)],
    /// Fields that list what refers to it: field, and path of the kind.
    pub(super) shows: &'static [(&'static str, &'static str)],
    /// How its state reads and how long changes take.
    pub(super) life: &'static Life,
    /// Phases in which a DELETE is refused.
    pub(super) undeletable: &'static [Phase],
    /// The status that answers a DELETE.
    pub(super) deleted: u16,
    /// Whether a change of one keeps the load balancer above it busy.
    pub(super) keeps_busy: bool,
    /// Completes what was just made, with what comes along.
    pub(super) made: Made,
    /// Refuses a deletion for reasons beyond what refers to it.
    pub(super) may_go: MayGo,
    /// What else begins when a deletion is accepted.
    pub(super) going: Going,
    /// What follows when it was changed by a request.
    pub(super) changed: Going,
    /// What it takes along, beyond what dies with it; told whether its parent goes as well.
    pub(super) takes: Takes,
    /// What follows when it is gone.
    pub(super) gone: Gone,
    /// Fields that follow from other resources; told where the API is.
    pub(super) view: View,
}

/// A place in a body that names another resource.
pub(super) struct Ref {
    /// `field`, `field[]`, `field.inner` or `field[].inner`.
    pub(super) at: &'static str,
    /// Paths of the kinds that may be named.
    pub(super) to: &'static [&'static str],
    pub(super) bond: Bond,
}

/// What a reference means for the one that is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// It cannot be deleted while the one that refers to it is there.
    Holds,
    /// Its end is the end of the one that refers to it.
    Dies,
    /// As `Dies` where the one that refers to it has `auto_delete`, otherwise as `LetsGo`.
    DiesIfAuto,
    /// The reference is dropped when it ends.
    LetsGo,
}

/// How a kind's state reads.
pub(super) struct Life {
    /// The field; empty where a resource has no state and every change is at once.
    pub(super) field: &'static str,
    pub(super) pending: &'static str,
    pub(super) ready: &'static str,
    pub(super) updating: &'static str,
    pub(super) deleting: &'static str,
    /// Whether its deletion takes as long as that of an instance (`ibm-cloud.md` 8.2: up to 30 min).
    pub(super) slow: bool,
}

type Made = fn(&mut Vpc, &str, OffsetDateTime) -> Result<(), Refusal>;
type MayGo = fn(&Vpc, &Resource) -> Result<(), Refusal>;
type Going = fn(&mut Vpc, &str, OffsetDateTime);
type Takes = fn(&Vpc, &Resource, bool) -> Vec<String>;
type Gone = fn(&mut Vpc, &Resource, OffsetDateTime);
type View = fn(&Vpc, &Resource, &str, &mut Map<String, Value>);

pub(super) const fn holds(at: &'static str, to: &'static [&'static str]) -> Ref {
    let bond = Bond::Holds;
    Ref { at, to, bond }
}

pub(super) const fn dies(at: &'static str, to: &'static [&'static str]) -> Ref {
    let bond = Bond::Dies;
    Ref { at, to, bond }
}

pub(super) const fn lets_go(at: &'static str, to: &'static [&'static str]) -> Ref {
    let bond = Bond::LetsGo;
    Ref { at, to, bond }
}

/// A kind of the region as a whole.
pub(super) const fn regional(path: &'static str, word: &'static str, life: &'static Life) -> Kind {
    Kind {
        path,
        word,
        has_crn: true,
        zonal: false,
        creatable: true,
        paged: true,
        needs: &[],
        to_parent: Bond::Dies,
        refs: &[],
        parts: &[],
        shows: &[],
        life,
        undeletable: &[],
        deleted: 204,
        keeps_busy: false,
        made: |_, _, _| Ok(()),
        may_go: |_, _| Ok(()),
        going: |_, _, _| {},
        changed: |_, _, _| {},
        takes: |_, _, _| Vec::new(),
        gone: |_, _, _| {},
        view: |_, _, _, _| {},
    }
}

/// A kind of one zone.
pub(super) const fn zonal(path: &'static str, word: &'static str, life: &'static Life) -> Kind {
    Kind {
        zonal: true,
        ..regional(path, word, life)
    }
}

/// A kind that is part of another and has no CRN.
pub(super) const fn child(path: &'static str, word: &'static str, life: &'static Life) -> Kind {
    Kind {
        has_crn: false,
        ..regional(path, word, life)
    }
}

/// What a row of the table adds to what its kind has by default.
impl Kind {
    pub(super) const fn needs(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }

    pub(super) const fn refs(self, refs: &'static [Ref]) -> Self {
        Self { refs, ..self }
    }

    pub(super) const fn parts(self, parts: &'static [(&'static str, &'static str)]) -> Self {
        Self { parts, ..self }
    }

    pub(super) const fn shows(self, shows: &'static [(&'static str, &'static str)]) -> Self {
        Self { shows, ..self }
    }

    pub(super) const fn undeletable(self, undeletable: &'static [Phase]) -> Self {
        Self {
            undeletable,
            ..self
        }
    }

    pub(super) const fn holding_parent(self) -> Self {
        Self {
            to_parent: Bond::Holds,
            ..self
        }
    }

    pub(super) const fn made(self, made: Made) -> Self {
        Self { made, ..self }
    }

    pub(super) const fn may_go(self, may_go: MayGo) -> Self {
        Self { may_go, ..self }
    }

    pub(super) const fn going(self, going: Going) -> Self {
        Self { going, ..self }
    }

    pub(super) const fn changed(self, changed: Going) -> Self {
        Self { changed, ..self }
    }

    pub(super) const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    pub(super) const fn gone(self, gone: Gone) -> Self {
        Self { gone, ..self }
    }

    pub(super) const fn view(self, view: View) -> Self {
        Self { view, ..self }
    }

    pub(super) const fn answers(self, deleted: u16) -> Self {
        Self { deleted, ..self }
    }

    pub(super) const fn unpaged(self) -> Self {
        Self {
            paged: false,
            ..self
        }
    }

    pub(super) const fn not_creatable(self) -> Self {
        Self {
            creatable: false,
            ..self
        }
    }

    pub(super) const fn zoned(self) -> Self {
        Self {
            zonal: true,
            ..self
        }
    }

    pub(super) const fn keeps_busy(self) -> Self {
        Self {
            keeps_busy: true,
            ..self
        }
    }

    pub(super) const fn with_crn(self) -> Self {
        Self {
            has_crn: true,
            ..self
        }
    }

    pub(super) const fn without_crn(self) -> Self {
        Self {
            has_crn: false,
            ..self
        }
    }
}
