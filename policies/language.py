"""Which language the caller speaks, and when to change to it: at once on request, else when it is certain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LONG: Final = 12  # letters of another script, with which one prompt is enough
FEWEST_WORDS: Final = 3  # of Latin letters that are more than a brand or a name
OF_SYLLABLES: Final = 2.5  # letters that one Hangul syllable or one kana stands for

SCRIPTS: Final = {
    "hangul": re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]"),
    "kana": re.compile(r"[\u3041-\u30ff]"),
    "han": re.compile(r"[\u4e00-\u9fff]"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
}
LETTER: Final = re.compile(r"[^\W\d_]")
OF_SCRIPT: Final = {"hangul": ("ko",), "kana": ("ja",), "han": ("zh", "ja"), "cyrillic": ("ru",)}
OTHER_SCRIPTS: Final = {"ko": "hangul", "ja": "kana", "zh": "han", "ru": "cyrillic", "uk": "cyrillic"}

NAMES: Final = {  # as callers name them, in English and in Korean
    "ko": ("korean", "한국어|한국말|우리말"),
    "en": ("english", "영어|잉글리시"),
    "es": ("spanish", "스페인어"),
    "zh": ("chinese|mandarin", "중국어"),
    "ja": ("japanese", "일본어|일본말"),
}
REFUSED: Final = (
    r"(?:\b(?:not|never|stop|without|cannot|(?:do|does|did|ca|wo|could|would)nt)(?! you) (?:\w+ ){0,3})"
)
VERBS: Final = (
    r"(?:speak(?:ing)?|talk(?:ing)?|switch(?:ing)?|chang(?:e|ing)|continue|go on|carry on|answer(?: me)?"
    r"|reply|respond|explain|say|tell|do|have|get|try|use|converse|communicate|be helped|get help)"
)
OBJECT: Final = (
    r"(?: (?:me|it|this|that|with me|to me|the rest|this call|the call|this conversation|back|over))?"
)
SOMEBODY: Final = "someone|somebody|anyone|anybody|person|agent|colleague"
LEADING: Final = (
    r"(?:(?:oh|um|uh|hi|hello|hey|okay|ok|yes|no|well|sorry|and|but|so|please|can we|could we) )*"
)
FOLLOWING: Final = r"(?: (?:please|thanks|thank you|instead|if possible|if you can|then|now|okay|ok))*"
WITHIN: Final = (
    r" ?(?:로|으로)(?:만|도|는)? ?(?:좀 |다시 |계속 |천천히 |지금 )*"
    r"(?:말|해|하|할|이야기|얘기|상담|진행|바꿔|바꾸|변경|부탁|가능|안내|통화|설명|대화|대답|답변|응대|될까|되나|되죠|돼|주세요|줘)"
)
ABLE: Final = (
    r"(?:를|을|는|도|가)? ?"
    r"(?:할 ?수 ?있|할 ?줄 ?(?:아|알)|하실 ?(?:수|줄)|하세요|하시나|하시죠|가능(?:한가|하|해|할)"
    r"|되나요|되세요|돼요|될까요|부탁)"
)


def _asking(english: str, korean: str) -> re.Pattern[str]:
    name = rf"(?:{english})"
    return re.compile(
        rf"(?<!\w){VERBS}{OBJECT} (?:in |to |into |using )?{name}\b(?! (?:teacher|class|food|man|woman|guy))"
        rf"|^{LEADING}(?:in )?{name}{FOLLOWING}$"
        rf"|\b(?:do|does|can|could) (?:you|{SOMEBODY})(?: there)? (?:also )?speak {name}\b"
        rf"|\b(?:{SOMEBODY}) (?:who|that) (?:can |could )?speaks? {name}\b"
        rf"|\bi (?:only|just) speak {name}\b"
        rf"|\b(?:prefer|rather|like|want)(?: to)?(?: have| use)? {name}{FOLLOWING}$"
        rf"|(?:{korean})(?:{WITHIN}|{ABLE})|^(?:{korean})(?:로|으로)?(?: ?요)?$"
    )


ASKING: Final = {language: _asking(*names) for language, names in NAMES.items()}
REFUSING: Final = {
    language: re.compile(
        rf"{REFUSED}(?:in |to )?(?:{english})\b"
        rf"|(?:{korean})(?:로|으로|를|을|는|은|가)? ?(?:말고|못|안 |잘 ?못|싫|모르)"
    )
    for language, (english, korean) in NAMES.items()
}


def detect(text: str, lang_tag: str = "") -> str | None:
    """The language of a prompt as a primary subtag: by its script, and where several share one, by its tag.

    None where nothing says so: digits, a sign, a script of no language known here.
    """
    script = _script(text)
    told = _primary(lang_tag)
    if script is None:
        return None
    if known := OF_SCRIPT.get(script):
        return told if told in known else known[0]
    if script != "latin":
        return None
    if told in OTHER_SCRIPTS:  # "iPhone Pro" is Korean, too
        return "en" if len(text.split()) >= FEWEST_WORDS else None
    return told if told and told != "multi" else "en"


def asked_for(text: str) -> str | None:
    """The language (primary subtag) the caller asks to speak: "in English, please", "한국어로 해 주세요"."""
    plain = re.sub(r"['’]", "", text.casefold())
    clauses = [" ".join(re.findall(r"\w+", clause)) for clause in re.split("[.,!?;]", plain)]
    whole = " ".join(filter(None, clauses))
    for language, asking in ASKING.items():
        refused = any(map(REFUSING[language].search, clauses))
        if not refused and any(map(asking.search, (whole, *clauses))):
            return language
    return None


class Languages:
    """The languages of one call: those the agent file lists (BCP-47 tags), and the one spoken now."""

    def __init__(self, allowed: Sequence[str], current: str = "") -> None:
        if not allowed:
            raise ValueError("list at least one language")
        self._allowed = tuple(allowed)
        self.current = self._allowed[0]
        if current:
            self.current = current if current in allowed else self._listed(_primary(current)) or self.current
        self._other = ""  # spoken in the prompt before, instead of the current one

    def heard(self, text: str, lang_tag: str = "") -> str | None:
        """The tag to change to, as the file writes it, or None. Never a language that is not listed."""
        wanted = self._listed(asked_for(text))
        if wanted:
            return self._change(wanted)
        spoken = self._listed(detect(text, lang_tag))
        if spoken is None:
            return None  # "12": says nothing about the prompt before either
        if spoken == self.current:
            self._other = ""
            return None
        if spoken == self._other or self._foreign_letters(text, spoken) >= LONG:
            return self._change(spoken)
        self._other = spoken
        return None

    def _change(self, tag: str) -> str | None:
        changed = tag != self.current
        self.current, self._other = tag, ""
        return tag if changed else None

    def _listed(self, primary: str | None) -> str | None:
        """The tag of the file for a language; of two, the one that is spoken."""
        tags = (self.current, *self._allowed)
        return next((tag for tag in tags if primary and _primary(tag) == primary), None)

    def _foreign_letters(self, text: str, spoken: str) -> int:
        """Letters in the script of that language, when it is not the current one's too."""
        script = OTHER_SCRIPTS.get(_primary(spoken), "latin")
        if script == OTHER_SCRIPTS.get(_primary(self.current), "latin"):
            return 0
        return len(SCRIPTS[script].findall(text))


def _script(text: str) -> str | None:
    """The script of most of the words; a syllable weighs as much as the letters it stands for."""
    counted = {
        script: len(letters.findall(text)) * (OF_SYLLABLES if script in ("hangul", "kana", "han") else 1.0)
        for script, letters in SCRIPTS.items()
    }
    if counted["kana"]:  # Japanese mixes it with Han
        counted["kana"] += counted.pop("han")
    script = max(counted, key=lambda each: counted[each])
    others = len(LETTER.findall(text)) - sum(len(each.findall(text)) for each in SCRIPTS.values())
    return script if counted[script] > others else None


def _primary(tag: str) -> str:
    return tag.casefold().partition("-")[0]
