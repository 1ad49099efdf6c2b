import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFiller, SILENT, UnitFacts, type Wanted } from "../../../drivers/discovery/facts.ts";
import { type KnownProfile, knownProfiles } from "../../../drivers/discovery/known.ts";
import { type Judgement, judge } from "../../../drivers/discovery/recognise.ts";
import { identityFrom } from "../../../drivers/discovery/who.ts";
import { type Image, readImage } from "./image.ts";
import { CODED, image, KNOWN, NAMED, RANGED, SPOKEN, sunspec, VAGUE } from "./profiles.ts";
import { compiledOrder, simulatedRegisters } from "./simulated.ts";

type Objects = Readonly<Record<number, string>>;

interface Asked extends Judgement {
  readonly facts: UnitFacts;
  readonly wanted: undefined;
  readonly asked: readonly Wanted[];
}

/** Judges a device with these registers, asking for whatever is wanted, as a survey does. */
async function ask(device: Image, objects: Objects = {}, options = {}): Promise<Asked> {
  const facts = new UnitFacts();
  const asked: Wanted[] = [];
  let terms = { profiles: KNOWN, thorough: false, ...options };
  for (;;) {
    const { candidates, wanted, remaining } = await judge(facts, terms);
    if (wanted === undefined) return { candidates, wanted, remaining, facts, asked };
    terms = { ...terms, profiles: remaining };
    asked.push(wanted);
    if ("objects" in wanted) {
      facts.learnObjects(new Map(Object.entries(objects).map(([number, said]) => [Number(number), said])));
      continue;
    }
    const answer = readImage(device, { unit: 1, ...wanted.range });
    const refused = { refused: "modbus-illegal-address" };
    facts.learn(wanted.range, "exception" in answer ? refused : { registers: Uint16Array.from(answer) });
  }
}

async function drivers(device: Image, objects?: Objects): Promise<readonly (readonly [string, string])[]> {
  const { candidates } = await ask(device, objects);
  return candidates.map(({ driver, certainty }) => [driver, certainty] as const);
}

describe("a device is recognised", () => {
  it("by SunSpec before anything else, and by no more requests than that takes", async () => {
    const { candidates, asked } = await ask({ ...image({ name: "AC-7" }), ...sunspec("S1") });
    expect(candidates).toMatchObject([{ driver: "sunspec", certainty: "sure", base: 40_000 }]);
    expect(asked).toEqual([{ range: { table: "holding", start: 40_000, count: 2 } }]);
  });

  it("by its identification, which costs no register", async () => {
    const { candidates, asked } = await ask({}, { 0: "ACME Inc.", 1: "X1\u001b[2J" });
    expect(candidates).toMatchObject([{ driver: "acme-spoken", certainty: "sure" }]);
    expect(candidates[0]?.because).toEqual(['it calls itself "ACME Inc." "X1?[2J"']);
    expect(asked).toHaveLength(4);
  });

  it("by a name, surely, whatever else its values allow", async () => {
    const found = await drivers(image({ name: "AC-72", serial: "A1" }));
    expect(found[0]).toEqual(["acme-named", "sure"]);
  });

  it("by a code, likely, before values in a range", async () => {
    expect(await drivers(image({ code: 332 }))).toEqual([
      ["acme-coded", "likely"],
      ["acme-ranged", "possible"],
      ["acme-vague", "possible"],
    ]);
  });

  it("by ranges as possibly one of several", async () => {
    expect(await drivers(image())).toEqual([
      ["acme-ranged", "possible"],
      ["acme-vague", "possible"],
    ]);
  });

  it("by a register at 0 as no more than a hint", async () => {
    expect(await drivers(image({ energy: 0, voltage: 0 }))).toEqual([["acme-vague", "hint"]]);
  });

  it("by nothing where no rule holds", async () => {
    expect(await drivers({ holding: { 0: [1, 2, 3] } })).toEqual([]);
  });

  it("and says who it is", async () => {
    const named = await ask(image({ name: "AC-72", serial: "A1" }));
    const range = { table: "holding", start: 12, count: 4 } as const;
    named.facts.learn(range, { registers: Uint16Array.of(0x4131, 0, 0, 0) });
    const [best] = named.candidates;
    if (best === undefined) throw new Error("nobody");
    expect(identityFrom(best, named.facts)).toMatchObject({ make: "Acme", serial: "A1" });
  });
});

describe("what a device is asked for", () => {
  it("ends with the first rule of a profile that does not hold", async () => {
    const { asked } = await ask(image({ voltage: 100 }));
    const frequency = { range: { table: "input", start: 1, count: 1 } };
    expect(asked).not.toContainEqual(frequency);
  });

  it("does not depend on what was judged in between", async () => {
    const device = image({ code: 332, energy: 7 });
    const { facts, candidates } = await ask(device);
    const { candidates: anew } = await judge(facts, { profiles: KNOWN, thorough: false });
    expect(anew).toEqual(candidates);
  });

  it("is nothing twice, whatever it answers", async () => {
    const word = fc.integer({ min: 0, max: 0xffff });
    const registers = fc.array(word, { minLength: 8, maxLength: 20 });
    const device = fc.record({
      live: registers,
      device: registers,
      at: fc.constantFrom(0, 11, 40_000, 50_000),
    });
    await fc.assert(
      fc.asyncProperty(device, fc.boolean(), async ({ live, device: held, at }, thorough) => {
        const { asked } = await ask({ input: { 0: live }, holding: { [at]: held } }, {}, { thorough });
        expect(new Set(asked.map((wanted) => JSON.stringify(wanted))).size).toBe(asked.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe("an answer of nothing", () => {
  const ranges = [0, 11, 40_000].map((start) => ({ table: "holding", start, count: 2 }) as const);
  const facts = (...answers: (readonly number[] | string)[]): UnitFacts => {
    const all = new UnitFacts();
    all.learnObjects(new Map());
    for (const [at, answer] of answers.entries()) {
      const range = ranges[at];
      if (range === undefined) throw new Error("too many");
      all.learn(
        range,
        typeof answer === "string" ? { refused: answer } : { registers: Uint16Array.from(answer) },
      );
    }
    return all;
  };

  it.each([
    ["zeros everywhere", facts([0, 0], [0, 0], [0, 0]), true],
    ["ones everywhere", facts([0xffff, 0xffff], [0xffff, 0xffff]), true],
    ["zeros, and once nothing at all", facts([0, 0], SILENT, [0, 0]), true],
    ["one other number", facts([0, 0], [0, 1]), false],
    ["zeros, and an address that it refuses", facts([0, 0], "modbus-illegal-address"), false],
    ["nothing but silence", facts(SILENT, SILENT), false],
  ])("%s", (_, said, expected) => {
    expect(isFiller(said)).toBe(expected);
  });
});

describe("every profile that comes with the project", () => {
  it("is found in a device of its kind, and no other is surer", async () => {
    const known = knownProfiles();
    const wrong: string[] = [];
    for (const profile of known) {
      const device = simulatedRegisters(profile.compiled);
      if (device === undefined) continue;
      const { candidates } = await ask(device.registers, device.objects, {
        profiles: compiledOrder(profile, known),
      });
      const [best] = candidates;
      const own = candidates.find(({ driver }) => driver === profile.compiled.name);
      if (own === undefined || own.certainty !== best?.certainty)
        wrong.push(
          `${profile.compiled.name}: ${own?.certainty ?? "not found"}, best ${best?.driver} ${best?.certainty}`,
        );
    }
    expect(wrong).toEqual([]);
    expect(known.length).toBeGreaterThan(5);
  });

  it("is ranked by its strongest rule", () => {
    const of = (profile: KnownProfile): readonly string[] =>
      profile.rules.map(({ rule }) => rule.point ?? "objects");
    expect([NAMED, CODED, RANGED, VAGUE, SPOKEN].map(of)).toEqual([
      ["name"],
      ["code"],
      ["voltage", "frequency"],
      ["importEnergy"],
      ["objects"],
    ]);
  });
});
