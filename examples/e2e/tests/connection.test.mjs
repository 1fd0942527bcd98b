// The page's connection alone, with a socket and a clock made here: what a browser cannot be made to do on demand.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChatConnection, PING_AFTER_MS, PONG_WITHIN_MS, RETRY_FIRST_MS, RETRY_MS_MAX, STABLE_AFTER_MS, retryDelayMs } from "../../chat/page/connection.js";
import { cleanText, countChars, hashOfRoom, nameProblem, roomFromHash, roomProblem } from "../../chat/page/rules.js";

class Socket {
  readyState = 0;
  sent = [];
  open() {
    this.readyState = 1;
    this.onopen();
  }
  send(data) {
    this.sent.push(JSON.parse(data));
  }
  hears(message) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
  end() {
    this.readyState = 3;
    this.onclose?.();
  }
  close() {
    this.closedByPage = true;
  }
}

class Clock {
  now = 0;
  #timers = new Map();
  #next = 1;
  setTimeout = (call, ms) => {
    this.#timers.set(this.#next, { at: this.now + ms, call });
    return this.#next++;
  };
  clearTimeout = (timer) => { this.#timers.delete(timer); };
  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].call();
    }
    this.now = end;
  }
}

function connect({ random = () => 0 } = {}) {
  const clock = new Clock();
  const sockets = [];
  const seen = [];
  const told = (kind) => (...facts) => seen.push([kind, ...facts]);
  const handlers = Object.fromEntries(["welcome", "said", "joined", "left", "refused", "lost"].map((kind) => [kind, told(kind)]));
  const connection = new ChatConnection("ws://host/ws", { ...handlers, state: told("state") }, {
    open: () => {
      sockets.push(new Socket());
      return sockets.at(-1);
    },
    random,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
  });
  const of = (kind) => seen.filter((entry) => entry[0] === kind).map((entry) => entry.slice(1));
  return { clock, sockets, of, connection };
}

const welcome = (room = "lobby", name = "Ada") => ({ type: "welcome", room, name, members: [name], history: [] });
const said = (id, name, text) => ({ type: "said", id, name, text, time: 1 });

function joined(options) {
  const all = connect(options);
  all.connection.want("lobby", "Ada");
  all.sockets[0].open();
  all.sockets[0].hears(welcome());
  return all;
}

describe("reconnect", () => {
  test("waits twice as long each time, up to a limit", () => {
    assert.deepEqual([0, 1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, () => 0)), [500, 1000, 2000, 4000, 8000]);
    assert.equal(retryDelayMs(5, () => 0), RETRY_MS_MAX);
    assert.equal(retryDelayMs(100_000, () => 0), RETRY_MS_MAX);
    assert.equal(retryDelayMs(1, () => 0.999_999), RETRY_FIRST_MS, "chance takes away at most a half");
  });

  test("joins again with the name that is wanted, not the one that was given", () => {
    const { clock, sockets, connection } = connect();
    connection.want("lobby", "Ada");
    sockets[0].open();
    sockets[0].hears(welcome("lobby", "Ada-2"));
    assert.equal(connection.name, "Ada-2");
    sockets[0].end();
    clock.advance(RETRY_FIRST_MS - 1);
    assert.equal(sockets.length, 1);
    clock.advance(1);
    assert.equal(sockets.length, 2);
    sockets[1].open();
    assert.deepEqual(sockets[1].sent, [{ type: "join", room: "lobby", name: "Ada" }]);
  });

  test("begins anew only after a connection that lasted", () => {
    const { clock, sockets, of } = joined();
    sockets[0].end();
    clock.advance(500);
    sockets[1].open();
    sockets[1].hears(welcome());
    sockets[1].end();
    clock.advance(1000);
    sockets[2].open();
    sockets[2].hears(welcome());
    clock.advance(STABLE_AFTER_MS);
    sockets[2].end();
    const waits = of("state").filter(([state]) => state === "waiting").map(([, ms]) => ms);
    assert.deepEqual(waits, [500, 1000, 500]);
  });

  test("takes place at once when asked", () => {
    const { sockets, connection } = joined();
    connection.retryNow();
    assert.equal(sockets.length, 1, "not while connected");
    sockets[0].end();
    connection.retryNow();
    connection.retryNow();
    assert.equal(sockets.length, 2);
  });
});

describe("a dead connection", () => {
  test("is asked, then given up", () => {
    const { clock, sockets, connection } = joined();
    clock.advance(PING_AFTER_MS);
    assert.deepEqual(sockets[0].sent.at(-1), { type: "ping" });
    clock.advance(PONG_WITHIN_MS - 1);
    assert.equal(connection.state, "joined");
    clock.advance(1);
    assert.equal(connection.state, "waiting");
    assert.equal(sockets[0].closedByPage, true);
    clock.advance(RETRY_FIRST_MS);
    assert.equal(sockets.length, 2);
    sockets[0].hears(said("1", "Bob", "late"));
    assert.equal(connection.state, "connecting", "what an old socket says is not heard");
  });

  test("is not one that answers", () => {
    const { clock, sockets, connection } = joined();
    for (let n = 0; n < 5; n += 1) {
      clock.advance(PING_AFTER_MS);
      sockets[0].hears({ type: "pong" });
    }
    assert.equal(sockets[0].sent.filter((message) => message.type === "ping").length, 5);
    assert.equal(connection.state, "joined");
  });

  test("may be one that never opened", () => {
    const { clock, connection } = connect();
    connection.want("lobby", "Ada");
    clock.advance(PONG_WITHIN_MS);
    assert.equal(connection.state, "waiting");
  });
});

describe("answers", () => {
  test("are matched to what was said by their order", () => {
    const { sockets, connection, of } = joined();
    const first = connection.say("same");
    const second = connection.say("\u0000");
    const third = connection.say("same");
    sockets[0].hears(said("1", "Bob", "same"));
    sockets[0].hears(said("2", "Ada", "same"));
    sockets[0].hears({ type: "error", code: "bad-text", message: "No." });
    sockets[0].hears(said("3", "Ada", "same"));
    assert.deepEqual(of("said").map(([message, request]) => [message.id, request]), [["1", null], ["2", first], ["3", third]]);
    assert.equal(of("refused")[0][1], second);
  });

  test("that never came are told", () => {
    const { sockets, connection, of } = joined();
    connection.say("arrived");
    const lost = connection.say("lost");
    sockets[0].hears(said("1", "Ada", "arrived"));
    sockets[0].end();
    assert.deepEqual(of("lost"), [[[lost]]]);
    assert.equal(connection.say("while away"), null);
  });

  test("of a room being left are not taken for the new one's", () => {
    const { sockets, connection, of } = joined();
    connection.want("two", "Ada");
    connection.want("three", "Ada");
    sockets[0].hears(said("1", "Bob", "in lobby"));
    sockets[0].hears({ type: "left", name: "Bob" });
    sockets[0].hears(welcome("two"));
    sockets[0].hears(said("2", "Cy", "in two"));
    sockets[0].hears(welcome("three"));
    sockets[0].hears(said("3", "Di", "in three"));
    assert.deepEqual(of("welcome").map(([message]) => message.room), ["lobby", "three"]);
    assert.deepEqual(of("said").map(([message]) => message.id), ["3"]);
    assert.deepEqual(of("left"), []);
  });

  test("to a text on the way during a change of name are left to the history", () => {
    const { sockets, connection, of } = joined();
    const request = connection.say("on the way");
    connection.want("lobby", "Eve");
    sockets[0].hears(said("1", "Ada", "on the way"));
    assert.deepEqual(of("lost"), [[[request]]]);
    sockets[0].hears({ ...welcome("lobby", "Eve"), history: [said("1", "Ada", "on the way")] });
    assert.equal(connection.name, "Eve");
  });

  test("may refuse a room; another one may be asked for on the same connection", () => {
    const { sockets, connection, of } = connect();
    connection.want("lobby", "Ada");
    sockets[0].open();
    sockets[0].hears({ type: "error", code: "full", message: "The room is full." });
    assert.equal(connection.state, "refused");
    assert.equal(of("refused")[0][0].code, "full");
    connection.retryNow();
    assert.equal(sockets[0].sent.length, 2);
    sockets[0].hears(welcome());
    assert.equal(connection.state, "joined");
  });

  test("that are no message of the protocol do no harm", () => {
    const { sockets, connection } = joined();
    for (const odd of ["", "{", "null", "7", "[]", '{"type":"toString"}', '{"type":7}']) sockets[0].hears(odd);
    assert.equal(connection.state, "joined");
  });
});

describe("rules", () => {
  test("count characters, not units", () => {
    assert.equal(countChars("a🐟é"), 3);
    assert.equal(nameProblem("🐟".repeat(32)), "");
    assert.match(nameProblem("🐟".repeat(33)), /at most 32/);
    assert.match(roomProblem(""), /missing/);
    assert.match(roomProblem("a\u0007b"), /control/);
  });

  test("make typed text sendable", () => {
    assert.equal(cleanText("  a\r\nb\rc \n\n"), "  a\nb\nc");
    assert.equal(cleanText("\n\n\tx\u0000\u007fy"), "\txy");
    assert.equal(cleanText(" \n\t "), "");
  });

  test("find a room in an address", () => {
    for (const room of ["lobby", "a b", "#1", "50%", "日本", "🐟"]) assert.equal(roomFromHash(hashOfRoom(room)), room);
    assert.equal(roomFromHash(""), "");
    assert.equal(roomFromHash("#%"), "");
  });
});
