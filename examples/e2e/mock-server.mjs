#!/usr/bin/env node
// A chat server for working on the page and the tests without a Rust build. It follows ../chat/PROTOCOL.md and takes the one flag
// the tests use (`--listen ADDR:PORT`). Development only: what counts is the `chat` example.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const PAGE = fileURLToPath(new URL("../chat/page/", import.meta.url));
const LABEL_CHARS_MAX = 32;
const TEXT_CHARS_MAX = 2000;
const HISTORY_MESSAGES_MAX = 50;
const MESSAGE_BYTES_MAX = 32_768;
const ROOM_MEMBERS_MAX = 1000;
const ROOMS_MAX = 256;
const QUEUE_BYTES_MAX = 1_048_576;

const TYPES = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", svg: "image/svg+xml" };
const FILES = new Map([["/", "index.html"], ...["style.css", "app.js", "connection.js", "messages.js", "rules.js", "icon.svg"].map((file) => [`/${file}`, file])]);
const HEADERS = {
  "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

const http = createServer(async (request, response) => {
  const path = request.url.split("?")[0];
  const end = (status, headers, body = "") => response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
  if (request.method !== "GET" && request.method !== "HEAD") return end(405, { Allow: "GET, HEAD" });
  if (path === "/ws") return end(426, { Upgrade: "websocket", Connection: "upgrade" });
  const file = FILES.get(path);
  if (!file) return end(404, {}, "not found\n");
  const body = await readFile(PAGE + file);
  return end(200, { ...HEADERS, "Content-Type": TYPES[file.split(".").pop()], "Content-Length": body.length }, body);
});

const rooms = new Map(); // name -> { members: Map(name -> peer), history: [] }, the one left first is first
const started = Date.now().toString(16);
let said = 0;

const chars = (text) => [...text].length;
class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function label(value, code, what) {
  if (typeof value !== "string") throw new Refusal("bad-message", `${what} must be a string.`);
  const trimmed = value.trim();
  const bad = trimmed === "" || chars(trimmed) > LABEL_CHARS_MAX || /[\u0000-\u001f\u007f-\u009f]/.test(trimmed);
  if (bad) throw new Refusal(code, `${what} has 1 to ${LABEL_CHARS_MAX} characters and no control characters.`);
  return trimmed;
}

function freeName(room, name) {
  for (let n = 1; ; n += 1) {
    const suffix = n === 1 ? "" : `-${n}`;
    const tried = [...name].slice(0, LABEL_CHARS_MAX - suffix.length).join("") + suffix;
    if (!room.members.has(tried)) return tried;
  }
}

function send(peer, message) {
  if (peer.tooSlow) return;
  peer.socket.send(JSON.stringify(message));
  if (peer.socket.bufferedAmount <= QUEUE_BYTES_MAX) return;
  peer.tooSlow = true;
  peer.socket.close(1013, "too slow");
  setTimeout(() => peer.socket.terminate(), 1000).unref();
  queueMicrotask(() => leave(peer));
}

function tell(room, message, except = null) {
  for (const peer of [...room.members.values()]) if (peer !== except) send(peer, message);
}

function leave(peer) {
  const { room, name } = peer;
  if (!room) return;
  peer.room = null;
  room.members.delete(name);
  tell(room, { type: "left", name });
  if (room.members.size > 0) return;
  rooms.delete(room.name); // to the end: the room left first is first
  rooms.set(room.name, room);
}

function place(name) {
  if (rooms.has(name)) return;
  if (rooms.size >= ROOMS_MAX) {
    const empty = [...rooms.values()].find((room) => room.members.size === 0);
    if (!empty) throw new Refusal("full", "There are too many rooms.");
    rooms.delete(empty.name);
  }
  rooms.set(name, { name, members: new Map(), history: [] });
}

const requests = {
  join(peer, message) {
    const wanted = label(message.room, "bad-room", "A room");
    const name = label(message.name, "bad-name", "A name");
    const target = rooms.get(wanted);
    if (target && target !== peer.room && target.members.size >= ROOM_MEMBERS_MAX) throw new Refusal("full", "The room is full.");
    place(wanted);
    leave(peer);
    peer.room = rooms.get(wanted);
    peer.name = freeName(peer.room, name);
    peer.room.members.set(peer.name, peer);
    tell(peer.room, { type: "joined", name: peer.name }, peer);
    send(peer, { type: "welcome", room: wanted, name: peer.name, members: [...peer.room.members.keys()], history: peer.room.history });
  },
  say(peer, { text }) {
    if (typeof text !== "string") throw new Refusal("bad-message", "A text must be a string.");
    if (!peer.room) throw new Refusal("not-joined", "Join a room first.");
    if (text.trim() === "") throw new Refusal("bad-text", "A message must not be empty.");
    if (chars(text) > TEXT_CHARS_MAX) throw new Refusal("bad-text", `A message has at most ${TEXT_CHARS_MAX} characters.`);
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text)) throw new Refusal("bad-text", "A message has no control characters.");
    const entry = { id: `${started}-${said += 1}`, name: peer.name, text, time: Date.now() };
    peer.room.history.push(entry);
    if (peer.room.history.length > HISTORY_MESSAGES_MAX) peer.room.history.shift();
    tell(peer.room, { type: "said", ...entry });
  },
  leave(peer) {
    if (!peer.room) throw new Refusal("not-joined", "You are in no room.");
    const { name } = peer;
    leave(peer);
    send(peer, { type: "left", name });
  },
  ping(peer) {
    send(peer, { type: "pong" });
  },
};

function receive(peer, data) {
  try {
    let message = null;
    try { message = JSON.parse(data); } catch { /* answered below */ }
    const request = typeof message?.type === "string" && Object.hasOwn(requests, message.type) ? requests[message.type] : null;
    if (!request) throw new Refusal("bad-message", "That is no message of this protocol.");
    request(peer, message);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    send(peer, { type: "error", code: error.code, message: error.message });
  }
}

const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
http.on("upgrade", (request, socket, head) => {
  const origin = request.headers.origin?.replace(/^https?:\/\//, "").toLowerCase();
  const refuse = (line) => socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  if (request.url.split("?")[0] !== "/ws") return refuse("404 Not Found");
  if (origin !== undefined && origin !== request.headers.host?.toLowerCase()) return refuse("403 Forbidden");
  return sockets.handleUpgrade(request, socket, head, (open) => {
    const peer = { socket: open, room: null, name: null, tooSlow: false };
    open.on("message", (data, binary) => {
      if (binary) return open.close(1003, "text only");
      return receive(peer, String(data));
    });
    open.on("error", () => {});
    open.on("close", () => leave(peer));
  });
});

const at = process.argv.indexOf("--listen");
const [host, port] = (at > 0 ? process.argv[at + 1] : "127.0.0.1:8080").split(/:(?=\d+$)/);
http.on("error", (error) => {
  console.error(`cannot listen on ${host}:${port}: ${error.message}`);
  process.exit(1);
});
http.listen(Number(port), host, () => console.log(`listening on ${host}:${http.address().port}`));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    http.close(() => process.exit(0));
    for (const open of sockets.clients) open.close(1001, "shutting down");
    http.closeIdleConnections();
    setTimeout(() => process.exit(0), 1000).unref();
  });
}
