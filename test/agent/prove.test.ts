import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { run } from "../kit/programs.ts";
import { type Home, nodeSigner } from "./epochs-kit.ts";
import { deviceSigner, meterSource, START_MS } from "./kit.ts";
import { eachWithHome, iso, minute, type Prover, span } from "./prove-kit.ts";

describe("kilowitness prove", () => {
  let prover: Prover;
  let home: Home;
  eachWithHome((...made) => {
    [prover, home] = made;
  });

  describe("for a span over two epochs", () => {
    /**
     * Epoch 1 is receipted up to its close of 12:03 and goes on to 12:05, signed; epoch 2 begins at 12:06:05 and
     * reaches beyond 12:09.
     */
    async function twoEpochs(): Promise<void> {
      home.read(5);
      await home.witness();
      home.read(26);
      await home.witness();
      home.read(23);
      await home.sign();
      home.time.advance(60_000);
      home.nextEpoch().read(18);
      await home.witness();
      home.read(24);
      await home.witness();
    }

    it("takes each part up to the checkpoint that the next epoch names, and claims nothing between", async () => {
      await twoEpochs();
      const said = await prover.prove(...span(minute(1), minute(9)));
      expect(said).toMatchObject({ code: 0, stderr: "" });
      const begin = minute(6) + 5000;
      const claimed = prover.energy();
      expect(claimed).toMatchObject({
        ...{ epochs: [1, 2], fromMs: minute(1), toMs: minute(9), standing: "witnessed" },
        gaps: [{ fromMs: minute(3), toMs: begin, epoch: 2 }],
      });
      expect(claimed.import?.wh).toBe(
        home.whBetween(minute(1), minute(3)) + home.whBetween(begin, minute(9)),
      );
      expect(said.stdout).toContain(
        `epoch 2 begins in it: the energy from ${iso(minute(3))} to ${iso(begin)} is not claimed`,
      );
      // Four receipts: over the first five readings, the end of epoch 1, the begin of epoch 2, and all.
      const [opening, closing] = claimed.edges;
      expect(opening).toMatchObject({ notBeforeMs: minute(1) - 4800, notAfterMs: minute(3) + 5200 });
      expect(closing).toMatchObject({ notBeforeMs: minute(7) + 30_200, notAfterMs: minute(9) + 30_200 });
    });

    it("prints what it proved as JSON, and `verify` agrees in words", async () => {
      await twoEpochs();
      const { stdout } = await prover.prove(...span(minute(2), minute(8)), "--json");
      expect(JSON.parse(stdout)).toEqual({
        ...{
          proof: prover.out,
          proofBytes: readFileSync(prover.out).length,
          channel: "meter/grid",
          epochs: [1, 2],
        },
        ...{ deviceKey: toHex(deviceSigner.publicKey), fromMs: minute(2), toMs: minute(8) },
      });
      const keys = [deviceSigner, nodeSigner].map(({ publicKey }) => toHex(publicKey));
      const verified = await run(["verify", prover.out, "--trust", `device:${keys[0]}`, `node:${keys[1]}`]);
      expect(verified.code).toBe(0);
      expect(verified.stdout).toContain("epochs 1, 2");
      expect(verified.stdout).toContain("epoch 2 of the key begins in it, its energy is not claimed");
    });

    it("still proves alone what the next epoch does not continue, if it was signed", async () => {
      await twoEpochs();
      expect((await prover.prove(...span(minute(3), minute(4)))).code).toBe(0);
      expect(prover.energy()).toMatchObject({
        epochs: [1],
        import: { wh: home.whBetween(minute(3), minute(4)) },
      });
    });

    it("says where the nearest closes end", async () => {
      await twoEpochs();
      const said = await prover.refused(span(minute(1) + 1, minute(9)), "proof-no-interval");
      expect(said).toContain(`from ${iso(minute(1))} or ${iso(minute(2))} to ${iso(minute(9))}, got`);
      expect(await prover.refused(span(minute(9), minute(1)), "proof-no-interval")).toContain(iso(minute(9)));
    });

    it("refuses a begin that the named checkpoint does not cover", async () => {
      await twoEpochs();
      const said = await prover.refused(span(minute(3), minute(9)), "proof-epoch");
      expect(said).toContain("epoch 2: one proof cannot hold the span");
      expect(said).toContain(`such as ${iso(minute(6) + 5000)} to ${iso(minute(9))}`);
      expect((await prover.prove(...span(minute(6) + 5000, minute(9)))).code).toBe(0);
    });

    it("does not offer what was never signed of an epoch that is over", async () => {
      home.read(30);
      await home.witness();
      home.read(36).nextEpoch().read(18);
      await home.witness();
      const said = await prover.refused(span(minute(1), minute(4)), "proof-no-interval");
      expect(said).toContain(`to ${iso(minute(2))} or ${iso(minute(7))}, got`);
      const { stdout } = await prover.prove();
      expect(stdout).not.toContain(`to ${iso(minute(4))}`);
    });

    it("refuses an epoch that names no log, because none was receipted", async () => {
      home.read(30);
      await home.sign();
      home.nextEpoch().read(30);
      await home.sign();
      const said = await prover.refused(span(minute(1), minute(4)), "proof-epoch");
      expect(said).toContain("epoch 2: one proof cannot hold the span: the journal does not hold the log");
    });

    it("refuses a channel that was renamed between the epochs, and proves each name on its own", async () => {
      home.read(30);
      await home.witness();
      home.nextEpoch();
      home.meter = { ...meterSource(), settings: { name: "house/grid" } };
      home.read(30);
      await home.witness();
      const wanted = ["--from", iso(minute(1)), "--to", iso(minute(4))];
      const said = await prover.refused(["--channel", "house/grid", ...wanted], "proof-no-interval");
      expect(said).toContain("channel house/grid");
      expect(
        (await prover.prove("--channel", "meter/grid", ...wanted.slice(0, 3), iso(minute(2)))).code,
      ).toBe(0);
      expect(prover.energy().epochs).toEqual([1]);
      expect(
        (await prover.prove("--channel", "house/grid", "--from", iso(minute(4)), "--to", iso(minute(5))))
          .code,
      ).toBe(0);
      expect(prover.energy().epochs).toEqual([2]);
    });

    it("refuses what no verifier would take: a register that went back between the epochs", async () => {
      home.read(30);
      await home.witness();
      home.nextEpoch();
      home.importMwh -= 30_000;
      home.read(30);
      await home.witness();
      const said = await prover.refused(span(minute(1), minute(4)), "proof-epoch");
      expect(said).toContain("two epochs of the key claim the same time or the same energy");
      expect(said).toContain("ask for a part of the span that lies in one epoch");
    });

    it("ends the earlier part before the later one begins, although the clock was set back between", async () => {
      home.read(43);
      await home.witness();
      home.time.wall = minute(2) + 30_000;
      home.nextEpoch().read(31);
      await home.witness();
      expect((await prover.prove(...span(minute(1), minute(5)))).code).toBe(0);
      const begin = minute(2) + 35_000;
      expect(prover.energy()).toMatchObject({
        ...{ fromMs: minute(1), toMs: minute(5), gaps: [{ fromMs: minute(2), toMs: begin, epoch: 2 }] },
      });
    });

    it("refuses another role of the same name", async () => {
      home.read(30);
      await home.witness();
      home.nextEpoch();
      home.meter = { ...meterSource(), settings: { name: "meter/grid", role: "load" } };
      home.read(30);
      await home.witness();
      expect(await prover.refused(span(minute(1), minute(4)), "proof-channel")).toContain(
        "channel meter/grid",
      );
    });
  });

  describe("for a span over more epochs", () => {
    it("follows the logs that the epochs name, past one that no node ever saw", async () => {
      home.read(30);
      await home.witness();
      home.nextEpoch().read(24);
      await home.sign();
      home.nextEpoch().read(24);
      await home.witness();
      expect((await prover.prove(...span(minute(1), minute(6)))).code).toBe(0);
      const begin = minute(5) + 5000;
      expect(prover.energy()).toMatchObject({
        epochs: [1, 3],
        gaps: [{ fromMs: minute(2), toMs: begin, epoch: 3 }],
        import: { wh: home.whBetween(minute(1), minute(2)) + home.whBetween(begin, minute(6)) },
      });
    });

    it("refuses to leap over an epoch that was receipted and closed nothing", async () => {
      home.read(30);
      await home.witness();
      home.nextEpoch().read(2);
      await home.witness();
      home.nextEpoch().read(30);
      await home.witness();
      const said = await prover.refused(span(minute(1), minute(4)), "proof-epoch");
      expect(said).toMatch(/epoch 3: .* it continues \d+ leaves of epoch 2, which close nothing of the span/);
    });

    it("joins eight epochs and no more", async () => {
      home.read(18);
      for (let epoch = 1; epoch < 9; epoch++) {
        await home.witness();
        home.nextEpoch().read(18);
      }
      await home.witness();
      const last = minute(13);
      const said = await prover.refused(span(START_MS + 5000, last), "proof-epoch");
      expect(said).toContain("expected at most 8, got 9");
      expect((await prover.prove(...span(minute(2) + 5000, last))).code).toBe(0);
      expect(prover.energy().epochs).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    });
  });
});
