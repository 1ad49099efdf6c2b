import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { decodeMessage, encodeMessage } from "../../attest/messages.ts";
import { readTls } from "../../network/http/tls-files.ts";
import type { RunningNode } from "../../network/node.ts";
import { NETWORK } from "../kit/device.ts";
import { OPERATE_TOKEN, READ_TOKEN, tokenFile } from "./enrolment-kit.ts";
import { runNode, temporaryFolder } from "./fixture.ts";
import { Authority } from "./tls-kit.ts";

interface Secured {
  readonly node: RunningNode;
  readonly folder: string;
  readonly authority: Authority;
}

/** A node with TLS on both sides, questions on every address of this machine. */
async function secured(): Promise<Secured> {
  const folder = temporaryFolder();
  const authority = new Authority(folder);
  const tls = authority.issue("tls-node");
  const tokens = tokenFile(folder);
  const node = await runNode(folder, {
    listen: { host: "127.0.0.1", port: 0, tls },
    http: { host: "0.0.0.0", port: 0, tokens, tls },
  });
  return { node, folder, authority };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Status of a question over TLS, or what kept it from being asked. */
function asked(node: RunningNode, ca: string, headers: Record<string, string> = {}): Promise<unknown> {
  return new Promise((resolve) => {
    const place = { host: "127.0.0.1", port: portOf(node.httpUrl), path: "/key", ca, headers };
    const sent = request(place, (response) => resolve(response.resume().statusCode));
    sent.on("error", (error) => resolve(Object(error).code));
    sent.end();
  });
}

/** The name on the certificate that a server shows. */
async function shownBy(url: string, ca: string): Promise<unknown> {
  const socket: TLSSocket = connectTls({ host: "127.0.0.1", port: portOf(url), ca });
  await once(socket, "secureConnect");
  const name = Object(socket.getPeerCertificate().subject).CN;
  socket.destroy();
  return name;
}

describe("questions over TLS", () => {
  it("are answered to who trusts the authority and has a token, on other addresses than this machine's own", async () => {
    const { node, authority } = await secured();
    expect(node.httpUrl).toMatch(/^https:\/\/0\.0\.0\.0:/);
    const bearer = { authorization: `Bearer ${READ_TOKEN}` };
    expect(await asked(node, authority.pem, bearer)).toBe(200);
    expect(await asked(node, authority.pem)).toBe(401);
    expect(await asked(node, authority.pem, { ...bearer, host: "node.example" })).toBe(200);
  });

  it("are not asked of a node whose certificate another authority signed", async () => {
    const { node } = await secured();
    const other = new Authority(temporaryFolder(), "other");
    const bearer = { authorization: `Bearer ${OPERATE_TOKEN}` };
    expect(await asked(node, other.pem, bearer)).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  it("are not answered to who speaks without it, nor with an old version", async () => {
    const { node, authority } = await secured();
    const plain = connectTcp(portOf(node.httpUrl), "127.0.0.1");
    let text = "";
    plain.on("data", (chunk) => {
      text += String(chunk);
    });
    plain.write("GET /key HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    await once(plain, "close");
    expect(text).not.toContain("nodeKey");
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    const socket = connectTls({ host: "127.0.0.1", port: portOf(node.httpUrl), ca: authority.pem, ...old });
    const [error] = await once(socket, "error");
    expect(String(Object(error).code)).toContain("PROTOCOL_VERSION");
  });
});

describe("devices over TLS", () => {
  function open(ca: string, node: RunningNode): WebSocket {
    return new WebSocket(node.wsUrl, [STREAM_SUBPROTOCOL], { ca });
  }

  it("get the node's hello when they trust the authority", async () => {
    const { node, authority } = await secured();
    expect(node.wsUrl).toMatch(/^wss:\/\/127\.0\.0\.1:/);
    const socket = open(authority.pem, node);
    await once(socket, "open");
    const deviceKey = new Uint8Array(32).fill(1);
    const hello = { network: NETWORK, deviceKey, deviceNonce: new Uint8Array(32), agentVersion: "t" };
    socket.send(encodeMessage({ type: "open", ...hello }));
    const [data] = await once(socket, "message");
    expect(decodeMessage(new Uint8Array(data))).toMatchObject({ type: "nodeHello", nodeKey: node.nodeKey });
    socket.terminate();
  });

  it("do not connect when they trust another one", async () => {
    const { node } = await secured();
    const socket = open(new Authority(temporaryFolder(), "other").pem, node);
    const [error] = await once(socket, "error");
    expect(Object(error).code).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  it("are cut off before the hello when they flood, as without TLS", async () => {
    const { node, authority } = await secured();
    const socket = open(authority.pem, node);
    await once(socket, "open");
    for (let i = 0; i < 40; i++) socket.send(new Uint8Array(1000), { fin: false });
    const [code] = await once(socket, "close");
    expect(code).toBe(1008);
  });
});

describe("certificates", () => {
  it("are read again while connections go on", async () => {
    const { node, folder, authority } = await secured();
    expect(await shownBy(node.wsUrl, authority.pem)).toBe("tls-node");
    const renewed = authority.issue("renewed");
    copyFileSync(renewed.certificate, join(folder, "tls-node.pem"));
    expect(() => node.reload("open")).toThrow("certificate and key do not make a TLS server");
    expect(await shownBy(node.wsUrl, authority.pem)).toBe("tls-node");
    copyFileSync(renewed.key, join(folder, "tls-node.key"));
    node.reload("open");
    expect(await shownBy(node.wsUrl, authority.pem)).toBe("renewed");
    expect(await shownBy(node.httpUrl, authority.pem)).toBe("renewed");
  });

  it("are refused with the place of what is wrong", () => {
    const folder = temporaryFolder();
    const { certificate, key } = new Authority(folder).issue("one");
    const other = new Authority(folder, "ca2").issue("two");
    const said = (files: { certificate: string; key: string }): string => {
      try {
        readTls(files, "http.tls");
        return "taken";
      } catch (thrown) {
        return `${Object(thrown).code}: ${Object(thrown).message}`;
      }
    };
    expect(said({ certificate, key })).toBe("taken");
    expect(said({ certificate, key: other.key })).toMatch(
      /^config-tls: http\.tls: certificate and key do not/,
    );
    expect(said({ certificate: key, key })).toMatch(/^config-tls: http\.tls: certificate and key do not/);
    expect(said({ certificate: join(folder, "none"), key })).toMatch(
      /^config-tls: http\.tls\.certificate .*none: file/,
    );
    writeFileSync(key, "");
    expect(said({ certificate, key })).toMatch(/^config-tls/);
  });
});
