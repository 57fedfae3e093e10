//! Buckets, and the instances that they keep.

use serde_json::{Value, json};

use crate::simulator::catalog::{COS_LITE, COS_STANDARD};
use crate::simulator::services::lab::{LAG, Lab, text};

const RETENTION: &str =
    "<ProtectionConfiguration><Status>Retention</Status></ProtectionConfiguration>";

fn put_bucket(lab: &Lab, guid: &str, name: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut asking = lab.ask().with("ibm-service-instance-id", guid);
    for (header, value) in headers {
        asking = asking.with(header, value);
    }
    let path = format!("/cos/eu-de/{name}");
    code(asking.send("PUT", &path, &Value::Null))
}

fn send(lab: &Lab, method: &str, below: &str) -> (u16, String) {
    code(lab.send(method, &format!("/cos/eu-de/{below}"), &json!({})))
}

/// The status, and the code of an error.
fn code((status, body): (u16, Value)) -> (u16, String) {
    let xml = body.as_str().unwrap_or_default();
    let code = xml.split("<Code>").nth(1).unwrap_or_default();
    let code = code.split("</Code>").next().unwrap_or_default();
    (status, code.to_owned())
}

/// What refuses the deletion of an instance does not say why.
fn refused_vaguely(lab: &Lab, guid: &str) {
    let (status, message) = lab.delete_instance(guid);
    assert_eq!(status, 400);
    assert_eq!(message, "The instance cannot be deleted.");
}

#[test]
fn instance_takes_its_buckets_along_when_it_is_reclaimed() {
    let mut lab = Lab::slow();
    let guid = lab.instance(&COS_STANDARD, &json!({}));
    assert_eq!(put_bucket(&lab, &guid, "mine", &[]).0, 200);
    assert_eq!(send(&lab, "PUT", "mine/object").0, 200);
    assert_eq!(send(&lab, "DELETE", "mine"), (409, "BucketNotEmpty".into()));
    assert_eq!(lab.delete_instance(&guid).0, 204);
    lab.advance(LAG);
    // Its name is taken until it is reclaimed.
    let other = lab.instance(&COS_STANDARD, &json!({}));
    let taken = (409, "BucketAlreadyExists".to_owned());
    assert_eq!(put_bucket(&lab, &other, "mine", &[]), taken);
    let list = lab.get("/v1/reclamations");
    let id = text(&list["resources"][0]["id"]);
    lab.post(
        &format!("/v1/reclamations/{id}/actions/reclaim"),
        &json!({}),
    );
    assert_eq!(put_bucket(&lab, &other, "mine", &[]).0, 200);
    assert_eq!(send(&lab, "DELETE", "mine").0, 204);
}

#[test]
fn lite_instance_goes_at_once_with_its_buckets() {
    let lab = Lab::slow();
    let guid = lab.instance(&COS_LITE, &json!({}));
    assert_eq!(put_bucket(&lab, &guid, "mine", &[]).0, 200);
    assert_eq!(lab.delete_instance(&guid).0, 204);
    assert!(lab.inventory("buckets").is_empty());
    assert!(lab.inventory("resource_instances").is_empty());
}

#[test]
fn locked_and_retained_buckets_keep_their_instance_for_ever() {
    let mut lab = Lab::slow();
    let locked = lab.instance(&COS_STANDARD, &json!({}));
    let header = [("x-amz-bucket-object-lock-enabled", "true")];
    assert_eq!(put_bucket(&lab, &locked, "locked", &header).0, 200);
    let retained = lab.instance(&COS_STANDARD, &json!({}));
    assert_eq!(put_bucket(&lab, &retained, "retained", &[]).0, 200);
    lab.made("PUT", "/cos/eu-de/retained?protection", &RETENTION.into());
    lab.advance(100 * LAG);
    refused_vaguely(&lab, &locked);
    refused_vaguely(&lab, &retained);
    for bucket in ["locked", "retained"] {
        let object = format!("{bucket}/object");
        assert_eq!(send(&lab, "PUT", &object).0, 200);
        assert_eq!(send(&lab, "DELETE", &object).0, 403);
    }
}

#[test]
fn legal_hold_keeps_the_instance_until_it_is_removed() {
    let lab = Lab::slow();
    let guid = lab.instance(&COS_STANDARD, &json!({}));
    put_bucket(&lab, &guid, "held", &[]);
    send(&lab, "PUT", "held/object");
    assert_eq!(send(&lab, "POST", "held/object?legalHold&add=case").0, 200);
    refused_vaguely(&lab, &guid);
    assert_eq!(send(&lab, "DELETE", "held/object").0, 403);
    assert_eq!(
        send(&lab, "POST", "held/object?legalHold&remove=case").0,
        200
    );
    assert_eq!(lab.delete_instance(&guid).0, 204);
}

#[test]
fn locked_credential_keeps_the_instance_until_it_is_unlocked() {
    let lab = Lab::slow();
    let guid = lab.instance(&COS_STANDARD, &json!({}));
    let body = json!({"name": "key", "source": guid, "parameters": {"HMAC": true}});
    let key = lab.post("/v2/resource_keys", &body);
    let crn = text(&key["credentials"]["iam_serviceid_crn"]);
    let id = crn.rsplit(':').next().unwrap().to_owned();
    let keys = lab.get(&format!("/v1/apikeys?iam_id=iam-{id}"));
    let api_key = text(&keys["apikeys"][0]["id"]);
    let locks = [
        format!("/v1/serviceids/{id}/lock"),
        format!("/v1/apikeys/{api_key}/lock"),
    ];
    for lock in &locks {
        lab.post(lock, &json!({}));
        refused_vaguely(&lab, &guid);
        lab.made("DELETE", lock, &json!({}));
    }
    assert_eq!(lab.delete_instance(&guid).0, 204);
}

#[test]
fn list_is_xml_of_one_instance() {
    let lab = Lab::slow();
    let guid = lab.instance(&COS_STANDARD, &json!({}));
    let other = lab.instance(&COS_STANDARD, &json!({}));
    put_bucket(&lab, &guid, "mine", &[]);
    put_bucket(&lab, &other, "theirs", &[]);
    let asking = lab.ask().with("ibm-service-instance-id", &guid);
    let list = asking.get("/cos/eu-de/?extended");
    let xml = list.as_str().unwrap();
    assert!(xml.contains("<ListAllMyBucketsResult") && xml.contains("<Name>mine</Name>"));
    assert!(xml.contains("<LocationConstraint>eu-de-smart</LocationConstraint>"));
    assert!(!xml.contains("theirs"));
    assert_eq!(send(&lab, "GET", "").0, 400);
}

#[test]
fn bad_requests_are_refused() {
    let lab = Lab::slow();
    let guid = lab.instance(&COS_STANDARD, &json!({}));
    let bad = put_bucket(&lab, &guid, "Not_A_Name", &[]);
    assert_eq!(bad, (400, "InvalidBucketName".to_owned()));
    let unknown = [("ibm-sse-kp-customer-root-key-crn", "crn:nothing")];
    assert_eq!(put_bucket(&lab, &guid, "mine", &unknown).0, 400);
    assert_eq!(put_bucket(&lab, "nobody", "mine", &[]).0, 404);
    assert_eq!(
        send(&lab, "DELETE", "nothing"),
        (404, "NoSuchBucket".into())
    );
    put_bucket(&lab, &guid, "mine", &[]);
    let (status, _) = lab.send("PUT", "/cos/eu-de/mine?protection", &"<No/>".into());
    assert_eq!(status, 400);
    assert_eq!(send(&lab, "POST", "mine/none?legalHold&add=x").0, 404);
}
