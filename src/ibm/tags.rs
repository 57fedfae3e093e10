//! Global Tagging (`ibm-cloud.md` 7).
//!
//! Depends on sessions and paging.

use super::api::Api;
use super::fault::Fault;
use super::paging::{List, Style};
use super::request::{encode, field};
use super::session::Session;

/// Returns the tags of one kind (`user` or `access`) that are attached to the resource with this
/// CRN.
pub(super) async fn attached_to(
    session: &Session<'_>,
    crn: &str,
    kind: &str,
) -> Result<Vec<String>, Fault> {
    let target = format!(
        "/v3/tags?tag_type={kind}&providers=ghost&account_id={}&attached_to={}",
        encode(session.account()),
        encode(crn)
    );
    let list = List::new(Api::GlobalTagging, &target, "items", Style::Offset);
    let tags = list.read(session).await?;
    tags.iter()
        .map(|tag| field("GET /v3/tags", tag, "name"))
        .collect()
}
