// What scripts of code nodes may expect of Node.js beside the language itself, and the calling of `main`.
// An expression: takes the host's functions, returns one by which the host calls ours by name. Runs before any
// script, so that what it needs of the language is bound while it is still what it should be.
(function (host) {
  "use strict";
  const { print, digest, randomHex } = host;
  const { parse, stringify } = JSON;
  const { captureStackTrace } = Error;

  // Refuses what a script asked for; the stack then begins at its own line, not at one of ours.
  function refuse(Kind, message, caller) {
    const error = new Kind(message);
    captureStackTrace(error, caller);
    throw error;
  }

  // --- bytes and texts -------------------------------------------------------------------------------

  function utf8(text) {
    const bytes = [];
    for (const char of String(text)) {
      let point = char.codePointAt(0);
      if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
      if (point < 0x80) bytes.push(point);
      else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
      else if (point < 0x10000)
        bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
      else
        bytes.push(
          0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63),
        );
    }
    return bytes;
  }

  function sequenceLength(first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
  }

  // The code point at `at` and its length; [0xfffd, 1] where there is no valid sequence.
  function decodeOne(bytes, at) {
    const length = sequenceLength(bytes[at]);
    let point = length === 1 ? bytes[at] : bytes[at] & (0x7f >> length);
    for (let i = 1; i < length; i++) {
      if ((bytes[at + i] & 0xc0) !== 0x80) return [0xfffd, 1];
      point = (point << 6) | (bytes[at + i] & 63);
    }
    const overlong = (length === 3 && point < 0x800) || (length === 4 && (point < 0x10000 || point > 0x10ffff));
    return length === 0 || overlong || (point >= 0xd800 && point <= 0xdfff) ? [0xfffd, 1] : [point, length];
  }

  function fromUtf8(bytes) {
    const parts = [];
    for (let at = 0; at < bytes.length; ) {
      const [point, length] = decodeOne(bytes, at);
      parts.push(String.fromCodePoint(point));
      at += length;
    }
    return parts.join("");
  }

  const latin1 = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fromLatin1 = (text) => Array.from(String(text), (char) => char.charCodeAt(0) & 255);
  const fromHex = (text) => (String(text).match(/^([0-9a-f]{2})*/i)[0].match(/../g) ?? []).map((h) => parseInt(h, 16));
  const toBase64 = (bytes) => btoa(latin1(bytes));
  const unpadded = (text) => text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const fromBase64 = (text) =>
    fromLatin1(atob(String(text).replaceAll("-", "+").replaceAll("_", "/").replace(/[^A-Za-z0-9+/]/g, "")));

  const ENCODINGS = {
    utf8: [utf8, fromUtf8],
    base64: [fromBase64, toBase64],
    base64url: [fromBase64, (bytes) => unpadded(toBase64(bytes))],
    hex: [fromHex, toHex],
    latin1: [fromLatin1, latin1],
  };
  Object.assign(ENCODINGS, { "utf-8": ENCODINGS.utf8, binary: ENCODINGS.latin1, ascii: ENCODINGS.latin1 });

  function encoding(name, caller) {
    const found = ENCODINGS[String(name ?? "utf8").toLowerCase()];
    return found ?? refuse(TypeError, `Unknown encoding: ${name}`, caller);
  }

  class Buffer extends Uint8Array {
    static from(value, name) {
      if (typeof value === "string") return new Buffer(encoding(name, Buffer.from)[0](value));
      return value instanceof ArrayBuffer ? new Buffer(value.slice(0)) : new Buffer(Array.from(value));
    }
    static alloc(size, fill = 0) {
      return new Buffer(size).fill(fill);
    }
    static concat(parts) {
      return new Buffer(parts.flatMap((part) => Array.from(part)));
    }
    static byteLength(value, name) {
      return typeof value === "string" ? Buffer.from(value, name).length : value.byteLength;
    }
    static isBuffer(value) {
      return value instanceof Buffer;
    }
    equals(other) {
      return this.length === other.length && this.every((byte, i) => byte === other[i]);
    }
    toString(name, start = 0, end = this.length) {
      return encoding(name, Buffer.prototype.toString)[1](this.subarray(start, end));
    }
    toJSON() {
      return { type: "Buffer", data: Array.from(this) };
    }
  }

  class TextEncoder {
    encoding = "utf-8";
    encode(text = "") {
      return new Uint8Array(utf8(text));
    }
  }

  class TextDecoder {
    constructor(label = "utf-8") {
      if (!/^utf-?8$/i.test(label)) refuse(RangeError, `TextDecoder knows utf-8 only, not ${label}`, TextDecoder);
      this.encoding = "utf-8";
    }
    decode(bytes = []) {
      const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
      return fromUtf8(view).replace(/^\ufeff/, "");
    }
  }

  // --- hashes ----------------------------------------------------------------------------------------

  const asHex = (value, name) =>
    toHex(typeof value === "string" ? encoding(name, asHex)[0](value) : new Uint8Array(value.buffer ?? value));

  class Hash {
    #fed = [];
    #algorithm;
    #key;
    constructor(algorithm, key) {
      [this.#algorithm, this.#key] = [String(algorithm), key];
    }
    update(value, name) {
      this.#fed.push(asHex(value, name));
      return this;
    }
    digest(name) {
      const hex = digest(this.#algorithm, this.#key, this.#fed.join(""));
      if (hex === null) refuse(Error, `Digest method not supported: ${this.#algorithm}`, Hash.prototype.digest);
      const bytes = Buffer.from(hex, "hex");
      return name === undefined || name === "buffer" ? bytes : bytes.toString(name);
    }
  }

  const randomBytes = (size) => Buffer.from(randomHex(size), "hex");
  const crypto = {
    createHash: (algorithm) => new Hash(algorithm, null),
    createHmac: (algorithm, key) => new Hash(algorithm, asHex(key)),
    randomBytes,
    getRandomValues(array) {
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(randomBytes(array.byteLength));
      return array;
    },
    randomUUID() {
      const bytes = randomBytes(16);
      bytes[6] = (bytes[6] & 15) | 64;
      bytes[8] = (bytes[8] & 63) | 128;
      return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
  };

  const MODULES = { buffer: { Buffer }, crypto, util: { TextEncoder, TextDecoder } };
  function require(name) {
    const found = MODULES[String(name).replace(/^node:/, "")];
    const known = Object.keys(MODULES).join(", ");
    return found ?? refuse(Error, `Cannot find module '${name}': code nodes have ${known} only`, require);
  }

  // --- the console -----------------------------------------------------------------------------------

  function inspect(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value}\n${value.stack}`.trimEnd();
    if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
    if (value instanceof Map) return `Map ${inspect(Object.fromEntries(value))}`;
    if (value instanceof Set) return `Set ${inspect([...value])}`;
    if (typeof value !== "object" || value === null) return String(value);
    try {
      return stringify(value, (_, item) => (typeof item === "bigint" ? `${item}n` : item)) ?? String(value);
    } catch {
      return "[Circular]";
    }
  }

  function write(...values) {
    const [format] = values;
    if (typeof format === "string" && values.length > 1)
      values[0] = format.replace(/%[sdifjoO%]/g, (mark) => {
        if (mark === "%%") return "%";
        return values.length > 1 ? inspect(values.splice(1, 1)[0]) : mark;
      });
    print(stringify(values.map(inspect).join(" ")));
  }
  const console = Object.fromEntries(["log", "info", "warn", "error", "debug", "trace"].map((name) => [name, write]));

  // --- timers ----------------------------------------------------------------------------------------

  const timers = new Map();
  let lastTimer = 0;
  let now = 0;

  function schedule(callback, delay, values, interval) {
    if (typeof callback !== "function") refuse(TypeError, "The callback of a timer must be a function", setTimeout);
    const wait = Math.max(1, Number(delay) || 0);
    timers.set(++lastTimer, { at: now + wait, call: () => callback(...values), every: interval ? wait : 0 });
    return lastTimer;
  }
  const setTimeout = (callback, delay, ...values) => schedule(callback, delay, values, false);
  const setInterval = (callback, delay, ...values) => schedule(callback, delay, values, true);
  const setImmediate = (callback, ...values) => schedule(callback, 0, values, false);
  const clear = (id) => void timers.delete(id);

  function earliest() {
    let first = null;
    for (const [id, timer] of timers) if (first === null || timer.at < timers.get(first).at) first = id;
    return first;
  }

  // --- copies ----------------------------------------------------------------------------------------

  function structuredClone(value, seen = new Map()) {
    if (typeof value === "function" || typeof value === "symbol")
      refuse(DOMException, `${String(value)} could not be cloned`, structuredClone);
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    if (value instanceof Date) return new Date(value);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.slice(0);
    const copy = value instanceof Map ? new Map() : value instanceof Set ? new Set() : Array.isArray(value) ? [] : {};
    seen.set(value, copy);
    if (copy instanceof Map)
      for (const [key, item] of value) copy.set(structuredClone(key, seen), structuredClone(item, seen));
    else if (copy instanceof Set) for (const item of value) copy.add(structuredClone(item, seen));
    else for (const key of Object.keys(value)) copy[key] = structuredClone(value[key], seen);
    return copy;
  }

  const clone = (value) => structuredClone(value);
  const globals = {
    Buffer, TextEncoder, TextDecoder, console, crypto, require, setTimeout, setInterval, setImmediate,
    clearTimeout: clear, clearInterval: clear, clearImmediate: clear, structuredClone: clone,
    process: { env: {}, argv: [], platform: "linux" },
  };
  for (const [name, value] of Object.entries(globals))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

  // --- main ------------------------------------------------------------------------------------------

  let outcome = null;
  const settle = (found) => (outcome ??= stringify(found));

  function failed(error) {
    const isError = error instanceof Error;
    settle({ error: isError ? String(error) : `Uncaught ${inspect(error)}`, stack: isError ? error.stack : "" });
  }

  function succeeded(result) {
    const kind = Array.isArray(result) ? "array" : result === null ? "null" : typeof result;
    if (kind !== "object") return failed(new TypeError(`main must return an object, got ${kind}`));
    try {
      settle({ result });
    } catch (error) {
      failed(error);
    }
  }

  const steps = {
    // Calls `main`, which the script has bound meanwhile, however it did that.
    start(inputs) {
      try {
        if (typeof main !== "function") throw new TypeError("the code defines no function main");
        const result = main(parse(inputs));
        if (typeof result?.then === "function") Promise.resolve(result).then(succeeded, failed);
        else succeeded(result);
      } catch (error) {
        failed(error);
      }
    },
    // JSON of `{result}` or `{error, stack}`; null as long as `main` is under way.
    outcome: () => outcome,
    // Milliseconds until the next timer, null when there is none.
    pause() {
      const id = earliest();
      return id === null ? null : Math.max(0, timers.get(id).at - now);
    },
    // Lets the time of the next timer come and calls it.
    fire() {
      const id = earliest();
      const timer = timers.get(id);
      now = Math.max(now, timer.at);
      if (timer.every) timer.at = now + timer.every;
      else timers.delete(id);
      try {
        timer.call();
      } catch (error) {
        failed(error);
      }
    },
  };
  return (step, ...values) => steps[step](...values);
})
