#!/usr/bin/env node
// What node's `ws` makes of a running ws-echo: node ws-echo-smoke.mjs ws://127.0.0.1:9001/
//
// With and without compression: text and binary of all lengths of header, fragments, a ping, a close with a code and a
// reason. One line tells the result; exit code 0 or 1, 2 for a wrong call.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";

const WITHIN_MS = 50_000;
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];

async function opened(url, options) {
  const socket = new WebSocket(url, { handshakeTimeout: WITHIN_MS, ...options });
  await once(socket, "open");
  return socket;
}

async function echoed(socket, data, options) {
  const answer = once(socket, "message");
  socket.send(data, options);
  const [bytes, binary] = await answer;
  assert.equal(binary, typeof data !== "string");
  assert.ok(Buffer.from(data).equals(bytes), `${bytes.length} other bytes came back`);
}

async function converse(url, options, extension) {
  const socket = await opened(url, options);
  assert.equal(socket.extensions, extension);
  for (const size of SIZES) {
    await echoed(socket, "ü".repeat(size / 2));
    await echoed(socket, Buffer.alloc(size, "some content that comes again. "));
  }
  const whole = once(socket, "message");
  socket.send("in ", { fin: false });
  socket.ping("between");
  socket.send("three ", { fin: false });
  const pong = once(socket, "pong");
  socket.send("fragments", { fin: true });
  assert.equal(String((await pong)[0]), "between");
  assert.equal(String((await whole)[0]), "in three fragments");
  const end = once(socket, "close");
  socket.close(4321, "enough");
  assert.equal((await end)[0], 4321);
}

const [url] = process.argv.slice(2);
if (!url) {
  console.error("usage: ws-echo-smoke.mjs URL");
  process.exit(2);
}
const timer = setTimeout(() => {
  console.log("FAILED: it takes too long");
  process.exit(1);
}, WITHIN_MS * 2);
try {
  const deflate = "permessage-deflate";
  await converse(url, { perMessageDeflate: false }, "");
  await converse(url, { perMessageDeflate: { threshold: 0 } }, deflate);
  const alone = { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true };
  await converse(url, { perMessageDeflate: { ...alone, serverMaxWindowBits: 9, clientMaxWindowBits: 9 } }, deflate);
  console.log("ok: ws");
} catch (error) {
  console.log(`FAILED: ${error.message}`);
  process.exitCode = 1;
}
clearTimeout(timer);
