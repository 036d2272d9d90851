"""Every destination an agent file can name, each with the module that is it."""

from __future__ import annotations

from collections.abc import Callable

from handoff import callback, conference, dial, flex, queue, studio, taskrouter, voicemail
from handoff.attempt import Attempt
from handoff.port import Case, Destination
from handoff.twilio_rest import TwilioRest
from policies import agent_destinations as configured


def connect(
    config: configured.Destination, rest: TwilioRest | None, clock: Callable[[], float]
) -> Destination:
    """`rest` is None without credentials; `clock` is any clock in seconds, for what is kept a short time."""
    match config:
        case configured.TaskRouter():
            return taskrouter.connect(config, rest, clock)
        case configured.Flex():
            return flex.connect(config, rest, clock)
        case configured.Queue():
            return queue.connect(config)
        case configured.Dial() | configured.Sip():
            return dial.connect(config)
        case configured.Conference():
            return conference.connect(config, rest)
        case configured.Studio():
            return studio.connect(config)
        case configured.Callback():
            return callback.connect()
        case configured.Voicemail():
            return voicemail.connect(config)


def begin(name: str, config: configured.Destination, case: Case, at: float) -> Attempt | None:
    """The attempt that is told of what happens; None where no person is asked to answer now."""
    match config:
        case configured.Studio() | configured.Callback() | configured.Voicemail():
            return None
        case configured.Conference():
            asks, numbers = True, min(len(config.numbers), conference.RINGING_AT_ONCE)
        case configured.Dial() | configured.Sip():
            asks, numbers = config.whisper, 0
        case configured.TaskRouter() | configured.Flex() | configured.Queue():
            asks, numbers = isinstance(config, configured.TaskRouter), 0
    return Attempt(
        ref=case.ref,
        destination=name,
        sla=config.sla,
        started_at=at,
        asks=asks,
        in_room=isinstance(config, configured.Conference),
        numbers=numbers,
    )
