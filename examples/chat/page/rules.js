// The rules of PROTOCOL.md that a page can check before it asks the server. Pure functions, no document.

export const NAME_CHARS_MAX = 32;
export const ROOM_CHARS_MAX = 32;
export const TEXT_CHARS_MAX = 2000;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;
const CONTROL_IN_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu;

/** Counts characters as the server does: code points, not UTF-16 units. */
export function countChars(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Says in one sentence what is wrong with a name or room, or returns "" when nothing is. `what` starts the sentence. */
export function labelProblem(value, what, charsMax) {
  if (value === "") return `${what} is missing.`;
  if (countChars(value) > charsMax) return `${what} has at most ${charsMax} characters.`;
  if (CONTROL.test(value)) return `${what} has no control characters.`;
  return "";
}

/** What is wrong with a name, white space at its ends already removed; "" when nothing is. */
export const nameProblem = (name) => labelProblem(name, "A name", NAME_CHARS_MAX);

/** What is wrong with a room, white space at its ends already removed; "" when nothing is. */
export const roomProblem = (room) => labelProblem(room, "A room name", ROOM_CHARS_MAX);

/** Makes typed or pasted text sendable: one kind of line end, no control characters, no blank lines around it. */
export function cleanText(text) {
  const wellFormed = text.toWellFormed ? text.toWellFormed() : text;
  return wellFormed.replace(/\r\n?/g, "\n").replace(CONTROL_IN_TEXT, "").replace(/^\s*\n|\s+$/g, "");
}

/** The room a URL's fragment names, or "" when it names none. */
export function roomFromHash(hash) {
  try {
    return decodeURIComponent(hash.replace(/^#/, "")).trim();
  } catch {
    return "";
  }
}

/** The fragment that names a room. */
export function hashOfRoom(room) {
  return `#${encodeURIComponent(room)}`;
}

/** A small stable number for a name, for choosing one of `count` colours. */
export function toneOf(name, count) {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return hash % count;
}
