//! Clusters over whole requests: what holds what, what a dead key stops, and what stays.

use std::time::Duration;

use serde_json::{Value, json};

use crate::simulator::Lags;
use crate::simulator::services::lab::{ADMINISTRATOR, Asking, Lab, Login, text, vpc};

const KEY: &str = "containers-kubernetes-key";
const SECOND: Duration = Duration::from_secs(1);
const ALMOST: Duration = Duration::from_secs(179);
const DELETION: Duration = Duration::from_mins(3);
const LINGER: Duration = Duration::from_mins(10);

/// Nothing is slow but clusters and load balancers.
fn lags() -> Lags {
    Lags {
        vpc_slow_delete: DELETION,
        cluster_linger: LINGER,
        ..Lags::none()
    }
}

/// A lab with a VPC and a subnet.
struct Site {
    lab: Lab,
    vpc: String,
    subnet: String,
}

impl Site {
    fn new(lags: Lags) -> Self {
        let lab = Lab::new(lags);
        let net = lab.build("vpcs", &json!({"name": "net"}));
        let subnet = json!({"name": "sub", "vpc": {"id": net}, "total_ipv4_address_count": 256});
        let subnet = lab.build("subnets", &subnet);
        Self {
            vpc: net,
            subnet,
            lab,
        }
    }

    fn body(&self, name: &str) -> Value {
        let zones = json!([{"id": "eu-de-1", "subnetID": self.subnet}]);
        json!({
            "name": name, "provider": "vpc-gen2",
            "workerPool": {"vpcID": self.vpc, "workerCount": 2, "flavor": "bx2.4x16", "zones": zones},
        })
    }

    fn try_to_make(&self, asking: Asking<'_>, name: &str) -> (u16, Value) {
        asking.send("POST", "/containers/v2/vpc/createCluster", &self.body(name))
    }

    /// Makes a cluster of somebody and gives its id.
    fn cluster_of(&self, login: &Login, name: &str) -> String {
        let (status, made) = self.try_to_make(self.lab.by(login), name);
        assert_eq!(status, 201, "{made}");
        text(&made["clusterID"])
    }

    fn cluster(&self, name: &str) -> String {
        self.cluster_of(&self.lab.owner, name)
    }

    /// A service ID that may make clusters and store keys.
    fn borrower(&self) -> Login {
        let roles = [
            ("containers-kubernetes", ADMINISTRATOR),
            ("iam-identity", "Operator"),
        ];
        self.lab.service_id("borrower", &roles)
    }

    fn state(&self, cluster: &str) -> String {
        let (status, shown) = self.lab.ask().send("GET", &named(cluster), &Value::Null);
        match status {
            200 => text(&shown["state"]),
            404 => "gone".to_owned(),
            _ => panic!("{status} {shown}"),
        }
    }

    /// The code with which the deletion of something of the VPC is refused.
    fn refusal(&self, path: &str) -> String {
        let (status, body) = self.lab.ask().send("DELETE", &vpc(path), &Value::Null);
        assert_eq!(status, 409, "{body}");
        text(&body["errors"][0]["code"])
    }

    fn refusal_of_subnet(&self) -> String {
        self.refusal(&format!("subnets/{}", self.subnet))
    }

    fn reset(&self, login: &Login) -> u16 {
        let asking = self.lab.by(login).with("x-region", "eu-de");
        asking.send("POST", "/containers/v1/keys", &Value::Null).0
    }

    /// The lines of infrastructure keys, in whole.
    fn keys(&self) -> Vec<String> {
        let keys = self.lab.inventory("api_keys");
        keys.into_iter().filter(|key| key.contains(KEY)).collect()
    }
}

fn named(cluster: &str) -> String {
    format!("/containers/v2/getCluster?cluster={cluster}")
}

fn deletion(cluster: &str) -> String {
    format!("/containers/v1/clusters/{cluster}?deleteResources=true")
}

#[test]
fn workers_hold_their_subnet_and_no_list_shows_them() {
    let mut site = Site::new(lags());
    let id = site.cluster("one");
    let balancers = site.lab.built("load_balancers");
    let shown = site
        .lab
        .get(&vpc(&format!("load_balancers/{}", balancers[0])));
    assert!(text(&shown["name"]).contains(&id), "{shown}");
    // With the load balancer out of the way, nothing is left that a list shows.
    assert_eq!(
        site.lab
            .delete(&vpc(&format!("load_balancers/{}", balancers[0]))),
        202
    );
    site.lab.advance(DELETION);
    for collection in ["load_balancers", "instances", "bare_metal_servers"] {
        assert_eq!(site.lab.built(collection), Vec::<String>::new());
    }
    let in_use = "subnet_in_use_iks_worker_node_exists";
    assert_eq!(site.refusal_of_subnet(), in_use);
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    site.lab.advance(DELETION);
    assert_eq!(site.state(&id), "gone");
    assert_eq!(site.lab.inventory("cluster_workers").len(), 1);
    assert_eq!(site.refusal_of_subnet(), in_use);
    site.lab.advance(LINGER);
    assert_eq!(site.lab.inventory("cluster_workers").len(), 0);
    let subnet = vpc(&format!("subnets/{}", site.subnet));
    assert_eq!(site.lab.delete(&subnet), 204);
}

#[test]
fn a_deletion_takes_its_time_and_its_resources_longer() {
    let mut site = Site::new(lags());
    let id = site.cluster("one");
    let volume = site.lab.built("volumes").remove(0);
    let held = site.refusal(&format!("volumes/{volume}"));
    assert_eq!(held, "volume_in_use_iks_worker_node_exists");
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    assert_eq!(site.state(&id), "deleting");
    site.lab.advance(ALMOST);
    // A second deletion begins nothing anew.
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    assert_eq!(
        site.lab.get("/containers/v2/vpc/getClusters")[0]["state"],
        "deleting"
    );
    site.lab.advance(SECOND);
    assert_eq!(site.lab.get("/containers/v2/vpc/getClusters"), json!([]));
    assert_eq!(site.lab.delete(&deletion(&id)), 404);
    assert_eq!(site.lab.built("load_balancers").len(), 1);
    site.lab.advance(LINGER);
    assert_eq!(
        site.lab.built("load_balancers").len(),
        1,
        "it is slow to go"
    );
    assert_eq!(site.lab.built("volumes").len(), 0);
    site.lab.advance(DELETION);
    assert_eq!(site.lab.built("load_balancers").len(), 0);
}

#[test]
fn without_being_asked_to_a_deletion_leaves_load_balancer_and_volume() {
    let mut site = Site::new(lags());
    let id = site.cluster("one");
    assert_eq!(
        site.lab.delete(&format!("/containers/v1/clusters/{id}")),
        204
    );
    site.lab.advance(DELETION);
    site.lab.advance(LINGER + DELETION);
    assert_eq!(site.state(&id), "gone");
    let balancer = site.lab.built("load_balancers").remove(0);
    let volume = site.lab.built("volumes").remove(0);
    // The workers are gone all the same.
    assert_eq!(site.lab.delete(&vpc(&format!("volumes/{volume}"))), 204);
    assert_eq!(
        site.lab.delete(&vpc(&format!("load_balancers/{balancer}"))),
        202
    );
    site.lab.advance(DELETION);
    assert_eq!(
        site.lab.delete(&vpc(&format!("subnets/{}", site.subnet))),
        204
    );
}

#[test]
fn the_first_cluster_of_a_region_and_a_group_stores_a_key_of_its_maker() {
    let site = Site::new(lags());
    let borrower = site.borrower();
    let id = site.cluster_of(&borrower, "one");
    site.cluster("two");
    let keys = site.keys();
    assert_eq!(keys.len(), 1);
    assert!(keys[0].ends_with(&borrower.id), "{keys:?}");
    let owner = site
        .lab
        .get(&format!("/containers/v1/logging/{id}/clusterkeyowner"));
    assert_eq!(owner["id"], format!("iam-{}", borrower.id));
    assert_eq!(owner["name"], "borrower");
    let elsewhere = site.lab.group("side");
    let asking = site.lab.ask().with("x-auth-resource-group", &elsewhere);
    assert_eq!(site.try_to_make(asking, "three").0, 201);
    assert_eq!(site.keys().len(), 2);
    let asking = site.lab.ask().with("x-region", "us-south");
    asking.post("/containers/v1/clusters", &json!({"name": "four"}));
    assert_eq!(site.keys().len(), 3);
}

#[test]
fn nothing_of_iam_goes_with_a_cluster() {
    let mut site = Site::new(Lags::none());
    let id = site.cluster("one");
    let of_cluster = format!("cluster-{id}");
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    site.lab.advance(Duration::from_hours(1));
    assert_eq!(site.lab.inventory("clusters"), Vec::<String>::new());
    assert_eq!(site.keys().len(), 1);
    let service_ids = site.lab.inventory("service_ids");
    assert!(service_ids[0].contains(&of_cluster), "{service_ids:?}");
    let keys = site.lab.inventory("api_keys");
    assert!(keys.iter().any(|key| key.contains(&of_cluster)), "{keys:?}");
}

/// Makes a cluster of a borrower, lets `kill` do its worst, and deletes the cluster.
fn deleted_after(kill: impl FnOnce(&mut Site, &Login)) -> (Site, String) {
    let mut site = Site::new(Lags {
        policy_removal: Duration::from_secs(30),
        ..lags()
    });
    let borrower = site.borrower();
    let id = site.cluster_of(&borrower, "one");
    kill(&mut site, &borrower);
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    site.lab.advance(DELETION);
    (site, id)
}

fn assert_stopped_until_reset(mut site: Site, id: &str) {
    assert_eq!(site.state(id), "deleting");
    site.lab.advance(Duration::from_hours(24));
    assert_eq!(site.state(id), "deleting");
    assert_eq!(site.lab.delete(&deletion(id)), 204);
    site.lab.advance(DELETION);
    assert_eq!(site.state(id), "deleting", "another DELETE is of no use");
    let before = site.keys().len();
    assert_eq!(site.reset(&site.lab.owner), 204);
    assert_eq!(site.keys().len(), before + 1, "the former record stays");
    site.lab.advance(ALMOST);
    assert_eq!(site.state(id), "deleting");
    site.lab.advance(SECOND);
    assert_eq!(site.state(id), "gone");
}

/// The id of the infrastructure key that there is.
fn stored(site: &Site) -> String {
    let keys = site.keys();
    keys[0].split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_living_key_lets_a_deletion_end() {
    let (site, id) = deleted_after(|_, _| {});
    assert_eq!(site.state(&id), "gone");
}

#[test]
fn a_deleted_key_stops_a_deletion() {
    let (site, id) = deleted_after(|site, _| {
        let key = stored(site);
        assert_eq!(site.lab.delete(&format!("/v1/apikeys/{key}")), 204);
    });
    assert_stopped_until_reset(site, &id);
}

#[test]
fn a_disabled_key_stops_a_deletion() {
    let (site, id) = deleted_after(|site, _| {
        let disable = format!("/v1/apikeys/{}/disable", stored(site));
        site.lab.post(&disable, &Value::Null);
    });
    assert_stopped_until_reset(site, &id);
}

#[test]
fn a_deleted_identity_stops_a_deletion() {
    let (site, id) = deleted_after(|site, borrower| {
        assert_eq!(
            site.lab.delete(&format!("/v1/serviceids/{}", borrower.id)),
            204
        );
    });
    assert_stopped_until_reset(site, &id);
}

#[test]
fn an_identity_without_policies_stops_a_deletion() {
    let (site, id) = deleted_after(|site, _| {
        let policies = format!("/v2/policies?account_id={}", site.lab.account);
        let policies = site.lab.get(&policies);
        for policy in policies["policies"].as_array().unwrap() {
            let path = format!("/v2/policies/{}", text(&policy["id"]));
            assert_eq!(site.lab.delete(&path), 204);
        }
        assert_eq!(site.keys().len(), 1);
    });
    assert_stopped_until_reset(site, &id);
}

#[test]
fn a_cluster_is_not_made_with_a_dead_key() {
    let site = Site::new(lags());
    let borrower = site.borrower();
    site.cluster_of(&borrower, "one");
    assert_eq!(
        site.lab.delete(&format!("/v1/serviceids/{}", borrower.id)),
        204
    );
    let (status, refusal) = site.try_to_make(site.lab.ask(), "two");
    assert_eq!(status, 400);
    assert_eq!(refusal["description"], "The API key could not be found.");
    assert_eq!(site.lab.inventory("clusters").len(), 1);
    assert_eq!(site.reset(&site.lab.owner), 204);
    site.cluster("two");
}

#[test]
fn storing_a_key_takes_rights_on_clusters_and_on_identities() {
    let site = Site::new(lags());
    let clusters = ("containers-kubernetes", ADMINISTRATOR);
    let identities = ("iam-identity", "Operator");
    for (roles, expected) in [
        (vec![clusters], 403),
        (vec![identities], 403),
        (vec![("containers-kubernetes", "Editor"), identities], 403),
        (vec![clusters, identities], 204),
    ] {
        let login = site.lab.service_id("janitor", &roles);
        assert_eq!(site.reset(&login), expected, "{roles:?}");
        if expected == 403 {
            let (status, refusal) = site.try_to_make(site.lab.by(&login), "one");
            assert_eq!((status, &refusal["code"]), (403, &json!("A0656")));
        }
    }
    assert_eq!(site.keys().len(), 1);
    let (status, _) = site
        .lab
        .ask()
        .send("POST", "/containers/v1/keys", &Value::Null);
    assert_eq!(status, 400, "without a region");
}

#[test]
fn a_restriction_on_keys_keeps_the_first_cluster_from_being_made() {
    let site = Site::new(lags());
    let path = format!("/v1/accounts/{}/settings/identity", site.lab.account);
    let restrict = |value: &str| {
        let body = json!({"restrict_create_platform_apikey": value});
        let asking = site.lab.ask().with("if-match", "*");
        assert_eq!(asking.send("PUT", &path, &body).0, 200);
    };
    restrict("RESTRICTED");
    assert_eq!(site.try_to_make(site.lab.ask(), "one").0, 403);
    assert_eq!(site.reset(&site.lab.owner), 403);
    restrict("NOT_SET");
    site.cluster("one");
    restrict("RESTRICTED");
    // It works with the key that is stored.
    site.cluster("two");
}

#[test]
fn a_refused_creation_leaves_nothing() {
    let site = Site::new(lags());
    let before = site.lab.cloud.inventory(&site.lab.account);
    let mut of_another = site.body("one");
    of_another["workerPool"]["zones"][0]["subnetID"] = site.vpc.clone().into();
    let mut of_none = site.body("one");
    of_none["workerPool"]["zones"] = json!([]);
    let mut nameless = site.body("one");
    nameless["name"] = Value::Null;
    for (body, expected) in [(of_another, 404), (of_none, 400), (nameless, 400)] {
        let path = "/containers/v2/vpc/createCluster";
        assert_eq!(site.lab.ask().send("POST", path, &body).0, expected);
    }
    let nobody = site.lab.by(&site.lab.stranger);
    assert_eq!(site.try_to_make(nobody, "one").0, 404);
    assert_eq!(site.lab.cloud.inventory(&site.lab.account), before);
    site.cluster("one");
    assert_eq!(site.try_to_make(site.lab.ask(), "one").0, 409);
    assert_eq!(site.lab.inventory("load_balancers").len(), 1);
}

#[test]
fn each_kind_has_its_list_which_a_group_narrows() {
    let site = Site::new(lags());
    let lab = &site.lab;
    let in_vpc = site.cluster("in-vpc");
    let make = |path: &str, body: Value| {
        let asking = lab.ask().with("x-region", "us-south");
        text(&asking.post(path, &body)["id"])
    };
    let classic = make(
        "/containers/v1/clusters",
        json!({"name": "classic", "workerNum": 3}),
    );
    let satellite = make(
        "/containers/v2/satellite/createCluster",
        json!({"name": "orbit"}),
    );
    for (path, id, provider) in [
        ("/containers/v2/vpc/getClusters", in_vpc, "vpc-gen2"),
        ("/containers/v1/clusters", classic, "classic"),
        (
            "/containers/v2/satellite/getClusters",
            satellite,
            "satellite",
        ),
    ] {
        let listed = lab.get(path);
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(
            (&listed[0]["id"], &listed[0]["provider"]),
            (&json!(id), &json!(provider))
        );
        let by_name = lab.get(&named(listed[0]["name"].as_str().unwrap()));
        assert_eq!(by_name["id"], id);
        let of_group = lab.ask().with("x-auth-resource-group", "another");
        assert_eq!(of_group.get(path), json!([]));
        let default = lab.default_group();
        let own = lab.ask().with("x-auth-resource-group", &default);
        assert_eq!(
            own.with("x-auth-resource-account", &lab.account).get(path),
            listed
        );
        assert_eq!(lab.by(&lab.service_id("nobody", &[])).get(path), json!([]));
        let stranger = lab.ask().with("x-auth-resource-account", "another");
        assert_eq!(stranger.send("GET", path, &Value::Null).0, 403);
    }
    let (status, refusal) = lab.ask().send("GET", &named("nobody"), &Value::Null);
    assert_eq!((status, &refusal["code"]), (404, &json!("G0004")));
}

#[test]
fn a_cluster_is_found_by_search_alone_and_holds_its_group() {
    let mut site = Site::new(lags());
    let group = site.lab.group("side");
    let asking = site.lab.ask().with("x-auth-resource-group", &group);
    let (_, made) = site.try_to_make(asking, "one");
    let id = text(&made["clusterID"]);
    let crn = format!(
        "crn:v1:bluemix:public:containers-kubernetes:eu-de:a/{}:{id}::",
        site.lab.account
    );
    let tag = json!({"resources": [{"resource_id": crn}], "tag_names": ["keep"]});
    let tagged = site.lab.post("/v3/tags/attach?tag_type=user", &tag);
    assert_eq!(tagged["results"][0]["is_error"], false);
    let found = site.lab.search("type:k8-cluster AND family:containers");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["crn"], crn);
    assert_eq!(found[0]["tags"], json!(["keep"]));
    assert_eq!(
        site.lab.get("/v2/resource_instances")["resources"],
        json!([])
    );
    assert_eq!(site.lab.delete(&deletion(&id)), 204);
    assert_eq!(site.lab.delete_group(&group), 500);
    site.lab.advance(DELETION + LINGER);
    assert_eq!(site.lab.search("type:k8-cluster"), Vec::<Value>::new());
    assert_eq!(site.lab.inventory("tags"), Vec::<String>::new());
    site.lab.advance(LINGER + DELETION);
    assert_eq!(site.lab.delete_group(&group), 204);
}

#[test]
fn a_cluster_is_deployed_before_it_is_normal() {
    let mut site = Site::new(Lags::realistic());
    let id = site.cluster("one");
    assert_eq!(site.state(&id), "deploying");
    site.lab.advance(Duration::from_mins(1));
    assert_eq!(site.state(&id), "normal");
}
