import { describe, expect, it } from "vitest";
import { journalTree } from "../../agent/journal/proof-source.ts";
import { logIdOf } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import type { Home } from "./epochs-kit.ts";
import { deviceSigner, NETWORK } from "./kit.ts";
import { eachWithHome } from "./prove-kit.ts";

describe("what an epoch says of the one before it", () => {
  let home: Home;
  eachWithHome((_prover, made) => {
    home = made;
  });

  function opening(): Leaf | undefined {
    home.bench.sealer.commit();
    const { journal, identity } = home.bench.log;
    return journal.leaves(identity.epoch, 1, 2).map((bytes) => decodeLeaf(bytes))[0];
  }

  it("is what a node last receipted, and not how far the device may have signed", async () => {
    home.read(20);
    const size = await home.witness();
    const oldRoot = rangeHash(journalTree(home.bench.log.journal, 1), 0, size);
    home.read(20);
    expect(await home.sign()).toBeGreaterThan(size);
    home.nextEpoch();
    const leaf = opening();
    const oldLogId = logIdOf(nativeSuite, { network: NETWORK, deviceKey: deviceSigner.publicKey, epoch: 1 });
    expect(leaf).toMatchObject({ kind: "epochOpen", oldLogId, oldSize: size, oldRoot });
    // After a restore nobody knows what else the device signed: a guess would be held against it.
    expect(leaf).not.toHaveProperty("oldSignedSize");
  });

  it("is nothing when no node has receipted anything", async () => {
    home.read(20);
    await home.sign();
    home.nextEpoch();
    const leaf = opening();
    expect(leaf?.kind).toBe("epochOpen");
    for (const name of ["oldLogId", "oldSize", "oldRoot", "oldSignedSize"])
      expect(leaf).not.toHaveProperty(name);
  });
});
