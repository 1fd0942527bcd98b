// PROTOCOL.md, section by section, over plain HTTP and WebSocket connections.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Client, Server, within } from "../support.mjs";

let server;
let rooms = 0;
const freshRoom = () => `room-${rooms += 1}`;

before(async () => { server = await Server.start(); });
after(async () => { assert.deepEqual(await server.stop(), { code: 0, signal: null }); });

async function refused(client, message, code) {
  client.send(message);
  const answer = await client.next("error");
  assert.equal(answer.code, code, `${JSON.stringify(message).slice(0, 100)}: ${answer.message}`);
  assert.equal(typeof answer.message, "string");
}

// fetch() would set headers of its own and refuse others.
async function ask(path, { method = "GET", headers = {} } = {}) {
  const { hostname, port } = new URL(server.url);
  const asked = request({ hostname, port, path, method, headers, agent: false }).end();
  const [answer] = await within(once(asked, "response"), `${method} ${path}`);
  const parts = [];
  for await (const part of answer) parts.push(part);
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() };
}

describe("HTTP", () => {
  const files = {
    "/": "text/html; charset=utf-8", "/style.css": "text/css; charset=utf-8", "/app.js": "text/javascript; charset=utf-8",
    "/connection.js": "text/javascript; charset=utf-8", "/messages.js": "text/javascript; charset=utf-8",
    "/rules.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml",
  };

  test("serves the page's files with their types and headers", async () => {
    for (const [path, type] of Object.entries(files)) {
      const { status, headers, body } = await ask(path);
      assert.equal(status, 200, path);
      assert.equal(headers["content-type"], type, path);
      assert.match(headers["content-security-policy"], /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';/);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
      assert.equal(headers["cache-control"], "no-cache");
      assert.ok(body.length > 100, path);
    }
    assert.equal((await ask("/?from=a-link")).status, 200);
  });

  test("answers HEAD without a body, and what it does not know with an error", async () => {
    const get = await ask("/app.js");
    const head = await ask("/app.js", { method: "HEAD" });
    assert.deepEqual([head.status, head.body, head.headers["content-length"]], [200, "", String(Buffer.byteLength(get.body))]);
    for (const path of ["/no-such-file", "/../Cargo.toml", "/page/app.js"]) assert.equal((await ask(path)).status, 404, path);
    const post = await ask("/", { method: "POST" });
    assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
    const plain = await ask("/ws");
    assert.deepEqual([plain.status, plain.headers.upgrade?.toLowerCase()], [426, "websocket"]);
  });

  test("lets only its own pages open a WebSocket", async () => {
    const own = await Client.open(server, { origin: `http://${server.address}` });
    await own.close();
    for (const origin of ["http://elsewhere.example", `http://${server.address}.elsewhere.example`, "null"]) {
      const socket = new WebSocket(server.socketUrl, { origin });
      const [error] = await within(once(socket, "error"), origin);
      assert.match(error.message, /403/, origin);
    }
  });
});

describe("join", () => {
  test("welcomes with the room, the name, the members and the history", async () => {
    const room = freshRoom();
    const ada = await Client.join(server, room, "Ada");
    assert.deepEqual(ada.welcome, { type: "welcome", room, name: "Ada", members: ["Ada"], history: [] });
    const before = Date.now();
    ada.say("Hello");
    const said = await ada.next("said");
    assert.deepEqual(Object.keys(said).sort(), ["id", "name", "text", "time", "type"]);
    assert.match(said.id, /^[\x21-\x7e]{1,40}$/);
    // Both ask the same clock; a second for one that is set meanwhile.
    const between = before - 1000 <= said.time && said.time <= Date.now() + 1000;
    assert.ok(Number.isInteger(said.time) && between, "milliseconds since 1970");
    const bob = await Client.join(server, room, "Bob");
    const { type, ...entry } = said;
    assert.deepEqual(bob.welcome.members, ["Ada", "Bob"]);
    assert.deepEqual(bob.welcome.history.map(({ type: _, ...rest }) => rest), [entry]);
    assert.deepEqual(await ada.next(), { type: "joined", name: "Bob" });
    await bob.close();
    assert.deepEqual(await ada.next(), { type: "left", name: "Bob" });
    await ada.close();
  });

  test("makes names unique, within 32 characters", async () => {
    const room = freshRoom();
    const long = "🐟".repeat(32);
    const members = [];
    for (const [name, given] of [["Ada", "Ada"], ["Ada", "Ada-2"], [" Ada ", "Ada-3"], ["ada", "ada"], [long, long], [long, `${"🐟".repeat(30)}-2`]]) {
      const member = await Client.join(server, room, name);
      assert.equal(member.welcome.name, given);
      members.push(member);
    }
    await members[1].close();
    await members[0].until((message) => message.type === "left");
    const again = await Client.join(server, room, "Ada");
    assert.equal(again.welcome.name, "Ada-2", "the smallest number that is free");
    for (const member of [...members, again]) member.socket.terminate();
  });

  test("moves a member from room to room in one step", async () => {
    const [one, two] = [freshRoom(), freshRoom()];
    const ada = await Client.join(server, one, "Ada");
    const bob = await Client.join(server, one, "Bob");
    const cy = await Client.join(server, two, "Cy");
    await ada.next("joined");
    await refused(bob, { type: "join", room: "x".repeat(33), name: "Bob" }, "bad-room");
    bob.say("still here");
    await bob.next("said");
    bob.send({ type: "join", room: two, name: "Bob" });
    assert.deepEqual((await bob.next("welcome")).members, ["Cy", "Bob"]);
    await ada.next("said");
    assert.deepEqual(await ada.next(), { type: "left", name: "Bob" });
    assert.deepEqual(await cy.next(), { type: "joined", name: "Bob" });
    // The same room under another name: one leaves, then one comes.
    bob.send({ type: "join", room: two, name: "Cy" });
    assert.equal((await bob.next("welcome")).name, "Cy-2");
    assert.deepEqual(await cy.next(), { type: "left", name: "Bob" });
    assert.deepEqual(await cy.next(), { type: "joined", name: "Cy-2" });
    bob.send({ type: "join", room: two, name: "Cy-2" });
    assert.equal((await bob.next("welcome")).name, "Cy-2", "one does not collide with oneself");
    for (const member of [ada, bob, cy]) await member.close();
  });

  test("takes 1 to 32 characters, trimmed, without control characters", async () => {
    const client = await Client.open(server);
    const room = freshRoom();
    await refused(client, { type: "join", room: "", name: "" }, "bad-room");
    for (const name of ["", " \t ", "x".repeat(33), "a\nb", "a\u0000b", "a\u0085b"]) {
      await refused(client, { type: "join", room, name }, "bad-name");
      await refused(client, { type: "join", room: name, name: "Ada" }, "bad-room");
    }
    client.send({ type: "join", room: `  ${room}\t`, name: `  ${"é".repeat(32)} `, more: "ignored" });
    const welcome = await client.next("welcome");
    assert.deepEqual([welcome.room, welcome.name], [room, "é".repeat(32)]);
    await client.close();
  });
});

describe("say", () => {
  test("delivers the text as it came", async () => {
    const ada = await Client.join(server, freshRoom(), "Ada");
    for (const text of ["x", "  spaces kept ", "two\nlines\tand a tab", '"\\/<&>', "🐟".repeat(2000), "\u2028\u202e\ufeff."]) {
      ada.say(text);
      assert.equal((await ada.next("said")).text, text);
    }
    // Escaped in full it is 24 000 bytes: within the limit of a message.
    ada.send(`{"type":"say","text":"${"\\ud83d\\udc1f".repeat(2000)}"}`);
    assert.equal((await ada.next("said")).text, "🐟".repeat(2000));
    await ada.close();
  });

  test("refuses what is blank, too long, or controls a terminal", async () => {
    const ada = await Client.join(server, freshRoom(), "Ada");
    for (const text of ["", "  \n ", "x".repeat(2001), "🐟".repeat(2001), "a\u0000", "a\u001b[31m", "a\rb", "a\u009b"]) {
      await refused(ada, { type: "say", text }, "bad-text");
    }
    await ada.close();
  });

  test("keeps the last 50 as history, while the room is empty too", async () => {
    const room = freshRoom();
    const ada = await Client.join(server, room, "Ada");
    const ids = new Set();
    for (let n = 1; n <= 60; n += 1) ada.say(`${n}`);
    for (let n = 1; n <= 60; n += 1) {
      const said = await ada.next("said");
      assert.equal(said.text, `${n}`);
      ids.add(said.id);
    }
    assert.equal(ids.size, 60);
    await ada.close();
    const bob = await Client.join(server, room, "Bob");
    assert.deepEqual(bob.welcome.history.map((entry) => entry.text), Array.from({ length: 50 }, (_, at) => `${at + 11}`));
    await bob.close();
  });

  test("shows all members one order", async () => {
    const room = freshRoom();
    const members = [];
    for (const name of ["Ada", "Bob", "Cy", "Di"]) members.push(await Client.join(server, room, name));
    const talk = (from, to) => { for (let n = from; n < to; n += 1) for (const member of members) member.say(`${n}`); };
    const order = async (member, isLast) => {
      const ids = member.welcome.history.map((entry) => entry.id);
      while (!isLast(ids)) {
        const message = await member.next();
        if (message.type === "said") ids.push(message.id);
      }
      return ids;
    };
    // One comes in the middle: its history and what follows are the others' order without a gap.
    talk(0, 25);
    const coming = Client.join(server, room, "Eve");
    talk(25, 50);
    const late = await coming;
    const orders = await Promise.all(members.map((member) => order(member, (ids) => ids.length === 200)));
    orders.push(await order(late, (ids) => ids.at(-1) === orders[0].at(-1)));
    assert.equal(orders[0].length, 200);
    for (const other of orders.slice(1, 4)) assert.deepEqual(other, orders[0]);
    assert.deepEqual(orders[4], orders[0].slice(-orders[4].length));
    for (const member of [...members, late]) member.socket.terminate();
  });
});

describe("the other messages", () => {
  test("leave is answered, and one may come back", async () => {
    const room = freshRoom();
    const ada = await Client.join(server, room, "Ada");
    const bob = await Client.join(server, room, "Bob");
    await ada.next("joined");
    bob.send({ type: "leave" });
    assert.deepEqual(await bob.next(), { type: "left", name: "Bob" });
    assert.deepEqual(await ada.next(), { type: "left", name: "Bob" });
    ada.say("alone");
    await ada.next("said");
    await refused(bob, { type: "leave" }, "not-joined");
    await refused(bob, { type: "say", text: "x" }, "not-joined");
    bob.send({ type: "join", room, name: "Bob" });
    assert.equal((await bob.next("welcome")).history.at(-1).text, "alone");
    await bob.close();
    await ada.close();
  });

  test("ping is answered at any time", async () => {
    const client = await Client.open(server);
    client.send({ type: "ping" });
    assert.deepEqual(await client.next(), { type: "pong" });
    await client.close();
  });

  test("what is none of them gets an error, and the connection stays", async () => {
    const client = await Client.open(server);
    for (const message of ["", "{", "null", "7", "[]", '"ping"', "{}", '{"type":7}', '{"type":"no-such"}', '{"type":"toString"}',
      '{"type":"join"}', '{"type":"join","room":"x"}', '{"type":"join","room":"x","name":7}', '{"type":"say"}', '{"type":"say","text":null}',
      '{"type":"ping"} x', "[".repeat(30_000)]) {
      await refused(client, message, "bad-message");
    }
    client.send({ type: "ping" });
    await client.next("pong");
    await client.close();
  });

  test("answers come in the order of the messages", async () => {
    const ada = await Client.join(server, freshRoom(), "Ada");
    for (let n = 0; n < 100; n += 1) {
      ada.say(`${n}`);
      ada.say(" ");
      ada.send({ type: "ping" });
    }
    for (let n = 0; n < 100; n += 1) {
      assert.equal((await ada.next("said")).text, `${n}`);
      assert.equal((await ada.next("error")).code, "bad-text");
      await ada.next("pong");
    }
    await ada.close();
  });
});

describe("the end of a connection", () => {
  const ends = [
    ["a binary message", Buffer.from([1, 2, 3]), 1003],
    ["a message of 32 769 bytes", "x".repeat(32_769), 1009],
  ];
  for (const [what, message, code] of ends) {
    test(`${what} closes with ${code}`, async () => {
      const room = freshRoom();
      const ada = await Client.join(server, room, "Ada");
      const bob = await Client.join(server, room, "Bob");
      await ada.next("joined");
      bob.send(message);
      assert.equal((await within(bob.closed, "the close")).code, code);
      assert.deepEqual(await ada.next(), { type: "left", name: "Bob" });
      await ada.close();
    });
  }

  test("fragments are put together, and counted together", async () => {
    const ada = await Client.join(server, freshRoom(), "Ada");
    const text = "🐟 in parts";
    const bytes = Buffer.from(JSON.stringify({ type: "say", text }));
    for (let at = 0; at < bytes.length; at += 1) {
      // Single bytes: characters are cut too. A ping between fragments is allowed.
      ada.socket.send(bytes.subarray(at, at + 1), { binary: false, fin: at === bytes.length - 1 });
      if (at === 20) ada.socket.ping();
    }
    assert.equal((await ada.next("said")).text, text);
    for (let n = 0; n < 33; n += 1) ada.socket.send("x".repeat(1000), { fin: false });
    assert.equal((await within(ada.closed, "the close")).code, 1009);
  });

  test("text that is not UTF-8 closes with 1007", async () => {
    const ada = await Client.open(server);
    ada.socket.send(Buffer.from('{"type":"say","text":"\xff"}', "latin1"), { binary: false });
    assert.equal((await within(ada.closed, "the close")).code, 1007);
  });

  test("a reset connection leaves its room", async () => {
    const room = freshRoom();
    const ada = await Client.join(server, room, "Ada");
    const bob = await Client.join(server, room, "Bob");
    await ada.next("joined");
    bob.socket._socket.resetAndDestroy();
    assert.deepEqual(await ada.next(), { type: "left", name: "Bob" });
    await ada.close();
  });

  test("the client's close is answered with its code", async () => {
    const ada = await Client.join(server, freshRoom(), "Ada");
    ada.socket.close(1000);
    assert.equal((await within(ada.closed, "the close")).code, 1000);
  });

  test("a server that shuts down says 1001", async () => {
    const ending = await Server.start();
    const ada = await Client.join(ending, "lobby", "Ada");
    assert.deepEqual(await ending.stop(), { code: 0, signal: null });
    assert.equal((await within(ada.closed, "the close")).code, 1001);
  });

  test("ids are new after a restart", async () => {
    const first = await Server.start();
    const collect = async (at) => {
      const ada = await Client.join(at, "lobby", "Ada");
      const ids = [];
      for (let n = 0; n < 5; n += 1) {
        ada.say("x");
        ids.push((await ada.next("said")).id);
      }
      await at.stop();
      return ids;
    };
    const before = await collect(first);
    const ids = new Set([...before, ...await collect(await Server.start(first.address))]);
    assert.equal(ids.size, 10);
  });
});
