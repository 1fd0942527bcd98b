// The chat as people see it: the built server, and pages in a headless browser.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { Client, Person, Server, launchBrowser, within } from "../support.mjs";

let browser;
let server;
let people = [];

before(async () => { browser = await launchBrowser(); });
after(async () => { await browser?.close(); });
beforeEach(async () => { server = await Server.start(); });
afterEach(async () => {
  const opened = people;
  people = [];
  for (const person of opened) await person.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, "SIGTERM ends the server with exit code 0");
  for (const person of opened) {
    assert.deepEqual(person.problems, [], "the page reported no error");
    assert.deepEqual(person.foreign, [], "the page asked no other host");
  }
});

async function person(options) {
  const opened = await Person.open(browser, server, options);
  people.push(opened);
  return opened;
}

describe("two people", () => {
  test("see each other's messages at once", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await person({ name: "Bob" });
    await ada.say("Hello Bob");
    await bob.sees("Hello Bob");
    await bob.say("Hello Ada");
    await ada.sees("Hello Ada");
    assert.deepEqual(await ada.texts(), ["Hello Bob", "Hello Ada"]);
    assert.deepEqual(await bob.texts(), ["Hello Bob", "Hello Ada"]);
    // One's own message is marked, the other's is not.
    assert.equal(await ada.message("Hello Bob").getAttribute("data-own"), "");
    assert.equal(await bob.message("Hello Bob").getAttribute("data-own"), null);
    assert.equal(await ada.at("pending").count(), 0);
  });

  test("see who is here, who comes and who goes", async () => {
    const ada = await person({ name: "Ada" });
    await ada.seesPeople("Ada");
    const bob = await person({ name: "Bob" });
    await ada.seesPeople("Ada", "Bob");
    await bob.seesPeople("Ada", "Bob");
    await ada.seesNotice("Bob joined");
    assert.equal(await ada.at("member-count").textContent(), "2");
    await bob.page.close();
    await ada.seesNotice("Bob left");
    await ada.seesPeople("Ada");
  });

  test("with the same name are told apart", async () => {
    const first = await person({ name: "Ada" });
    const second = await person({ name: "Ada" });
    await first.seesPeople("Ada", "Ada-2");
    assert.equal(await second.at("my-name").textContent(), "Ada-2");
    await second.say("Which one am I?");
    await first.sees("Which one am I?");
    assert.equal(await first.message("Which one am I?").getAttribute("data-own"), null);
    assert.equal(await second.message("Which one am I?").getAttribute("data-own"), "");
  });

  test("in two rooms do not hear each other", async () => {
    const ada = await person({ name: "Ada", room: "one" });
    const bob = await person({ name: "Bob", room: "two" });
    await ada.say("in one");
    await ada.sees("in one");
    await bob.say("in two");
    await bob.sees("in two");
    assert.deepEqual(await bob.texts(), ["in two"]);
    assert.deepEqual(await ada.texts(), ["in one"]);
    // Bob comes over, by the form, and finds what was said.
    await bob.at("room-input").fill("one");
    await bob.at("room-input").press("Enter");
    await bob.sees("in one");
    await ada.seesPeople("Ada", "Bob");
    assert.deepEqual(await bob.texts(), ["in one"]);
    await bob.page.waitForURL((url) => url.hash === "#one");
    // And back, by the list of rooms.
    await bob.at("room").filter({ hasText: "two" }).click();
    await bob.sees("in two");
    await ada.seesNotice("Bob left");
    assert.deepEqual(await bob.texts(), ["in two"]);
  });
});

describe("history", () => {
  test("is there for a late joiner", async () => {
    const ada = await person({ name: "Ada" });
    await ada.say("first");
    await ada.say("second");
    await ada.sees("second");
    const bob = await person({ name: "Bob" });
    await bob.sees("second");
    assert.deepEqual(await bob.texts(), ["first", "second"]);
  });

  test("holds the last 50 of 60 messages", async () => {
    const ada = await Client.join(server, "lobby", "Ada");
    for (let n = 1; n <= 60; n += 1) ada.say(`message ${n}`);
    await ada.until((message) => message.text === "message 60");
    const bob = await person({ name: "Bob" });
    await bob.sees("message 60");
    assert.deepEqual(await bob.texts(), Array.from({ length: 50 }, (_, at) => `message ${at + 11}`));
    await ada.close();
  });

  test("keeps one's own messages marked after a reload", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await person({ name: "Bob" });
    await ada.say("mine");
    await bob.sees("mine");
    await bob.say("yours");
    await ada.sees("yours");
    await ada.page.reload();
    await ada.sees("yours");
    assert.equal(await ada.message("mine").getAttribute("data-own"), "");
    assert.equal(await ada.message("yours").getAttribute("data-own"), null);
    assert.equal(await ada.at("dialog").isVisible(), false, "the name is remembered");
  });
});

describe("reconnect", () => {
  test("comes by itself when the server is restarted on its port", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await person({ name: "Bob" });
    await ada.say("before");
    await bob.sees("before");
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await ada.page.locator('[data-testid=connection][data-state="waiting"]').waitFor();
    await ada.at("text").fill("typed while away");
    assert.equal(await ada.at("send").isDisabled(), true);
    server = await Server.start(server.address);
    await Promise.all([ada.connected(), bob.connected()]);
    assert.equal(await ada.at("text").inputValue(), "typed while away");
    await ada.at("text").press("Enter");
    await bob.sees("typed while away");
    // What was shown stays, nothing is shown twice, and the new server's ids are new.
    assert.deepEqual(await ada.texts(), ["before", "typed while away"]);
    assert.deepEqual(await bob.texts(), ["before", "typed while away"]);
    await ada.at("member-count").filter({ hasText: /^2$/ }).waitFor();
  });

  test("tells what became of a text whose answer was lost", async () => {
    // Between page and server: what is said is cut off before the server, or the server's answer before the page.
    let cut = "";
    let broken = () => {};
    const cutting = (what) => {
      cut = what;
      return new Promise((done) => { broken = done; });
    };
    const prepare = (page) => page.routeWebSocket(/\/ws$/, (front) => {
      const back = front.connectToServer();
      const break_ = () => {
        cut = "";
        return Promise.all([front.close(), back.close()]).then(broken);
      };
      front.onMessage((data) => (cut === "request" && JSON.parse(data).type === "say" ? break_() : back.send(data)));
      back.onMessage((data) => (cut === "answer" && JSON.parse(data).type === "said" ? break_() : front.send(data)));
    });
    const ada = await person({ name: "Ada", prepare });
    const bob = await person({ name: "Bob" });
    const answer = cutting("answer");
    await ada.say("it got through");
    await bob.sees("it got through");
    await within(answer, "the answer is cut off");
    await ada.sees("it got through");
    // The page may not have noticed yet: the history settles it when it has joined again.
    await ada.page.waitForFunction(() => !document.querySelector("[data-testid=pending], [data-testid=failed]"));
    await ada.connected();
    assert.equal(await ada.message("it got through").getAttribute("data-own"), "");
    const request = cutting("request");
    await ada.say("it did not");
    await within(request, "the request is cut off");
    await ada.at("send-again").click();
    await bob.sees("it did not");
    await ada.sees("it did not");
    assert.deepEqual(await ada.texts(), ["it got through", "it did not"]);
    assert.deepEqual(await bob.texts(), ["it got through", "it did not"]);
  });

  test("shows no message of the history twice", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await Client.join(server, "lobby", "Bob");
    await ada.say("one");
    await bob.until((message) => message.text === "one");
    bob.say("two");
    await ada.sees("two");
    // A change of name makes the page join again: the same history comes once more.
    await ada.at("change-name").click();
    await ada.enter("Ada Lovelace");
    await ada.seesPeople("Bob", "Ada Lovelace");
    assert.deepEqual(await ada.texts(), ["one", "two"]);
    assert.equal(await ada.message("one").getAttribute("data-own"), "");
    await bob.close();
  });
});

describe("what people write", () => {
  test("is shown as text, never as HTML", async () => {
    const ada = await person({ name: "<i>Ada</i>" });
    const bob = await person({ name: "Bob" });
    const text = `<img src="x" onerror="document.title='broken'"><script>alert(1)</script> & <b>bold</b>`;
    await ada.say(text);
    await bob.sees(text);
    assert.deepEqual(await bob.texts(), [text]);
    assert.equal(await bob.at("messages").locator("img, script, b, i").count(), 0);
    assert.equal(await bob.at("members").locator("i").count(), 0);
    await bob.seesPeople("<i>Ada</i>", "Bob");
    assert.match(await bob.page.title(), /fyke chat$/);
  });

  test("may have lines, any script and 2000 characters", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await person({ name: "Bob" });
    const fish = "🐟".repeat(1990) + " עברית";
    await ada.at("text").fill("two\nlines");
    await ada.at("text").press("Enter");
    await ada.say(fish);
    await ada.say("w".repeat(2000));
    await bob.page.waitForFunction(() => document.querySelectorAll("[data-testid=message]").length === 3);
    assert.deepEqual(await bob.texts(), ["two\nlines", fish, "w".repeat(2000)]);
    const over = await bob.at("message-text").evaluateAll((bubbles) => bubbles.map((bubble) => bubble.scrollWidth - bubble.clientWidth));
    assert.deepEqual(over, [0, 0, 0], "long messages wrap");
    const heights = await bob.at("message-text").evaluateAll((bubbles) => bubbles.map((bubble) => bubble.clientHeight));
    assert.ok(heights[0] > 40, "the line end is shown");
  });

  test("is not sent when it is too long or blank", async () => {
    const ada = await person({ name: "Ada" });
    await ada.at("text").fill("x".repeat(2003));
    assert.match(await ada.at("hint").textContent(), /^3 characters too many/);
    assert.equal(await ada.at("send").isDisabled(), true);
    await ada.at("text").press("Enter");
    assert.equal((await ada.at("text").inputValue()).length, 2003, "the text is still there");
    await ada.say("  \n ");
    await ada.say("short");
    await ada.sees("short");
    assert.deepEqual(await ada.texts(), ["short"]);
  });
});

describe("the page", () => {
  test("asks for a name first, and says what is wrong with it", async () => {
    const ada = await person({});
    await ada.at("dialog").waitFor();
    await ada.page.keyboard.press("Escape");
    await ada.page.keyboard.press("Escape");
    await ada.at("dialog").waitFor(); // there is no way around it: it stays, or is there again
    await ada.at("dialog").evaluate((dialog) => dialog.close());
    await ada.at("dialog").waitFor();
    await ada.at("name-input").fill("n".repeat(33));
    await ada.at("name-submit").click();
    assert.match(await ada.at("name-problem").textContent(), /at most 32/);
    await ada.enter("n".repeat(32));
    await ada.seesPeople("n".repeat(32));
  });

  test("follows new messages only when its reader is at the end", async () => {
    const ada = await person({ name: "Ada" });
    const bob = await Client.join(server, "lobby", "Bob");
    for (let n = 1; n <= 50; n += 1) bob.say(`line ${n}`);
    await ada.sees("line 50");
    const fromEnd = () => ada.at("log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    assert.ok(await fromEnd() < 2, "at the end it follows");
    await ada.at("log").evaluate((log) => { log.scrollTop = 100; });
    await ada.at("jump").waitFor();
    bob.say("line 51");
    await ada.sees("line 51");
    assert.equal(await ada.at("log").evaluate((log) => log.scrollTop), 100, "further up it stays");
    assert.equal(await ada.at("jump").textContent(), "1 new message");
    await ada.at("jump").click();
    assert.ok(await fromEnd() < 2);
    await ada.at("jump").waitFor({ state: "hidden" });
    await bob.close();
  });

  test("is usable with the keyboard alone and in a narrow window", async () => {
    const ada = await person({ context: { viewport: { width: 360, height: 640 } } });
    await ada.page.keyboard.type("Ada");
    await ada.page.keyboard.press("Enter");
    await ada.connected();
    await ada.page.keyboard.type("typed without a click");
    await ada.page.keyboard.press("Shift+Enter");
    await ada.page.keyboard.type("second line");
    await ada.page.keyboard.press("Enter");
    await ada.sees("typed without a click\nsecond line");
    await ada.page.getByRole("button", { name: "Rooms and people", exact: true }).press("Enter");
    await ada.at("room-input").fill("harbour");
    await ada.at("room-input").press("Enter");
    await ada.page.waitForFunction(() => document.querySelector("[data-testid=room-title]").textContent === "harbour");
    await ada.connected();
    await ada.at("room-input").waitFor({ state: "hidden" });
    assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth), 360, "nothing stands out sideways");
  });
});

describe("a client that does not read", () => {
  test("is dropped, and nobody else notices", { timeout: 1_200_000 }, async () => {
    const ada = await person({ name: "Ada" });
    const slow = await Client.join(server, "lobby", "Slow");
    await ada.seesPeople("Ada", "Slow");
    slow.socket.pause();
    const bob = await Client.join(server, "lobby", "Bob");
    const big = "🐟".repeat(2000);
    // The kernel takes some megabytes for the slow one, the server one more; then it has to go. In steps, each of which
    // the fast client and the page have seen, so that only the slow one lags.
    let dropped = false;
    for (let step = 1; step <= 200 && !dropped; step += 1) {
      for (let n = 0; n < 40; n += 1) bob.say(big);
      bob.say(`step ${step}`);
      await bob.until((message) => {
        dropped ||= message.type === "left" && message.name === "Slow";
        return message.text === `step ${step}`;
      });
      await ada.sees(`step ${step}`);
    }
    assert.ok(dropped, "64 MB not read are too many");
    await ada.seesPeople("Ada", "Bob");
    await ada.say("still here");
    await bob.until((message) => message.text === "still here");
    slow.socket.resume();
    const { code } = await within(slow.closed, "the slow one hears of it");
    assert.ok(code === 1013 || code === 1006, `closed with ${code}`);
    await bob.close();
  });
});
