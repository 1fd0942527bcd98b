#!/usr/bin/env node
// A smoke test of a running chat server: node ws-smoke.mjs ws://127.0.0.1:8080/ws
//
// Two connections join one room, one message goes from the first to both. One line tells the result; exit code 0 or 1,
// 2 for a wrong call.

import { WebSocket } from "ws";

const WITHIN_MS = 60_000;

class Member {
  #inbox = [];
  #wake = null;
  #end = null;

  constructor(url) {
    this.socket = new WebSocket(url, { handshakeTimeout: WITHIN_MS });
    this.socket.on("message", (data, binary) => {
      this.#inbox.push(binary ? { type: "(binary)" } : JSON.parse(data));
      this.#wake?.();
    });
    this.socket.on("error", (error) => this.#stop(error.message || error.code || String(error)));
    this.socket.on("close", (code) => this.#stop(`the server closed the connection (${code})`));
  }

  #stop(reason) {
    this.#end ??= reason;
    this.#wake?.();
  }

  opened() {
    return new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("error", (error) => reject(new Error(error.message || error.code || String(error))));
    });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message; it must be of `type`. */
  async next(type) {
    while (this.#inbox.length === 0) {
      if (this.#end) throw new Error(`waiting for ${type}: ${this.#end}`);
      await new Promise((resolve) => { this.#wake = resolve; });
    }
    const message = this.#inbox.shift();
    if (message.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
    return message;
  }
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

async function smoke(url) {
  const room = `smoke-${process.pid}-${Date.now() % 100_000}`;
  const text = `Grüße <b>${Date.now()}</b> 🐟`;
  const [ada, bob] = [new Member(url), new Member(url)];
  await Promise.all([ada.opened(), bob.opened()]);
  ada.send({ type: "join", room, name: "Ada" });
  const first = await ada.next("welcome");
  check(first.room === room && first.name === "Ada", "the welcome names another room or name");
  bob.send({ type: "join", room, name: "Bob" });
  const second = await bob.next("welcome");
  check(second.members.join() === "Ada,Bob", `the members are ${second.members}, not Ada,Bob`);
  check((await ada.next("joined")).name === "Bob", "joined names another one");
  const sent = performance.now();
  ada.send({ type: "say", text });
  const [here, there] = await Promise.all([ada.next("said"), bob.next("said")]);
  const took = performance.now() - sent;
  check(here.text === text && there.text === text && there.name === "Ada" && here.id === there.id, "the message came changed");
  bob.socket.close();
  check((await ada.next("left")).name === "Bob", "left names another one");
  ada.socket.close();
  return took;
}

const url = process.argv[2];
if (!url || process.argv.length > 3) {
  console.error("usage: ws-smoke.mjs ws://HOST:PORT/ws");
  process.exit(2);
}
const target = new URL("/ws", url.replace(/^http/, "ws")).href;
const late = setTimeout(() => {
  console.log(`ws-smoke: FAILED ${target}: no result within ${WITHIN_MS / 1000} s`);
  process.exit(1);
}, WITHIN_MS);
try {
  const took = await smoke(target);
  console.log(`ws-smoke: ok ${target}: two members, one message in ${took.toFixed(1)} ms`);
} catch (error) {
  console.log(`ws-smoke: FAILED ${target}: ${error.message}`);
  process.exitCode = 1;
} finally {
  clearTimeout(late);
  if (process.exitCode) process.exit();
}
