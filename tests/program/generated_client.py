"""What users do with a client that was generated from the API's document.

Prints the key of the lease that the consumer had, so that the caller can see that it is of no use.
"""

import datetime
import importlib
import inspect
import os
import pkgutil
import re
import uuid

import attrs
from acctpool_client import AuthenticatedClient, Client, api, models
from acctpool_client.api.operators import (
    clean_account,
    enable_account,
    get_account,
    list_accounts,
    list_audit,
    quarantine_account,
)
from acctpool_client.api.pool import get_metrics, get_statistics
from acctpool_client.api.reservations import (
    cancel_reservation,
    get_receipt,
    get_reservation,
    list_reservations,
    renew_reservation,
    request_reservation,
)
from acctpool_client.models import (
    Account,
    AccountState,
    InterventionRequest,
    PoolStatus,
    Problem,
    Receipt,
    RenewalRequest,
    Reservation,
    ReservationEndReason,
    ReservationRequest,
    ReservationState,
)
from acctpool_client.types import UNSET

URL = os.environ["ACCTPOOL_URL"]


def connect(token, **more):
    # What the document does not know is an error, and not silence.
    return AuthenticatedClient(URL, token, raise_on_unexpected_status=True, **more)


def anybody():
    client = Client(URL, raise_on_unexpected_status=True)
    statistics = get_statistics.sync(client=client)
    assert statistics.status is PoolStatus.OK
    assert statistics.started_at.tzinfo is not None
    assert statistics.accounts["lite"].ready == 1
    assert "acctpool_accounts" in get_metrics.sync(client=client)
    problem = get_reservation.sync(uuid.uuid4(), client=client)
    assert (problem.status, problem.code) == (401, "unauthorized")


def consumer(client):
    asked = ReservationRequest(
        type_="lite", duration="1h 30m", purpose="e2e", link="https://ci.example.com/7"
    )
    reservation = request_reservation.sync(client=client, body=asked, idempotency_key="once")
    assert isinstance(reservation, Reservation), reservation
    assert isinstance(reservation.id, uuid.UUID)
    assert reservation.credentials is UNSET
    again = request_reservation.sync(client=client, body=asked, idempotency_key="once")
    assert again.id == reservation.id
    with_other_words = request_reservation.sync(client=client, type_="lite", idempotency_key="once")
    assert with_other_words.code == "idempotency_key_reused"

    lease = get_reservation.sync(reservation.id, client=client, prefer="wait=20")
    assert lease.state is ReservationState.ACTIVE
    assert lease.duration == 90
    left = lease.expiration - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=80) < left <= datetime.timedelta(minutes=90)
    assert len(lease.account.id) == 32
    assert lease.credentials.iam_url.startswith("http")
    assert lease.credentials.service_id.startswith("ServiceId-")

    renewed = renew_reservation.sync(lease.id, client=client, body=RenewalRequest(duration=120))
    assert renewed.expiration > lease.expiration
    waiting = request_reservation.sync(client=client, type_="lite", duration=30)
    assert waiting.state is ReservationState.PENDING
    assert (waiting.queue_position, waiting.expiration) == (1, UNSET)
    assert cancel_reservation.sync_detailed(waiting.id, client=client).status_code == 204

    page = list_reservations.sync(client=client, state=ReservationState.ACTIVE)
    assert [listed.id for listed in page.reservations] == [lease.id]
    assert page.reservations[0].purpose == "e2e"
    assert page.next_cursor is UNSET
    page = list_reservations.sync(client=client, limit=1)
    rest = list_reservations.sync(client=client, cursor=page.next_cursor)
    assert [listed.id for listed in rest.reservations] == [waiting.id]

    refused = request_reservation.sync(client=client, type_="none")
    assert isinstance(refused, Problem)
    assert (refused.code, refused.parameter, refused.allowed) == (
        "invalid_parameter",
        "type",
        ["lite"],
    )
    unknown = get_reservation.sync(uuid.uuid4(), client=client)
    assert isinstance(unknown, Problem)
    assert (unknown.status, unknown.code) == (404, "unknown_reservation")
    assert list_accounts.sync(client=client).code == "role_not_allowed"
    return lease


def gives_back(client, lease):
    assert cancel_reservation.sync_detailed(lease.id, client=client).status_code == 204
    ended = get_reservation.sync(lease.id, client=client)
    assert ended.state is ReservationState.ENDED
    assert ended.end_reason is ReservationEndReason.CANCELLED
    assert ended.credentials is UNSET
    assert isinstance(ended.ended_at, datetime.datetime)
    receipt = get_receipt.sync(lease.id, client=client)
    assert isinstance(receipt, Receipt)
    assert receipt.reservation == lease.id


def follows_redirects(token):
    client = connect(token, follow_redirects=True)
    reservation = request_reservation.sync(client=client, type_="lite")
    assert isinstance(reservation, Reservation), reservation
    cancel_reservation.sync_detailed(reservation.id, client=client)


def operator_sees(client, lease):
    (leased,) = list_accounts.sync(client=client, state=AccountState.LEASED).accounts
    assert (leased.id, leased.holder.consumer) == (lease.account.id, "ci")
    assert leased.holder.reservation == lease.id
    refused = clean_account.sync(leased.id, client=client, reason="in vain")
    assert (refused.status, refused.code) == (409, "account_leased")


def operator_intervenes(client, account):
    why = InterventionRequest(reason="to look at it")
    refused = quarantine_account.sync("nothing", client=client, body=why)
    assert (refused.status, refused.code) == (404, "unknown_account")
    quarantined = quarantine_account.sync(account, client=client, body=why)
    assert isinstance(quarantined, Account)
    assert quarantined.state is AccountState.QUARANTINED
    assert "to look at it" in quarantined.quarantine.reason
    enabled = enable_account.sync(account, client=client, reason="seen")
    assert enabled.state is not AccountState.QUARANTINED
    shown = get_account.sync(account, client=client)
    assert isinstance(shown.cleanings[0], Receipt)

    (entry,) = list_audit.sync(client=client, account=account, event="account_enabled").entries
    assert (entry.consumer, entry.details["reason"]) == ("ops", "seen")
    assert isinstance(entry.at, datetime.datetime)
    tried = list_audit.sync(client=client, event="intervention_refused").entries
    assert [entry.account for entry in tried] == [UNSET, account]


def modules(package):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            yield importlib.import_module(module.name)


def fields():
    classes = (getattr(models, name) for name in models.__all__)
    for model in filter(attrs.has, classes):
        for field in attrs.fields(model):
            if field.name != "additional_properties":
                yield model.__name__, field.name, str(field.type)


def is_typed():
    """Nothing that is merely optional is a union with null, and nothing is just anything."""
    checked = 0
    for model, name, kind in fields():
        # The one thing that is always said and may be nothing.
        may_be_null = (model, name) == ("Leftover", "name")
        assert "Any" not in kind and ("None" in kind) == may_be_null, (model, name, kind)
        checked += 1
    for module in modules(api):
        for parameter in inspect.signature(module.sync_detailed).parameters.values():
            kinds = str(parameter.annotation)
            assert "Any" not in kinds and "None" not in kinds, (module, parameter)
            checked += 1
    assert checked > 150, checked


def has_names_that_can_be_read():
    for name in models.__all__:
        assert not re.search(r"Response\d|Type\d|sItem$", name), name


def main():
    is_typed()
    has_names_that_can_be_read()
    anybody()
    token = os.environ["ACCTPOOL_TOKEN"]
    ci, ops = connect(token), connect(os.environ["OPERATOR_TOKEN"])
    lease = consumer(ci)
    operator_sees(ops, lease)
    follows_redirects(token)
    gives_back(ci, lease)
    operator_intervenes(ops, lease.account.id)
    print(lease.credentials.api_key)


main()
