"""The flows in deploy/studio are ours, Twilio would take them, and every end of a session leads somewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from policies.agent_voice import Voice
from policies.guard import linter, packs
from policies.guard.rulebook import compile_rules
from policies.speech import SpeechCleaner
from policies.vocabulary import EscalationReason
from relay.messages import handoff_data
from relay.studio_definition import check
from relay.studio_flows import (
    PUBLIC_URL,
    SECRET,
    Flex,
    People,
    Queue,
    Workflow,
    redirect_flow,
    widget_flow,
    write,
)
from relay.switchboard import STUDIO_PARAMETER, ref

DEPLOYED = Path(__file__).parents[2] / "deploy" / "studio"
FILES = ("conversationrelay-widget.json", "twiml-redirect.json")
WIDGET, REDIRECT = widget_flow(PUBLIC_URL), redirect_flow(PUBLIC_URL)
EVERYTHING = compile_rules([rule for name in packs.NAMES for rule in packs.pack(name)])

Json = dict[str, Any]


def state(flow: Mapping[str, object], name: str) -> Json:
    states = flow["states"]
    assert isinstance(states, list)
    found: Json = next(each for each in states if each["name"] == name)
    return found


def properties(flow: Mapping[str, object], name: str) -> Json:
    found: Json = state(flow, name)["properties"]
    return found


def after(flow: Mapping[str, object], name: str, event: str) -> str:
    """Where an event of a widget leads; blank where the flow ends."""
    (found,) = [each for each in state(flow, name)["transitions"] if each["event"] == event]
    leads: str = found.get("next", "")
    return leads


def split(flow: Mapping[str, object], name: str, value: str) -> str:
    """Where a value leads. That two branches match at once is a fault of the flow."""
    holds: Mapping[str, Callable[[str], bool]] = {
        "equal_to": lambda wanted: value == wanted,
        "contains": lambda wanted: wanted in value,
        "is_blank": lambda _: not value.strip(),
        "matches_any_of": lambda wanted: value in [each.strip() for each in wanted.split(",")],
    }
    found = [
        each.get("next", "")
        for each in state(flow, name)["transitions"]
        for condition in each.get("conditions", [])
        if holds[condition["type"]](condition.get("value", ""))
    ]
    assert len(found) <= 1
    return found[0] if found else after(flow, name, "noMatch")


class TestTheFiles:
    def test_they_are_what_the_code_makes_of_them(self, tmp_path: Path) -> None:
        assert [path.name for path in write(tmp_path / "new")] == list(FILES)
        for name in FILES:
            assert (tmp_path / "new" / name).read_text("utf-8") == (DEPLOYED / name).read_text("utf-8")

    @pytest.mark.parametrize("name", FILES)
    def test_twilio_would_take_them(self, name: str) -> None:
        assert check(json.loads((DEPLOYED / name).read_text("utf-8"))) == []

    def test_the_secret_is_a_placeholder_and_the_description_says_that_it_has_to_be_replaced(self) -> None:
        parameters = properties(WIDGET, "five_gates")["parameters"]
        assert {"key": STUDIO_PARAMETER, "value": SECRET} in parameters
        assert "replace the placeholder" in str(WIDGET["description"])
        assert STUDIO_PARAMETER in str(WIDGET["description"])
        assert "FIVEGATES_STUDIO_SECRET" in str(WIDGET["description"])

    def test_the_redirect_says_where_its_own_sid_has_to_be_known(self) -> None:
        assert "FIVEGATES_STUDIO_FLOWS" in str(REDIRECT["description"])


class TestTheWidget:
    def test_it_opens_our_socket_over_tls_without_a_query(self) -> None:
        for public_url in (PUBLIC_URL, f"{PUBLIC_URL}/"):
            given = properties(widget_flow(public_url), "five_gates")
            assert given["url"] == "wss://voice.example.com/twilio/relay"

    @pytest.mark.parametrize("reason", EscalationReason)
    def test_every_reason_leads_to_a_person_and_an_emergency_never_to_a_queue(
        self, reason: EscalationReason
    ) -> None:
        assert after(WIDGET, "five_gates", "success") == "how_it_ended"
        leads = split(WIDGET, "how_it_ended", handoff_data(reason.value, ref()))
        assert leads == ("person_on_duty" if reason is EscalationReason.EMERGENCY else "person")

    @pytest.mark.parametrize("data", [handoff_data("goodbye", "0" * 32), ""])
    def test_a_goodbye_ends_the_flow(self, data: str) -> None:
        assert split(WIDGET, "how_it_ended", data) == ""

    def test_a_server_that_drains_has_the_call_taken_by_another(self) -> None:
        assert split(WIDGET, "how_it_ended", handoff_data("resume", ref())) == "five_gates"

    @pytest.mark.parametrize("data", ["not ours", '{"reason":"unheard_of"}'])
    def test_what_nobody_understands_leads_to_the_voicemail(self, data: str) -> None:
        assert split(WIDGET, "how_it_ended", data) == "apology"

    def test_a_failed_session_leads_to_an_apology_and_the_voicemail(self) -> None:
        assert after(WIDGET, "five_gates", "failed") == "apology"
        assert after(WIDGET, "apology", "audioComplete") == "voicemail"
        assert after(WIDGET, "voicemail", "recordingComplete") == "message_kept"

    def test_the_task_has_our_reference(self) -> None:
        template = properties(WIDGET, "person")["task_attributes"]
        attributes = json.loads(
            template.replace("{{widgets.five_gates.HandoffData}}", handoff_data("legal", "r1"))
        )
        assert attributes == {"reason": "legal", "ref": "r1"}

    def test_it_has_what_it_can_have_of_the_agent_files_voice(self) -> None:
        voice = Voice(tts_provider="ElevenLabs", voice="v1", interruptible="none", parameters={"shop": "7"})
        flow = widget_flow(PUBLIC_URL, voice=voice, language="ko-KR", facts=["campaign"])
        given = properties(flow, "five_gates")
        assert check(flow) == []
        assert (given["tts_provider"], given["voice"], given["language"]) == ("ElevenLabs", "v1", "ko-KR")
        assert given["interruptible"] == "false"
        assert given["dtmf_detection"] is True
        assert given["parameters"] == [
            {"key": "shop", "value": "7"},
            {"key": "campaign", "value": "{{flow.variables.campaign}}"},
            {"key": STUDIO_PARAMETER, "value": SECRET},
        ]


class TestTheRedirect:
    def test_it_names_its_own_flow_and_passes_the_facts(self) -> None:
        assert properties(REDIRECT, "five_gates")["url"] == (
            "https://voice.example.com/twilio/studio?flow={{flow.flow_sid}}"
        )
        with_facts = redirect_flow(PUBLIC_URL, facts=["campaign"])
        assert properties(with_facts, "five_gates")["url"].endswith(
            "&campaign={{flow.variables.campaign | url_encode}}"
        )
        assert check(with_facts) == []

    def test_it_waits_as_long_as_a_call_can_last(self) -> None:
        assert properties(REDIRECT, "five_gates")["timeout"] == "14400"

    @pytest.mark.parametrize("reason", EscalationReason)
    def test_every_reason_leads_to_a_person_and_an_emergency_never_to_a_queue(
        self, reason: EscalationReason
    ) -> None:
        assert after(REDIRECT, "five_gates", "return") == "how_it_ended"
        leads = split(REDIRECT, "how_it_ended", reason.value)
        assert leads == ("person_on_duty" if reason is EscalationReason.EMERGENCY else "person")

    def test_a_goodbye_ends_the_flow(self) -> None:
        assert split(REDIRECT, "how_it_ended", "goodbye") == ""

    @pytest.mark.parametrize("event", ["timeout", "fail"])
    def test_a_server_that_does_not_answer_leads_to_an_apology_and_the_voicemail(self, event: str) -> None:
        assert after(REDIRECT, "five_gates", event) == "apology"

    def test_the_task_has_our_reference(self) -> None:
        attributes = json.loads(properties(REDIRECT, "person")["task_attributes"])
        assert attributes["ref"] == "{{widgets.five_gates.ref}}"
        assert attributes["reason"] == "{{widgets.five_gates.reason}}"


class TestWhoTakesTheCalls:
    @pytest.mark.parametrize("flow", [WIDGET, REDIRECT])
    def test_whoever_is_not_reached_leaves_the_caller_with_the_voicemail(self, flow: Json) -> None:
        assert after(flow, "person", "failedToEnqueue") == "apology"
        assert after(flow, "person_on_duty", "callCompleted") == "duty_answered"
        assert split(flow, "duty_answered", "completed") == ""
        for status in ("no-answer", "busy", "failed", "canceled"):
            assert split(flow, "duty_answered", status) == "apology"

    @pytest.mark.parametrize(
        ("person", "kind", "given"),
        [
            (Workflow("WW1"), "enqueue-call", {"workflow_sid": "WW1"}),
            (Flex("WW1", "TC1"), "send-to-flex", {"workflow": "WW1", "channel": "TC1"}),
            (Queue("sales"), "enqueue-call", {"queue_name": "sales"}),
        ],
    )
    def test_the_owner_chooses_the_widget(
        self, person: Workflow | Flex | Queue, kind: str, given: Json
    ) -> None:
        for flow in (
            widget_flow(PUBLIC_URL, people=People(person)),
            redirect_flow(PUBLIC_URL, people=People(person)),
        ):
            assert check(flow) == []
            assert state(flow, "person")["type"] == kind
            assert given.items() <= properties(flow, "person").items()


@pytest.mark.parametrize(("language", "tag"), [("en-US", "en-US"), ("en-GB", "en-GB"), ("ko-KR", "ko-KR")])
def test_what_the_flow_says_can_be_spoken_and_no_pack_stops_it(language: str, tag: str) -> None:
    flow = redirect_flow(PUBLIC_URL, language=language)
    said = [properties(flow, name) for name in ("apology", "message_kept", "no_message")]
    assert len({each["say"] for each in said}) == 3
    for each in said:
        cleaner = SpeechCleaner()
        assert cleaner.feed(each["say"]) + cleaner.finish() == each["say"]
        assert linter.fired(EVERYTHING, each["say"]) == set()
        assert each["language"] == tag


def put(path: str, value: object) -> Callable[[Json], None]:
    """Set what `path` names: `states` are named by their names, other lists by numbers."""

    def change(flow: Json) -> None:
        *steps, last = path.split("/")
        at: Any = flow
        for step in steps:
            at = state(flow, step[1:]) if step.startswith("@") else at[int(step) if step.isdigit() else step]
        at[int(last) if last.isdigit() else last] = value

    return change


def drop(path: str) -> Callable[[Json], None]:
    def change(flow: Json) -> None:
        *steps, last = path.split("/")
        at: Any = flow
        for step in steps:
            at = state(flow, step[1:]) if step.startswith("@") else at[int(step) if step.isdigit() else step]
        del at[last]

    return change


CONDITION = "@how_it_ended/transitions/1/conditions/0"
BROKEN: list[tuple[Callable[[Json], None], str]] = [
    (put("version", 1), "version"),
    (put("description", 1), "description"),
    (put("$schema", "https://schemas.example.com"), "schema"),
    (put("flags", {"allow_concurrent_calls": "true"}), "flags"),
    (drop("states"), "states"),
    (put("states", []), "length >= 1"),
    (drop("initial_state"), "initial_state"),
    (put("initial_state", "Start"), "there is no state Start"),
    (drop("@person/type"), "type"),
    (put("@person/name", ""), "length >= 1"),
    (put("@person/name", "apology"), "given to 2 states"),
    (put("@person/type", "twiml-redirect"), "no widget type"),
    (put("@person/colour", "red"), "colour"),
    (drop("@person/properties/offset"), "offset"),
    (put("@person/properties/offset", {"x": "0", "y": "0"}), "offset"),
    (put("@person/transitions/0/event", "done"), "no event done"),
    (put("@person/transitions/0/event", "callFailure"), "callFailure has 2"),
    (put("@person/transitions/0/next", "nowhere"), "nowhere"),
    (put("@how_it_ended/transitions/1/conditions", []), "match has no condition"),
    (
        put(
            "@how_it_ended/transitions/0/conditions",
            [{"friendly_name": "x", "arguments": ["x"], "type": "equal_to", "value": "x"}],
        ),
        "only match may",
    ),
    (put(f"{CONDITION}/type", "equals"), "equals"),
    (put(f"{CONDITION}/arguments", "{{x}}"), "array"),
    (put(f"{CONDITION}/arguments", []), "length >= 1"),
    (put(f"{CONDITION}/value", 1), "str"),
    (drop(f"{CONDITION}/value"), "no value"),
    (drop(f"{CONDITION}/friendly_name"), "friendly_name"),
    (drop("@how_it_ended/properties/input"), "input is missing"),
    (drop("@person/properties/workflow_sid"), "workflow_sid or queue_name"),
    (put("@person/properties/task_attributes", json.dumps({"note": "x" * 1024})), "1024"),
    (put("@person/properties/task_attributes", "{{x}"), "no JSON"),
    (put("@person/properties/task_attributes", {"ref": "1"}), "must be a text"),
    (drop("@person_on_duty/properties/noun"), "noun is missing"),
    (put("@voicemail/properties/play_beep", True), "play_beep must be a text"),
    (put("@apology/properties/say", ""), "say or play or digits"),
]
OF_THE_WIDGET = [
    (put("@five_gates/properties/url", "https://voice.example.com/twilio/relay"), "wss://"),
    (drop("@five_gates/properties/url"), "url is missing"),
    (put("@five_gates/properties/interruptible", True), "interruptible must be a text"),
    (put("@five_gates/properties/interruptible", "any"), '"true" or "false"'),
    (put("@five_gates/transitions/0/event", "ended"), "no event ended"),
]
OF_THE_REDIRECT = [
    (put("@five_gates/properties/timeout", 14400), "timeout must be a text"),
    (put("@five_gates/properties/timeout", "14401"), "14400 seconds"),
    (put("@five_gates/properties/timeout", "soon"), "14400 seconds"),
    (put("@five_gates/properties/url", ""), "url is missing"),
    (put("@five_gates/transitions/0/event", "success"), "no event success"),
]


class TestTheChecker:
    @pytest.mark.parametrize(
        ("flow", "broken", "says"),
        [(flow, *each) for flow in (WIDGET, REDIRECT) for each in BROKEN]
        + [(WIDGET, *each) for each in OF_THE_WIDGET]
        + [(REDIRECT, *each) for each in OF_THE_REDIRECT],
    )
    def test_it_finds_what_twilio_would_refuse(
        self, flow: Json, broken: Callable[[Json], None], says: str
    ) -> None:
        changed = copy.deepcopy(flow)
        broken(changed)
        faults = check(changed)
        assert any(says in fault for fault in faults), faults

    def test_it_finds_more_than_one_fault(self) -> None:
        changed = copy.deepcopy(REDIRECT)
        put("initial_state", "Start")(changed)
        put("@five_gates/properties/timeout", 5)(changed)
        assert len(check(changed)) == 2

    @pytest.mark.parametrize("nothing", [None, [], "{}", 1, {}])
    def test_what_is_no_definition_is_said_to_be_none(self, nothing: object) -> None:
        assert check(nothing)

    @pytest.mark.parametrize(("priority", "faults"), [("0", 0), (0, 1)])
    def test_flex_takes_its_priority_as_a_text(self, priority: object, faults: int) -> None:
        flow = redirect_flow(PUBLIC_URL, people=People(Flex("WW1", "TC1")))
        put("@person/properties/priority", priority)(flow)
        assert len(check(flow)) == faults

    def test_a_thousand_states_are_the_most(self) -> None:
        def of(count: int) -> Json:
            ends = [
                {
                    "name": f"end_{number}",
                    "type": "say-play",
                    "transitions": [{"event": "audioComplete"}],
                    "properties": {"say": "Goodbye.", "offset": {"x": 0, "y": 0}},
                }
                for number in range(count)
            ]
            return {"states": ends, "initial_state": "end_0"}

        assert check(of(1000)) == []
        assert check(of(1001))

    def test_a_condition_for_a_blank_needs_no_value(self) -> None:
        blanks = [
            condition
            for each in state(WIDGET, "how_it_ended")["transitions"]
            for condition in each.get("conditions", [])
            if condition["type"] == "is_blank"
        ]
        assert blanks
        assert all("value" not in each for each in blanks)
