import { BOUNDARY } from "../../attest/leaf-flexibility.ts";
import type { ConfigIssue } from "../../runtime/config-issues.ts";
import { nearest } from "../../runtime/nearest.ts";
import type { RawConfig } from "./schema.ts";

/** What does not fit together in `control`, `flexibility` and the nodes that may order. */
export function controlIssues(config: RawConfig): ConfigIssue[] {
  return [...deviceIssues(config), ...offerIssues(config), ...nodeIssues(config)];
}

function deviceIssues({ control, devices }: RawConfig): ConfigIssue[] {
  const ids = devices.map(({ id }) => id);
  const named = (control?.resources ?? []).map(({ device }, index) => ({
    path: ["control", "resources", index, "device"],
    device,
  }));
  const meter = control?.siteMeter;
  const all =
    meter === undefined ? named : [...named, { path: ["control", "siteMeter"], device: meter.device }];
  return all.flatMap(({ path, device }) => (ids.includes(device) ? [] : [unknownDevice(path, device, ids)]));
}

function offerIssues({ control, flexibility, site, devices }: RawConfig): ConfigIssue[] {
  const offers = flexibility?.offers ?? [];
  if (offers.length === 0) return [];
  const ids = devices.map(({ id }) => id);
  const controlled = (control?.resources ?? []).map(({ device }) => device);
  const unknown = offers.flatMap(({ device, boundary }, index) => {
    const path = ["flexibility", "offers", index, "resource"];
    if (!ids.includes(device)) return [unknownDevice(path, device, ids)];
    if (boundary !== BOUNDARY.device || controlled.includes(device)) return [];
    return [
      {
        path,
        what: "nothing may tell this device what to do",
        detail: {
          expected: "a device of control.resources",
          got: JSON.stringify(device),
          hint: "add it there, or offer the boundary of the site",
        },
      },
    ];
  });
  if (site.timeZone !== undefined) return unknown;
  const detail = { expected: "an IANA name such as Europe/Amsterdam", got: "none" };
  return [
    ...unknown,
    { path: ["site", "timeZone"], what: "offers are for local times, and the zone is not said", detail },
  ];
}

function nodeIssues({ control, nodes }: RawConfig): ConfigIssue[] {
  if (control !== undefined) return [];
  return nodes.flatMap(({ control: may }, index) =>
    may === true
      ? [
          {
            path: ["nodes", index, "control"],
            what: "the node may order, and there is nothing to be ordered",
            detail: {
              expected: "control at the top of the file, with the devices that may be told something",
              got: "none",
            },
          },
        ]
      : [],
  );
}

function unknownDevice(path: readonly PropertyKey[], device: string, ids: readonly string[]): ConfigIssue {
  const meant = nearest(device, ids);
  return {
    path: [...path],
    what: "there is no such device",
    detail: {
      expected: `one of ${ids.join(", ")}`,
      got: JSON.stringify(device),
      ...(meant === undefined ? {} : { hint: `did you mean "${meant}"?` }),
    },
  };
}
