"""Back to the Studio flow that sent us the call, with the reason, the reference and how it went.

Twilio, "TwiML Redirect widget": `FlowEvent=return` leads on; "every further query parameter shows up as
{{widgets.<name>.<Param>}}".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from twilio.twiml.voice_response import VoiceResponse

from handoff.port import Case, Urls
from policies.agent_destinations import Studio as Config
from policies.vocabulary import Outcome

WEBHOOKS: Final = "https://webhooks.twilio.com/v1"


@dataclass(frozen=True, slots=True)
class Studio:
    """The flow is the configured one, never one that a request names."""

    flow_sid: str

    async def accept(self, case: Case, urls: Urls) -> str:
        return back(
            case.account_sid,
            self.flow_sid,
            ref=case.ref,
            reason=case.reason.value,
            outcome=Outcome.HANDED_OFF,
        )

    async def abandon(self, case: Case) -> None:
        """The flow has the call, and nobody rings on our account."""


def connect(config: Config) -> Studio:
    return Studio(config.flow_sid)


def back(account_sid: str, flow_sid: str, *, ref: str, reason: str, outcome: Outcome) -> str:
    """`summary_id` is the name under which a flow looks for the brief: our reference."""
    query = urlencode(
        {
            "FlowEvent": "return",
            "reason": reason,
            "ref": ref,
            "summary_id": ref,
            "outcome": outcome.value,
        }
    )
    response = VoiceResponse()
    response.redirect(f"{WEBHOOKS}/Accounts/{account_sid}/Flows/{flow_sid}?{query}", method="POST")
    return str(response)
