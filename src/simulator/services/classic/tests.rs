//! Classic infrastructure as everybody else meets it: by search alone.

use serde_json::json;

use crate::simulator::services::lab::{LAG, Lab};

#[test]
fn item_is_found_by_search_and_leaves_when_a_person_cancels_it() {
    let mut lab = Lab::slow();
    let crn = lab
        .cloud
        .order_classic(&lab.account, "virtual-server", "old");
    let crn = crn.unwrap();
    assert!(lab.types("family:ims").is_empty());
    lab.advance(LAG);
    assert_eq!(lab.types("family:ims"), ["virtual-server"]);
    assert_eq!(lab.inventory("classic").len(), 1);
    assert_eq!(lab.get("/v2/resource_instances")["resources"], json!([]));
    assert!(lab.cloud.cancel_classic(&lab.account, &crn));
    assert!(!lab.cloud.cancel_classic(&lab.account, &crn));
    lab.advance(LAG);
    assert!(lab.types("family:ims").is_empty());
    assert_eq!(
        lab.cloud.order_classic("nobody", "virtual-server", "x"),
        None
    );
}
