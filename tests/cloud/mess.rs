//! The mess that a borrower with administrator's rights can make.

use acctpool::simulator::catalog::{COS_LITE, COS_STANDARD, DATABASE, PLAIN};
use awc::http::Method;
use serde_json::{Value, json};

use super::setup::Borrower;

/// Makes one of everything that the first table of collections covers.
pub(crate) async fn make(borrower: &Borrower<'_>, account: &str) {
    resources(borrower, account).await;
    identities(borrower, account).await;
}

async fn resources(borrower: &Borrower<'_>, account: &str) {
    let group = borrower
        .post(
            "/v2/resource_groups",
            json!({"name": "side", "account_id": account}),
        )
        .await;
    let group = group["id"].as_str().unwrap();
    for plan in [COS_STANDARD, COS_LITE, DATABASE, PLAIN] {
        borrower
            .instance_in(plan.service, plan.plan_id, group)
            .await;
    }
    let instance = borrower.instance("locked", PLAIN.plan_id).await;
    let guid = instance["guid"].as_str().unwrap();
    let lock = format!("/v2/resource_instances/{guid}/lock");
    borrower.call(Method::POST, &lock, Value::Null).await;
    let storage = borrower.instance("storage", COS_STANDARD.plan_id).await;
    borrower
        .post(
            "/v2/resource_keys",
            json!({"name": "hmac", "source": storage["guid"], "role": "Writer",
                   "parameters": {"HMAC": true}}),
        )
        .await;
    borrower
        .post(
            "/v3/tags/attach?tag_type=user",
            json!({"resources": [{"resource_id": storage["crn"]}], "tag_names": ["mine"]}),
        )
        .await;
}

async fn identities(borrower: &Borrower<'_>, account: &str) {
    let group = borrower
        .post(
            "/v1/serviceid_groups",
            json!({"account_id": account, "name": "hidden"}),
        )
        .await;
    let service_id = borrower
        .post(
            "/v1/serviceids/",
            json!({"account_id": account, "name": "back-door", "group_id": group["id"],
                   "apikey": {"name": "k"}}),
        )
        .await;
    borrower
        .post(
            "/v2/policies",
            json!({"type": "access",
                   "subject": {"attributes": [{"key": "iam_id", "operator": "stringEquals",
                                               "value": service_id["iam_id"]}]},
                   "resource": {"attributes": [
                       {"key": "accountId", "operator": "stringEquals", "value": account},
                       {"key": "serviceType", "operator": "stringEquals", "value": "service"}]},
                   "control": {"grant": {"roles": [
                       {"role_id": "crn:v1:bluemix:public:iam::::role:Editor"}]}}}),
        )
        .await;
    let id = service_id["id"].as_str().unwrap();
    let lock = format!("/v1/serviceids/{id}/lock");
    borrower.call(Method::POST, &lock, Value::Null).await;
    borrower
        .post(
            "/v1/profiles",
            json!({"account_id": account, "name": "profile"}),
        )
        .await;
    let path = format!("/v2/groups?account_id={account}");
    borrower.post(&path, json!({"name": "friends"})).await;
}
