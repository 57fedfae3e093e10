"""IBM's SDK clients for one account of a simulator, and the simulator's own clock."""

import requests
from ibm_cloud_sdk_core import ApiException
from ibm_cloud_sdk_core.authenticators import IAMAuthenticator
from ibm_cloud_networking_services.direct_link_v1 import DirectLinkV1
from ibm_cloud_networking_services.dns_svcs_v1 import DnsSvcsV1
from ibm_cloud_networking_services.transit_gateway_apis_v1 import TransitGatewayApisV1
from ibm_code_engine_sdk.code_engine_v2 import CodeEngineV2
from ibm_container_registry.container_registry_v1 import ContainerRegistryV1
from ibm_platform_services import (
    GlobalSearchV2,
    GlobalTaggingV1,
    IamAccessGroupsV2,
    IamIdentityV1,
    IamPolicyManagementV1,
    ResourceControllerV2,
    ResourceManagerV2,
    UserManagementV1,
)
from ibm_platform_services.account_management_v4 import AccountManagementV4
from ibm_platform_services.context_based_restrictions_v1 import ContextBasedRestrictionsV1
from ibm_schematics.schematics_v1 import SchematicsV1
from ibm_vpc import VpcV1
from keyprotect import IbmKeyProtectApiV2

EDITOR = "crn:v1:bluemix:public:iam::::role:Editor"
ADMINISTRATOR = "crn:v1:bluemix:public:iam::::role:Administrator"
MANAGER = "crn:v1:bluemix:public:iam::::serviceRole:Manager"


class Clients:
    """One client per service, all authenticated by the same key."""

    def __init__(self, url: str, key: str):
        authenticator = IAMAuthenticator(key, url=url)

        def client(service, place="", **named):
            made = service(authenticator=authenticator, **named)
            made.set_service_url(f"{url.rstrip('/')}{place}")
            return made

        self.identity = client(IamIdentityV1)
        self.policies = client(IamPolicyManagementV1)
        self.groups = client(IamAccessGroupsV2)
        self.users = client(UserManagementV1)
        self.accounts = client(AccountManagementV4)
        self.controller = client(ResourceControllerV2)
        self.manager = client(ResourceManagerV2)
        self.search = client(GlobalSearchV2)
        self.tags = client(GlobalTaggingV1)
        self.transit = client(TransitGatewayApisV1, "/transit/v1", version="2026-05-01")
        self.direct = client(DirectLinkV1, "/directlink/v1", version="2026-05-01")
        self.dns = client(DnsSvcsV1, "/dns/v1")
        self.restrictions = client(ContextBasedRestrictionsV1, "/cbr")
        self._url = url.rstrip("/")
        self._authenticator = authenticator
        self._regions = {}

    def region(self, name: str) -> VpcV1:
        """The client for VPC infrastructure in a region."""
        if name not in self._regions:
            self._regions[name] = self.new_region(name)
        return self._regions[name]

    def keys(self, region: str) -> IbmKeyProtectApiV2:
        """The client for Key Protect in a region."""
        made = IbmKeyProtectApiV2(authenticator=self._authenticator)
        made.set_service_url(f"{self._url}/keyprotect/{region}")
        return made

    def storage(self, method: str, path: str, headers: dict) -> requests.Response:
        """Does a call of Object Storage, whose SDK takes no such address."""
        token = self._authenticator.token_manager.get_token()
        headers = {"Authorization": f"Bearer {token}", **headers}
        return requests.request(method, f"{self._url}/cos/{path}", headers=headers, timeout=10)

    def new_region(self, name: str) -> VpcV1:
        made = VpcV1(authenticator=self._authenticator)
        made.set_service_url(f"{self._url}/vpc/{name}/v1")
        return made

    def projects(self, region: str) -> CodeEngineV2:
        """The client for Code Engine in a region."""
        made = CodeEngineV2(authenticator=self._authenticator)
        made.set_service_url(f"{self._url}/codeengine/{region}/v2")
        return made

    def registry(self, label: str, account: str) -> ContainerRegistryV1:
        """The client for the registry whose host has this label."""
        made = ContainerRegistryV1(account, authenticator=self._authenticator)
        made.set_service_url(f"{self._url}/registry/{label}")
        return made

    def workspaces(self, location: str) -> SchematicsV1:
        """The client for Schematics in a location."""
        made = SchematicsV1(authenticator=self._authenticator)
        made.set_service_url(f"{self._url}/schematics/{location}")
        return made

    def clusters(self, method: str, path: str, json=None, **headers: str) -> requests.Response:
        """Calls the API of clusters, for which there is no SDK in Python."""
        token = self._authenticator.token_manager.get_token()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["Authorization"] = f"Bearer {token}"
        url = f"{self._url}/containers{path}"
        return requests.request(method, url, json=json, headers=headers, timeout=10)


class Cloud(Clients):
    """The owner's clients, and what tests need beside the SDK."""

    def __init__(self, url: str, account: str, key: str):
        super().__init__(url, key)
        self.url = url.rstrip("/")
        self.account = account
        self.key = key
        self.advanced = 0.0

    def login(self, key: str) -> Clients:
        return Clients(self.url, key)

    def advance(self, seconds: float) -> None:
        answer = requests.post(
            f"{self.url}/_simulator/advance", json={"seconds": seconds}, timeout=10
        )
        answer.raise_for_status()
        # The SDK renews its token by the machine's clock, which does not move along.
        self.advanced += seconds
        if self.advanced > 1800:
            self.advanced = 0.0
            super().__init__(self.url, self.key)

    def inventory(self) -> list:
        answer = requests.get(f"{self.url}/_simulator/accounts/{self.account}", timeout=10)
        answer.raise_for_status()
        return answer.json()["inventory"]

    def until(self, condition, what: str):
        """Advances the simulator's clock until the condition holds, and gives its value."""
        for _ in range(1000):
            value = condition()
            if value:
                return value
            self.advance(1)
        raise AssertionError(f"did not come to pass: {what}")

    def owner(self) -> str:
        details = self.identity.get_api_keys_details(iam_api_key=self.key).get_result()
        return details["iam_id"]

    def default_group(self) -> str:
        groups = self.manager.list_resource_groups(account_id=self.account).get_result()
        return next(group["id"] for group in groups["resources"] if group["default"])

    def make_policy(self, iam_id: str, roles: list, **attributes: str) -> str:
        resource = {"accountId": self.account, **attributes}
        policy = self.policies.create_v2_policy(
            control={"grant": {"roles": [{"role_id": role} for role in roles]}},
            type="access",
            subject={
                "attributes": [{"key": "iam_id", "operator": "stringEquals", "value": iam_id}]
            },
            resource={
                "attributes": [
                    {"key": key, "operator": "stringEquals", "value": value}
                    for key, value in resource.items()
                ]
            },
        )
        assert policy.get_status_code() == 201
        return policy.get_result()["id"]

    def make_instance(self, name: str, plan: str, group: str = None) -> dict:
        made = self.controller.create_resource_instance(
            name=name,
            target="eu-de",
            resource_group=group or self.default_group(),
            resource_plan_id=plan,
        )
        assert made.get_status_code() == 201
        return made.get_result()

    def delete_service_id(self, service_id: str) -> int:
        """Deletes as IBM asks for, again after each 409; gives the number of conflicts."""
        for conflicts in range(20):
            try:
                assert self.identity.delete_service_id(service_id).get_status_code() == 204
                return conflicts
            except ApiException as error:
                assert error.status_code == 409, error
                assert error.http_response.json()["errors"][0]["message_code"] == "BXNIM0105E"
        raise AssertionError("the service id could not be deleted")


def refused(status: int, call, *arguments, **named) -> ApiException:
    """Asserts that a call is refused with this status, and gives the SDK's exception."""
    try:
        call(*arguments, **named)
    except ApiException as error:
        assert error.status_code == status, f"{error.status_code} instead of {status}: {error}"
        assert error.message and error.message != "Unknown error", "no message was found"
        return error
    raise AssertionError(f"not refused with {status}")
