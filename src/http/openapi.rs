//! The document of the API, made from the handlers: OpenAPI 3.1 at `/openapi.json`.
//!
//! Each handler describes itself with `#[utoipa::path]`, beside its code; a line in [`Api`] adds it.
//! What any request can end in is added here. A test compares the document with what answers.

use std::sync::LazyLock;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::path::{Operation, PathsMap};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required,
    Response, ResponseBuilder,
};
use utoipa::{Modify, OpenApi as _};

use super::answer::representation::{Known, Representation};
use super::monitoring::{health, measure, statistics};
use super::operators::interventions::{self, Intervention};
use super::operators::{accounts, audit};
use super::page::{self, CACHING};
use super::problem::{MEDIA_TYPE, Problem};
use super::request::parameters::TOKEN;
use super::reservations;

/// The path of the intervention that describes itself; the others are like it.
const CLEAN: &str = "/accounts/{id}/clean";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "acctpool",
        description = "Lends whole IBM Cloud accounts to test systems, and cleans them before they \
            are lent again.\n\nAsk for an account with `POST /reservations`, look with \
            `GET /reservations/{id}` until it is yours, use the credentials that it shows, and give \
            it back with `DELETE`. Everything that goes wrong is told as a problem (RFC 9457) whose \
            `code` is stable.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/")),
    paths(
        statistics::show,
        reservations::ask::request,
        reservations::list::list,
        reservations::show::show,
        reservations::renew::renew,
        reservations::cancel::cancel,
        reservations::receipts::show,
        interventions::revoke,
        accounts::list,
        accounts::show,
        interventions::intervene,
        audit::list,
        health::live,
        health::ready,
        measure::show,
        show,
        page::reference,
    ),
    components(schemas(
        Problem,
        reservations::receipt_schema::Receipt,
        reservations::receipt_schema::ReceiptList
    )),
    security(("bearer" = []), ("query" = [])),
    modifiers(&EveryRequest),
    tags(
        (name = "reservations", description = "Borrow an account and give it back."),
        (name = "operators", description = "Look after the accounts. For tokens of operators; viewers \
            may look."),
        (name = "pool", description = "How the pool is."),
        (name = "documentation", description = "What you are reading."),
    )
)]
struct Api;

/// The document.
static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(Api::openapi);

static JSON: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string(&*DOCUMENT).expect("text and numbers are always JSON"));

/// Returns the document as JSON.
pub(super) fn as_json() -> &'static str {
    &JSON
}

/// An OpenAPI document.
#[derive(utoipa::ToSchema)]
#[schema(value_type = Object)]
struct Document(());

/// `GET /openapi.json`: the document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "documentation",
    summary = "The API as an OpenAPI document",
    description = "This document.",
    security(()),
    responses(
        (status = 200, description = "The document.", body = Document, headers(("ETag" = String))),
        (status = 304, description = "It is the one that `If-None-Match` names."),
    )
)]
pub(super) async fn show(request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, CACHING));
    Representation::new(as_json().into()).answer(&Known::of(&request), response)
}

/// What holds for every request: who may ask, and what any of them can end in.
struct EveryRequest;

impl Modify for EveryRequest {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The consumer's token, in the header `Authorization`."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let query = ApiKeyValue::with_description(
            TOKEN,
            "The consumer's token, in the query, where the operator lets it. Headers are kept in fewer \
             places.",
        );
        components.add_security_scheme("query", SecurityScheme::ApiKey(ApiKey::Query(query)));
        add_alike(&mut document.paths.paths);
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                add_problems(path, operation);
                repeat_descriptions(operation);
                // Whatever can be said in a body can be said in the query.
                if let Some(RefOr::T(body)) = &mut operation.request_body {
                    body.required = Some(Required::False);
                }
            }
        }
    }
}

/// Adds what one handler answers under more than one path.
fn add_alike(paths: &mut PathsMap<String, PathItem>) {
    let mut alike = |path: &str, other: String, say: &dyn Fn(&mut Operation)| {
        let mut item = paths[path].clone();
        operations(&mut item).for_each(say);
        paths.insert(other, item);
    };
    alike("/readyz", "/healthz".to_owned(), &|operation| {
        operation.operation_id = Some("getHealth".to_owned());
    });
    for intervention in Intervention::ALL {
        let word = intervention.as_str();
        alike(CLEAN, format!("/accounts/{{id}}/{word}"), &|operation| {
            let (summary, effect) = intervention.words();
            let audit = "Who did it, why and from where is kept in the audit.";
            operation.operation_id = Some(format!("{word}Account"));
            operation.summary = Some(summary.to_owned());
            operation.description = Some(format!("{effect} {audit}"));
        });
    }
}

/// Says of a parameter in its schema what is said of it beside: makers of clients look there.
fn repeat_descriptions(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && schema.description.is_none()
        {
            schema.description.clone_from(&parameter.description);
        }
    }
}

/// Returns the operations of a path, whatever their method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get, post, delete, ..
    } = item;
    [get, post, delete].into_iter().flatten()
}

/// Adds what an operation can end in besides what it says itself, by what it takes and what it is about.
fn add_problems(path: &str, operation: &mut Operation) {
    let is_open = operation.security.is_some();
    let takes_body = operation.request_body.is_some();
    let is_for_operators = operation
        .tags
        .iter()
        .flatten()
        .any(|tag| tag == "operators");
    let mut problems = vec![
        (413, "`body_too_large`: longer than any request needs."),
        (414, "`uri_too_long`: longer than any request needs."),
        (431, "`headers_too_large`: larger than any request needs."),
        (
            500,
            "`internal`: a fault of the service; its log tells more under the request id.",
        ),
        (
            503,
            "`unavailable`: starting, stopping or overloaded. Come back after `Retry-After` seconds.",
        ),
    ];
    match (is_open, takes_body) {
        (true, _) => problems.push((400, "`malformed_request`.")),
        (false, false) => problems.push((
            400,
            "`malformed_request`, `unknown_parameter`, `repeated_parameter`, `invalid_parameter`, \
             `two_tokens` or `query_token_refused`: what is wrong is named, and what would be right.",
        )),
        (false, true) => problems.push((
            400,
            "`malformed_request`, `unknown_parameter`, `repeated_parameter`, `invalid_parameter`, \
             `malformed_body`, `unexpected_body`, `token_in_body`, `two_tokens` or \
             `query_token_refused`: what is wrong is named, and what would be right.",
        )),
    }
    if !is_open {
        problems.push((401, "`unauthorized`: no token, or one that nobody has."));
        problems.push((
            429,
            "`rate_limited`: more requests than your token may make. Come back after `Retry-After` \
             seconds.",
        ));
    }
    if takes_body {
        problems.push((408, "`slow_body`: the body did not come in time."));
        problems.push((415, "`unsupported_media_type`: a body is JSON."));
    }
    if is_for_operators {
        problems.push((403, "`role_not_allowed`: your token is not for this."));
    }
    if path == CLEAN {
        problems.push((
            409,
            "`account_leased`: revoke its reservation, or wait until it ends.",
        ));
    }
    if path.starts_with("/accounts/{id}") {
        problems.push((404, "`unknown_account`: there is none with this id."));
    }
    if path.starts_with("/reservations/{id}") {
        problems.push((404, "`unknown_reservation`: you have none with this id."));
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in problems {
        let problem = || problem(status, description).into();
        responses.entry(status.to_string()).or_insert_with(problem);
    }
}

fn problem(status: u16, description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, content);
    let header = match status {
        401 => Some(("WWW-Authenticate", Type::String)),
        429 | 503 => Some(("Retry-After", Type::Integer)),
        _ => None,
    };
    let response = header.into_iter().fold(response, |response, (name, kind)| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        response.header(name, HeaderBuilder::new().schema(Some(schema)).build())
    });
    response.build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes;

    #[test]
    fn the_document_has_the_paths_that_answer_and_no_others() {
        let documented: BTreeSet<&str> = DOCUMENT.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(documented, routes::PATHS.into_iter().collect());
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document: serde_json::Value = serde_json::from_str(as_json()).unwrap();
        let references: BTreeSet<&str> = as_json()
            .split("\"$ref\":\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(!references.is_empty());
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_says_what_it_is_for_and_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for operation in DOCUMENT
            .paths
            .paths
            .clone()
            .values_mut()
            .flat_map(operations)
        {
            let name = operation.operation_id.clone().unwrap();
            assert!(operation.summary.is_some(), "{name}");
            assert!(operation.description.is_some(), "{name}");
            assert!(
                operation.tags.as_ref().is_some_and(|tags| tags.len() == 1),
                "{name}"
            );
            assert!(names.insert(name.clone()), "{name}");
        }
    }
}
