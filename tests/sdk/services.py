"""Clusters, registry namespaces, Code Engine projects and Schematics workspaces.

Clusters have no SDK in Python: their calls are those of IBM's `bluemix-go`, made over plain HTTP.
"""

from cloud import ADMINISTRATOR, Cloud, refused
from ibm_code_engine_sdk.code_engine_v2 import ProjectsPager
from infrastructure import conflict, gone

REGION = "eu-de"
KEY = "containers-kubernetes-key"


def namespaces_are_made_listed_assigned_and_deleted(cloud: Cloud):
    registry = cloud.registry("de", cloud.account)
    assert registry.list_namespaces().get_result() == []
    made = registry.create_namespace("judged-1")
    assert made.get_status_code() == 201 and made.get_result() == {"namespace": "judged-1"}
    assert registry.create_namespace("judged-1").get_status_code() == 200
    assert registry.list_namespaces().get_result() == ["judged-1"]
    details = registry.list_namespace_details().get_result()
    assert [detail["name"] for detail in details] == ["judged-1"]
    assert details[0]["account"] == cloud.account
    assert details[0]["resource_group"] == cloud.default_group()
    registry.assign_namespace(cloud.default_group(), "judged-1")
    for label in ("us", "global"):
        assert cloud.registry(label, cloud.account).list_namespaces().get_result() == []
    refused(401, cloud.registry("de", "0" * 32).list_namespaces)
    assert registry.delete_namespace("judged-1").get_status_code() == 204
    refused(404, registry.delete_namespace, "judged-1")
    refused(400, registry.create_namespace, "No")


def a_project_is_soft_deleted_until_it_is_reclaimed(cloud: Cloud):
    sdk = cloud.projects(REGION)
    made = sdk.create_project("judged")
    assert made.get_status_code() == 202
    project = made.get_result()
    assert project["resource_type"] == "project_v2" and project["region"] == REGION
    assert project["crn"].startswith(f"crn:v1:bluemix:public:codeengine:{REGION}:a/{cloud.account}:")

    def status() -> str:
        return sdk.get_project(project["id"]).get_result()["status"]

    cloud.until(lambda: status() == "active", "the project")
    refused(409, sdk.create_project, "judged")
    instance = cloud.controller.get_resource_instance(project["crn"]).get_result()
    assert instance["guid"] == project["id"] and instance["state"] == "active"
    assert sdk.delete_project(project["id"]).get_status_code() == 202
    assert status() == "deleting"
    cloud.until(lambda: status() == "soft_deleted", "the project's deletion")
    listed = ProjectsPager(client=sdk).get_all()
    assert [found["status"] for found in listed] == ["soft_deleted"]

    def reclamations() -> list:
        found = cloud.controller.list_reclamations(account_id=cloud.account).get_result()
        return found["resources"]

    reclamation = cloud.until(reclamations, "the reclamation")[0]
    assert reclamation["resource_instance_id"] == project["id"]
    cloud.controller.run_reclamation_action(reclamation["id"], "reclaim")
    assert status() == "hard_deleting"
    cloud.until(lambda: not reclamations(), "the end of the reclamation")
    refused(404, sdk.get_project, project["id"])
    assert ProjectsPager(client=sdk).get_all() == []


def projects_come_in_pages(cloud: Cloud):
    sdk = cloud.projects("us-south")
    made = [sdk.create_project(f"paged-{n}").get_result()["id"] for n in range(5)]
    paged = [found["id"] for found in ProjectsPager(client=sdk, limit=2).get_all()]
    assert sorted(paged) == sorted(made) and len(set(paged)) == 5
    first = sdk.list_projects(limit=2).get_result()
    assert first["limit"] == 2 and len(first["projects"]) == 2
    assert first["next"]["start"] in first["next"]["href"]
    active = {"active"}
    cloud.until(lambda: {found["status"] for found in ProjectsPager(client=sdk).get_all()} == active,
                "the projects")
    for project in made:
        # The Resource Controller's deletion has the same effect.
        answer = cloud.controller.delete_resource_instance(project, recursive=True)
        assert answer.get_status_code() == 202
    soft = {"soft_deleted"}
    cloud.until(lambda: {found["status"] for found in ProjectsPager(client=sdk).get_all()} == soft,
                "the projects' deletion")

    def reclaimed() -> bool:
        found = cloud.controller.list_reclamations(account_id=cloud.account).get_result()
        for reclamation in found["resources"]:
            if reclamation["state"] == "SCHEDULED":
                cloud.controller.run_reclamation_action(reclamation["id"], "reclaim")
        return ProjectsPager(client=sdk).get_all() == []

    cloud.until(reclaimed, "the end of the projects")


def a_workspace_builds_again_what_it_built(cloud: Cloud):
    sdk = cloud.workspaces(REGION)
    keys = cloud.region(REGION)
    made = sdk.create_workspace(
        name="judged",
        location=REGION,
        type=["terraform_v1.5"],
        template_repo={"url": "https://git.example.com/template"},
        template_data=[{"folder": ".", "type": "terraform_v1.5", "variablestore": [
            {"name": "resource", "value": "key"}, {"name": "region", "value": REGION}]}],
    )
    assert made.get_status_code() == 201
    workspace = made.get_result()
    assert workspace["status"] == "ACTIVE" and workspace["location"] == REGION
    assert workspace["id"].startswith(f"{REGION}.workspace.judged.")

    def built() -> list:
        return [key["id"] for key in keys.list_keys().get_result()["keys"]]

    first = built()
    keys.delete_key(first[0])
    second = cloud.until(built, "the key's return")
    assert len(second) == 1 and second != first
    refused(401, sdk.delete_workspace, workspace["id"], "not_supported", destroy_resources="true")
    assert sdk.delete_workspace(workspace["id"], "not_supported").get_status_code() == 200
    refused(404, sdk.delete_workspace, workspace["id"], "not_supported")
    keys.delete_key(second[0])
    cloud.advance(600)
    assert built() == []


def workspaces_come_in_pages(cloud: Cloud):
    sdk = cloud.workspaces("us-east")
    made = [sdk.create_workspace(name=f"paged-{n}").get_result()["id"] for n in range(5)]
    seen = []
    for offset in (0, 2, 4, 6):
        page = sdk.list_workspaces(offset=offset, limit=2).get_result()
        assert (page["offset"], page["limit"], page["count"]) == (offset, 2, 5)
        seen += [workspace["id"] for workspace in page["workspaces"]]
    assert seen == made
    assert cloud.workspaces("us-south").list_workspaces().get_result()["workspaces"] == []
    for workspace in made:
        sdk.delete_workspace(workspace, "not_supported")


class Site:
    """A VPC with one subnet, and the clusters in it."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        sdk = cloud.region(REGION)
        self.vpc = sdk.create_vpc(name="judged").get_result()["id"]
        subnet = {"vpc": {"id": self.vpc}, "zone": {"name": f"{REGION}-1"},
                  "total_ipv4_address_count": 256}
        self.subnet = sdk.create_subnet(subnet).get_result()["id"]
        cloud.advance(60)

    def wanted(self, name: str) -> dict:
        pool = {"name": "default", "flavor": "bx2.4x16", "vpcID": self.vpc, "workerCount": 1,
                "zones": [{"id": f"{REGION}-1", "subnetID": self.subnet}]}
        return {"name": name, "provider": "vpc-gen2", "kubeVersion": "", "workerPool": pool}

    def reset(self, clients):
        group = self.cloud.default_group()
        answer = clients.clusters("POST", "/v1/keys", X_Region=REGION, X_Auth_Resource_Group=group)
        assert answer.status_code == 204 and answer.content == b"", answer.text

    def make(self, clients, name: str) -> str:
        made = clients.clusters("POST", "/v2/vpc/createCluster", self.wanted(name))
        assert made.status_code == 201, made.text
        return made.json()["clusterID"]

    def delete(self, cluster: str):
        path = f"/v1/clusters/{cluster}?deleteResources=true"
        assert self.cloud.clusters("DELETE", path).status_code == 204

    def state(self, cluster: str) -> str:
        shown = self.cloud.clusters("GET", f"/v2/getCluster?cluster={cluster}&v1-compatible")
        if shown.status_code == 404:
            assert shown.json()["code"] == "G0004" and shown.json()["incidentID"]
            return "gone"
        return shown.json()["state"]

    def until_gone(self, cluster: str):
        self.cloud.until(lambda: self.state(cluster) == "gone", "the cluster's end")

    def tidy(self, *service_ids: str):
        """Deletes what stays of clusters: in the VPC nothing, in IAM everything."""
        cloud, sdk = self.cloud, self.cloud.region(REGION)
        cloud.until(lambda: not sdk.list_load_balancers().get_result()["load_balancers"], "balancers")
        assert sdk.list_volumes().get_result()["volumes"] == []
        sdk.delete_subnet(self.subnet)
        gone(cloud, sdk.get_subnet, self.subnet)
        sdk.delete_vpc(self.vpc)
        gone(cloud, sdk.get_vpc, self.vpc)
        for service_id in service_ids:
            cloud.delete_service_id(service_id)
        found = cloud.identity.list_service_ids(account_id=cloud.account).get_result()
        for service_id in found["serviceids"]:
            assert service_id["name"].startswith("cluster-"), service_id
            cloud.delete_service_id(service_id["id"])
        for key in self.keys():
            cloud.identity.delete_api_key(key["id"])

    def keys(self) -> list:
        cloud = self.cloud
        found = cloud.identity.list_api_keys(account_id=cloud.account, scope="account", pagesize=100)
        return [key for key in found.get_result()["apikeys"] if key["name"] == KEY]


def a_cluster_holds_its_subnet_longer_than_it_is_there(cloud: Cloud):
    site = Site(cloud)
    cluster = site.make(cloud, "judged")
    cloud.until(lambda: site.state(cluster) == "normal", "the cluster")
    listed = cloud.clusters("GET", "/v2/vpc/getClusters").json()
    assert [found["id"] for found in listed] == [cluster]
    assert listed[0]["vpcs"] == [site.vpc] and listed[0]["provider"] == "vpc-gen2"
    for path in ("/v1/clusters", "/v2/satellite/getClusters"):
        assert cloud.clusters("GET", path).json() == []
    sdk = cloud.region(REGION)
    balancers = sdk.list_load_balancers().get_result()["load_balancers"]
    assert len(balancers) == 1 and cluster in balancers[0]["name"]
    cloud.advance(60)
    found = cloud.search.search(query="type:k8-cluster", fields=["*"], account_id=cloud.account)
    found = found.get_result()["items"]
    assert [item["service_instance"] for item in found] == [cluster]
    assert found[0]["family"] == "containers"
    assert cloud.controller.list_resource_instances().get_result()["resources"] == []
    site.delete(cluster)
    assert site.state(cluster) == "deleting"
    site.until_gone(cluster)
    in_use = conflict(sdk.delete_subnet, site.subnet)
    assert in_use.startswith("subnet_in_use_"), in_use
    assert len(site.keys()) == 1, "the infrastructure key stays"
    site.tidy()


def a_dead_infrastructure_key_stops_a_deletion(cloud: Cloud):
    site = Site(cloud)
    made = cloud.identity.create_service_id(
        account_id=cloud.account, name="borrower", apikey={"name": "borrower"}).get_result()
    for service in ("containers-kubernetes", "iam-identity"):
        cloud.make_policy(made["iam_id"], [ADMINISTRATOR], serviceName=service)
    cloud.advance(60)
    borrower = cloud.login(made["apikey"]["apikey"])
    # Whoever was here before may have left a dead key: a borrower sets one before the first cluster.
    site.reset(borrower)
    cluster = site.make(borrower, "judged")
    assert [key["iam_id"] for key in site.keys()] == [made["iam_id"]]
    owner = cloud.clusters("GET", f"/v1/logging/{cluster}/clusterkeyowner").json()
    assert owner["name"] == "borrower"
    cloud.delete_service_id(made["id"])
    assert site.keys() == []
    site.delete(cluster)
    cloud.advance(3600)
    assert site.state(cluster) == "deleting"
    refusal = cloud.clusters("POST", "/v2/vpc/createCluster", site.wanted("another"))
    assert refusal.status_code == 400 and "API key" in refusal.json()["description"]
    site.reset(cloud)
    assert [key["iam_id"] for key in site.keys()] == [cloud.owner()]
    site.until_gone(cluster)
    site.tidy()


CHECKS = [
    namespaces_are_made_listed_assigned_and_deleted,
    a_project_is_soft_deleted_until_it_is_reclaimed,
    projects_come_in_pages,
    a_workspace_builds_again_what_it_built,
    workspaces_come_in_pages,
    a_cluster_holds_its_subnet_longer_than_it_is_there,
    a_dead_infrastructure_key_stops_a_deletion,
]
