"""Which account a user of the bus is in, and what crosses between accounts."""

from agenthub_runtime.bus_users.accounts import ACCOUNTS, account_of
from agenthub_runtime.bus_users.people import PEOPLE
from agenthub_runtime.bus_users.rights import ADMIN, SYSTEM, rights_of, users_of

BY_NAME = {account.name: account for account in ACCOUNTS}
KEEPING = [account for account in ACCOUNTS if account.keeps_streams]


def test_nobody_but_the_admin_is_where_the_streams_are() -> None:
    assert [account.name for account in KEEPING] == ["HUB"]
    assert [user for user in users_of([("planner", "architect")]) if account_of(user) == "HUB"] == [ADMIN]


def test_all_that_is_asked_of_the_streams_goes_by_one_export() -> None:
    # With a second one an answer could come by the one and go on, as a message, by the other.
    [keeping] = KEEPING
    assert [line.split('"')[1] for line in keeping.exports if "service:" in line] == [">"]


def test_people_have_no_way_to_write() -> None:
    for line in BY_NAME["PEOPLE"].imports:
        if "service:" in line:
            assert line.split('"')[1].startswith(("$JS.", "ask.", "$SRV."))


def test_all_that_a_user_may_publish_crosses_or_stays_among_its_own() -> None:
    for user in users_of():
        rights = rights_of(user)
        if user in (ADMIN, SYSTEM) or rights is None:
            continue
        imports = BY_NAME[account_of(user)].imports
        prefixes = tuple(
            line.split('"')[1].rstrip("*>") for line in imports if "service:" in line and '"$SRV.' not in line
        )
        own = (*prefixes, "$SRV.", "ask.", "$SYS.REQ.USER.INFO", f"_INBOX_{user}.")
        lost = [subject for subject in rights.publish if not subject.startswith(own)]
        assert lost == [], (user, user in PEOPLE)
