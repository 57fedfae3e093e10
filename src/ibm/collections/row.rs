//! How a row of the table is written: what rows of a service have in common, and what one adds.
//!
//! Depends on nothing but the parts of a row.

use serde_json::Value;

use super::super::api::Api;
use super::super::fault::Refusal;
use super::super::paging::Style;
use super::super::scope::Scope;
use super::super::settings::Profile;
use super::call::{Call, Preparation};
use super::source::{Each, Where};
use super::{Collection, Outcome, Stage, Verdict, judge, refusal};

/// A collection at one place, which every profile cleans.
pub(super) const fn row(
    name: &'static str,
    stage: Stage,
    api: Api,
    list: (&'static str, &'static str, Style),
    delete: Call,
) -> Collection {
    let (list, items, style) = list;
    Collection {
        name,
        stage,
        profile: Profile::Lite,
        api,
        places: Where::Home,
        list,
        each: Each::Once,
        items,
        style,
        header: None,
        id: "id",
        title: "name",
        facts: &[],
        crns: &[],
        judge: judge::by_crn,
        before: None,
        delete,
        refusal: refusal::usual,
        hidden_refusal: refusal::none_hidden,
        after: &[],
    }
}

/// A collection of IAM, User Management or context-based restrictions.
pub(super) const fn iam(
    name: &'static str,
    stage: Stage,
    list: (&'static str, &'static str, Style),
    delete: &'static str,
) -> Collection {
    row(name, stage, Api::Iam, list, Call::delete(delete))
}

/// A collection of the Resource Controller.
pub(super) const fn controller(
    name: &'static str,
    stage: Stage,
    list: &'static str,
    delete: &'static str,
) -> Collection {
    let list = (list, "resources", Style::NextUrl);
    row(
        name,
        stage,
        Api::ResourceController,
        list,
        Call::delete(delete),
    )
    .by("crn", "name")
    .judged(judge::unless_removed)
}

/// A collection of tags: they go when nothing carries them any more (7).
pub(super) const fn tags(
    name: &'static str,
    list: &'static str,
    delete: &'static str,
) -> Collection {
    let list = (list, "items", Style::Offset);
    row(
        name,
        Stage::Remainder,
        Api::GlobalTagging,
        list,
        Call::delete(delete),
    )
    .by("name", "name")
    .judged(judge::tag)
    .refused(refusal::passes)
    .hiding(refusal::in_results)
}

/// A collection of VPC, in every region.
pub(super) const fn vpc(
    name: &'static str,
    stage: Stage,
    list: (&'static str, &'static str),
    delete: &'static str,
    crns: &'static [(&'static str, &'static str)],
) -> Collection {
    let (list, items) = list;
    let list = (list, items, Style::NextHref);
    row(name, stage, Api::Vpc, list, Call::delete(delete))
        .only_in_full()
        .at(Where::Regions)
        .kinds(crns)
}

/// A collection of clusters (9): `deleteResources` takes their load balancers and volumes along.
pub(super) const fn clusters(name: &'static str, list: &'static str) -> Collection {
    let delete = "/v1/clusters/{id}?deleteResources=true";
    Collection {
        facts: &["region", "resourceGroup"],
        ..service(
            name,
            Stage::Clusters,
            Api::Containers,
            (list, "", Style::Whole),
            delete,
        )
    }
}

/// A collection of another service that only the full profile cleans.
pub(super) const fn service(
    name: &'static str,
    stage: Stage,
    api: Api,
    list: (&'static str, &'static str, Style),
    delete: &'static str,
) -> Collection {
    row(name, stage, api, list, Call::delete(delete)).only_in_full()
}

/// What a row adds to what its service has in common.
impl Collection {
    const fn only_in_full(self) -> Self {
        Self {
            profile: Profile::Full,
            judge: judge::resource,
            ..self
        }
    }

    pub(super) const fn of(self, api: Api) -> Self {
        Self { api, ..self }
    }

    pub(super) const fn at(self, places: Where) -> Self {
        Self { places, ..self }
    }

    pub(super) const fn each(self, each: Each) -> Self {
        Self { each, ..self }
    }

    pub(super) const fn whole(self) -> Self {
        let style = Style::Whole;
        Self { style, ..self }
    }

    pub(super) const fn by(self, id: &'static str, title: &'static str) -> Self {
        Self { id, title, ..self }
    }

    pub(super) const fn kinds(self, crns: &'static [(&'static str, &'static str)]) -> Self {
        Self { crns, ..self }
    }

    pub(super) const fn judged(self, judge: fn(&Scope<'_>, &Value) -> Verdict) -> Self {
        Self { judge, ..self }
    }

    pub(super) const fn with_header(self, name: &'static str, value: &'static str) -> Self {
        let header = Some((name, value));
        Self { header, ..self }
    }

    pub(super) const fn before(self, when: fn(&Value, &Value) -> bool, call: Call) -> Self {
        let before = Some(Preparation { when, call });
        Self { before, ..self }
    }

    /// Unlocks an item that is locked.
    pub(super) const fn unlocked_by(self, target: &'static str) -> Self {
        self.before(|item, _| item["locked"] == true, Call::delete(target))
    }

    pub(super) const fn deleted_by(self, delete: Call) -> Self {
        Self { delete, ..self }
    }

    pub(super) const fn refused(self, refusal: fn(&Refusal) -> Outcome) -> Self {
        Self { refusal, ..self }
    }

    pub(super) const fn hiding(self, hidden_refusal: fn(&Value) -> Option<String>) -> Self {
        Self {
            hidden_refusal,
            ..self
        }
    }

    pub(super) const fn after(self, after: &'static [&'static str]) -> Self {
        Self { after, ..self }
    }
}
