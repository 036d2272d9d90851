"""What a caller's words ask of us, by rules: a person, who we are, a topic, a mood, yes or no.

English and Korean. Rules come before the model: they take microseconds, can be read, and fire on words alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

# -- words -------------------------------------------------------------------------------------------------

REAL: Final = (
    r"(?:(?:real|live|actual|human|physical|proper|living|different|another|other|single"
    r"|qualified|senior|local) )*"
)
STAFF: Final = (  # said alone, they can only mean one of ours
    r"(?:human(?: being)?s?|agents?|representatives?|reps?|operators?|managers?|supervisors?"
    r"|advis[eo]rs?|associates?"
    r"|staff(?: members?)?|employees?|clerks?|tellers?|specialists?|consultants?|receptionists?|support team"
    r"|(?:team|staff) members?|members? of (?:your |the )?(?:staff|team)|customer (?:service"
    r"|support|care)(?: \w+)?"
    r"|tech(?:nical)? support|helpdesk|help desk|call cent(?:er|re)|front desk|head office)"
)
ANYBODY: Final = (
    r"(?:persons?|people|someone|somebody|anyone|anybody|man|woman|lady|guy|assistant|colleagues?"
    r"|body)"
)
WHO: Final = rf"{REAL}(?:{STAFF}|{ANYBODY})"
MACHINE: Final = (
    r"(?:ro?bots?|machines?|bots?|chat ?bots?|computers?|ais?|a i|automat\w+(?: \w+)?|recordings?|virtual \w+"
    r"|voice ?mails?|program|software|assistants?)"
)
DET: Final = r"(?:(?:a|an|the|some|any|one of|your|our|this|that|of|these|those|you|with|to) )*"
TO: Final = r"(?:to|with|by|through to|over to|through with|in touch with|on to|onto|at) "
POLITE: Final = (
    r"(?:please |just |now |really |actually |directly |immediately |kindly |right now "
    r"|instead |maybe |quickly )*"
)

ASKS: Final = re.compile(
    rf"\b(?:speak|talk|chat|converse|discuss \w+|discuss|communicate"
    rf"|deal|consult) {POLITE}{TO}{POLITE}{DET}{WHO}\b"
    rf"|\b(?:speaking|talking|chatting) {TO}{DET}{WHO}\b"
    rf"|\b(?:connect(?:ed|ing)?|transfer(?:red|ring)?|put|pass|hand|send|switch|forward|direct"
    rf"|redirect|route|patch|refer|get)"
    rf" (?:(?:me|us|my call|the call|this call|this|it|call) )?(?:{POLITE}|over |through "
    rf"|back |across |along )*(?:{TO})?{DET}{WHO}\b"
    rf"|\b(?:give|bring|find|fetch|lend) (?:me|us) {POLITE}{DET}{WHO}\b"
    rf"|\b(?:reach|contact|call|see|have|want|need|prefer|require|like|request|wanna get"
    rf"|get) {POLITE}(?:to (?:reach|contact|have|get) )?{DET}"
    rf"{REAL}{STAFF}\b"
    rf"|\b(?:want|need|prefer|like|rather have|get|have|give me|require|requesting|demand"
    rf"|asking for|ask for|looking for) {POLITE}{DET}"
    rf"(?:real|live|actual|human|physical|proper|living) {ANYBODY}\b"
    rf"|\b(?:want|need|like|get|have|looking for|is there|are there|isnt there"
    rf"|any chance of) {POLITE}{DET}{ANYBODY} "
    rf"(?:else |there |here |real |actual |around |available |on the line |at all )*(?:who "
    rf"|that |to |i |which |we )?"
    rf"(?:can |could |may |might |is able to |actually |really |is |to )*"
    rf"(?:help|talk|speak|assist|listen|understand|deal|explain|handle|fix|sort|look|solve"
    rf"|resolve|take care)\w*\b"
    rf"|\bis (?:there )?{DET}{WHO} (?:there|here|available|around|free|i can|that i can|on duty|able)\b"
    rf"|\b(?:escalate|escalation)\b|\bhuman (?:please|now|assistance|help|support|contact"
    rf"|interaction|agent|operator)\b"
    rf"|\b(?:let|allow) me (?:{POLITE})(?:to )?(?:speak|talk|chat) {TO}?{DET}{WHO}\b"
    rf"|\b(?:somebody|someone|person|human) (?:else(?: please| who can| to help|$)"
    rf"|other than (?:you|this|a {MACHINE}))\b"
    rf"|\b(?:speak|talk|chat) (?:to |with )?{POLITE}(?:to |with )?(?:sales|billing|support"
    rf"|accounts|reception|the office|your office"
    rf"|the (?:\w+ )?department|your (?:\w+ )?department|the boss|your boss)\b"
)
ALONE: Final = re.compile(
    rf"^(?:(?:um|uh|hi|hello|hey|yes|no|ok|okay|please|just|the|a|an|get|i said|give me|well"
    rf"|look|again|real|live) )*"
    rf"{REAL}(?:{STAFF}|(?:real|live|actual|human) {ANYBODY}|person|somebody real|someone real)"
    rf"(?: (?:please|now|thanks|thank you|right now|asap|immediately|for me))*$"
)
NO_MACHINE: Final = re.compile(
    rf"\b(?:not|dont|do not|never|no|stop|hate|tired of|sick of|instead of|rather than|without) "
    rf"(?:want |wanna |wish |like |need |to |be |have |keep |more )*(?:(?:to )?(?:speak|speaking"
    rf"|talk|talking|chat|chatting|deal|dealing)"
    rf" (?:to|with) )?{DET}(?:stupid |dumb |damn )?{MACHINE}\b"
)
NOT_FOR_US: Final = re.compile(
    r"\b(?:dont|do not|doesnt|didnt|no need|neednt|not necessary|never|no longer|not) (?:\w+ ){0,3}?"
    r"(?:need|want|have|like|wish|care|necessary|have to|be)? ?(?:to )?(?:\w+ ){0,1}?"
    r"(?:speak|talk|connect|transfer|a transfer|be transferred|an agent|a human|a person"
    r"|a representative|anyone|anybody"
    r"|a rep|an operator|a manager|someone|somebody)\b"
    r"|\bwithout (?:having to |needing to |me )?(?:speak|talk|call|contact|go|deal)\w*\b"
    r"|\b(?:when|whenever|every time|each time|after|before|while|if|since|until|last time"
    r"|where|once|because|how come) "
    r"(?:\w+ )?(?:i|we|you|they|he|she) (?:\w+ ){0,2}(?:speak|spoke|talk|talked|call|called"
    r"|contact|get|got)\b"
    r"|\bhuman resources\b|\b(?:talk|speak|check|discuss\w*) (?:it |this |that )?(?:over )?(?:to"
    r"|with) my (?!(?:account|personal|own) )\w+"
    r"|\bperson(?:al)? (?:to person|loan|account|data|details|information|use)\b"
    r"|\b(?:estate|travel|insurance|ticket|booking|real estate|letting|cleaning) agents?\b"
    r"|\b(?:how (?:do|can|would|to)|what|which|who|why|where) (?:\w+ ){0,5}(?:agents?|representatives?"
    r"|managers?|staff|operators?)"
    r" (?:fee|cost|charge|say|said|do|mean|get|earn|work|told)\w*\b"
)
DID: Final = re.compile(
    r"\b(?:spoke|talked|spoken|chatted|was (?:transferred|connected"
    r"|told|put)|told me|got transferred|ve (?:spoken|talked))\b"
)

IDENTITY: Final = re.compile(
    rf"\b(?:am i|are we) (?:\w+ )?(?:speaking|talking|chatting|connected) (?:to|with) {DET}{REAL}(?:{MACHINE}"
    rf"|human\w*|person|people|somebody|someone)"
    rf"(?: or {DET}{REAL}(?:{MACHINE}|human\w*|person))?\b"
    rf"|\b(?:are|r) (?:you|u) (?:\w+ )?{DET}{REAL}(?:{MACHINE}|human\w*"
    rf"|person|real|artificial\w*(?: intelligence)?"
    rf"|alive)"
    rf"(?: or {DET}{REAL}(?:{MACHINE}|human\w*|person))?\b"
    rf"|\bis (?:this|it|that) {DET}{REAL}(?:{MACHINE}|human|person|artificial intelligence)"
    rf"(?: or {DET}{REAL}(?:{MACHINE}"
    rf"|human|person))?"
    rf"(?: (?:speaking|talking|i am|im)\b.*)?$"
    rf"|\b(?:who|what) (?:are|am) (?:you|i (?:talking|speaking) (?:to|with))(?: exactly)?$"
    rf"|\byou(?: a)?re (?:just )?{DET}{MACHINE},? (?:arent you|right|correct)\b"
)

PERSON_KO: Final = (
    r"(?:상담원|상담사|상담 ?직원|상담 ?하시는 분|직원|담당자?|사람"
    r"|매니저|관리자|책임자|팀장|점장|사장|고객 ?센터|콜 ?센터|교환원?"
    r"|안내원"
    r"|실무자|상급자|윗사람|높은 ?사람|인간|담당 ?부서|기사|(?:진짜"
    r"|실제|다른|담당하시는|아시는|아는|하시는) ?(?:사람|분)|누구|아무나)"
)
PARTICLE_KO: Final = (
    r"(?: ?분)?(?:님)?(?:이랑|랑|하고|과|와|에게|한테|을|를|으로|로|께|이|가|좀|이라도|라도|한테로|쪽으로)? ?"
)
SOON_KO: Final = r"(?:좀|지금|바로|직접|빨리|제발|그냥|한번|한 번|다시|당장|먼저|전화|통화|꼭|혹시|잠깐) ?"
ASKS_KO: Final = re.compile(
    rf"{PERSON_KO}{PARTICLE_KO}(?:{SOON_KO})*(?:연결|바꿔|바꾸|바꿀|통화"
    rf"|얘기|이야기|말(?:하|할|씀|로|좀)|대화|상담(?:하"
    rf"|받|을|해)|불러|부탁|넘겨|돌려"
    rf"|찾아|찾고|나오|나와|전화(?:해|하|를)|필요|원해|원합|원하|없(?:나"
    rf"|어|습|을까)|있(?:나요|어요|습니까|을까요)|계(?:세요|신가요|시나요"
    rf"|십니까)|주세요|줘|대(?:줘|주세요))"
    rf"|(?:기계|로봇|ai|에이아이|인공지능|봇|자동 ?응답|녹음)(?:이랑"
    rf"|랑|하고|과|와|은|는|이|가|를|을)? ?(?:말고|싫|말하기 싫|얘기하기 싫"
    rf"|대화하기 싫|안 ?할|하고 ?싶지)"
    rf"|^(?:{SOON_KO}|저기요? ?|네 ?|아니 ?|여보세요 ?)*{PERSON_KO}(?: ?분)?(?:님)?(?:이?요|좀요?|이라고요)?$"
    rf"|(?:사람|인간)(?:이|하고|이랑|과)? ?(?:직접|실제로)"
)
NOT_FOR_US_KO: Final = re.compile(
    r"(?:연결|통화|상담|얘기|이야기|말씀?|대화|필요|바꿔)(?:은|는|을"
    r"|를|까지는)? ?(?:안|못) ?(?:해도|하셔도|줘도|주셔도|필요)|필요 ?없"
    r"|필요는 ?없|안 ?바꿔 ?도|연결(?:하지|해 주지) ?(?:마|않)"
    r"|(?:연결|통화|상담|얘기|이야기|대화|말)(?:을|를)? ?(?:했|됐|되었"
    r"|해 ?줬|해 ?주셨|하셨|받았|나눴)(?!으면)|(?:그러|그랬|하더"
    r"|했|말하|말씀하|알려 ?주|친절)(?:더라|는데요?|었|던데|거든|어요|습니다|시던)"
    r"|(?:상담원|직원|담당자|사람)(?:분|님)?(?:이|은|께서|가)? ?(?:그러"
    r"|말하|말씀|안내|알려|오(?:셔|신|기로)|왔|방문|친절|몇|많)|몇 ?명"
    r"|몇 ?분이|사람 ?수"
)
IDENTITY_KO: Final = re.compile(
    r"(?:사람|기계|로봇|ai|에이아이|인공지능|봇|챗봇|녹음|자동 ?응답)(?: ?상담원"
    r"| ?직원)?(?:이|가)? ?(?:이에요|예요|에요|인가요"
    r"|인가|이세요|입니까|이야|야|이냐|냐|이신가요|인지|이죠|죠|맞(?:나"
    r"|아|으|습)|아니(?:에요|야|죠|신가|세요|예요))"
    r"|누구(?:세요|신가요|십니까|랑 (?:말|얘기|통화))|(?:진짜|실제) ?사람 ?(?:맞|이)"
)


class Topic(StrEnum):
    """As the agent file names them."""

    EMERGENCY = "emergency"
    LEGAL = "legal"
    SENSITIVE_DATA = "sensitive_data"
    COMPLAINT = "complaint"
    CONTRACT = "contract"
    PAYMENT = "payment"
    OBJECTION = "objection"


class Objection(StrEnum):
    PRICE = "price"
    TRUST = "trust"
    TIMING = "timing"
    COMPETITOR = "competitor"


TOPICS: Final[Mapping[Topic, re.Pattern[str]]] = {
    Topic.EMERGENCY: re.compile(
        r"\b(?:on fire|house fire|there is a fire|theres a fire|fire in|smell(?:s|ing)?(?: of"
        r"| like)? gas|gas leak|leaking gas|carbon monoxide"
        r"|c(?:ant|annot) breathe|chest pain|heart attack|(?:having a|had a) stroke|unconscious"
        r"|not breathing|bleeding (?:badly|heavily|a lot)"
        r"|overdos\w+|kill (?:myself|me|himself|herself)|suicid\w+|end my life|ambulance|(?:im"
        r"|i am|hes|shes|is) dying|someone (?:is )?hurt"
        r"|explosion|electrocuted|break(?:ing)? into my|being attacked|emergency)\b"
        r"|불이? ?났|화재|가스 ?(?:냄새|누출|가 새|가 샙|새)|일산화탄소"
        r"|숨을? ?(?:못|안)|가슴이 (?:아프|아파|조여)|심장마비|뇌졸중|쓰러졌"
        r"|쓰러지|의식이? ?없|자살|죽고 ?싶|죽어 ?가"
        r"|피가 (?:많이|안 ?멈|계속)|구급차|응급|감전|폭발|응급실"
    ),
    Topic.LEGAL: re.compile(
        r"\b(?:lawyer|attorney|solicitor|su(?:e|ing) (?:you|your|them|the)|lawsuit|legal (?:action"
        r"|advice|team|department|claim|notice)"
        r"|take (?:you|this) to court|small claims|court order|subpoena|police report|file charges"
        r"|ombudsman|regulator)\b"
        r"|변호사|고소|소송|법적 ?(?:조치|대응|절차|책임)|법원|내용 ?증명"
        r"|소비자원|금감원|경찰에 신고|손해 ?배상"
    ),
    Topic.SENSITIVE_DATA: re.compile(
        r"\b(?:social security(?: number)?|ssn|(?:credit |debit )?card number|cvv|cvc|security code"
        r"|pass ?word|pin (?:number|code)|passport number"
        r"|bank account number|routing number|medical (?:record|history)|my diagnosis|data breach"
        r"|delete (?:all )?my (?:personal )?data|identity theft)\b"
        r"|주민 ?(?:등록)? ?번호|카드 ?번호|비밀 ?번호|계좌 ?번호|여권 ?번호"
        r"|보안 ?코드|의료 ?기록|진단명|병력|개인 ?정보 ?(?:유출|삭제|도용)"
        r"|명의 ?도용"
    ),
    Topic.COMPLAINT: re.compile(
        r"\b(?:complain(?:t|ts|ing)?|(?:very |so |really |extremely )?(?:un|dis)satisf\w+|unacceptable"
        r"|terrible (?:service|experience)|awful service"
        r"|worst (?:service|company|experience)|poor service|not happy (?:with|about)|unhappy (?:with"
        r"|about)|disappointed|bad experience|treated (?:badly|poorly)"
        r"|(?:second|third|fourth|fifth) time (?:i|im|ive|that i)|still (?:hasnt|havent|not) been (?:fixed"
        r"|resolved|delivered)|outrageous)\b"
        r"|불만|항의|컴플레인|불친절|실망|서비스가? (?:엉망|형편|최악)|(?:두"
        r"|세|네|몇) ?번째 ?(?:전화|말)|따지|사과(?:해|하|를)"
    ),
    Topic.CONTRACT: re.compile(
        r"\b(?:contract|cancel (?:my|the|our) (?:subscription|plan|policy|membership|account"
        r"|agreement|service)|terminat\w+ (?:my|the|our)"
        r"|terms (?:and|of)|renew(?:al|ing)? (?:my|the|of)|early termination|notice period|close my account"
        r"|agreement)\b"
        r"|계약|해지|약관|위약금|재계약|갱신|탈퇴|명의 ?변경"
    ),
    Topic.PAYMENT: re.compile(
        r"\b(?:pay|paying|payment|payments|paid|refund\w*|invoice\w*|bill|bills|billing|billed"
        r"|overcharged|double charged|charged (?:me|twice|my)"
        r"|direct debit|credit card|debit card|bank transfer|instal?lments?|outstanding balance"
        r"|late fee|money back|reimburse\w*)\b"
        r"|결제|환불|청구|납부|이체|미납|연체|자동 ?납부|카드로 ?(?:내|결"
        r"|계)|입금|영수증|돈을? ?(?:돌려|냈|내)|요금이? ?(?:잘못|많이|두)"
        r"|이중 ?(?:결제|청구)"
    ),
}

OBJECTIONS: Final[Mapping[Objection, re.Pattern[str]]] = {
    Objection.PRICE: re.compile(
        r"\b(?:too (?:expensive|much(?: money)?|pricey|costly)|(?:cant|cannot|not able to) afford"
        r"|costs? too much|(?:a|any) discount|cheaper|lower (?:the )?price"
        r"|out of my budget|over (?:my |our )?budget|not worth (?:it|the money)|better (?:price"
        r"|deal)|thats a lot(?: of money)?)\b"
        r"|비싸|비싼|부담(?:돼|되|스)|깎아|싸게|할인(?:은|해|이|좀)|예산(?:이"
        r"|을)? ?(?:초과|넘|안)|돈이 ?없|더 ?저렴"
    ),
    Objection.TRUST: re.compile(
        r"\b(?:scam|fraud|(?:dont|do not|cant) trust|how do i know|never heard of (?:you|your)"
        r"|is this legit\w*|sounds? (?:fishy|suspicious|too good)"
        r"|not sure (?:i can trust|about you|this is real)|where did you get my (?:number|details"
        r"|information))\b"
        r"|사기|못 ?믿|믿을 ?수|의심|보이스 ?피싱|처음 ?듣|진짜(?:인지|예요"
        r"|인가요)|제 ?번호(?:는|를)? ?어떻게"
    ),
    Objection.TIMING: re.compile(
        r"\b(?:not (?:right )?now|not a good time|bad time|call (?:me )?(?:back )?later|(?:im"
        r"|i am) (?:busy|driving|in a meeting|at work)"
        r"|think (?:about it|it over)|need (?:some )?time|another time|not ready|maybe (?:later"
        r"|next (?:week|month|year))|no rush)\b"
        r"|나중에|다음에|생각해 ?보|고민해 ?보|바빠|바쁜|바쁩|회의 ?중|운전 ?중"
        r"|지금은 ?(?:좀|안|어렵|곤란)|시간이 ?없"
    ),
    Objection.COMPETITOR: re.compile(
        r"\b(?:(?:another|a different|other) (?:company|provider|supplier|firm|vendor)|already (?:have"
        r"|use|with|got) (?:a |an |someone|another)"
        r"|competitor\w*|(?:they|others) (?:offer|charge|are cheaper)|happy with my (?:current"
        r"|present)|compar\w+ (?:with|to) (?:other|another))\b"
        r"|다른 ?(?:회사|업체|곳|데|통신사|보험사)|이미 ?(?:쓰고|이용|가입|하고)|경쟁사|타사|지금 ?쓰는"
    ),
}

NEGATIVE: Final = re.compile(
    r"\b(?:ridiculous|useless|stupid|idiot\w*|fed up|frustrat\w+|angry|furious|annoy(?:ed"
    r"|ing)|waste of (?:my )?time|worst|terrible|horrible|awful"
    r"|pathetic|damn|damned|hell|wtf|bullshit|crap|shit|fuck\w*|nobody (?:helps|listens"
    r"|cares)|no one (?:helps|listens|cares)|sick (?:and tired )?of"
    r"|unbelievable|joke|incompetent|hate|upset|disgust\w+|for gods sake|are you kidding"
    r"|not listening|youre not helping)\b"
    r"|짜증|화가? ?나|화났|답답|어이 ?없|어이가|미치겠|최악|말이 ?(?:안"
    r"|되)|도대체|엉터리|열받|씨발|젠장|개같|못 ?해 ?먹|장난(?:해|하"
    r"|치)|뭐 ?하는|한심|바보|지긋지긋|기가 ?(?:막|차)"
)

YES: Final = re.compile(
    r"^(?:(?:oh|um|uh|well|ok|okay) )*(?:yes|yeah|yep|yup|sure|ok|okay|please|please do"
    r"|of course|absolutely|definitely|certainly|right|correct|fine"
    r"|go ahead|sounds good|that would be (?:great|good|nice)|id like that|i would|why not"
    r"|alright|all right|do it|good idea)(?: .*)?$"
    r"|^(?:네|예|응|그래요?|좋아요?|좋습니다|그렇게 ?해|부탁|해 ?주세요"
    r"|그럴게요|그러죠|그렇게|물론|연결해|바꿔)"
)
NO: Final = re.compile(
    r"^(?:(?:oh|um|uh|well|ok|okay) )*(?:no|nope|nah|not|dont|do not|never|i dont|i do not"
    r"|id rather not|its fine|its ok|its okay|im fine|im good|thats ok"
    r"|thats okay|no need|not necessary|cancel|forget it|later)\b"
    r"|^(?:아니|아뇨|됐어|됐습|괜찮|싫|필요 ?없|안 ?해|그냥 ?(?:말|계속|두)|나중에)"
)


def plain(text: str) -> str:
    """Small letters, no punctuation, one space between words."""
    shown = re.sub(r"['’]", "", text.casefold())
    return " ".join(re.findall(r"\w+", shown))


def asks_identity(text: str) -> bool:
    """ "Are you a robot?" It asks who we are, and for nobody: it is answered truthfully."""
    said = plain(text)
    return bool(IDENTITY.search(said) or IDENTITY_KO.search(said))


def asks_for_person(text: str) -> bool:
    """An explicit request for a person: not the question who we are, no talk of people, no refusal of one."""
    said = IDENTITY_KO.sub(" ", IDENTITY.sub(" ", plain(text)))
    said = " ".join(said.split())
    if not said:
        return False
    if NO_MACHINE.search(said):
        return True
    if ASKS_KO.search(said) and not NOT_FOR_US_KO.search(said):
        return True
    if ALONE.search(said):
        return True
    return any(
        not NOT_FOR_US.search(clause)
        and not (
            DID.search(clause) and not re.search(r"\b(?:want|need|can i|could i|let me|please)\b", clause)
        )
        for clause in re.split(r"\b(?:but|so|and then|anyway)\b", said)
        if ASKS.search(clause)
    )


def topics(text: str) -> tuple[Topic, ...]:
    """What the words are about, the gravest first; an objection is told apart by `objection`."""
    said = plain(text)
    found = [topic for topic, words in TOPICS.items() if words.search(said)]
    if objection(text):
        found.append(Topic.OBJECTION)
    return tuple(found)


def objection(text: str) -> Objection | None:
    """What keeps the caller from it; the first of price, trust, timing, competitor."""
    said = plain(text)
    return next((kind for kind, words in OBJECTIONS.items() if words.search(said)), None)


def negative(text: str) -> bool:
    """Anger or abuse in the words. Quiet displeasure is for the model to report."""
    return NEGATIVE.search(plain(text)) is not None


def consents(text: str) -> bool | None:
    """Yes or no to an offer of ours; None: neither."""
    said = plain(text)
    if NO.search(said):
        return False
    return True if YES.search(said) or asks_for_person(text) else None
