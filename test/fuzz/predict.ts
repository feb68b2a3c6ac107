/**
 * What must happen to the bytes of one client connection, from the codec alone: which requests are
 * accepted, and what the client is answered. The plane, the wire and Node must all agree with it.
 */
import { FAULTS, BAD_PATH, MORE, OK } from "../../core/fault.ts";
import { ASTERISK, CLOSE, Head, KEEP_ALIVE, PATH_ODD, WEBSOCKET } from "../../core/head.ts";
import { BY_CHUNKS, BY_LENGTH, Body, NO_BODY } from "../../core/http1/body.ts";
import { forwardedLines } from "../../core/http1/forwarded.ts";
import { DATA, ENDED, WANT } from "../../core/http1/found.ts";
import { Partial } from "../../core/http1/partial.ts";
import { parseRequest, requestLineMax } from "../../core/http1/request.ts";
import { writeRequest } from "../../core/http1/write.ts";
import { canonicalPath } from "../../core/route/path.ts";
import { Slab } from "../../core/slab.ts";
import { readMessage, valuesOf } from "../message.ts";

/** A request that goes upstream whole. `fields` are lines, the framing of a chunked body first. */
export type Accepted = Readonly<{
  method: string;
  target: string;
  fields: readonly string[];
  body: string;
}>;

/** One final response to the client. `accepted` is the request that the origin answers, or null. */
export type Answer = Readonly<{ status: number; bodiless: boolean; accepted: Accepted | null }>;

export type Prediction = Readonly<{
  answers: readonly Answer[];
  /** So many of `answers` must come. */
  certain: number;
  /** What is behind those depends on who was faster. */
  loose: boolean;
  /** Requests whose head may be upstream and whose body never ends. */
  broken: number;
  /** Nothing more is read from the client, and it is told so by FIN. */
  closes: boolean;
  /** Methods of valid requests that Node's parser refuses. */
  foreign: readonly string[];
  /** Where I5 failed, or "". */
  unequal: string;
}>;

/** Who the client is and where it arrived, and what Node's parser knows of methods. */
export type Setting = Readonly<{ address: string; port: number; methods: ReadonlySet<string> }>;

/** What lies behind the bytes read so far; none of it may be looked at. */
const LEFTOVER = "\r\n\r\n0: ";
const SLAB = new Slab();
const BROKEN_BODY = Symbol("a body with broken framing");

/** Predicts for `bytes` read in pieces that end at `ends`. */
export function predict(bytes: Buffer, ends: readonly number[], setting: Setting): Prediction {
  return new Reader(bytes, ends, setting).read();
}

class Reader {
  readonly #source: Buffer;
  readonly #bytes: Buffer;
  readonly #ends: readonly number[];
  readonly #setting: Setting;
  readonly #answers: Answer[] = [];
  #head = new Head();
  /** What is 0 in the bytes of `#head`. */
  #base = 0;
  #available = 0;
  #next = 0;
  #at = 0;
  readonly #foreign: string[] = [];
  #certain = -1;
  #broken = 0;
  #unequal = "";

  constructor(source: Buffer, ends: readonly number[], setting: Setting) {
    this.#source = source;
    this.#bytes = Buffer.alloc(source.length + 16, LEFTOVER, "latin1");
    this.#ends = ends;
    this.#setting = setting;
    this.#more();
  }

  read(): Prediction {
    let open = true;
    while (open && (this.#at < this.#available || this.#more())) {
      const parsed = this.#readHead();
      if (parsed === MORE) break;
      if (parsed === OK) {
        const done = this.#accept(this.#head);
        if (done === null) break;
        open = done;
      } else {
        this.#answer(FAULTS[parsed]!.status, false, null);
        open = false;
      }
    }
    return {
      answers: this.#answers,
      certain: this.#certain < 0 ? this.#answers.length : this.#certain,
      loose: this.#certain >= 0,
      broken: this.#broken,
      closes: !open,
      foreign: this.#foreign,
      unequal: this.#unequal,
    };
  }

  /** The next head; what comes in pieces is collected the way a connection does. */
  #readHead(): number {
    this.#head = new Head();
    this.#head.reset(this.#bytes, this.#at);
    this.#base = 0;
    let parsed = parseRequest(this.#head, this.#available);
    if (parsed !== MORE) return parsed;
    const partial = new Partial(this.#bytes, this.#at, this.#available);
    this.#head = partial.head;
    this.#base = this.#at;
    for (let from = this.#available; parsed === MORE && this.#more(); from = this.#available) {
      const piece = this.#bytes.subarray(from, this.#available);
      const ready = partial.more(piece, requestLineMax(partial.head));
      if (ready) parsed = parseRequest(partial.head, partial.end);
    }
    return parsed;
  }

  /** The next piece arrives; false when there is none. */
  #more(): boolean {
    if (this.#next >= this.#ends.length) return false;
    const end = this.#ends[this.#next++]!;
    this.#source.copy(this.#bytes, this.#available, this.#available, end);
    this.#available = end;
    return true;
  }

  #answer(status: number, bodiless: boolean, accepted: Accepted | null): void {
    this.#answers.push({ status, bodiless, accepted });
  }

  /** A request with a valid head: whether another may follow, null when its body is unfinished. */
  #accept(head: Head): boolean | null {
    const method = head.bytes.toString("latin1", head.methodStart, head.methodEnd);
    const bodiless = method === "HEAD";
    if ((head.flags & PATH_ODD) !== 0 && !canonicalPath(head)) {
      this.#answer(FAULTS[BAD_PATH]!.status, bodiless, null);
      return false;
    }
    const switches = (head.flags & WEBSOCKET) !== 0;
    const stays = head.minor === 1 ? (head.flags & CLOSE) === 0 : (head.flags & KEEP_ALIVE) !== 0;
    const local = (head.flags & ASTERISK) !== 0;
    const foreign = !local && !this.#setting.methods.has(method);
    const bodied = head.chunked || head.length > 0;
    if (foreign) this.#foreign.push(method);
    this.#at = this.#base + head.end;
    const accepted = local ? null : this.#serialised(head);
    if (local) this.#answer(204, bodiless, null);
    // Whether the rest of a body that nobody wants is read depends on how much of it is here.
    if ((local || foreign) && bodied) this.#loosen();
    const data = this.#body(head);
    if (data === null || data === BROKEN_BODY) {
      if (!local) this.#broken++;
      if (data === BROKEN_BODY && !local) this.#answer(400, bodiless, null);
      return data === null ? null : false;
    }
    if (foreign) this.#answer(502, bodiless, null);
    else if (accepted !== null) this.#answer(200, bodiless, { ...accepted, body: data });
    return stays && !switches;
  }

  /** From here on answers may come or not. */
  #loosen(): void {
    if (this.#certain < 0) this.#certain = this.#answers.length;
  }

  /** The decoded body; null when it does not end. */
  #body(head: Head): string | typeof BROKEN_BODY | null {
    const body = new Body();
    const kind = head.chunked ? BY_CHUNKS : head.length > 0 ? BY_LENGTH : NO_BODY;
    body.start(kind, head.length, false);
    let data = "";
    for (;;) {
      const found = body.next(this.#bytes, this.#at, this.#available);
      this.#at = body.at;
      if (found === DATA) data += this.#text(body.from, body.to);
      else if (found === ENDED) return data;
      else if (found !== WANT) return BROKEN_BODY;
      else if (!this.#more()) return null;
    }
  }

  /** What goes upstream as an independent reader reads it; also I5. */
  #serialised(head: Head): Accepted {
    const written = rewrite(head, this.#setting);
    const again = new Head();
    again.reset(written, 0);
    // An empty Host is written where 1.0 had none; our own lines are too many for a full head.
    const whole = head.hostEnd > head.hostStart && head.count < 120 && head.hops < 3;
    if (whole && (parseRequest(again, written.length) !== OK || meaning(again) !== meaning(head))) {
      this.#unequal = written.toString("latin1");
    }
    try {
      const message = readMessage(written, { response: false, bodiless: true, ended: true })!;
      const [method = "", target = ""] = message.first.split(" ");
      const fields = message.fields.map(([name, value]) => `${name}: ${value}`);
      const hop = message.fields.find(([name]) => nominates(head, name.toLowerCase()));
      if (hop !== undefined) this.#unequal = `${hop[0]} was named by Connection`;
      return { method, target, fields, body: "" };
    } catch (error) {
      this.#unequal = `${(error as Error).message}: ${written.toString("latin1")}`;
      return { method: "", target: "", fields: [], body: "" };
    }
  }

  #text(from: number, to: number): string {
    return this.#bytes.toString("latin1", from, to);
  }
}

function rewrite(head: Head, { address, port }: Setting): Buffer {
  SLAB.end = 0;
  writeRequest(SLAB, head, forwardedLines({ address, port, scheme: "http" }), false);
  return Buffer.from(SLAB.bytes.subarray(0, SLAB.end));
}

/** Whether the client's own `Connection` names the field, and it is none that rind writes. */
function nominates(head: Head, field: string): boolean {
  if (/^(?:via|x-forwarded-.*|x-real-ip|connection|upgrade|max-forwards)$/.test(field))
    return false;
  const bytes = head.bytes.subarray(head.methodStart, head.end);
  const { fields } = readMessage(bytes, { response: false, bodiless: true, ended: true })!;
  return valuesOf(fields, "connection").some((value) =>
    value.split(",").some((option) => option.trim().toLowerCase() === field),
  );
}

function meaning(head: Head): string {
  const text = (from: number, to: number): string => head.bytes.toString("latin1", from, to);
  const path = head.path.toString("latin1", head.pathStart, head.pathEnd);
  const query = head.queryStart < 0 ? null : text(head.queryStart, head.queryEnd);
  const authority = text(head.authorityStart, head.authorityEnd);
  const method = text(head.methodStart, head.methodEnd);
  return JSON.stringify([method, path, query, authority, head.length, head.chunked]);
}
