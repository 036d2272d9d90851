"""What a caller's words ask of us, by rules: a person, who we are, a topic, a mood, yes or no.

English and Korean, side by side, for callers mix them. Rules come before the model: they take microseconds,
can be read, and fire on words alone.
"""

from policies.recognise.answers import consents
from policies.recognise.identity import asks_identity
from policies.recognise.person import asks_for_person
from policies.recognise.topics import Objection, Topic, negative, objection, topics

__all__ = [
    "Objection",
    "Topic",
    "asks_for_person",
    "asks_identity",
    "consents",
    "negative",
    "objection",
    "topics",
]
