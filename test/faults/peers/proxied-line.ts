import type { Running } from "../kit/running.ts";
import { FaultSite } from "../kit/site.ts";
import { UNLIMITED } from "./quick-node.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** A connected agent and its node, and what their bytes pass through. */
export interface ProxiedLine {
  readonly site: FaultSite;
  readonly node: Running;
  readonly agent: Running;
  readonly proxy: TcpProxy;
}

/** Starts all of it in that folder, and ends it whatever `play` comes to. */
export async function onProxiedLine<T>(folder: string, play: (line: ProxiedLine) => Promise<T>): Promise<T> {
  const site = await FaultSite.start(folder, { nodeYaml: UNLIMITED });
  let proxy: TcpProxy | undefined;
  try {
    const node = await site.startNode();
    proxy = await TcpProxy.start(site.wsPort);
    site.nodeUrl = proxy.url;
    const agent = site.launchAgent();
    await agent.event("node-connected");
    return await play({ site, node, agent, proxy });
  } finally {
    await site.close();
    await proxy?.close();
  }
}
