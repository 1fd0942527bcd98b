// The page put together: what the connection tells goes to the list of messages, the people and the rooms;
// what the user does goes to the connection. The room wanted is the fragment of the URL.

import { ChatConnection } from "./connection.js";
import { MessageList, avatar, element } from "./messages.js";
import { TEXT_CHARS_MAX, cleanText, countChars, hashOfRoom, nameProblem, roomFromHash, roomProblem } from "./rules.js";

const DEFAULT_ROOM = "lobby";
const ROOMS_KEPT_MAX = 12;
const OWN_IDS_KEPT_MAX = 500;
const COUNTER_FROM = TEXT_CHARS_MAX - 200;

const $ = (id) => document.getElementById(id);
const touch = matchMedia("(pointer: coarse)");
const log = new MessageList($("log"), $("messages"), $("jump"));

// Storage may be forbidden or full: the chat works without it.
function load(storage, key, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(`fyke-chat.${key}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(storage, key, value) {
  try {
    window[storage].setItem(`fyke-chat.${key}`, JSON.stringify(value));
  } catch { /* nothing to do: it is a convenience */ }
}

// Looks at what was kept as at foreign input: another version of the page may have written it.
const strings = (value) => (Array.isArray(value) ? value.filter((item) => typeof item === "string") : []);
let wantedName = load("localStorage", "name", "");
if (typeof wantedName !== "string" || nameProblem(wantedName)) wantedName = "";
let rooms = strings(load("localStorage", "rooms", [])).filter((room) => !roomProblem(room)).slice(0, ROOMS_KEPT_MAX);
const ownIds = new Set(strings(load("sessionStorage", "own", [])));
let room = "";
let lost = [];
let unread = 0;
let wasCut = false;
const people = new Map(); // name -> element

// ---- The connection's side

const connection = new ChatConnection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, {
  state: showConnection,
  welcome(message) {
    showPeople(message.members);
    showMe(message.name);
    if (wasCut && !log.isEmpty) log.addLine("Connected again");
    wasCut = false;
    const fresh = log.addHistory(message.history, (entry) => ownIds.has(entry.id) || isLost(entry));
    settleLost(fresh);
    showEmpty();
    if (!touch.matches && (document.activeElement === document.body || $("dialog").contains(document.activeElement))) $("text").focus();
  },
  said(message, request) {
    if (request) {
      log.settle(request);
      rememberOwn(message.id);
    }
    log.add(message, request !== null);
    if (!request && document.hidden) unread += 1;
    showTitle();
    showEmpty();
  },
  joined({ name }) {
    addPerson(name);
    log.addNotice(name, "joined");
    showEmpty();
  },
  left({ name }) {
    people.get(name)?.remove();
    people.delete(name);
    showCount();
    log.addNotice(name, "left");
    showEmpty();
  },
  refused(message, request) {
    if (request?.kind === "say") log.fail(request, message.message, say);
    else log.addLine(message.message);
    showEmpty();
  },
  lost(requests) {
    lost.push(...requests.filter((request) => request.entry.isConnected));
  },
});

const isLost = (entry) => lost.some((request) => request.name === entry.name && request.text === entry.text);

// A text whose answer was lost with its connection was either said, then the history has it, or not, then its author decides.
function settleLost(fresh) {
  const own = fresh.filter(isLost);
  for (const request of lost) {
    const at = own.findIndex((entry) => entry.name === request.name && entry.text === request.text);
    if (at < 0) {
      log.fail(request, "Not delivered.", say);
      continue;
    }
    rememberOwn(own.splice(at, 1)[0].id);
    log.settle(request);
  }
  lost = [];
}

function rememberOwn(id) {
  ownIds.add(id);
  if (ownIds.size > OWN_IDS_KEPT_MAX) ownIds.delete(ownIds.values().next().value);
  keep("sessionStorage", "own", [...ownIds]);
}

let waitTimer = 0;
function showConnection(state, retryInMs) {
  const texts = { idle: "", connecting: "Connecting…", joined: "Connected", waiting: "Connection lost", refused: "Not in the room" };
  $("connection").dataset.state = state;
  if ($("connection-text").textContent !== texts[state]) $("connection-text").textContent = texts[state];
  $("retry").hidden = state !== "waiting" && state !== "refused";
  $("members").dataset.stale = String(state !== "joined");
  clearInterval(waitTimer);
  $("connection-wait").textContent = "";
  if (state === "waiting") {
    wasCut = true;
    const at = performance.now() + retryInMs;
    const show = () => {
      const seconds = Math.max(1, Math.ceil((at - performance.now()) / 1000));
      $("connection-wait").textContent = `retry in ${seconds} s`;
    };
    show();
    waitTimer = setInterval(show, 500);
  }
  showComposer();
}

// ---- People

function addPerson(name) {
  if (people.has(name)) return;
  const entry = element("li", { className: "member", testid: "member" }, avatar(name), element("bdi", { textContent: name }));
  entry.dataset.name = name;
  if (name === connection.name) entry.append(element("span", { className: "you", textContent: "you" }));
  people.set(name, entry);
  $("members").append(entry);
  showCount();
}

function showPeople(names) {
  people.clear();
  $("members").replaceChildren();
  for (const name of names) addPerson(name);
}

function showCount() {
  $("member-count").textContent = String(people.size);
}

function showMe(name) {
  $("me-name").textContent = name;
  avatar(name, $("me-avatar"));
}

// ---- Rooms

function enterRoom(next) {
  const same = next === room;
  room = next;
  rooms = [room, ...rooms.filter((other) => other !== room)].slice(0, ROOMS_KEPT_MAX);
  keep("localStorage", "rooms", rooms);
  showRooms();
  $("room-title").textContent = room;
  if (!same) {
    lost = [];
    log.clear();
    showPeople([]);
  }
  unread = 0;
  showTitle();
  showEmpty();
  if (wantedName) connection.want(room, wantedName);
}

// In the order of the alphabet, so that the list does not jump when one is chosen.
function showRooms() {
  const entries = [...new Set([DEFAULT_ROOM, ...rooms])].sort((a, b) => a.localeCompare(b)).map((name) => {
    const link = element("a", { href: hashOfRoom(name), testid: "room" },
      element("span", { className: "hash", ariaHidden: "true", textContent: "#" }), element("bdi", { textContent: name }));
    if (name === room) link.ariaCurrent = "page";
    return element("li", {}, link);
  });
  $("rooms").replaceChildren(...entries);
}

function followHash() {
  const named = roomFromHash(location.hash);
  const next = roomProblem(named) ? DEFAULT_ROOM : named;
  if (hashOfRoom(next) !== location.hash) history.replaceState(null, "", hashOfRoom(next));
  closeSide();
  if (next !== room) enterRoom(next);
}

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = $("room-input").value.trim().replace(/^#/, "");
  const problem = roomProblem(wanted);
  $("room-problem").textContent = problem;
  $("room-input").ariaInvalid = String(problem !== "");
  if (problem) return $("room-input").focus();
  $("room-input").value = "";
  location.hash = hashOfRoom(wanted);
  closeSide();
  return $("text").focus();
});

// ---- Writing

function say(text) {
  const request = connection.say(text);
  if (!request) return false;
  log.addPending(request);
  showEmpty();
  return true;
}

function submit() {
  const text = cleanText($("text").value);
  if (text === "" || countChars(text) > TEXT_CHARS_MAX || !say(text)) return showComposer();
  $("text").value = "";
  return showComposer();
}

function showComposer() {
  const field = $("text");
  const text = cleanText(field.value);
  const chars = countChars(text);
  const over = chars - TEXT_CHARS_MAX;
  const joined = connection?.state === "joined";
  const hint = over > 0 ? `${over} ${over === 1 ? "character" : "characters"} too many.`
    : chars >= COUNTER_FROM ? `${-over} characters left.`
      : text && !joined ? "Your text is kept here until the connection is back." : "";
  if ($("hint").textContent !== hint) $("hint").textContent = hint;
  $("hint").dataset.over = String(over > 0);
  field.ariaInvalid = String(over > 0);
  $("send").disabled = !joined || text === "" || over > 0;
  // As high as its text, up to the limit of the style sheet.
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  $("text").focus();
});
$("text").addEventListener("input", showComposer);
$("text").addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});

// ---- The name

function askName() {
  const first = wantedName === "";
  $("dialog-title").textContent = first ? "Come in" : "Change your name";
  $("dialog-submit").textContent = first ? "Enter" : "Save";
  $("dialog-lead").textContent = first ? "Choose the name others will see. This browser remembers it."
    : "Others in the room will see you leave and come back under the new name.";
  $("dialog-cancel").hidden = first;
  $("name-input").value = wantedName;
  $("name-problem").textContent = "";
  $("name-input").ariaInvalid = "false";
  closeSide();
  $("dialog").showModal();
  $("name-input").focus();
  $("name-input").select();
}

$("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name-input").value.trim();
  const problem = nameProblem(name);
  $("name-problem").textContent = problem;
  $("name-input").ariaInvalid = String(problem !== "");
  if (problem) return $("name-input").focus();
  const changed = name !== wantedName;
  wantedName = name;
  keep("localStorage", "name", name);
  $("dialog").close();
  showMe(connection.name ?? name);
  if (changed) connection.want(room, name);
  return undefined;
});
$("dialog-cancel").addEventListener("click", () => $("dialog").close());
for (const kind of ["cancel", "keydown"]) {
  $("dialog").addEventListener(kind, (event) => {
    if (wantedName === "" && (kind === "cancel" || event.key === "Escape")) event.preventDefault();
  });
}
// Some browsers close all the same, at the second Escape or the gesture for "back".
$("dialog").addEventListener("close", () => { if (wantedName === "") askName(); });
$("me").addEventListener("click", askName);

// ---- The side of a narrow window, and the rest

function openSide() {
  $("app").dataset.side = "open";
  $("side-open").ariaExpanded = "true";
  $("backdrop").hidden = false;
  $("side-close").focus();
}

function closeSide() {
  if ($("app").dataset.side !== "open") return;
  delete $("app").dataset.side;
  $("side-open").ariaExpanded = "false";
  $("backdrop").hidden = true;
  $("side-open").focus();
}

function showEmpty() {
  $("empty").hidden = !log.isEmpty || connection.state !== "joined";
  $("empty").textContent = people.size > 1 ? "No messages yet. Say hello."
    : "You are the first one here. Say something, or share the address of this page.";
}

function showTitle() {
  document.title = `${unread > 0 ? `(${unread}) ` : ""}#${room} · fyke chat`;
}

$("side-open").addEventListener("click", openSide);
$("side-close").addEventListener("click", closeSide);
$("backdrop").addEventListener("click", closeSide);
$("rooms").addEventListener("click", (event) => { if (event.target.closest("a")) closeSide(); });
$("retry").addEventListener("click", () => connection.retryNow());
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("dialog").open) closeSide(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
  connection.retryNow();
});
addEventListener("online", () => connection.retryNow());
addEventListener("hashchange", followHash);

showMe(wantedName);
followHash();
showComposer();
if (!wantedName) askName();
