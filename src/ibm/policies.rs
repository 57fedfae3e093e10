//! Access policies (`ibm-cloud.md` 5.1): those of one identity.
//!
//! Depends on sessions and paging.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use acctpool_actors::pool::Timestamp;

use super::api::Api;
use super::fault::Fault;
use super::identity::done_or_gone;
use super::paging::{List, Style};
use super::request::{Request, encode, field};
use super::session::Session;
use super::settings::Rights;

/// One policy of a lease: what it is about, besides the account, and the roles it grants there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    attribute: (&'static str, &'static str),
    roles: &'static [&'static str],
}

const EDITOR: &str = "crn:v1:bluemix:public:iam::::role:Editor";
const ADMINISTRATOR: &str = "crn:v1:bluemix:public:iam::::role:Administrator";
const MANAGER: &str = "crn:v1:bluemix:public:iam::::serviceRole:Manager";

const ALL_SERVICES: (&str, &str) = ("serviceType", "service");
const ACCOUNT_MANAGEMENT: (&str, &str) = ("serviceType", "platform_service");
const RESOURCE_GROUPS: (&str, &str) = ("resourceType", "resource-group");

/// Returns what a lease may do. The grant that a probe can see is made last: once it is in effect,
/// so are those before it.
pub(super) fn grants(rights: Rights) -> &'static [Grant] {
    match rights {
        Rights::Standard => &[
            Grant {
                attribute: ALL_SERVICES,
                roles: &[EDITOR, MANAGER],
            },
            Grant {
                attribute: RESOURCE_GROUPS,
                roles: &[EDITOR],
            },
        ],
        Rights::Administrator => &[
            Grant {
                attribute: ALL_SERVICES,
                roles: &[ADMINISTRATOR, MANAGER],
            },
            Grant {
                attribute: ACCOUNT_MANAGEMENT,
                roles: &[ADMINISTRATOR],
            },
            Grant {
                attribute: RESOURCE_GROUPS,
                roles: &[ADMINISTRATOR],
            },
        ],
    }
}

/// Grants something to an identity between two moments; returns the policy's id.
pub(super) async fn create(
    session: &Session<'_>,
    iam_id: &str,
    description: &str,
    grant: Grant,
    window: (Timestamp, Timestamp),
) -> Result<String, Fault> {
    let body = body(session.account(), iam_id, description, grant, window);
    let request = Request::post(Api::Iam, "/v2/policies").json(&body);
    let reply = session.send(&request).await?;
    let call = reply.call.clone();
    field(&call, &reply.json()?, "id")
}

fn body(
    account: &str,
    iam_id: &str,
    description: &str,
    grant: Grant,
    window: (Timestamp, Timestamp),
) -> Value {
    let attribute =
        |key: &str, value: &str| json!({"key": key, "operator": "stringEquals", "value": value});
    let condition = |operator: &str, moment: Timestamp| {
        json!({
            "key": "{{environment.attributes.current_date_time}}",
            "operator": operator,
            "value": moment_with_offset(moment),
        })
    };
    let roles: Vec<Value> = grant
        .roles
        .iter()
        .map(|role| json!({"role_id": role}))
        .collect();
    let (key, value) = grant.attribute;
    json!({
        "type": "access",
        "description": description,
        "subject": {"attributes": [attribute("iam_id", iam_id)]},
        "resource": {"attributes": [attribute("accountId", account), attribute(key, value)]},
        "control": {"grant": {"roles": roles}},
        "pattern": "time-based-conditions:once",
        "rule": {"operator": "and", "conditions": [
            condition("dateTimeGreaterThanOrEquals", window.0),
            condition("dateTimeLessThanOrEquals", window.1),
        ]},
    })
}

/// Writes a moment with a numeric offset, as the time-based conditions have it.
fn moment_with_offset(moment: Timestamp) -> String {
    let text = moment
        .to_offset(time::UtcOffset::UTC)
        .replace_nanosecond(0)
        .unwrap_or(moment)
        .format(&Rfc3339)
        .unwrap_or_default();
    text.replace('Z', "+00:00")
}

/// Returns the ids of all access policies of an identity, lapsed ones included.
pub(super) async fn of_identity(session: &Session<'_>, iam_id: &str) -> Result<Vec<String>, Fault> {
    let target = format!(
        "/v2/policies?account_id={}&iam_id={}",
        encode(session.account()),
        encode(iam_id)
    );
    let list = List::new(Api::Iam, &target, "policies", Style::NextStart);
    let policies = list.read(session).await?;
    policies
        .iter()
        .map(|policy| field("GET /v2/policies", policy, "id"))
        .collect()
}

/// Deletes a policy.
pub(super) async fn delete(session: &Session<'_>, id: &str) -> Result<(), Fault> {
    let target = format!("/v2/policies/{}", encode(id));
    done_or_gone(session.send(&Request::delete(Api::Iam, target)).await)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn standard_rights_reach_no_account_management() {
        for grant in grants(Rights::Standard) {
            assert_ne!(grant.attribute, ACCOUNT_MANAGEMENT);
            assert!(!grant.roles.contains(&ADMINISTRATOR));
        }
    }

    #[test]
    fn policy_has_the_shape_of_the_reference() {
        let window = (
            datetime!(2026-05-01 10:00 UTC),
            datetime!(2026-05-02 10:00:00.5 UTC),
        );
        let grant = grants(Rights::Standard)[0];
        let body = body("ACCT", "iam-ServiceId-5c", "lease", grant, window);
        assert_eq!(body["resource"]["attributes"][1]["key"], "serviceType");
        assert_eq!(
            body["rule"]["conditions"][0]["value"],
            "2026-05-01T10:00:00+00:00"
        );
        assert_eq!(
            body["rule"]["conditions"][1]["value"],
            "2026-05-02T10:00:00+00:00"
        );
        assert_eq!(body["control"]["grant"]["roles"][1]["role_id"], MANAGER);
    }
}
