//! The table itself, in the order in which a sweep goes through it.
//!
//! Sources are sections of `ibm-cloud.md`. Issue-wide rules: a CRN on the keep list keeps anything;
//! what is on its way out is waited for; what is missing here is found by Global Search in the proof.

use super::super::paging::Style;
use super::super::settings::Api;
use super::{Call, Collection, Each, Stage, judge, refusal};

/// What rows have in common: nothing locked, an ordinary refusal, nothing to wait for.
const ROW: Collection = Collection {
    name: "",
    stage: Stage::Remainder,
    api: Api::Iam,
    list: "",
    each: Each::Once,
    items: "resources",
    style: Style::Whole,
    id: "id",
    title: "name",
    judge: judge::by_crn,
    unlock: None,
    delete: Call::delete(""),
    refusal: refusal::usual,
    hidden_refusal: refusal::none_hidden,
    after: &[],
};

/// What IAM Identity's rows have in common.
const IDENTITY: Collection = Collection {
    style: Style::PageToken,
    ..ROW
};

/// What the Resource Controller's rows have in common.
const CONTROLLER: Collection = Collection {
    api: Api::ResourceController,
    style: Style::NextUrl,
    id: "crn",
    judge: judge::unless_removed,
    ..ROW
};

/// What tags have in common: they go when nothing carries them any more (7).
const TAGS: Collection = Collection {
    stage: Stage::Remainder,
    api: Api::GlobalTagging,
    items: "items",
    style: Style::Offset,
    id: "name",
    judge: judge::tag,
    refusal: refusal::passes,
    hidden_refusal: refusal::in_results,
    ..ROW
};

const INSTANCES: &str = "resource instances";
const RECLAMATIONS: &str = "reclamations";

/// Without `state` only active and provisioning instances are listed (6.1). In the order of an
/// instance's life, so that one that goes on while the lists are read is met again.
const INSTANCE_STATES: &[&str] = &[
    "pre_provisioning",
    "provisioning",
    "active",
    "inactive",
    "failed",
    "pending_reclamation",
];

/// Every collection that is cleaned.
pub(in super::super) static TABLE: [Collection; 17] = [
    // 6.2: a key may have made a service ID, which goes two stages later.
    Collection {
        name: "resource keys",
        stage: Stage::Entrances,
        list: "/v2/resource_keys",
        delete: Call::delete("/v2/resource_keys/{guid}"),
        ..CONTROLLER
    },
    // 5.3
    Collection {
        name: "users",
        stage: Stage::Entrances,
        api: Api::UserManagement,
        list: "/v2/accounts/{account}/users",
        style: Style::UnderscoreStart,
        id: "iam_id",
        title: "user_id",
        judge: judge::user,
        delete: Call::delete("/v2/accounts/{account}/users/{iam_id}"),
        ..ROW
    },
    // 5.2
    Collection {
        name: "access groups",
        stage: Stage::Entrances,
        list: "/v2/groups?account_id={account}&show_crn=true",
        items: "groups",
        style: Style::Offset,
        judge: judge::access_group,
        delete: Call::delete("/v2/groups/{id}?force=true"),
        ..ROW
    },
    // 3.3
    Collection {
        name: "trusted profiles",
        stage: Stage::Entrances,
        list: "/v1/profiles?account_id={account}",
        items: "profiles",
        delete: Call::delete("/v1/profiles/{id}"),
        ..IDENTITY
    },
    // 3.2: takes its keys and policies along; 409 while it does.
    Collection {
        name: "service IDs",
        stage: Stage::Identities,
        list: "/v1/serviceids/?account_id={account}",
        each: Each::ServiceIdGroup,
        items: "serviceids",
        unlock: Some(Call::delete("/v1/serviceids/{id}/lock")),
        delete: Call::delete("/v1/serviceids/{id}"),
        ..IDENTITY
    },
    // 3.1: what is left are keys made for service IDs that the operator keeps.
    Collection {
        name: "API keys of service IDs",
        stage: Stage::Grants,
        list: "/v1/apikeys?account_id={account}&scope=account&type=serviceid",
        each: Each::ServiceIdGroup,
        items: "apikeys",
        unlock: Some(Call::delete("/v1/apikeys/{id}/lock")),
        delete: Call::delete("/v1/apikeys/{id}"),
        ..IDENTITY
    },
    // 13.2
    Collection {
        name: "API keys of users",
        stage: Stage::Grants,
        list: "/v1/apikeys?account_id={account}&scope=account&type=user",
        items: "apikeys",
        judge: judge::user_key,
        unlock: Some(Call::delete("/v1/apikeys/{id}/lock")),
        delete: Call::delete("/v1/apikeys/{id}"),
        ..IDENTITY
    },
    // 5.1
    Collection {
        name: "policies",
        stage: Stage::Grants,
        list: "/v2/policies?account_id={account}&type=access",
        items: "policies",
        style: Style::NextStart,
        title: "description",
        judge: judge::policy,
        delete: Call::delete("/v2/policies/{id}"),
        ..ROW
    },
    // 6.2
    Collection {
        name: "resource bindings",
        stage: Stage::Attachments,
        list: "/v2/resource_bindings",
        delete: Call::delete("/v2/resource_bindings/{guid}"),
        ..CONTROLLER
    },
    // 6.2
    Collection {
        name: "resource aliases",
        stage: Stage::Attachments,
        list: "/v2/resource_aliases",
        delete: Call::delete("/v2/resource_aliases/{guid}?recursive=true"),
        ..CONTROLLER
    },
    // 6.1: neither 202 nor 204 is an end; the next list tells.
    Collection {
        name: INSTANCES,
        stage: Stage::Instances,
        list: "/v2/resource_instances",
        each: Each::Value("state", INSTANCE_STATES),
        judge: judge::instance,
        unlock: Some(Call::delete("/v2/resource_instances/{crn}/lock")),
        delete: Call::delete("/v2/resource_instances/{crn}?recursive=true"),
        refusal: refusal::of_instance,
        ..CONTROLLER
    },
    // 6.3: one appears some seconds after its instance was deleted.
    Collection {
        name: RECLAMATIONS,
        stage: Stage::Reclamations,
        list: "/v1/reclamations?account_id={account}",
        style: Style::Whole,
        id: "id",
        title: "entity_crn",
        judge: judge::reclamation,
        delete: Call::post("/v1/reclamations/{id}/actions/reclaim", "{}"),
        ..CONTROLLER
    },
    // 5.1: v2 lacks these. A service may need its own until it is reclaimed.
    Collection {
        name: "authorization policies",
        stage: Stage::Remainder,
        list: "/v1/policies?account_id={account}&type=authorization",
        items: "policies",
        style: Style::NextStart,
        title: "description",
        delete: Call::delete("/v1/policies/{id}"),
        after: &[INSTANCES, RECLAMATIONS],
        ..ROW
    },
    // 3.2: only empty ones can go; the default one stays.
    Collection {
        name: "service ID groups",
        stage: Stage::Remainder,
        list: "/v1/serviceid_groups?account_id={account}",
        items: "serviceid_groups",
        judge: judge::service_id_group,
        delete: Call::delete("/v1/serviceid_groups/{id}"),
        refusal: refusal::passes,
        ..IDENTITY
    },
    Collection {
        name: "user tags",
        list: "/v3/tags?tag_type=user&providers=ghost&account_id={account}",
        delete: Call::delete("/v3/tags/{name}?tag_type=user&account_id={account}"),
        ..TAGS
    },
    Collection {
        name: "access tags",
        list: "/v3/tags?tag_type=access&account_id={account}",
        delete: Call::delete("/v3/tags/{name}?tag_type=access&account_id={account}"),
        ..TAGS
    },
    // 6.4: one that is not empty answers 500.
    Collection {
        name: "resource groups",
        stage: Stage::Groups,
        list: "/v2/resource_groups?account_id={account}",
        style: Style::Whole,
        id: "id",
        judge: judge::resource_group,
        delete: Call {
            answers: &[500],
            ..Call::delete("/v2/resource_groups/{id}")
        },
        refusal: refusal::passes,
        after: &[INSTANCES, RECLAMATIONS],
        ..CONTROLLER
    },
];
