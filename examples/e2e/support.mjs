// What the tests share: the server under test as a process, a browser, and a WebSocket client that can be asked for messages.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { WebSocket } from "ws";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = resolve(HERE, "../..");
/** Ends what hangs, on a machine as busy as it likes: no test depends on it being short. */
export const WITHIN_MS = 60_000;

/** The server's binary: CHAT_BIN (seen from the working directory), or what `cargo build --release --example chat` makes. */
export const CHAT_BIN = process.env.CHAT_BIN ? resolve(process.env.CHAT_BIN) : resolve(ROOT, "target/release/examples/chat");
const CHAT_ARGS = process.env.CHAT_ARGS?.split(" ").filter(Boolean) ?? [];

/** Rejects after a time, with a sentence that says what was waited for. */
export async function within(promise, what, ms = WITHIN_MS) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A running chat server. */
export class Server {
  /** Starts one where it is asked to, or on a free port. */
  static async start(listen) {
    if (listen) return Server.#startAt(listen);
    // Not a port of those that the system gives away: a test that starts its server anew there would find it taken.
    for (let tries = 1; ; tries += 1) {
      const port = 10_000 + Math.floor(Math.random() * 20_000);
      try {
        return await Server.#startAt(`127.0.0.1:${port}`);
      } catch (error) {
        if (tries === 10) throw error;
      }
    }
  }

  static async #startAt(listen) {
    const server = new Server();
    server.process = spawn(CHAT_BIN, ["--listen", listen, ...CHAT_ARGS], { stdio: ["ignore", "pipe", "inherit"] });
    server.exited = once(server.process, "exit").then(([code, signal]) => ({ code, signal }));
    const failed = once(server.process, "error").then(([error]) => { throw error; });
    const lines = createInterface({ input: server.process.stdout });
    const ready = (async () => {
      for await (const line of lines) {
        const match = /^listening on (127\.0\.0\.1:(\d+))$/.exec(line);
        if (match) return match[1];
      }
      throw new Error("the server ended before it was ready");
    })();
    try {
      server.address = await within(Promise.race([ready, failed]), `${CHAT_BIN} says where it listens`);
    } catch (error) {
      server.process.kill("SIGKILL");
      throw error;
    }
    server.process.stdout.resume();
    failed.catch(() => {});
    server.url = `http://${server.address}/`;
    server.socketUrl = `ws://${server.address}/ws`;
    return server;
  }

  /** Ends the server as a service manager would; returns its exit code and signal. */
  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGTERM");
    try {
      return await within(this.exited, "the server ends after SIGTERM");
    } catch (error) {
      this.process.kill("SIGKILL");
      throw error;
    }
  }
}

/** A member of the chat without a browser. */
export class Client {
  #inbox = [];
  #wake = () => {};
  closed;

  static async open(server, options = {}) {
    const client = new Client();
    client.socket = new WebSocket(server.socketUrl, { handshakeTimeout: WITHIN_MS, perMessageDeflate: false, ...options });
    client.socket.on("message", (data, binary) => {
      client.#inbox.push(binary ? { type: "(binary)", data } : JSON.parse(data));
      client.#wake();
    });
    client.closed = new Promise((done) => client.socket.on("close", (code, reason) => done({ code, reason: String(reason) })));
    client.closed.then((end) => {
      client.end = end;
      client.#wake();
    });
    await within(once(client.socket, "open"), "the WebSocket opens"); // once() rejects on "error"
    client.socket.on("error", () => {}); // told by "close"
    return client;
  }

  static async join(server, room, name) {
    const client = await Client.open(server);
    client.send({ type: "join", room, name });
    client.welcome = await client.next("welcome");
    return client;
  }

  send(message) {
    this.socket.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  say(text) {
    this.send({ type: "say", text });
  }

  /** The next message, whatever it is; with `type`, fails when it is another. */
  async next(type) {
    await within((async () => {
      while (this.#inbox.length === 0) {
        if (this.end) throw new Error(`waiting for ${type ?? "a message"}: closed with ${this.end.code} ${this.end.reason}`);
        await new Promise((wake) => { this.#wake = wake; });
      }
    })(), `a message ${type ?? ""}`);
    const message = this.#inbox.shift();
    if (type && message.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(message).slice(0, 300)}`);
    return message;
  }

  /** Reads up to the first message for which `test` holds, and returns it. */
  async until(test) {
    for (;;) {
      const message = await this.next();
      if (test(message)) return message;
    }
  }

  async close() {
    this.socket.close();
    return within(this.closed, "the WebSocket closes");
  }
}

/** Debian's Chromium. Nothing is downloaded, and nothing but the server under test is asked for. */
export function launchBrowser() {
  return chromium.launch({
    timeout: 2 * WITHIN_MS,
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}

/** One person with a browser of their own: a context, a page, and names for what is on it. */
export class Person {
  static async open(browser, server, { name, room = "lobby", context = {}, prepare = async () => {} } = {}) {
    const person = new Person();
    person.context = await browser.newContext(context);
    person.context.setDefaultTimeout(WITHIN_MS);
    person.page = await person.context.newPage();
    person.problems = [];
    person.foreign = [];
    person.page.on("pageerror", (error) => person.problems.push(String(error)));
    person.page.on("console", (message) => {
      // The browser itself reports each connection that fails; the reconnect tests cause those.
      if (message.type() === "error" && !/WebSocket connection to|ERR_CONNECTION/.test(message.text())) person.problems.push(message.text());
    });
    person.page.on("request", (request) => {
      if (new URL(request.url()).host !== server.address) person.foreign.push(request.url());
    });
    await prepare(person.page);
    await person.page.goto(`${server.url}#${encodeURIComponent(room)}`);
    if (name) await person.enter(name);
    return person;
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  async enter(name) {
    await this.at("name-input").fill(name);
    await this.at("name-submit").click();
    await this.connected();
  }

  connected() {
    return this.page.locator('[data-testid=connection][data-state="joined"]').waitFor();
  }

  async say(text) {
    await this.at("text").fill(text);
    await this.at("text").press("Enter");
  }

  message(text) {
    return this.page.locator("[data-testid=message]", { has: this.page.getByText(text, { exact: true }) });
  }

  /** Waits for a message with exactly this text. */
  sees(text) {
    return this.message(text).first().waitFor();
  }

  seesNotice(text) {
    return this.at("notice").filter({ hasText: text }).first().waitFor();
  }

  /** Waits until exactly these are here, in this order. */
  async seesPeople(...names) {
    await this.page.waitForFunction((wanted) => {
      const here = [...document.querySelectorAll("[data-testid=member]")].map((entry) => entry.dataset.name);
      return JSON.stringify(here) === wanted;
    }, JSON.stringify(names));
  }

  texts() {
    return this.at("message-text").allTextContents();
  }

  close() {
    return this.context.close();
  }
}
