"""The patterns a verifier brings along: where a card, an identity number, a phone or a price may stand."""

from __future__ import annotations

from typing import Final

from policies.guard.matcher import Right
from policies.guard.rules import Verify
from policies.guard.verify import SMALL

NUMBER: Final = r"(?:\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?:\.\d{1,2})?"
WORD: Final = "(?:" + "|".join(sorted(SMALL)) + "|(?:hundred|thousand|million)(?: and)?)"
WORDS: Final = rf"(?:a )?{WORD}(?:[ -]{{1,2}}{WORD}){{0,7}}"
SIGN: Final = "[$€£¥₩]"
MONEY: Final = "(?:dollars?|bucks?|usd|euros?|eur|pounds|gbp|won|krw|yen|jpy)"
MULTIPLE: Final = "(?: ?(?:k|hundred|thousand|million))?"
TO: Final = r"(?: ?- ?| to | or | and )"
OFF: Final = "(?:off|discount|less|cheaper|reduction|rebate|savings?|cashback|할인|세일|적립)"
KOREAN_MONEY: Final = "(?:원|달러|유로|엔)"
KOREAN_DIGIT: Final = "(?:일|이|삼|사|오|육|칠|팔|구)"
KOREAN_UNIT: Final = "(?:십|백|천|만|억)"
KOREAN_WORDS: Final = (
    rf"(?:{KOREAN_DIGIT} ?)?{KOREAN_UNIT}(?: ?(?:{KOREAN_DIGIT} ?)?{KOREAN_UNIT}){{0,5}}(?: ?{KOREAN_DIGIT})?"
)
KOREAN_MIXED: Final = rf"{NUMBER} ?(?:십|백|천|만|억)(?: ?\d{{1,4}})?(?: ?(?:십|백|천|만))?"
KOREAN_AMOUNT: Final = rf"(?:{KOREAN_MIXED}|{KOREAN_WORDS})"
KOREAN_TO: Final = "(?: ?에서 ?| ?부터 ?| ?- ?)"

PAUSE: Final = "(?:[ -]| - |, )?"  # between the groups of one number

PLACES: Final[dict[Verify, tuple[tuple[str, bool, Right], ...]]] = {
    Verify.CARD: ((rf"\d(?:{PAUSE}\d){{12,18}}", True, Right.NO_DIGIT),),
    Verify.SSN: ((rf"\d{{3}}{PAUSE}\d{{2}}{PAUSE}\d{{4}}", True, Right.NO_DIGIT),),
    Verify.RRN: ((r"\d{6} ?-? ?[1-8]\d{6}", True, Right.NO_DIGIT),),
    Verify.PHONE: ((r"\+?\(?\d(?:[ .()-]{0,2}\d){8,14}", True, Right.NO_DIGIT),),
    Verify.PRICE: (
        (rf"{SIGN} ?{NUMBER}{MULTIPLE}(?:{TO}{SIGN}? ?{NUMBER}{MULTIPLE})?", False, Right.NO_DIGIT),
        (rf"(?:usd|eur|gbp|krw|jpy) ?{NUMBER}{MULTIPLE}", True, Right.NO_DIGIT),
        (rf"(?:{NUMBER}{MULTIPLE}{TO})?{NUMBER}{MULTIPLE} ?{MONEY}", True, Right.NO_WORD),
        (rf"(?:{WORDS}{TO})?{WORDS}[ -]{MONEY}", True, Right.NO_WORD),
        (rf"(?:{NUMBER}|{WORDS}) ?(?:%|percent|per cent) {OFF}", True, Right.NO_WORD),
        (rf"discount of (?:up to )?(?:{NUMBER}|{WORDS}) ?(?:%|percent)", True, Right.ANYTHING),
        (rf"(?:{NUMBER}|{KOREAN_WORDS}) ?(?:%|퍼센트|프로) ?(?:{OFF})", True, Right.ANYTHING),
        (rf"(?:{NUMBER}{KOREAN_TO})?{NUMBER} ?{KOREAN_MONEY}", True, Right.WHOLE_SYLLABLE),
        (rf"(?:{KOREAN_AMOUNT}{KOREAN_TO})?{KOREAN_AMOUNT} ?{KOREAN_MONEY}", False, Right.WHOLE_SYLLABLE),
        (r"half[ -](?:price|off)|반값", True, Right.ANYTHING),
    ),
}
"""By verifier: a pattern, whether it begins where no word goes on, and what has to follow."""

LONGEST: Final = frozenset({Verify.PRICE})
"""Judged by their longest candidate: `$49` is no price while `.99` may follow."""
