//! How instances of single plans end. What all have in common is judged by IBM's SDK, in `tests/sdk`.

use serde_json::json;

use crate::simulator::catalog::{HYPER_PROTECT, POWER_VS, SECRETS_MANAGER};
use crate::simulator::services::lab::{LAG, Lab};

fn states(lab: &Lab) -> Vec<String> {
    let lines = lab.truth("resource_instances");
    let words = lines.iter().filter_map(|line| line.rsplit(' ').next());
    words.map(ToOwned::to_owned).collect()
}

#[test]
fn crypto_instance_stays_while_its_units_are_initialised() {
    let mut lab = Lab::new();
    let initialised = json!({"units": 2, "initialized": true});
    let kept = lab.instance(&HYPER_PROTECT, &initialised);
    let fresh = lab.instance(&HYPER_PROTECT, &json!({"units": 2}));
    lab.pass(100 * LAG);
    let (status, message) = lab.delete_instance(&kept);
    assert_eq!(status, 422);
    assert!(message.contains("[409, Conflict]"), "{message}");
    assert_eq!(lab.delete_instance(&fresh).0, 202);
    lab.pass(LAG);
    assert_eq!(states(&lab), ["active"]);
}

#[test]
fn workspace_is_gone_some_time_after_its_deletion() {
    let mut lab = Lab::new();
    let guid = lab.instance(&POWER_VS, &json!({}));
    lab.pass(LAG);
    assert_eq!(lab.delete_instance(&guid).0, 202);
    assert_eq!(states(&lab), ["active"]);
    lab.pass(LAG);
    assert!(states(&lab).is_empty());
    assert!(lab.truth("reclamations").is_empty());
}

#[test]
fn secrets_manager_awaits_its_reclamation() {
    let mut lab = Lab::new();
    let guid = lab.instance(&SECRETS_MANAGER, &json!({}));
    lab.pass(LAG);
    assert_eq!(lab.delete_instance(&guid).0, 204);
    lab.pass(LAG);
    assert_eq!(states(&lab), ["pending_reclamation"]);
    assert_eq!(lab.truth("reclamations").len(), 1);
}
