// The page's side of the WebSocket: connects, joins, notices a dead connection, connects again.
//
//   waiting --(time, or retryNow)--> connecting --(welcome)--> joined
//      ^________________________________|______________________|      (the connection ends)
//
// and `refused` in place of `joined` when the server has no place in the room, until retryNow or another room.
// Nothing here touches the document, so that tests can run it with a socket and a clock of their own.

export const RETRY_FIRST_MS = 500;
export const RETRY_MS_MAX = 15_000;
export const STABLE_AFTER_MS = 5_000;
export const PING_AFTER_MS = 20_000;
export const PONG_WITHIN_MS = 10_000;

/** How long to wait before attempt `attempt` (0 is the first): doubles to a limit, then is shortened by up to a half. */
export function retryDelayMs(attempt, random) {
  const whole = Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(whole * (1 - random() / 2));
}

/**
 * One chat membership over as many connections as it takes.
 *
 * `handlers` are called as `state(name, retryInMs)`, `welcome(message)`, `said(message, request)`, `joined(message)`, `left(message)`,
 * `refused(message, request)` and `lost(requests)`. `request` is what `say` returned, or null when another member spoke;
 * `lost` names the requests whose answer was not seen: the history of the next welcome tells what became of them.
 */
export class ChatConnection {
  #url;
  #handlers;
  #env;
  #socket = null;
  #wanted = null;
  #name = null;
  #state = "idle";
  #attempt = 0;
  #requests = [];
  #retryTimer = null;
  #stableTimer = null;
  #aliveTimer = null;

  constructor(url, handlers, env = {}) {
    this.#url = url;
    this.#handlers = handlers;
    this.#env = {
      open: (target) => new WebSocket(target),
      random: Math.random,
      setTimeout: (call, ms) => setTimeout(call, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      ...env,
    };
  }

  get state() {
    return this.#state;
  }

  /** The name the server gave, which is not always the one asked for; null before the first welcome. */
  get name() {
    return this.#name;
  }

  /** From now on be in `room` as `name`, now and after every new connection. */
  want(room, name) {
    this.#wanted = { room, name };
    if (this.#state === "idle" || this.#state === "waiting") this.#connect();
    else if (this.#socket?.readyState === 1) this.#join();
  }

  /** Sends `text`; returns the request that `said`, `refused` or `lost` will name, or null when not joined. */
  say(text) {
    if (this.#state !== "joined") return null;
    const request = { kind: "say", text, name: this.#name };
    this.#send(request, { type: "say", text });
    return request;
  }

  /** Ends a wait before its time, or asks again for a room that was refused. */
  retryNow() {
    if (this.#state === "waiting") this.#connect();
    else if (this.#state === "refused") this.#join();
  }

  #connect() {
    this.#env.clearTimeout(this.#retryTimer);
    this.#setState("connecting");
    const socket = this.#env.open(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#heard();
      this.#join();
    };
    socket.onmessage = (event) => {
      this.#heard();
      this.#receive(event.data);
    };
    socket.onclose = () => this.#ended();
    // A connection that never answers its handshake is given up like one that falls silent.
    this.#aliveTimer = this.#env.setTimeout(() => this.#giveUp(), PONG_WITHIN_MS);
  }

  #join() {
    this.#setState("connecting");
    this.#send({ kind: "join" }, { type: "join", ...this.#wanted });
  }

  #send(request, message) {
    this.#requests.push(request);
    this.#socket.send(JSON.stringify(message));
  }

  // Every message has exactly one answer and answers come in order: the head of the queue is what is being answered.
  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    switch (message?.type) {
      case "welcome": {
        this.#requests.shift();
        this.#name = message.name;
        if (this.#joinsUnderWay()) return;
        this.#setState("joined");
        this.#env.clearTimeout(this.#stableTimer);
        this.#stableTimer = this.#env.setTimeout(() => { this.#attempt = 0; }, STABLE_AFTER_MS);
        this.#handlers.welcome(message);
        break;
      }
      case "said": {
        const own = message.name === this.#name && this.#requests[0]?.kind === "say";
        const request = own ? this.#requests.shift() : null;
        // What comes before the welcome of the room now wanted belongs to the room being left. When both are one room (a
        // change of name), the history will tell what became of the text.
        if (!this.#joinsUnderWay()) this.#handlers.said(message, request);
        else if (request) this.#handlers.lost([request]);
        break;
      }
      case "joined":
      case "left":
        if (!this.#joinsUnderWay()) this.#handlers[message.type](message);
        break;
      case "error": {
        const request = this.#requests.shift() ?? null;
        if (request?.kind === "join" && !this.#joinsUnderWay()) this.#setState("refused");
        this.#handlers.refused(message, request);
        break;
      }
      case "pong":
        this.#requests.shift();
        break;
      default: // a newer server's message: not for us
    }
  }

  #joinsUnderWay() {
    return this.#requests.some((request) => request.kind === "join");
  }

  #heard() {
    this.#env.clearTimeout(this.#aliveTimer);
    this.#aliveTimer = this.#env.setTimeout(() => {
      this.#send({ kind: "ping" }, { type: "ping" });
      this.#aliveTimer = this.#env.setTimeout(() => this.#giveUp(), PONG_WITHIN_MS);
    }, PING_AFTER_MS);
  }

  // A browser reports the end of a dead connection only minutes after close(): take it as ended now.
  #giveUp() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#ended();
  }

  #ended() {
    this.#env.clearTimeout(this.#aliveTimer);
    this.#env.clearTimeout(this.#stableTimer);
    this.#socket = null;
    const lost = this.#requests.filter((request) => request.kind === "say");
    this.#requests = [];
    const delay = retryDelayMs(this.#attempt, this.#env.random);
    this.#attempt += 1;
    this.#retryTimer = this.#env.setTimeout(() => this.#connect(), delay);
    this.#setState("waiting", delay);
    this.#handlers.lost(lost);
  }

  #setState(state, retryInMs = 0) {
    this.#state = state;
    this.#handlers.state(state, retryInMs);
  }
}
