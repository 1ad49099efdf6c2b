/** The part of `open-sml` 1.0.4, which has no types, that the comparison needs. */
declare module "open-sml" {
  export interface SmlListEntry {
    getObjName(): Uint8Array;
    getStatus(): number | string | undefined;
    getUnit(): number | undefined;
    getScaler(): number | undefined;
    getValue(): number | string | boolean | Uint8Array | undefined;
  }
  export interface SmlMessage {
    getMessageTag(): number;
    getMessageBody(): { getValList(): { getListEntries(): readonly SmlListEntry[] } };
  }
  export class SmlFile {
    parse(bytes: Uint8Array): void;
    getMessages(): readonly SmlMessage[];
    readonly valid: boolean | undefined;
  }
}
