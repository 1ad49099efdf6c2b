import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { enrolmentPath, readEnrolment } from "../../agent/identity/enrolment-record.ts";
import { toHex } from "../../attest/bytes.ts";
import { enrolledKey } from "../../attest/enrolled-key.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { RunningNode } from "../../network/node.ts";
import { eventually } from "../kit/programs.ts";
import { newCode, operate, READ_TOKEN, tokenFile } from "../network/enrolment-kit.ts";
import { nodeAt, type Running, useUplinkHome } from "./uplink-home.ts";
import { until } from "./uplink-kit.ts";

describe("an agent at a real node that takes enrolled devices only", () => {
  const home = useUplinkHome();

  function enrollingNode(): Promise<RunningNode> {
    const tokens = tokenFile(home().folder);
    return home().startNode("node", { devices: "enrolled", http: { port: 0, tokens } });
  }

  function receipted({ agent }: Running): number {
    return agent.status().nodes[0]?.receiptedSize ?? 0;
  }

  /** What a stranger who trusts the node makes of the record beside the journal. */
  function enrolledAt(gateway: string, node: RunningNode): string {
    const path = enrolmentPath(join(gateway, "journal.sqlite"), node.nodeKey);
    return toHex(enrolledKey(nativeSuite, readEnrolment(path), [node.nodeKey]).deviceKey);
  }

  it("gets in with its one-time code, and shows what its channels do where that is allowed", async () => {
    const node = await enrollingNode();
    const gateway = home().gateway("gateway");
    const code = await newCode(node, { label: "roof" });
    writeFileSync(join(gateway, "code"), `${code.toLowerCase()}\n`, { mode: 0o600 });
    const running = home().startAgent(gateway, [nodeAt(node, ", enrolmentCodeFile: code, live: true")]);
    await until("a receipt", () => receipted(running));
    expect(enrolledAt(gateway, node)).toBe(toHex(running.agent.deviceKey));
    expect(running.problems()).toEqual([]);
    const url = `${node.httpUrl}/devices/${toHex(running.agent.deviceKey)}/live`;
    const headers = { authorization: `Bearer ${READ_TOKEN}` };
    await until("a reading", () => running.agent.status().channels[0]?.accepted);
    const shown = await eventually("the channel at the node", 20_000, async () => {
      const text = await (await fetch(url, { headers })).text();
      return text.includes("roof/inverter") ? text : undefined;
    });
    expect(shown).toContain("-3600000");
  });

  it("waits for the operator, whose answer it says whom to ask for, and streams once it is approved", async () => {
    const node = await enrollingNode();
    const gateway = home().gateway("gateway");
    const running = home().startAgent(gateway, [nodeAt(node)]);
    await until("a problem", () => running.problems().length);
    expect(running.problems()).toEqual(["node-refused:enrolment-waiting"]);
    const key = toHex(running.agent.deviceKey);
    const problem = running.lines.find(({ event }) => event === "node-problem");
    expect(problem?.["message"]).toContain(`ask the node's operator to approve key ${key}`);
    expect(String(problem?.["message"]).match(/asks? again|code/g)).toEqual(["code", "asks again"]);
    await operate(node, `/enrolments/${key}/approve`, { method: "POST", body: {} });
    await until("a receipt", () => receipted(running));
    expect(enrolledAt(gateway, node)).toBe(key);
    expect(running.problems()).toEqual(["node-refused:enrolment-waiting"]);
  });

  it("enrols again where the operator has removed it and approves it anew", async () => {
    const node = await enrollingNode();
    const gateway = home().gateway("gateway");
    const code = await newCode(node);
    writeFileSync(join(gateway, "code"), code, { mode: 0o600 });
    const running = home().startAgent(gateway, [nodeAt(node, ", enrolmentCodeFile: code")]);
    await until("a receipt", () => receipted(running));
    const before = readEnrolment(enrolmentPath(join(gateway, "journal.sqlite"), node.nodeKey));
    const key = toHex(running.agent.deviceKey);
    await operate(node, `/enrolments/${key}`, { method: "DELETE" });
    // Its code is used up.
    await until("a refusal", () => running.problems().includes("node-refused:enrolment-code"));
    await operate(node, `/enrolments/${key}/approve`, { method: "POST", body: {} });
    const enrolled = (): number => running.lines.filter(({ event }) => event === "enrolled").length;
    await until("the second enrolment", () => enrolled() === 2);
    const after = readEnrolment(enrolmentPath(join(gateway, "journal.sqlite"), node.nodeKey));
    expect(toHex(after.statement)).not.toBe(toHex(before.statement));
    expect(enrolledAt(gateway, node)).toBe(key);
  });
});
