// src/browser/pause.ts
function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms * (1 + Math.random() / 2));
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}

// src/browser/follow.ts
var FollowError = class extends Error {
  /** The status of its answer. */
  status;
  constructor(status) {
    super(`the server answered ${status}`);
    this.status = status;
  }
};
var TRIES = 3;
var LONGEST_DELAY_MS = 3e4;
var SILENCE_MS = 3e4;
var FIRST_SILENCE_MS = 1e4;
async function follow(url, { onStatus, signal, headers = {}, pollMs = 1e3 } = {}) {
  const source = { url, headers, signal, eventId: "", delayMs: pollMs, lost: 0 };
  let polls = false;
  let shown = "";
  signal?.throwIfAborted();
  for (; ; ) {
    for await (const text of polls ? polled(source) : streamed(source)) {
      const status = JSON.parse(text);
      if (text !== shown) onStatus?.(status);
      shown = text;
      if (/^(succeeded|failed|cancelled)$/.test(status.state)) return status;
    }
    polls ||= source.lost >= TRIES;
    await pause(Math.min(source.delayMs * 2 ** source.lost, LONGEST_DELAY_MS), signal);
    signal?.throwIfAborted();
  }
}
async function resultOf(url, options = {}) {
  await follow(url, options);
  const { headers = {}, signal, pollMs = 1e3 } = options;
  const source = { url: `${url}/result`, headers, signal, eventId: "", delayMs: pollMs, lost: 0 };
  for (; ; ) {
    for await (const text of polled(source)) return JSON.parse(text);
    await pause(Math.min(pollMs * 2 ** source.lost, LONGEST_DELAY_MS), signal);
    signal?.throwIfAborted();
  }
}
async function ask(source, path, headers, signal = source.signal) {
  const options = { headers: { ...source.headers, ...headers }, cache: "no-store" };
  if (signal !== void 0) options.signal = signal;
  const response = await fetch(source.url + path, options);
  if (response.ok) return response;
  const { status } = response;
  if (status < 500 && status !== 408 && status !== 429) throw new FollowError(status);
  return void 0;
}
function isOf({ headers }, type) {
  return headers.get("content-type")?.startsWith(type) ?? false;
}
function throwUnlessLost(error, { signal }) {
  signal?.throwIfAborted();
  if (error instanceof FollowError) throw error;
}
async function* polled(source) {
  let text;
  source.lost += 1;
  try {
    const response = await ask(source, "", {});
    if (response && !isOf(response, "application/json")) throw new FollowError(response.status);
    text = await response?.text();
  } catch (error) {
    throwUnlessLost(error, source);
  }
  if (text === void 0) return;
  source.lost = 0;
  yield text;
}
async function* streamed(source) {
  const connection = new AbortController();
  const end = () => connection.abort();
  source.signal?.addEventListener("abort", end);
  source.lost += 1;
  try {
    const headers = {
      accept: "text/event-stream",
      ...source.eventId && { "last-event-id": source.eventId }
    };
    const response = await within(
      FIRST_SILENCE_MS,
      connection,
      ask(source, "/events", headers, connection.signal)
    );
    if (response?.status === 204) yield* polled(source);
    else if (response?.body && isOf(response, "text/event-stream"))
      yield* eventsOf(response.body, source, connection);
  } catch (error) {
    throwUnlessLost(error, source);
  } finally {
    source.signal?.removeEventListener("abort", end);
    end();
  }
}
async function* eventsOf(body, source, connection) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (let silence = FIRST_SILENCE_MS; ; silence = SILENCE_MS) {
    const { done, value } = await within(silence, connection, reader.read());
    if (done) return;
    source.lost = 0;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      source.eventId = field("id") ?? source.eventId;
      source.delayMs = Number(field("retry") ?? source.delayMs);
      const data = field("data");
      if (data !== void 0) yield data;
    }
  }
}
async function within(ms, connection, promise) {
  const over = new AbortController();
  const silence = pause(ms, over.signal).then(() => {
    if (!over.signal.aborted) connection.abort();
  });
  try {
    return await promise;
  } finally {
    over.abort();
    await silence;
  }
}
export {
  FollowError,
  follow,
  resultOf
};
