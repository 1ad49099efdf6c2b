import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { commitmentBody, dispatchBody } from "../../network/flexibility/bodies.ts";
import { bodyOf } from "../../network/http/request-body.ts";
import type { RunningNode } from "../../network/node.ts";
import { enrollingNode, OPERATE_TOKEN } from "./enrolment-kit.ts";

const CODES = "/enrolment-codes";

/** Status and answer of a POST whose body comes in these pieces, without a length. */
function post(node: RunningNode, pieces: readonly string[]): Promise<readonly unknown[]> {
  const headers = { authorization: `Bearer ${OPERATE_TOKEN}`, "transfer-encoding": "chunked" };
  return new Promise((resolve, reject) => {
    const sent = request(`${node.httpUrl}${CODES}`, { method: "POST", headers }, (response) => {
      text(response).then((answer) => resolve([response.statusCode, JSON.parse(answer)]), reject);
    }).on("error", reject);
    for (const piece of pieces) sent.write(piece);
    sent.end();
  });
}

/** The whole answer to a POST with neither body nor length, as `curl -X POST` sends it. */
async function postNothing(node: RunningNode): Promise<string> {
  const { hostname, port, host } = new URL(node.httpUrl);
  const socket = connect(Number(port), hostname);
  const lines = [`POST ${CODES} HTTP/1.1`, `Host: ${host}`, `Authorization: Bearer ${OPERATE_TOKEN}`];
  socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
  return await text(socket);
}

describe("the body of a request", () => {
  it("may come without a length, in pieces, or not at all", async () => {
    const node = await enrollingNode();
    expect(await postNothing(node)).toMatch(/^HTTP\/1\.1 201 .*"code":"....-....-....?"/s);
    const [status, code] = await post(node, ['{"label":"Mühl', 'e 7",', '"hours":1}']);
    expect([status, Object(code).label]).toEqual([201, "Mühle 7"]);
    expect(await post(node, ["{"])).toEqual([400, expect.objectContaining({ code: "body" })]);
    const large = Array.from({ length: 50 }, () => "x".repeat(100_000));
    expect(await post(node, large)).toEqual([
      400,
      { code: "body", message: "the request's body is too large; expected at most 4096 bytes" },
    ]);
  });

  it("is refused in words that say what to write", () => {
    const said = (body: unknown, schema: Parameters<typeof bodyOf>[1]): string => {
      try {
        return JSON.stringify(bodyOf(typeof body === "string" ? body : JSON.stringify(body), schema));
      } catch (thrown) {
        return thrown instanceof Error ? thrown.message : String(thrown);
      }
    };
    const window = { from: "2026-01-31T12:00:00Z", to: "2026-01-31T13:00:00Z" };
    expect(said("", dispatchBody)).toBe("the request's body is no JSON, got an empty body");
    expect(said([], dispatchBody)).toContain("expected keys and values, got []");
    expect(said({}, dispatchBody)).toMatch(/^from: required key is missing; expected ISO 8601 with zone/);
    expect(said({ ...window, from: "noon", powerMw: 1 }, dispatchBody)).toMatch(
      /^from: value is not allowed; expected ISO 8601 with zone .*, got "noon"$/,
    );
    expect(said({ ...window, channel: 1, powerMw: 1.5 }, dispatchBody)).toBe(
      "powerMw: value is not allowed; expected a whole number, got 1.5",
    );
    expect(said({ ...window, channel: 1, powerW: 1 }, dispatchBody)).toContain('did you mean "powerMw"?');
    expect(said({ ...window, channel: 1 }, dispatchBody)).toBe(
      "powerMw: the request's body is wrong; expected one of powerMw, importLimitMw, exportLimitMw",
    );
    expect(said({ ...window, commitment: "12", powerMw: 1 }, dispatchBody)).toMatch(
      /^commitment: value is not allowed; expected 32 hexadecimal digits, got "12"$/,
    );
    expect(said({ channel: 1, direction: "up" }, commitmentBody)).toContain(
      "expected one of reduce, increase",
    );
  });
});
