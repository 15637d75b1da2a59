"""Which calls are taken back at a point, and which are still part of the session."""

from __future__ import annotations

import pytest

from pybridge.tools.conversation import Conversation, Message, Part, Place, Point

pytestmark = pytest.mark.unit

WHOLE = Conversation(
    "ses",
    [
        Message("msg_10", [Part("prt_10")]),
        Message("msg_11", [Part("prt_11", "edit_1"), Part("prt_12", "task_1", "child")]),
        Message("msg_20", [Part("prt_20")]),
        Message("msg_21", [Part("prt_21"), Part("prt_22", "edit_2"), Part("prt_23", "task_2", "child")]),
        Message("msg_22", [Part("prt_24", "edit_3")]),
    ],
    {"child": "ses", "grandchild": "child"},
)
"""Two prompts; the second one starts the sub-agent of the first again, which has one of its own."""

OF_FIRST = [
    Place("ses", "msg_11", "edit_1"),
    Place("child", "msg_13", "x"),
    Place("grandchild", "msg_14", "x"),
]
OF_SECOND = [
    Place("ses", "msg_21", "edit_2"),
    Place("child", "msg_211", "x"),
    Place("grandchild", "msg_212", "x"),
    Place("ses", "msg_22", "edit_3"),
]


def test_a_point_takes_back_its_message_and_all_after_it_with_their_sub_agents() -> None:
    for point, taken in ((Point("msg_20"), OF_SECOND), (Point("msg_10"), OF_FIRST + OF_SECOND), (None, [])):
        assert [place for place in OF_FIRST + OF_SECOND if WHOLE.is_reverted(place, point)] == taken


def test_a_point_within_a_message_leaves_the_calls_before_it() -> None:
    def taken(part: str) -> list[Place]:
        return [place for place in OF_FIRST + OF_SECOND if WHOLE.is_reverted(place, Point("msg_21", part))]

    assert taken("prt_22") == OF_SECOND
    assert taken("prt_23") == OF_SECOND[1:]


def test_the_point_of_messages_that_are_removed_already_still_holds() -> None:
    cleaned = Conversation("ses", WHOLE.messages[:2], WHOLE.parents)
    for point in (Point("msg_20"), Point("msg_20", "prt_20")):
        assert [place for place in OF_FIRST + OF_SECOND if cleaned.is_reverted(place, point)] == OF_SECOND


def test_a_call_belongs_to_a_part_that_is_there_until_a_new_prompt_removed_it() -> None:
    owners = [WHOLE.owner(place) for place in OF_FIRST + OF_SECOND]
    assert owners == ["prt_11", "prt_12", "prt_12", "prt_22", "prt_23", "prt_23", "prt_24"]
    assert all(WHOLE.holds(str(owner)) for owner in owners)
    cleaned = Conversation("ses", [*WHOLE.messages[:2], Message("msg_30")], WHOLE.parents)
    assert [owner for owner in owners if cleaned.holds(str(owner))] == owners[:3]


def test_sessions_of_others_are_not_of_this_one() -> None:
    assert WHOLE.sessions == ["ses", "child", "grandchild"]
    assert WHOLE.owner(Place("stranger", "msg_11", "edit_1")) is None
    assert WHOLE.owner(Place("ses", "msg_11", "edit_9")) is None


def test_a_fork_has_the_calls_of_the_session_it_was_made_of_under_new_messages() -> None:
    fork = Conversation(
        "fork",
        [
            Message("msg_50", [Part("prt_50", "call_1", time=(10.0, 12.0))], copied=True),
            Message("msg_51", [Part("prt_51", "call_2", "child", time=(20.0, 30.0))], copied=True),
            Message("msg_60", [Part("prt_60", "call_1", time=(70.0, 72.0))]),
        ],
    )
    assert fork.place(Place("ses", "msg_11", "call_1"), 11.0) == Place("fork", "msg_50", "call_1")
    assert fork.place(Place("child", "msg_13", "x"), 25.0) == Place("fork", "msg_51", "call_2")
    # Another session's call that has the same id by chance, and one that was made in the fork itself.
    for time in (9.0, 13.0, 71.0):
        assert fork.place(Place("stranger", "msg_11", "call_1"), time) is None
    own = Place("fork", "msg_60", "call_1")
    assert fork.place(own, 71.0) == own
    assert fork.is_reverted(Place("fork", "msg_51", "call_2"), Point("msg_51"))
    assert fork.owner(Place("fork", "msg_51", "call_2")) == "prt_51"
    assert WHOLE.place(Place("ses_0", "msg_11", "edit_1"), 11.0) is None
