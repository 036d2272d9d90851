// The browser phone: shows a call as its caller hears it. Words are sent before they are heard; only what the
// phone on the server reports as played counts as heard, and between two reports the pace of speech is assumed.

const CHARACTERS_PER_SECOND = 15;
const CLAUSE_END = /[.,:;!?…](?=\s)|[。！？、，；：]/g;
const LIVE = ["ringing", "live"];

const byId = (id) => document.getElementById(id);
const stage = byId("stage");
const talk = byId("talk");
const words = byId("words");

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

const letters = (text) => text.replace(/\s/g, "").length;

// Where in `text` the first `count` letters end, white space not counted.
function afterLetters(text, count) {
  let at = 0;
  while (count > 0 && at < text.length) if (!/\s/.test(text[at++])) count -= 1;
  return at;
}

// -- what is said --------------------------------------------------------------------------------------------

// One talk cycle of the agent: `sent` so far, `heard` as reported, `cut` by the caller.
class Reply {
  constructor() {
    this.sent = "";
    this.heard = 0;
    this.closed = false;
    this.cut = false;
    this.spoken = 0;
    this.bubble = null;
  }

  get finished() {
    return this.cut || (this.closed && !this.sent.slice(this.heard).trim());
  }

  // The end of the clause in which the next words stand: the phone reports clause by clause.
  get clauseEnd() {
    CLAUSE_END.lastIndex = this.heard;
    const end = CLAUSE_END.exec(this.sent);
    return end ? end.index + 1 : this.sent.length;
  }

  show(upTo, playing) {
    if (!this.bubble) {
      if (!this.sent.slice(0, upTo).trim() && !this.cut) return;
      this.bubble = bubble("agent");
      this.heardPart = this.bubble.appendChild(make("span", "heard"));
    }
    const text = this.sent.slice(0, upTo).trim();
    if (this.heardPart.textContent !== text) {
      this.heardPart.textContent = text;
      scrollDown();
    }
    this.heardPart.classList.toggle("playing", playing);
    if (this.cut) this.showRest(upTo);
  }

  showRest(from) {
    const rest = this.sent.slice(from).trim();
    if (!this.scissors && this.heardPart.textContent) this.scissors = this.bubble.appendChild(make("span", "cut-mark", " ✂ "));
    this.restPart ??= this.bubble.appendChild(make("s"));
    this.restPart.textContent = rest;
  }
}

let replies = [];
let chunkBegan = null;

const current = () => replies.find((reply) => !reply.finished);

function sent(text, last) {
  let open = replies.at(-1);
  if (!open || open.closed) {
    if (!text) return;
    open = new Reply();
    replies.push(open);
  }
  open.sent += text;
  open.closed = last;
  if (open.cut) open.show(open.heard, false);
}

function played(text) {
  let left = letters(text);
  for (const reply of replies) {
    if (reply.finished || left === 0) continue;
    const taken = Math.min(left, letters(reply.sent.slice(reply.heard)));
    reply.heard += afterLetters(reply.sent.slice(reply.heard), taken);
    left -= taken;
    reply.show(reply.heard, false);
  }
  if (left > 0) {
    sent(text, true); // said by the carrier itself, after the session
    replies.at(-1).heard = text.length;
    replies.at(-1).show(text.length, false);
  }
  chunkBegan = performance.now();
  byId("announcer").textContent = text;
}

function interrupted() {
  replies.forEach(cutOff);
  hush();
}

function cutOff(reply) {
  if (reply.finished) return;
  reply.cut = true;
  reply.show(reply.heard, false);
}

function speaking(on) {
  stage.classList.toggle("speaking", on);
  chunkBegan = on ? performance.now() : null;
  if (!on) for (const reply of replies) if (reply.bubble) reply.show(reply.heard, false);
  status(on ? "Speaking" : "Listening");
}

// Reveals the words of the clause that is being played, at the pace of speech.
function reveal() {
  const reply = current();
  if (reply && chunkBegan !== null) {
    const end = reply.clauseEnd;
    if (reply.spoken < end && reply.spoken <= reply.heard) {
      speakAloud(reply.sent.slice(reply.spoken, end));
      reply.spoken = end;
    }
    const guess = reply.heard + ((performance.now() - chunkBegan) / 1000) * CHARACTERS_PER_SECOND;
    if (guess >= end) reply.show(end, true);
    else reply.show(Math.max(reply.heard, reply.sent.lastIndexOf(" ", guess)), true);
  }
  if (LIVE.includes(stage.dataset.state)) requestAnimationFrame(reveal);
}

function bubble(who) {
  const line = make("li", who);
  const element = line.appendChild(make("p", "bubble"));
  talk.append(line);
  scrollDown();
  return element;
}

function note(kind, text) {
  const line = make("li", kind);
  line.append(make("p", "", text));
  talk.append(line);
  scrollDown();
}

function scrollDown() {
  talk.scrollTop = talk.scrollHeight;
}

// -- what the gates did --------------------------------------------------------------------------------------

const GATES = ["context", "conversation", "handoff", "never say", "compliance", "model"];
const turns = new Map();

function ruled({ turn, gate, says, tone }) {
  byId("gates-hint").hidden = true;
  const list = turns.get(turn) ?? openTurn(turn);
  let row = list.querySelector(`[data-gate="${CSS.escape(gate)}"]`);
  if (!row) {
    row = make("div", `gate ${gate.replace(" ", "-")}`);
    row.dataset.gate = gate;
    row.append(make("dt", "", gate));
    const rank = GATES.indexOf(gate);
    const next = [...list.children].find((other) => GATES.indexOf(other.dataset.gate) > rank);
    list.insertBefore(row, next ?? null);
  }
  if (![...row.querySelectorAll("dd")].some((said) => said.textContent === says)) {
    row.append(make("dd", tone, says));
  }
}

function openTurn(turn) {
  const item = make("li");
  const list = make("dl", "rulings");
  item.append(make("h3", "", turn === 0 ? "Opening" : `Turn ${turn}`), list);
  byId("turns").prepend(item);
  turns.set(turn, list);
  return list;
}

// -- the browser's voice and ear ------------------------------------------------------------------------------

const voice = byId("voice");
const aloud = "speechSynthesis" in window;
voice.hidden = !aloud;

function speakAloud(text) {
  if (!aloud || voice.getAttribute("aria-pressed") !== "true" || !text.trim()) return;
  const utterance = new SpeechSynthesisUtterance(text.trim());
  utterance.lang = language();
  speechSynthesis.speak(utterance);
}

function hush() {
  if (aloud) speechSynthesis.cancel();
}

voice.addEventListener("click", () => {
  const on = voice.getAttribute("aria-pressed") !== "true";
  voice.setAttribute("aria-pressed", String(on));
  if (!on) hush();
});

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
const mic = byId("mic");
mic.hidden = !Recognition;
let listening = null;

function listen() {
  listening = new Recognition();
  listening.lang = language();
  listening.interimResults = true;
  listening.addEventListener("result", (event) => {
    const heard = [...event.results].map((result) => result[0].transcript).join("");
    words.value = heard;
    if (event.results[event.results.length - 1].isFinal) say(heard);
  });
  listening.addEventListener("error", (event) => {
    if (event.error === "not-allowed") note("note", "The browser may not use the microphone. You can still type.");
    else if (event.error !== "no-speech" && event.error !== "aborted")
      note("note", "The browser did not understand the speech. You can still type.");
  });
  listening.addEventListener("end", () => {
    listening = null;
    mic.setAttribute("aria-pressed", "false");
  });
  mic.setAttribute("aria-pressed", "true");
  if (stage.classList.contains("speaking")) order("partial"); // who opens their mouth is listened to
  listening.start();
}

mic.addEventListener("click", () => (listening ? listening.stop() : listen()));

// -- the call -------------------------------------------------------------------------------------------------

let socket = null;
let callBegan = null;
const number = byId("number");

const chosen = () => number.selectedOptions[0];
const language = () => chosen()?.dataset.language || "en-US";

function state(name) {
  stage.dataset.state = name;
  byId("desk").hidden = name !== "live";
  byId("after").hidden = name !== "over";
  byId("clock").hidden = name === "idle" || name === "ringing";
}

function status(text) {
  byId("status").textContent = text;
}

function order(what, text = "") {
  if (socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ do: what, text, lang: language() }));
  }
}

function call() {
  replies = [];
  turns.clear();
  talk.replaceChildren();
  byId("turns").replaceChildren();
  byId("gates-hint").hidden = false;
  state("ringing");
  status("Calling…");
  requestAnimationFrame(reveal);
  socket?.close(); // an earlier call's may still wait for the last words of its record
  const line = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/phone/socket`);
  socket = line;
  line.addEventListener("open", () => order("call", number.value));
  line.addEventListener("message", (message) => line === socket && told(JSON.parse(message.data)));
  line.addEventListener("close", () => line === socket && hungUp());
}

function told(message) {
  switch (message.is) {
    case "dialled":
      byId("record").href = `/console/calls/${encodeURIComponent(message.call_sid)}`;
      break;
    case "connected":
      connected(message.session);
      break;
    case "sent":
      sent(message.text, message.last);
      break;
    case "speaking":
      speaking(message.on);
      break;
    case "played":
      played(message.text);
      break;
    case "interrupted":
      interrupted();
      break;
    case "caller":
      bubble("caller").textContent = message.text;
      scrollDown();
      break;
    case "event":
      ruled(message);
      break;
    case "ended":
      over();
      break;
    case "error":
      note("error", message.says);
      break;
  }
}

function connected(session) {
  callBegan ??= Date.now();
  state("live");
  status("Connected");
  if (session > 1) note("note", "The line was lost, and the call goes on.");
  words.focus({ preventScroll: true });
  tick();
}

function tick() {
  if (callBegan === null) return;
  const seconds = Math.round((Date.now() - callBegan) / 1000);
  byId("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (stage.dataset.state === "live") setTimeout(tick, 1000);
}

function over() {
  if (stage.dataset.state === "over") return;
  for (const reply of replies) if (reply.sent.trim()) cutOff(reply);
  listening?.abort();
  hush();
  stage.classList.remove("speaking");
  state("over");
  status("The call has ended");
  byId("record").hidden = callBegan === null;
  if (callBegan !== null) note("note", `Call ended after ${byId("clock").textContent}`);
  callBegan = null;
  byId("again").focus({ preventScroll: true });
}

// The socket stays open a little longer than the call, for the last words of the record.
function hungUp() {
  if (stage.dataset.state === "ringing" && talk.childElementCount === 0) {
    note("error", "The server did not take the call. Is it still running?");
  }
  over();
}

function say(text) {
  const said = text.trim();
  if (!said) return;
  order("say", said);
  words.value = "";
}

byId("call").addEventListener("click", call);
byId("again").addEventListener("click", call);
byId("hang-up").addEventListener("click", () => order("hang_up"));
number.addEventListener("change", () => (byId("agent").textContent = chosen().dataset.name));

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  say(words.value);
});

byId("keys").addEventListener("click", (event) => {
  const keypad = byId("keypad");
  keypad.hidden = !keypad.hidden;
  event.currentTarget.setAttribute("aria-expanded", String(!keypad.hidden));
  scrollDown();
});

byId("keypad").addEventListener("click", (event) => {
  const key = event.target.dataset.key;
  if (!key) return;
  order("press", key);
  const last = talk.lastElementChild;
  if (last?.classList.contains("keyed")) last.lastElementChild.textContent += ` ${key}`;
  else {
    note("caller keyed", key);
    talk.lastElementChild.lastElementChild.className = "bubble";
  }
});
