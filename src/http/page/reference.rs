//! `/docs/`: the document of the API, for a person. Rendered here, from the document alone, so that
//! it works offline and runs nothing.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType};
use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

use super::{CACHING, SECURITY_POLICY, assets};
use crate::http::openapi;

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::from_str(openapi::as_json()).expect("it was written a moment ago");
    render(&document).into_string()
});

/// `GET /docs/`: the document, to be read.
#[utoipa::path(
    get,
    path = "/docs/",
    operation_id = "getReference",
    tag = "documentation",
    summary = "The API as a page",
    description = "The same as the document, for a person. It needs no network and no script.",
    security(()),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(in crate::http) async fn reference() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((CONTENT_SECURITY_POLICY, SECURITY_POLICY))
        .body(PAGE.as_str())
}

fn render(document: &Value) -> Markup {
    let tags = document["tags"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "API · acctpool" }
                link rel="icon" type="image/svg+xml" href=(assets::ICON);
                link rel="stylesheet" href=(assets::STYLE);
            }
            body.reference {
                header {
                    p.brand { img src=(assets::ICON) alt="" width="28" height="28"; "acctpool" }
                    h1.tagline { "The API, version " (text(&document["info"]["version"])) }
                }
                main {
                    section aria-label="about" {
                        (prose(&document["info"]["description"]))
                        p { "For programs: " a href="/openapi.json" { "openapi.json" } "." }
                    }
                    @for tag in tags {
                        @let name = text(&tag["name"]);
                        section aria-labelledby=(name) {
                            h2 #(name) { (name) }
                            (prose(&tag["description"]))
                            @for (path, method, operation) in operations(document, name) {
                                (show(path, method, operation))
                            }
                        }
                    }
                    section aria-labelledby="schemas" {
                        h2 #schemas { "schemas" }
                        @for (name, schema) in members(&document["components"]["schemas"]) {
                            article #(anchor(name)) { h3 { (name) } (prose(&schema["description"])) (fields(schema)) }
                        }
                    }
                }
                footer { p { a href="/" { "How the pool is" } } }
            }
        }
    }
}

/// Returns the operations of a tag, with their paths and methods.
fn operations<'a>(
    document: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    members(&document["paths"])
        .flat_map(|(path, item)| {
            members(item).map(move |(method, operation)| (path, method, operation))
        })
        .filter(move |(_, _, operation)| operation["tags"][0] == tag)
}

fn show(path: &str, method: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"].as_array();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    html! {
        article #(text(&operation["operationId"])) {
            h3 { code { (method.to_uppercase()) " " (path) } }
            p { strong { (text(&operation["summary"])) } }
            (prose(&operation["description"]))
            @if let Some(parameters) = parameters {
                dl.fields {
                    @for parameter in parameters {
                        dt {
                            code { (text(&parameter["name"])) } " "
                            span.kind { (text(&parameter["in"])) ", " (kind(&parameter["schema"])) }
                        }
                        @let of_schema = &parameter["schema"]["description"];
                        dd {
                            (prose(&parameter["description"]))
                            @if *of_schema != parameter["description"] { (prose(of_schema)) }
                        }
                    }
                }
            }
            @if !body.is_null() { p { "Or as a JSON body: " (kind(body)) "." } }
            dl.fields {
                @for (status, response) in members(&operation["responses"]) {
                    dt { code { (status) } " " @for (_, content) in members(&response["content"]) {
                        span.kind { (kind(&content["schema"])) }
                    } }
                    dd { (prose(&response["description"])) }
                }
            }
        }
    }
}

fn fields(schema: &Value) -> Markup {
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        dl.fields {
            @for (name, field) in members(&schema["properties"]) {
                dt {
                    code { (name) } " "
                    span.kind {
                        (kind(field))
                        @if !required.iter().any(|required| required == name) { ", optional" }
                    }
                }
                dd { (prose(&field["description"])) }
            }
        }
    }
}

/// Says what values a schema allows, in a few words.
fn kind(schema: &Value) -> Markup {
    let reference = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let values = schema["enum"].as_array();
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        one => text(one).to_owned(),
    };
    html! {
        @if let Some(name) = reference {
            a href={ "#" (anchor(name)) } { (name) }
        } @else if let Some(values) = values {
            @for (index, value) in values.iter().enumerate() {
                @if index > 0 { " or " }
                code { (literal(value)) }
            }
        } @else if types == "array" {
            "list of " (kind(&schema["items"]))
        } @else {
            (types)
            @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
        }
    }
}

/// Shows a text of paragraphs with `code` in them.
fn prose(value: &Value) -> Markup {
    html! {
        @for paragraph in text(value).split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            p {
                @for (index, part) in paragraph.split('`').enumerate() {
                    @if index % 2 == 1 { code { (part) } } @else { (part) }
                }
            }
        }
    }
}

fn anchor(schema: &str) -> String {
    format!("schema-{schema}")
}

/// Returns a value as it is sent: a text without its quotes.
fn literal(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().into_iter().flat_map(Map::iter);
    members.map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_schema_is_on_the_page() {
        let document: Value = serde_json::from_str(openapi::as_json()).unwrap();
        for (_, item) in members(&document["paths"]) {
            for (_, operation) in members(item) {
                let id = format!("id=\"{}\"", text(&operation["operationId"]));
                assert!(PAGE.contains(&id), "{id}");
            }
        }
        for (name, _) in members(&document["components"]["schemas"]) {
            assert!(PAGE.contains(&format!("id=\"{}\"", anchor(name))), "{name}");
        }
    }

    #[test]
    fn every_link_leads_somewhere() {
        for link in PAGE.split("href=\"#").skip(1) {
            let (target, _) = link.split_once('"').unwrap();
            assert!(PAGE.contains(&format!("id=\"{target}\"")), "{target}");
        }
    }
}
