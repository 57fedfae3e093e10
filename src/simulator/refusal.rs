//! Refusals, and the families of error bodies in which IBM's services write them: the four of
//! `ibm-cloud.md` 1.3, and what single services have of their own.
//!
//! Depends on nothing of the simulator. Promises that a refusal of one meaning has one status
//! everywhere, whatever family renders it.

use serde_json::{Value, json};

/// The shape of a service's error bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// A: the token endpoint.
    Token,
    /// B: IAM Identity.
    Identity,
    /// C: policies, access groups, users, resource manager, search, tags.
    Platform,
    /// C as VPC writes it: with what the refusal is about.
    Infrastructure,
    /// D: the resource controller.
    Controller,
    /// Clusters.
    Containers,
    /// Container Registry: a code and a message (`bluemix-go`, `registryv1`).
    Registry,
    /// Schematics: a message with its id (`ibm-cloud-docs/schematics`, `faqs/sc-workspaces-faq.md`).
    Schematics,
    /// Key Protect's own: reasons inside of a collection.
    Keys,
    /// Object Storage's own: XML, as S3 has it.
    Storage,
}

/// A call that was not done, and why.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    /// The machine-readable code, where the family's usual one for the status does not fit.
    code: Option<String>,
    /// What it is about, as VPC writes it: type (`field` or `parameter`), name and value.
    target: Option<Box<Value>>,
    pub(super) retry_after: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            code: None,
            target: None,
            retry_after: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(401, "The provided IAM token is expired or not valid.")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "You are not authorized to perform this operation.")
    }

    pub(super) fn not_found(what: &str, id: &str) -> Self {
        Self::new(404, format!("{what} {id} is not found."))
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, message)
    }

    pub(super) fn gone(what: &str, id: &str) -> Self {
        Self::new(410, format!("{what} {id} has been removed."))
    }

    /// A service's broker refuses, through the resource controller; the inner status is in the text
    /// only (`ibm-cloud.md` 6.1).
    pub(super) fn broker(message: impl Into<String>) -> Self {
        Self::new(422, message).with_code("RC-ServiceBrokerErrorResponse")
    }

    /// The `If-Match` header does not name the current entity tag.
    pub(super) fn stale() -> Self {
        Self::new(412, "The entity tag does not match the current version.")
    }

    pub(super) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Says what the refusal is about, unless that is said already.
    pub(super) fn with_target(mut self, kind: &'static str, name: &str, value: &str) -> Self {
        self.target
            .get_or_insert_with(|| json!({"type": kind, "name": name, "value": value}).into());
        self
    }

    pub(super) fn with_retry_after(mut self, retry_after: String) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Renders the body as services of `family` do.
    pub(super) fn body(&self, family: Family, transaction_id: &str) -> Value {
        let code = self
            .code
            .as_deref()
            .unwrap_or_else(|| usual_code(family, self.status));
        match family {
            Family::Token => json!({
                "context": {"requestId": transaction_id, "requestType": "incoming.Identity_Token"},
                "errorCode": code, "errorMessage": self.message, "errorDetails": self.message,
            }),
            Family::Identity => json!({
                "context": {"transaction_id": transaction_id},
                "status_code": self.status,
                "errors": [{
                    "code": identity_word(self.status), "message_code": code,
                    "message": self.message, "details": self.message,
                }],
                "trace": transaction_id,
            }),
            Family::Platform => json!({
                "trace": transaction_id,
                "errors": [{"code": code, "message": self.message}],
                "status_code": self.status,
            }),
            Family::Infrastructure => {
                let mut error = json!({
                    "code": code, "message": self.message,
                    "more_info": "https://cloud.ibm.com/apidocs/vpc#error-handling",
                });
                if let Some(target) = &self.target {
                    error["target"] = target.as_ref().clone();
                }
                json!({"errors": [error], "trace": transaction_id})
            }
            Family::Controller => json!({
                "message": self.message, "status_code": self.status, "error_code": code,
                "transaction_id": format!("bss-{transaction_id}"), "details": self.message,
            }),
            Family::Containers => json!({
                "incidentID": transaction_id, "code": code, "description": self.message,
                "type": containers_word(self.status), "recoveryCLI": "",
            }),
            Family::Registry => json!({
                "code": code, "message": self.message, "request-id": transaction_id,
            }),
            Family::Schematics => json!({
                "requestid": transaction_id, "messageid": code, "message": self.message,
                "statuscode": self.status,
            }),
            Family::Keys => json!({
                "metadata": {
                    "collectionType": "application/vnd.ibm.kms.error+json", "collectionTotal": 1,
                },
                "resources": [{
                    "errorMsg": "Action could not be performed on key. Please see `reasons` for more details.",
                    "reasons": [{
                        "code": code, "message": self.message, "status": self.status,
                        "moreInfo": "https://cloud.ibm.com/apidocs/key-protect",
                    }],
                }],
            }),
            Family::Storage => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><Error><Code>{code}</Code>\
                 <Message>{}</Message><RequestId>{transaction_id}</RequestId>\
                 <httpStatusCode>{}</httpStatusCode></Error>",
                self.message, self.status,
            )
            .into(),
        }
    }
}

/// IAM Identity's word beside its message code.
fn identity_word(status: u16) -> &'static str {
    match status {
        400 => "invalid_parameter",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "delete_not_possible",
        412 => "precondition_failed",
        429 => "too_many_requests",
        _ => "internal_error",
    }
}

/// The kind of trouble that clusters name beside their code.
fn containers_word(status: u16) -> &'static str {
    match status {
        401 => "Authentication",
        403 => "Authorization",
        500.. => "Server",
        _ => "General",
    }
}

fn usual_code(family: Family, status: u16) -> &'static str {
    match (family, status) {
        (Family::Token | Family::Identity, 400) => "BXNIM0109E",
        (Family::Token | Family::Identity, 401) => "BXNIM0408E",
        (Family::Token | Family::Identity, 403) => "BXNIM0513E",
        (Family::Token | Family::Identity, 404) => "BXNIM0102E",
        (Family::Token | Family::Identity, 409) => "BXNIM0105E",
        (Family::Token | Family::Identity, _) => "BXNIM0050E",
        (Family::Controller, 401) => "RC-IamErrorResponse",
        (Family::Controller, 403) => "RC-Forbidden",
        (Family::Controller, 404) => "RC-NotFound",
        (Family::Controller, 409) => "RC-Conflict",
        (Family::Controller, 410) => "RC-InstanceGone",
        (Family::Controller, 422) => "RC-UnprocessableEntity",
        (Family::Controller, 429) => "RC-TooManyRequests",
        (Family::Controller, 500..) => "RC-InternalServerError",
        (Family::Controller, _) => "RC-BadRequest",
        // A0003, A0656 and G0004 were seen; the others are of this simulator's making.
        (Family::Containers, 401) => "A0003",
        (Family::Containers, 403) => "A0656",
        (Family::Containers, 404) => "G0004",
        (Family::Containers, _) => "G0001",
        // CRG0009E, CRG0014E and CRG0020E were seen.
        (Family::Registry, 401) => "CRG0014E",
        (Family::Registry, 403) => "CRG0020E",
        (Family::Registry, _) => "CRG0001E",
        // M1078 was seen.
        (Family::Schematics, 403) => "M1078",
        (Family::Schematics, _) => "M1001",
        (Family::Infrastructure, 400) => "bad_field",
        (Family::Infrastructure, 401) => "not_authenticated",
        (Family::Infrastructure, 403) => "not_authorized",
        (Family::Infrastructure | Family::Platform, 404) => "not_found",
        (Family::Infrastructure, 409) => "conflict_field",
        (Family::Infrastructure, 429) => "over_quota",
        (Family::Infrastructure, _) => "internal_error",
        (Family::Platform, 400) => "invalid_body",
        (Family::Platform, 401) => "invalid_token",
        (Family::Platform, 403) => "insufficent_permissions",
        (Family::Platform, 409) => "conflict_error",
        (Family::Platform, 412) => "precondition_failed",
        (Family::Platform, 429) => "too_many_requests",
        (Family::Platform, _) => "internal_server_error",
        (Family::Keys, 400) => "BAD_BODY_ERR",
        (Family::Keys, 401 | 403) => "UNAUTHORIZED_ERR",
        (Family::Keys, 404) => "KEY_NOT_FOUND_ERR",
        (Family::Keys, _) => "KEY_ACTION_ERR",
        (Family::Storage, 400) => "InvalidRequest",
        (Family::Storage, 401 | 403) => "AccessDenied",
        (Family::Storage, 404) => "NoSuchKey",
        (Family::Storage, 503) => "ServiceUnavailable",
        (Family::Storage, _) => "InternalError",
    }
}

#[cfg(test)]
mod tests {
    use super::{Family, Refusal};

    #[test]
    fn each_family_puts_code_and_message_where_its_clients_look() {
        let refusal = Refusal::not_found("key", "k1");
        let message = "key k1 is not found.";
        let token = refusal.body(Family::Token, "t");
        assert_eq!(token["errorMessage"], message);
        let identity = refusal.body(Family::Identity, "t");
        assert_eq!(identity["errors"][0]["message_code"], "BXNIM0102E");
        assert_eq!(identity["errors"][0]["code"], "not_found");
        let platform = refusal.body(Family::Platform, "t");
        assert_eq!(platform["errors"][0]["message"], message);
        let infrastructure = refusal
            .with_target("parameter", "id", "k1")
            .body(Family::Infrastructure, "t");
        assert_eq!(infrastructure["errors"][0]["code"], "not_found");
        assert_eq!(infrastructure["errors"][0]["target"]["value"], "k1");
        let refusal = Refusal::not_found("key", "k1");
        let controller = refusal.body(Family::Controller, "t");
        assert_eq!(controller["error_code"], "RC-NotFound");
        assert_eq!(controller["transaction_id"], "bss-t");
        let containers = refusal.body(Family::Containers, "t");
        assert_eq!(containers["code"], "G0004");
        assert_eq!(containers["description"], message);
        let registry = Refusal::forbidden().body(Family::Registry, "t");
        assert_eq!(registry["code"], "CRG0020E");
        assert_eq!(registry["request-id"], "t");
        let schematics = refusal.body(Family::Schematics, "t");
        assert_eq!(schematics["message"], message);
        assert_eq!(schematics["statuscode"], 404);
        let keys = Refusal::not_found("key", "k1").body(Family::Keys, "t");
        assert_eq!(keys["resources"][0]["reasons"][0]["message"], message);
        let storage = Refusal::not_found("key", "k1").body(Family::Storage, "t");
        let xml = storage.as_str().unwrap();
        assert!(xml.contains("<Code>NoSuchKey</Code><Message>key k1 is not found.</Message>"));
    }
}
