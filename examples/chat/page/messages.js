// The message list: shows each message once, in the order of arrival, and scrolls only for those who are at its end.
// All that people wrote reaches the document through textContent.

import { toneOf } from "./rules.js";

export const TONES = 8;
const ENTRIES_MAX = 500;
const GROUP_WITHIN_MS = 5 * 60_000;
const AT_END_PX = 48;
const NOTICE_NAMES_MAX = 3;

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** Makes an element. `properties` are set as they are named; `data-testid` is `testid`. */
export function element(tag, { testid, ...properties } = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  if (testid) made.dataset.testid = testid;
  made.append(...children);
  return made;
}

/** A coloured disc with the first letter of a name. */
export function avatar(name, made = element("span", { className: "avatar" })) {
  const first = Intl.Segmenter ? new Intl.Segmenter().segment(name)[Symbol.iterator]().next().value?.segment : [...name][0];
  made.textContent = (first ?? "").toLocaleUpperCase();
  made.dataset.tone = toneOf(name, TONES);
  made.ariaHidden = "true";
  return made;
}

function dayLabel(date) {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return dayFormat.format(date);
}

function noticeText(names, verb) {
  const shown = names.slice(0, NOTICE_NAMES_MAX);
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(", ")} and ${more} more ${verb}`;
  const last = shown.pop();
  return `${shown.length ? `${shown.join(", ")} and ${last}` : last} ${verb}`;
}

/** The list of messages and notices of one room. */
export class MessageList {
  #scroller;
  #list;
  #jump;
  #shown = new Map(); // id -> element, in order
  #last = null; // what the last entry was, to join neighbours: { kind, ... }
  #pendingFirst = null;
  #atEnd = true;
  #unseen = 0;

  constructor(scroller, list, jump) {
    this.#scroller = scroller;
    this.#list = list;
    this.#jump = jump;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    jump.addEventListener("click", () => {
      this.scrollToEnd();
      scroller.focus({ preventScroll: true });
    });
    // The keyboard of a phone or a growing input must not hide the last message.
    new ResizeObserver(() => { if (this.#atEnd) this.scrollToEnd(); }).observe(scroller);
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  clear() {
    this.#list.replaceChildren();
    this.#shown.clear();
    this.#last = null;
    this.#pendingFirst = null;
    this.scrollToEnd();
  }

  has(id) {
    return this.#shown.has(id);
  }

  /** Fills in a history. Returns the messages that were not shown before. A screen reader does not read them all out. */
  addHistory(history, isOwn) {
    const fresh = history.filter((message) => !this.has(message.id));
    this.#scroller.ariaBusy = "true";
    if (this.#shown.size > 0 && fresh.length > 0 && fresh.length === history.length && history.length >= 50) {
      this.#append("notice", element("li", { className: "notice", textContent: "Some messages may be missing here" }));
    }
    for (const message of fresh) this.add(message, isOwn(message));
    requestAnimationFrame(() => { this.#scroller.ariaBusy = "false"; });
    return fresh;
  }

  /** Shows a message unless it is shown already. */
  add(message, own) {
    if (this.has(message.id)) return;
    const date = new Date(message.time);
    this.#addDay(date);
    const follows = this.#last?.kind === "message" && this.#last.name === message.name && this.#last.own === own
      && message.time - this.#last.time < GROUP_WITHIN_MS;
    const entry = this.#bubble(message.name, message.text, own);
    entry.dataset.testid = "message";
    entry.dataset.id = message.id;
    if (follows) entry.dataset.follows = "";
    const time = element("time", { dateTime: date.toISOString(), title: fullFormat.format(date), textContent: timeFormat.format(date) });
    entry.querySelector(".who").append(" ", time);
    this.#shown.set(message.id, entry);
    this.#append("message", entry, { name: message.name, own, time: message.time }, own);
    if (!own) this.#countUnseen();
  }

  /** Shows who came or went; neighbours of one kind become one line. `verb` is "joined" or "left". */
  addNotice(name, verb) {
    if (this.#last?.kind === verb) {
      this.#last.names.push(name);
      this.#last.entry.textContent = noticeText(this.#last.names, verb);
      return;
    }
    const entry = element("li", { className: "notice", testid: "notice", textContent: noticeText([name], verb) });
    this.#append(verb, entry, { names: [name], entry });
  }

  /** Shows a line of the page itself. */
  addLine(text) {
    this.#append("notice", element("li", { className: "notice", testid: "notice", textContent: text }));
  }

  /** Shows a text as under way, below everything else, until `settle` or `fail`. */
  addPending(request) {
    const entry = this.#bubble(request.name, request.text, true);
    entry.dataset.testid = "pending";
    entry.dataset.pending = "";
    request.entry = entry;
    this.#pendingFirst ??= entry;
    this.#list.append(entry);
    this.scrollToEnd();
  }

  /** Takes an answered text away: what the server says of it is shown by `add` or not at all. */
  settle(request) {
    if (this.#pendingFirst === request.entry) this.#pendingFirst = request.entry.nextElementSibling;
    request.entry.remove();
  }

  /** Marks a text as not delivered and lets its author choose. */
  fail(request, reason, sendAgain) {
    const settle = () => this.settle(request);
    const again = element("button", { type: "button", className: "link-button", textContent: "Send again", testid: "send-again" });
    again.addEventListener("click", () => { if (sendAgain(request.text)) settle(); });
    const discard = element("button", { type: "button", className: "link-button", textContent: "Discard" });
    discard.addEventListener("click", settle);
    delete request.entry.dataset.pending;
    request.entry.dataset.failed = "";
    request.entry.dataset.testid = "failed";
    request.entry.querySelector(".said").append(element("p", { className: "fate" }, `${reason} `, again, " ", discard));
    if (this.#atEnd) this.scrollToEnd();
  }

  scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#atEnd = true;
    this.#unseen = 0;
    this.#jump.hidden = true;
  }

  #bubble(name, text, own) {
    const who = element("p", { className: "who" }, element("bdi", { className: "name", textContent: own ? "You" : name, testid: "message-name" }));
    const bubble = element("p", { className: "bubble", dir: "auto", textContent: text, testid: "message-text" });
    const entry = element("li", { className: "message" }, avatar(name), element("div", { className: "said" }, who, bubble));
    if (own) entry.dataset.own = "";
    who.firstChild.title = name;
    entry.dataset.tone = toneOf(name, TONES);
    return entry;
  }

  #addDay(date) {
    const day = date.toDateString();
    if (this.#list.dataset.lastDay === day && this.#shown.size > 0) return;
    this.#list.dataset.lastDay = day;
    this.#append("day", element("li", { className: "day" }, element("span", { textContent: dayLabel(date) })));
  }

  #append(kind, entry, facts = {}, own = false) {
    this.#list.insertBefore(entry, this.#pendingFirst);
    this.#last = { kind, ...facts };
    if (this.#list.childElementCount > ENTRIES_MAX) this.#forgetOldest();
    if (this.#atEnd || own) this.scrollToEnd();
  }

  // The oldest of 500 entries is long out of the server's history: its id need not be remembered.
  #forgetOldest() {
    const oldest = this.#list.firstElementChild;
    if (oldest === this.#pendingFirst) return;
    if (oldest.dataset.id) this.#shown.delete(oldest.dataset.id);
    oldest.remove();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    if (this.#atEnd) this.#unseen = 0;
    this.#showJump();
  }

  #countUnseen() {
    if (this.#atEnd) return;
    this.#unseen += 1;
    this.#showJump();
  }

  #showJump() {
    this.#jump.hidden = this.#atEnd;
    const count = this.#unseen;
    this.#jump.textContent = count === 0 ? "Latest messages" : `${count} new ${count === 1 ? "message" : "messages"}`;
  }
}
