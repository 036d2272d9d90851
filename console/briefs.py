"""`GET /brief/{ref}`: the brief for the agent's screen, behind a signed link, with three one-tap answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from compliance.briefs import Briefs, Question, StoredBrief
from compliance.database import DatabaseUnavailable
from console.door import FORM_LIMIT, Sealed, refusal
from handoff import brief as briefs
from handoff.links import LinkExpired, LinkInvalid, read


@dataclass(frozen=True, slots=True)
class BriefPages:
    """What is open while the server serves is asked for with each request.

    `answered` is told of each answer: the call, the question, yes or no. `template` is an agent's own.
    """

    store: Callable[[Request], Briefs]
    key: bytes = field(repr=False)
    clock: Callable[[Request], float]
    template: Callable[[str], str]
    answered: Callable[[Request, str, Question, bool], None]

    def routes(self) -> list[BaseRoute]:
        sealed = [Middleware(Sealed, style=briefs.STYLE)]
        return [
            Route("/brief/{token}", self.show, methods=["GET"], middleware=sealed),
            Route("/brief/{token}", self.answer, methods=["POST"], middleware=sealed),
        ]

    async def show(self, request: Request) -> Response:
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        try:
            given = briefs.from_json(found.body)
        except briefs.BriefUnreadable:
            return refusal(
                500, "Not readable", "This brief was kept by another version. See the call's record."
            )
        shown = briefs.page(
            given,
            found.language,
            post_to=request.url.path,
            answered={question: "yes" if yes else "no" for question, yes in found.answers.items()},
            template=self.template(found.agent),
        )
        return HTMLResponse(shown)

    async def answer(self, request: Request) -> Response:
        """One tap. The link itself is the right to answer."""
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        if int(request.headers.get("content-length") or FORM_LIMIT + 1) > FORM_LIMIT:
            return refusal(413, "Too long", "The form is larger than ours.")
        try:
            form = parse_qs((await request.body()).decode(), max_num_fields=10)
            question, answer = Question(form["question"][0]), form["answer"][0]
        except (KeyError, ValueError):
            return refusal(400, "Not understood", "There is no such question.")
        if answer not in ("yes", "no"):
            return refusal(400, "Not understood", "The answer is yes or no.")
        try:
            await asyncio.to_thread(
                self.store(request).answer, found.ref, question, yes=answer == "yes", at=self.clock(request)
            )
        except DatabaseUnavailable:
            return refusal(503, "Not now", "Your answer cannot be kept at the moment. Try again in a minute.")
        self.answered(request, found.call_sid, question, answer == "yes")
        return RedirectResponse(request.url.path, 303)

    async def _found(self, request: Request) -> StoredBrief | Response:
        try:
            ref = read(self.key, request.path_params["token"], self.clock(request))
            found = await asyncio.to_thread(self.store(request).load, ref)
        except LinkExpired:
            return refusal(410, "Expired", "This link has expired. The brief stays in the call's record.")
        except LinkInvalid:
            return refusal(404, "Not found", "There is no such brief.")
        except DatabaseUnavailable:
            return refusal(503, "Not now", "The brief cannot be read at the moment. Try again in a minute.")
        return found or refusal(404, "Not found", "There is no such brief.")
