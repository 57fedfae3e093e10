//! What it means for an item when its deletion is refused.
//!
//! Depends on refusals only.

use serde_json::Value;

use super::super::fault::{Refusal, scrub};

/// What a refused deletion means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    /// The item is gone.
    Gone,
    /// It may go later.
    Waits,
    /// It will not go by itself.
    Stuck,
}

/// The meaning of statuses in general (`ibm-cloud.md` 1.4).
pub(super) fn usual(refusal: &Refusal) -> Outcome {
    match refusal.status {
        404 | 410 => Outcome::Gone,
        408 | 409 | 412 | 423 | 425 | 429 | 500..=599 => Outcome::Waits,
        _ => Outcome::Stuck,
    }
}

/// For what goes as soon as something else has gone, and says so with varying statuses: only a lack
/// of rights is for good.
pub(super) fn passes(refusal: &Refusal) -> Outcome {
    match (usual(refusal), refusal.status) {
        (Outcome::Stuck, 401 | 403) => Outcome::Stuck,
        (Outcome::Stuck, _) => Outcome::Waits,
        (outcome, _) => outcome,
    }
}

/// An instance that was deleted already answers 400 or 422 until it is reclaimed (6.1).
pub(super) fn of_instance(refusal: &Refusal) -> Outcome {
    let words = refusal.words().to_lowercase();
    let being_reclaimed = words.contains("reclamation") || words.contains("reclaim");
    match refusal.status {
        400 | 422 if being_reclaimed => Outcome::Waits,
        _ => usual(refusal),
    }
}

/// A key with a retention policy, or one that two people have to delete, does not go by itself (9).
pub(super) fn of_key(refusal: &Refusal) -> Outcome {
    let words = refusal.words().to_lowercase();
    let for_good = ["retention", "protected_resource", "authorizations_not_met"];
    match refusal.status {
        409 if for_good.iter().any(|word| words.contains(word)) => Outcome::Stuck,
        _ => usual(refusal),
    }
}

/// For services that answer refusals with an error status.
pub(super) fn none_hidden(_body: &Value) -> Option<String> {
    None
}

/// Tagging hides refusals inside a 200 (7).
pub(super) fn in_results(body: &Value) -> Option<String> {
    let results = body["results"].as_array().into_iter().flatten();
    let mut refused = results.filter(|result| result["is_error"] == true);
    refused.next().map(|result| {
        let words = result["message"].as_str().unwrap_or("it is still attached");
        scrub(words, &[])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, message: &str) -> Refusal {
        let body = json!({"message": message}).to_string();
        Refusal::read("DELETE /x".into(), status, body.as_bytes(), &[])
    }

    #[test]
    fn gone_is_gone_whoever_says_so() {
        for status in [404, 410] {
            for rule in [usual, passes, of_instance] {
                assert_eq!(rule(&refused(status, "")), Outcome::Gone);
            }
        }
    }

    #[test]
    fn conflict_waits_and_missing_rights_do_not() {
        for rule in [usual, passes, of_instance] {
            assert_eq!(rule(&refused(409, "")), Outcome::Waits);
            assert_eq!(rule(&refused(500, "")), Outcome::Waits);
            assert_eq!(rule(&refused(403, "")), Outcome::Stuck);
        }
    }

    #[test]
    fn group_that_is_not_empty_waits_whatever_it_answers() {
        for status in [400, 409, 412, 422, 500] {
            assert_eq!(passes(&refused(status, "")), Outcome::Waits, "{status}");
        }
    }

    #[test]
    fn broker_refusal_is_stuck_unless_reclamation_is_why() {
        let broker = refused(422, "[409, Conflict] CONTAINS_ACTIVE_KEYS");
        assert_eq!(of_instance(&broker), Outcome::Stuck);
        for status in [400, 422] {
            let pending = refused(status, "Instance is pending reclamation");
            assert_eq!(of_instance(&pending), Outcome::Waits);
        }
    }

    #[test]
    fn refusal_inside_a_success_is_seen() {
        let body = json!({"results": [{"provider": "ghost", "is_error": true}]});
        assert!(in_results(&body).is_some());
        let body = json!({"results": [{"provider": "ghost", "is_error": false}]});
        assert!(in_results(&body).is_none());
    }
}
